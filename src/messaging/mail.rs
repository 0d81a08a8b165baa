//! Sends e-mail by SMTP, or writes it into a folder. A request never waits for it: an e-mail is sent in the background,
//! with a few retries. It is lost if the process ends, so every e-mail can be requested again. Each e-mail counts
//! towards the budgets of [`super::budget`], and none is sent without permission.

use std::{path::Path, sync::Arc, time::Duration};

use lettre::{
    AsyncFileTransport, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::budget::{self, OnBehalf, SendPermit};
use crate::{db::Db, http::token::Tokens, sql};

/// Maximum number of e-mails being sent at once. More are dropped and logged.
const MOST: usize = 200;
/// The delay before each retry.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
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
                None => Transport::Smtp(
                    AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                        .map_err(|_| "expected smtp://, smtps:// or file:/// and a folder".to_owned())?
                        .timeout(Some(Duration::from_secs(30)))
                        .build(),
                ),
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
    pub fn managing_link(&self, page: &str, organization: Uuid, id: Uuid) -> Option<String> {
        let token = self.tokens.as_ref()?.link_to(organization, id).ok()?;
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
    /// Leaves the body readable if it is ASCII or written into a folder. Our lines are shorter than the 998 characters
    /// that RFC 5322 allows.
    fn encoded(&self, body: &str) -> Body {
        let encoding = match (&self.transport, body.is_ascii()) {
            (_, true) => ContentTransferEncoding::SevenBit,
            (Transport::Folder(_), false) => ContentTransferEncoding::EightBit,
            (_, false) => return Body::new(body.to_owned()),
        };
        Body::dangerous_pre_encoded(body.replace('\n', "\r\n").into_bytes(), encoding)
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
                return true;
            };
            match pause {
                Some(pause) => {
                    tracing::warn!(error, "an e-mail could not be sent; it is tried again");
                    tokio::time::sleep(pause).await;
                }
                None => tracing::error!(error, "an e-mail could not be sent, and was given up"),
            }
        }
        false
    }
}
