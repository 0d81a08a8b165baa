//! The messages that modules send about their events: their variables and default texts, and what each says when it is
//! due.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{
    mail::Invitation,
    page::Button,
    queue::{Kind, Lane},
    voice::{FALLBACK, Voice},
};
use crate::{
    db::{self, Tx, row},
    http::values::named_enum,
    sql,
};

/// The jobs that send a message each.
pub const SEND: Kind = Kind { at_once: 2, ..Kind::new("messaging.send", Lane::Live) };

named_enum! {
    /// What became of a message.
    MessageState {
        /// It waits to be sent, for the first time or again.
        Queued = "queued",
        Sending = "sending",
        /// The mail server has taken it.
        Sent = "sent",
        /// The connection broke before the mail server answered, twice. It is not sent again.
        Unknown = "unknown",
        /// The mail server refused it, or could not be reached for most of a day.
        Failed = "failed",
        /// It was not to be sent.
        Skipped = "skipped",
    }
}

named_enum! {
    /// Who is told.
    Recipient {
        /// The contact that the event is about.
        Contact = "contact",
        /// A member who is affected, such as the provider of an appointment.
        Member = "member",
    }
}

/// A message that a module sends: an event, and who is told.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// The type of the event, or a name of what is planned.
    pub event: &'static str,
    pub recipient: Recipient,
    /// How often it may be unknown whether it was sent before it is given up: after more than one, it may come twice.
    pub doubts: i16,
    /// What its templates can say.
    pub variables: &'static [&'static str],
}

/// Default texts in one language: see [`Texts::of`].
#[derive(Clone, Copy, Debug)]
pub struct Texts {
    pub language: &'static str,
    pub file: &'static str,
}

/// How much is known of the example that templates are tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Everything that can be.
    Full,
    /// Nothing that can be missing.
    Sparse,
    /// Names that try to do harm.
    Hostile,
}

/// A message that is due.
#[derive(Clone, Debug)]
pub struct DueMessage {
    pub id: Uuid,
    pub event_id: Uuid,
    pub event: String,
    pub subject_id: Uuid,
    pub sequence: i32,
    pub recipient: Recipient,
    pub recipient_id: Uuid,
    pub channel: String,
    pub state: MessageState,
    pub attempts: i16,
    pub doubts: i16,
    /// Where it went when it was last begun to be sent.
    pub address: Option<String>,
    /// The time of the object that it was planned for.
    pub about_at: Option<DateTime<Utc>>,
    pub ahead_minutes: Option<i32>,
    /// When it is to be sent; `None`: at once.
    pub due_at: Option<DateTime<Utc>>,
    pub occurred_at: DateTime<Utc>,
}

row! {
    DueMessage {
        id, event_id, event, subject_id, sequence, recipient, recipient_id, channel, state, attempts, doubts, address,
        about_at, ahead_minutes, due_at, occurred_at
    }
}

/// What a message says when it is due.
pub struct Content {
    /// The name and the address of the recipient.
    pub name: String,
    pub address: String,
    /// For its template.
    pub variables: Value,
    pub button: Option<Button>,
    pub invitation: Option<Invitation>,
    /// The page that switches such messages off.
    pub unsubscribe: Option<String>,
}

/// What a message says, or why it is not sent.
pub type Composed = Result<Content, &'static str>;

pub type Composing<'a> = Pin<Box<dyn Future<Output = Result<Composed, db::Error>> + Send + 'a>>;

/// The messages of a module.
pub trait Notices: Send + Sync {
    fn notices(&self) -> &'static [Notice];

    fn texts(&self) -> &'static [Texts];

    /// What the variables of a message hold in an example.
    fn sample(
        &self,
        notice: &Notice,
        voice: &Voice,
        language: &str,
        sample: Sample,
    ) -> (Value, Option<Button>);

    /// What a message says now. Runs in a transaction of the worker.
    fn compose<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a DueMessage,
        voice: &'a Voice,
        language: &'a str,
    ) -> Composing<'a>;
}

/// The messages of all modules.
#[derive(Clone)]
pub struct Book(Arc<[Arc<dyn Notices>]>);

/// A template of a message.
#[derive(Clone, Debug)]
pub struct Template {
    pub subject: String,
    pub body: String,
}

row! {
    Template { subject, body }
}

/// A default text.
#[derive(Clone, Copy, Debug)]
pub struct DefaultTemplate {
    pub language: &'static str,
    pub subject: &'static str,
    pub body: &'static str,
}

impl Book {
    pub fn new(modules: impl IntoIterator<Item = Arc<dyn Notices>>) -> Self {
        Self(modules.into_iter().collect())
    }

    /// The message about an event for a recipient, and its module.
    pub fn find(&self, event: &str, recipient: Recipient) -> Option<(&'static Notice, &Arc<dyn Notices>)> {
        self.0.iter().find_map(|module| {
            let is_it = |notice: &&Notice| notice.event == event && notice.recipient == recipient;
            Some((module.notices().iter().find(is_it)?, module))
        })
    }

    /// All messages, each with its default texts.
    pub fn all(&self) -> impl Iterator<Item = (&'static Notice, DefaultTemplate)> {
        self.0.iter().flat_map(|module| {
            let texts = module.texts();
            module.notices().iter().flat_map(move |notice| {
                texts.iter().filter_map(move |texts| Some((notice, texts.of(notice)?)))
            })
        })
    }

    /// The default text in a language, or in that which every message has.
    pub fn default(&self, notice: &Notice, language: &str) -> Option<DefaultTemplate> {
        let (_, module) = self.find(notice.event, notice.recipient)?;
        let in_language = |language: &str| {
            module.texts().iter().find(|texts| texts.language == language).and_then(|texts| texts.of(notice))
        };
        in_language(language).or_else(|| in_language(FALLBACK))
    }
}

impl Texts {
    /// The text of one message. Each begins with a line `=== event recipient`, then its subject, then an empty line.
    pub fn of(&self, notice: &Notice) -> Option<DefaultTemplate> {
        let head = format!("{} {}\n", notice.event, notice.recipient.name());
        let text = self.file.split("=== ").find_map(|text| text.strip_prefix(head.as_str()))?;
        let (subject, body) = text.split_once("\n\n")?;
        Some(DefaultTemplate { language: self.language, subject: subject.trim(), body: body.trim() })
    }
}

/// A message to be added.
#[derive(Debug, Serialize)]
pub struct NewMessage<'a> {
    pub event_id: Uuid,
    pub event: &'a str,
    pub subject_id: Uuid,
    /// The revision of the object after the event.
    pub sequence: i32,
    pub recipient: Recipient,
    pub recipient_id: Uuid,
    pub channel: &'static str,
    pub occurred_at: DateTime<Utc>,
}

/// Adds messages and the jobs that send them, in the transaction that publishes their events.
pub async fn add(tx: &mut Tx, messages: &[NewMessage<'_>]) -> Result<(), db::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    tx.all(sql!("messaging/messages_add.sql"), &[&Json(messages), &SEND.name, &SEND.attempts]).await?;
    Ok(())
}

/// A message to be sent at a time of its own.
#[derive(Debug, Serialize)]
pub struct Planned<'a> {
    #[serde(flatten)]
    pub message: NewMessage<'a>,
    /// The time of the object that it is planned for. Planned again for the same time, it is not sent again.
    pub about_at: DateTime<Utc>,
    pub ahead_minutes: i32,
    pub due_at: DateTime<Utc>,
}

/// Plans messages, in the transaction that publishes the events because of which they are sent.
pub async fn plan(tx: &mut Tx, messages: &[Planned<'_>]) -> Result<(), db::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let messages = serde_json::to_value(messages).unwrap_or_default();
    tx.all(sql!("messaging/messages_plan.sql"), &[&messages, &SEND.name, &SEND.attempts]).await?;
    Ok(())
}
