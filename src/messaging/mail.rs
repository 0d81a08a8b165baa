//! E-mail, sent by SMTP or written into a folder. A request never waits for it: who asked is answered at once, and the
//! mail is tried a few times in the background. It is lost with the process, so each of them can be asked for again.

use std::{path::Path, sync::Arc, time::Duration};

use lettre::{
    AsyncFileTransport, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
};
use tokio::sync::Semaphore;

/// Mails under way at once; more are dropped, and said so in the log.
const MOST: usize = 200;
/// How long to wait before each further try.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(AsyncFileTransport<Tokio1Executor>),
    Nowhere,
}

/// Sends mails.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    transport: Transport,
    from: Mailbox,
    /// Where the pages are that a link in a mail leads to.
    public_url: String,
    places: Arc<Semaphore>,
}

/// A mail to one person.
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub body: String,
}

impl Mailer {
    /// By `smtp://…` or `smtps://…` with user, password, host and port; or into a folder, by `file:///…`. What is wrong with
    /// the URL, without repeating it: it may hold a password.
    pub fn new(url: Option<&str>, from: Mailbox, public_url: String) -> Result<Self, String> {
        let transport = match url {
            None => Transport::Nowhere,
            Some(url) => match url.strip_prefix("file://") {
                Some(folder) if Path::new(folder).is_absolute() && Path::new(folder).is_dir() => {
                    Transport::Folder(AsyncFileTransport::new(Path::new(folder)))
                }
                Some(_) => return Err("there is no such folder".to_owned()),
                None => Transport::Smtp(
                    AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                        .map_err(|_| "expected smtp://, smtps:// or file:/// and a folder".to_owned())?
                        .timeout(Some(Duration::from_secs(30)))
                        .build(),
                ),
            },
        };
        Ok(Self(Arc::new(Inner { transport, from, public_url, places: Arc::new(Semaphore::new(MOST)) })))
    }

    /// A mailer that sends nothing, for programs that serve nobody.
    pub fn nowhere() -> Self {
        let from = "appointd@localhost".parse().expect("an address");
        Self::new(None, from, String::new()).expect("nothing to get wrong")
    }

    /// Whether it sends anything at all.
    pub fn sends(&self) -> bool {
        !matches!(self.0.transport, Transport::Nowhere)
    }

    /// A link to a page, with a secret behind the `#`: that part is sent to no server and stands in no log.
    pub fn link(&self, page: &str, secret: &str) -> String {
        format!("{}/{page}#token={secret}", self.0.public_url.trim_end_matches('/'))
    }

    /// Sends a mail, some time soon.
    pub fn send(&self, mail: Mail) {
        let inner = self.0.clone();
        if matches!(inner.transport, Transport::Nowhere) {
            tracing::warn!(
                subject = mail.subject,
                "no way to send e-mail is set (APPOINTD_MAIL_URL); not sent"
            );
            return;
        }
        let Ok(place) = inner.places.clone().try_acquire_owned() else {
            tracing::error!(subject = mail.subject, "too many e-mails under way; one was dropped");
            return;
        };
        tokio::spawn(async move {
            let _place = place;
            inner.deliver(&mail).await;
        });
    }
}

impl Inner {
    /// As it can be read and copied: plain ASCII, and whatever stays on this machine. Our lines are shorter than the 998
    /// characters RFC 5322 allows.
    fn encoded(&self, body: &str) -> Body {
        let encoding = match (&self.transport, body.is_ascii()) {
            (_, true) => ContentTransferEncoding::SevenBit,
            (Transport::Folder(_), false) => ContentTransferEncoding::EightBit,
            (_, false) => return Body::new(body.to_owned()),
        };
        Body::dangerous_pre_encoded(body.replace('\n', "\r\n").into_bytes(), encoding)
    }

    async fn deliver(&self, mail: &Mail) {
        let message = mail.to.parse::<Mailbox>().map_err(|error| error.to_string()).and_then(|to| {
            Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(&mail.subject)
                .header(ContentType::TEXT_PLAIN)
                .body(self.encoded(&mail.body))
                .map_err(|error| error.to_string())
        });
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(error, "an e-mail could not be written");
                return;
            }
        };
        for pause in PAUSES.map(Some).into_iter().chain([None]) {
            let sent = match &self.transport {
                Transport::Smtp(smtp) => {
                    smtp.send(message.clone()).await.map(drop).map_err(|error| error.to_string())
                }
                Transport::Folder(folder) => {
                    folder.send(message.clone()).await.map(drop).map_err(|error| error.to_string())
                }
                Transport::Nowhere => Ok(()),
            };
            let Err(error) = sent else {
                return;
            };
            match pause {
                Some(pause) => {
                    tracing::warn!(error, "an e-mail could not be sent; it is tried again");
                    tokio::time::sleep(pause).await;
                }
                None => tracing::error!(error, "an e-mail could not be sent, and was given up"),
            }
        }
    }
}
