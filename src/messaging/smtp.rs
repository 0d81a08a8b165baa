//! Hands an e-mail to a mail server, and knows how far it came. Until the text of the e-mail is sent, nothing was
//! accepted, and it can be sent again. Between the last byte of the text and the answer of the mail server it is not
//! known whether the e-mail was accepted (RFC 1047).

use std::time::Duration;

use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, MailBodyParameter, MailParameter},
    },
};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

/// How long the mail server may take until it waits for the text, and then to take it.
const PATIENCE: Duration = Duration::from_secs(30);

const TOO_SLOW: &str = "the mail server did not answer in time";

/// A mail server.
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Plain,
    /// TLS if the mail server offers it.
    Offered,
    Required,
    FromTheStart,
}

/// Why an e-mail was not sent, or may not have been.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The mail server refused it for good.
    Refused(String),
    /// It was certainly not accepted, and may be later.
    NotNow(String),
    /// The connection broke before the mail server answered.
    Unknown(String),
}

impl Smtp {
    /// `smtp://` or `smtps://` with user, password, host and port; `?tls=required` or `?tls=opportunistic` for
    /// STARTTLS.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (security, usual) = match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => (Security::Plain, 25),
            ("smtp", Some("opportunistic")) => (Security::Offered, 587),
            ("smtp", Some("required")) => (Security::Required, 587),
            ("smtps", _) => (Security::FromTheStart, 465),
            _ => return None,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let name = url.path().trim_matches('/');
        Some(Self {
            host: url.host_str()?.to_owned(),
            port: url.port().unwrap_or(usual),
            security,
            credentials,
            hello: if name.is_empty() { ClientId::default() } else { ClientId::Domain(name.to_owned()) },
        })
    }

    /// Sends an e-mail to one address.
    pub async fn send(&self, from: Address, to: Address, text: &[u8]) -> Result<(), Unsent> {
        let ready = timeout(PATIENCE, self.ready(from, to, text)).await;
        let mut connection = ready.unwrap_or_else(|_| Err(Unsent::NotNow(TOO_SLOW.to_owned())))?;
        match timeout(PATIENCE, connection.message(text)).await {
            Ok(Ok(_)) => {
                // It is sent, also if the farewell fails.
                let _ = timeout(PATIENCE, connection.quit()).await;
                Ok(())
            }
            Ok(Err(error)) if error.status().is_some() => Err(answered(&error)),
            Ok(Err(error)) => Err(Unsent::Unknown(error.to_string())),
            Err(_) => Err(Unsent::Unknown(TOO_SLOW.to_owned())),
        }
    }

    /// A connection that waits for the text of the e-mail.
    async fn ready(&self, from: Address, to: Address, text: &[u8]) -> Result<AsyncSmtpConnection, Unsent> {
        // What the mail server does not like about us is not about the e-mail.
        let not_now = |error: Error| Unsent::NotNow(said(&error));
        let mut connection = self.connect().await.map_err(not_now)?;
        let mut parameters = Vec::new();
        if !AsRef::<str>::as_ref(&to).is_ascii() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !text.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(Mail::new(Some(from), parameters)).await.map_err(not_now)?;
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(|error| answered(&error))?;
        connection.command(Data).await.map_err(|error| answered(&error))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let tls = || TlsParameters::new(self.host.clone());
        let wrapper = (self.security == Security::FromTheStart).then(tls).transpose()?;
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(PATIENCE), &self.hello, wrapper, None).await?;
        let starts = match self.security {
            Security::Required => true,
            Security::Offered => connection.can_starttls(),
            Security::Plain | Security::FromTheStart => false,
        };
        if starts {
            connection.starttls(tls()?, &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// What an answer about the e-mail means; without an answer, before its text was sent.
fn answered(error: &Error) -> Unsent {
    if error.is_permanent() { Unsent::Refused(said(error)) } else { Unsent::NotNow(said(error)) }
}

/// For the log: no address is in it.
fn said(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None => error.to_string(),
    }
}
