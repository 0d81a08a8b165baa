//! Sends e-mail by SMTP, or writes it into a folder. What a request sends ([`Mail`]) is sent in the background, with a
//! few retries; it is lost if the process ends, so it can be requested again. What an event causes ([`Letter`]) is sent
//! by a job: see [`super::sending`]. Each e-mail counts towards the budgets of [`super::budget`], and none is sent
//! without permission.

use std::{path::Path, sync::Arc, time::Duration};

use lettre::{
    AsyncFileTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Attachment, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    budget::{self, OnBehalf, SendPermit},
    smtp::{Smtp, Unsent},
};
use crate::{
    db::{Db, Pass},
    http::token::Tokens,
    metrics::count_mail,
    sql,
};

/// Maximum number of e-mails being sent at once. More are dropped and logged.
const MOST: usize = 200;
/// The delay before each retry.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

enum Transport {
    Smtp(Box<Smtp>),
    Folder(AsyncFileTransport<Tokio1Executor>),
    Nowhere,
}

/// Sends e-mails.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
    /// The database that counts budgets. Without it only e-mails that already have permission are sent.
    db: Option<Db>,
    /// Signs the links for guests.
    tokens: Option<Arc<Tokens>>,
}

struct Inner {
    transport: Transport,
    from: Mailbox,
    /// The base URL of the pages that links in e-mails lead to.
    public_url: String,
    places: Arc<Semaphore>,
}

/// An e-mail in plain text and HTML to one person, which may put an appointment into their calendar.
pub struct Letter {
    /// Makes the Message-ID: the same each time it is sent.
    pub id: Uuid,
    /// The permission to send it, which has its address.
    pub permit: SendPermit,
    /// The names of its sender and its recipient.
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub invitation: Option<Invitation>,
    /// Switches such messages off by a POST request (RFC 8058).
    pub unsubscribe: Option<String>,
}

/// A calendar entry for the recipient of an e-mail (RFC 6047).
pub struct Invitation {
    /// REQUEST, or CANCEL, as in the text.
    pub method: &'static str,
    pub calendar: String,
}

/// An e-mail to one person.
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub body: String,
    /// Whose budget it counts towards, besides that of the recipient.
    pub on_behalf: OnBehalf,
}

impl Mailer {
    /// `url` is `smtp://…` or `smtps://…` with user, password, host and port, or `file:///…` with a folder. An error
    /// does not repeat the URL, which may contain a password.
    pub fn new(url: Option<&str>, from: Mailbox, public_url: String) -> Result<Self, String> {
        let transport = match url {
            None => Transport::Nowhere,
            Some(url) => match url.strip_prefix("file://") {
                Some(folder) if Path::new(folder).is_absolute() && Path::new(folder).is_dir() => {
                    Transport::Folder(AsyncFileTransport::new(Path::new(folder)))
                }
                Some(_) => return Err("the folder does not exist".to_owned()),
                None => {
                    let smtp =
                        Smtp::parse(url).ok_or("expected smtp://, smtps:// or file:/// and a folder")?;
                    Transport::Smtp(Box::new(smtp))
                }
            },
        };
        let inner = Inner { transport, from, public_url, places: Arc::new(Semaphore::new(MOST)) };
        Ok(Self { inner: Arc::new(inner), db: None, tokens: None })
    }

    /// The same mailer, with a database that counts budgets.
    pub fn asking(self, db: Db) -> Self {
        Self { db: Some(db), ..self }
    }

    /// The same mailer, with the keys that sign links.
    pub fn signing(self, tokens: Arc<Tokens>) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// A link to a page where a guest manages one object of an organization. `None` if the mailer cannot sign links.
    pub fn managing_link(&self, page: &str, organization: Uuid, id: Uuid, proof: Pass) -> Option<String> {
        let token = self.tokens.as_ref()?.link_to(organization, id, proof).ok()?;
        Some(self.link(page, &token))
    }

    /// A mailer that sends nothing, for programs that serve no requests.
    pub fn nowhere() -> Self {
        let from = "appointd@localhost".parse().expect("an address");
        Self::new(None, from, String::new()).expect("nothing to get wrong")
    }

    /// Whether it sends e-mails at all.
    pub fn sends(&self) -> bool {
        !matches!(self.inner.transport, Transport::Nowhere)
    }

    /// A link to a page, with a secret after the `#`: browsers do not send that part, so it appears in no server's log.
    pub fn link(&self, page: &str, secret: &str) -> String {
        format!("{}#token={secret}", self.page(page))
    }

    /// The address of a page.
    pub fn page(&self, page: &str) -> String {
        format!("{}/{page}", self.inner.public_url.trim_end_matches('/'))
    }

    /// The public URL without its scheme, for texts.
    pub fn site(&self) -> &str {
        let url = self.inner.public_url.trim_end_matches('/');
        url.split_once("://").map_or(url, |(_, site)| site)
    }

    /// Sends an e-mail in the background if its budgets allow it; otherwise logs the budget that is used up. If the
    /// caller needs to know, use [`budget::spend`] instead.
    pub fn send(&self, mail: Mail) {
        let Some(db) = self.db.clone() else {
            tracing::error!("an e-mail without a permit was dropped");
            return;
        };
        let Mail { to, subject, body, on_behalf } = mail;
        self.in_background(subject, move |inner, subject| async move {
            match budget::spend_alone(&db, &to, on_behalf).await {
                Ok(Ok(permit)) => inner.deliver(&permit, &subject, &body, Some(&db)).await,
                Ok(Err(error)) => {
                    count_mail("over_budget");
                    tracing::warn!(budget = error.budget(), "an e-mail over the budget was not sent");
                }
                Err(error) => tracing::error!(%error, "an e-mail could not be counted, and was not sent"),
            }
        });
    }

    /// Sends an e-mail that has permission, in the background.
    pub fn send_with_permit(&self, permit: SendPermit, (subject, body): (String, String)) {
        let db = self.db.clone();
        self.in_background(subject, move |inner, subject| async move {
            inner.deliver(&permit, &subject, &body, db.as_ref()).await;
        });
    }

    /// The address that e-mails come from.
    pub fn address(&self) -> &str {
        self.inner.from.email.as_ref()
    }

    /// Sends an e-mail once, and waits until the mail server has taken it.
    pub async fn hand_over(&self, letter: Letter) -> Result<(), Unsent> {
        let message = self.inner.whole(letter).map_err(Unsent::Refused)?;
        self.inner.hand_over(&message).await
    }

    fn in_background<F>(&self, subject: String, work: impl FnOnce(Arc<Inner>, String) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = self.inner.clone();
        if matches!(inner.transport, Transport::Nowhere) {
            tracing::warn!(subject, "no way to send e-mail is set (APPOINTD_MAIL_URL); not sent");
            return;
        }
        let Ok(place) = inner.places.clone().try_acquire_owned() else {
            count_mail("dropped");
            tracing::error!(subject, "too many e-mails under way; one was dropped");
            return;
        };
        let work = work(inner, subject);
        tokio::spawn(async move {
            let _place = place;
            work.await;
        });
    }
}

impl Inner {
    /// Leaves the body readable if it is ASCII with lines of the length that RFC 5322 allows, or written into a folder.
    fn encoded(&self, body: &str) -> Body {
        let body = body.replace("\r\n", "\n");
        let is_plain = body.is_ascii() && body.lines().all(|line| line.len() <= 998);
        let encoding = match (&self.transport, is_plain) {
            (_, true) => ContentTransferEncoding::SevenBit,
            (Transport::Folder(_), false) => ContentTransferEncoding::EightBit,
            (_, false) => return Body::new(body),
        };
        Body::dangerous_pre_encoded(body.replace('\n', "\r\n").into_bytes(), encoding)
    }

    /// A message with both texts, and the calendar entry as mail programs look for it: among the alternatives, and
    /// attached.
    fn whole(&self, letter: Letter) -> Result<Message, String> {
        let Letter { id, permit, from, to, subject, text, html, invitation, unsubscribe } = letter;
        let address = permit.to.parse().map_err(|_| "the address is malformed".to_owned())?;
        let part = |kind, text: &str| SinglePart::builder().header(kind).body(self.encoded(text));
        let both = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, &text))
            .singlepart(part(ContentType::TEXT_HTML, &html));
        let whole = match &invitation {
            None => both,
            Some(Invitation { method, calendar }) => {
                let kind = format!("text/calendar; charset=utf-8; method={method}");
                let kind = ContentType::parse(&kind).map_err(|error| error.to_string())?;
                let attached = Attachment::new("appointment.ics".to_owned());
                MultiPart::mixed()
                    .multipart(both.singlepart(part(kind.clone(), calendar)))
                    .singlepart(attached.body(self.encoded(calendar), kind))
            }
        };
        let header = |name, value| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
        let mut message = Message::builder()
            .from(Mailbox::new(Some(one_line(&from)), self.from.email.clone()))
            .to(Mailbox::new(Some(one_line(&to)), address))
            .subject(one_line(&subject))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        if let Some(url) = unsubscribe {
            message = message
                .raw_header(header("List-Unsubscribe", format!("<{url}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        message.multipart(whole).map_err(|error| error.to_string())
    }

    async fn hand_over(&self, message: &Message) -> Result<(), Unsent> {
        match &self.transport {
            Transport::Smtp(smtp) => {
                let envelope = message.envelope();
                let (Some(from), Some(to)) = (envelope.from(), envelope.to().first()) else {
                    return Err(Unsent::Refused("it has no sender or no recipient".to_owned()));
                };
                smtp.send(from.clone(), to.clone(), &message.formatted()).await
            }
            Transport::Folder(folder) => {
                let written = folder.send(message.clone()).await;
                written.map(drop).map_err(|error| Unsent::NotNow(error.to_string()))
            }
            Transport::Nowhere => Ok(()),
        }
    }

    /// Sends it, or gives it up after some attempts; then it counts as failed for the organization.
    async fn deliver(&self, permit: &SendPermit, subject: &str, body: &str, db: Option<&Db>) {
        if self.transmit(&permit.to, subject, body).await {
            return;
        }
        if let (Some(db), Some(organization)) = (db, permit.organization) {
            let noted = db.gate(sql!("messaging/mails_failed.sql"), &[&organization]).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "an e-mail that failed could not be counted");
            }
        }
    }

    /// Whether it was sent.
    async fn transmit(&self, to: &str, subject: &str, body: &str) -> bool {
        let message = to.parse::<Mailbox>().map_err(|error| error.to_string()).and_then(|to| {
            Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(subject)
                .header(ContentType::TEXT_PLAIN)
                .body(self.encoded(body))
                .map_err(|error| error.to_string())
        });
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(error, "an e-mail could not be written");
                return false;
            }
        };
        for pause in PAUSES.map(Some).into_iter().chain([None]) {
            match (self.hand_over(&message).await, pause) {
                (Ok(()), _) => {
                    count_mail("sent");
                    return true;
                }
                (Err(Unsent::NotNow(error)), Some(pause)) => {
                    count_mail("retried");
                    tracing::warn!(error, "an e-mail could not be sent; it is tried again");
                    tokio::time::sleep(pause).await;
                }
                (Err(Unsent::NotNow(error) | Unsent::Refused(error)), _) => {
                    count_mail("failed");
                    tracing::error!(error, "an e-mail could not be sent, and was given up");
                    return false;
                }
                (Err(Unsent::Unknown(error)), _) => {
                    count_mail("unknown");
                    tracing::error!(error, "an e-mail may not have been sent; it is not sent again");
                    return false;
                }
            }
        }
        false
    }
}

/// A text as one line of a header: without line breaks and other control characters.
pub fn one_line(text: &str) -> String {
    text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
