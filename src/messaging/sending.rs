//! Sends messages: one job each. A message is noted as `sending` before the mail server hears of it, in a transaction
//! that is committed. What becomes of it is noted with the end of the job.
//!
//! What is promised: a message that the mail server has taken is not sent again, unless the server or the connection
//! died before that was noted. It is then sent once more, with the same Message-ID, and never a third time; a reminder
//! is not sent once more.

use chrono::{TimeDelta, Utc};
use uuid::Uuid;

use super::{
    budget::{self, OnBehalf},
    mail::{Letter, Mailer},
    notices::{Book, Content, DueMessage, MessageState, SEND, Template},
    page,
    queue::{Done, Failed, Handler, Job, Kind, Working},
    rendering::{self, Variables},
    smtp::Unsent,
    voice::Voice,
};
use crate::{
    db::{self, Params, Tx, WorkerDb},
    metrics::count_mail,
    sql,
};

/// Why a message is skipped whose budgets did not allow it for so long.
const OVER_BUDGET: &str = "over_budget";

/// For how long a message waits for budgets.
const WAITS: TimeDelta = TimeDelta::hours(24);

/// Sends messages.
pub struct SendMessages {
    pub worker: WorkerDb,
    pub mailer: Mailer,
    pub book: Book,
}

impl Handler for SendMessages {
    fn kind(&self) -> Kind {
        SEND
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            match self.prepare(job.tenant, job.named("message_id")?).await? {
                Prepared::Nothing => Ok(Done::Finished),
                Prepared::Later(pause) => Ok(Done::Later(pause)),
                Prepared::Ready(letter, attempt) => self.send(job, *letter, attempt).await,
            }
        })
    }
}

/// What is to be done with a message.
enum Prepared {
    /// It was sent, skipped or deleted before, or is skipped now.
    Nothing,
    /// Its budgets allow it later.
    Later(std::time::Duration),
    Ready(Box<Letter>, Attempt),
}

/// An attempt to send a message: its number, and how often it is unknown whether an earlier one succeeded.
#[derive(Clone, Copy)]
struct Attempt {
    number: i16,
    doubts: i16,
    /// After so many it is not sent again.
    most_doubts: i16,
}

impl SendMessages {
    /// Finds out what the message says, and notes that it is being sent.
    async fn prepare(&self, tenant: Uuid, id: Uuid) -> Result<Prepared, Failed> {
        let mut tx = self.worker.begin(tenant);
        let Some(message) = tx.optional(sql!("messaging/messages_take.sql" as DueMessage), &[&id]).await?
        else {
            return Ok(Prepared::Nothing);
        };
        // A worker vanished while it was sent.
        let in_doubt = message.state == MessageState::Sending;
        let doubts = message.doubts + i16::from(in_doubt);
        let most_doubts =
            self.book.find(&message.event, message.recipient).map_or(1, |(notice, _)| notice.doubts);
        let early = message.due_at.and_then(|due_at| (due_at - Utc::now()).to_std().ok());
        if let Some(pause) = early.filter(|_| message.state == MessageState::Queued) {
            return Ok(Prepared::Later(pause));
        }
        let outcome = match message.state {
            MessageState::Sent | MessageState::Skipped | MessageState::Unknown => {
                return Ok(Prepared::Nothing);
            }
            MessageState::Queued | MessageState::Sending | MessageState::Failed => {
                if doubts >= most_doubts {
                    Err((MessageState::Unknown, None))
                } else if !self.mailer.sends() {
                    Err((MessageState::Skipped, Some("no_channel")))
                } else {
                    match self.write(&mut tx, tenant, &message).await? {
                        Written::Letter(letter) => Ok(letter),
                        Written::Skipped(reason) => Err((MessageState::Skipped, Some(reason))),
                        Written::Later(pause) => return Ok(Prepared::Later(pause)),
                    }
                }
            }
        };
        match outcome {
            Ok((letter, language)) => {
                let (address, title) = (letter.permit.to.clone(), letter.subject.clone());
                let sql = sql!("messaging/messages_begin.sql");
                tx.commit_with(sql, &[&id, &address, &language, &title]).await?;
                Ok(Prepared::Ready(letter, Attempt { number: message.attempts + 1, doubts, most_doubts }))
            }
            Err((state, reason)) => {
                count_mail(if reason == Some(OVER_BUDGET) { OVER_BUDGET } else { state.name() });
                let params: Params<'_> = &[&id, &message.attempts, &state.name(), &reason, &in_doubt];
                tx.commit_with(sql!("messaging/messages_end.sql"), params).await?;
                Ok(Prepared::Nothing)
            }
        }
    }

    /// The e-mail of a message, with permission to send it.
    async fn write(&self, tx: &mut Tx, tenant: Uuid, message: &DueMessage) -> Result<Written, db::Error> {
        let Some((notice, module)) = self.book.find(&message.event, message.recipient) else {
            return Ok(Written::Skipped("template"));
        };
        let voice = Voice::inside(tx).await?;
        let params: Params<'_> = &[&message.event, &message.recipient.name(), &voice.language()];
        let own = tx.optional(sql!("messaging/templates_find.sql" as Template), params).await?;
        let (template, language) = match (own, self.book.default(notice, voice.language())) {
            (Some(own), _) => (own, voice.language().to_owned()),
            (None, Some(default)) => {
                let template =
                    Template { subject: default.subject.to_owned(), body: default.body.to_owned() };
                (template, default.language.to_owned())
            }
            (None, None) => return Ok(Written::Skipped("template")),
        };
        let Content { name, address, variables, button, invitation, unsubscribe } =
            match module.compose(tx, message, &voice, &language).await? {
                Ok(content) => content,
                Err(reason) => return Ok(Written::Skipped(reason)),
            };
        let variables = Variables::from(variables);
        let rendered = rendering::render_subject(&template.subject, &variables)
            .and_then(|subject| Ok((subject, rendering::render(&template.body, &variables)?)));
        let (subject, text) = match rendered {
            Ok(rendered) => rendered,
            Err(mistake) => {
                // Templates are checked when they are saved; the values of this message make the difference.
                tracing::warn!(%tenant, code = mistake.code, "the template of a message cannot be rendered");
                return Ok(Written::Skipped("template"));
            }
        };
        let on_behalf = OnBehalf::Organization { id: tenant, inviter: None };
        let permit = if message.address.as_deref() == Some(address.as_str()) {
            budget::spent_before(&address, on_behalf)
        } else {
            match budget::spend_inside(tx, &address, on_behalf).await? {
                Ok(permit) => permit,
                Err(over) => {
                    return Ok(match over.retry_after() {
                        None => Written::Skipped("unverified"),
                        Some(_) if Utc::now() - message.due_at.unwrap_or(message.occurred_at) > WAITS => {
                            Written::Skipped(OVER_BUDGET)
                        }
                        Some(pause) => Written::Later(pause),
                    });
                }
            }
        };
        let end = unsubscribe.as_deref();
        let plain = page::plain(&voice, &language, &text, end);
        let html = page::html(&voice, &language, (&subject, &text), button.as_ref(), end);
        let letter = Letter {
            id: message.id,
            permit,
            from: voice.name,
            to: name,
            subject,
            text: plain,
            html,
            invitation,
            unsubscribe,
        };
        Ok(Written::Letter((Box::new(letter), language)))
    }

    async fn send(&self, job: &Job, letter: Letter, attempt: Attempt) -> Result<Done, Failed> {
        let id = letter.id;
        let result = self.mailer.hand_over(letter).await;
        let in_doubt = matches!(result, Err(Unsent::Unknown(_)));
        let (state, reason, failed) = match result {
            Ok(()) => (MessageState::Sent, None, None),
            Err(Unsent::Refused(error)) => {
                tracing::warn!(tenant = %job.tenant, error, "a message was refused");
                (MessageState::Failed, Some("refused"), None)
            }
            Err(Unsent::Unknown(error)) if attempt.doubts + 1 >= attempt.most_doubts => {
                tracing::warn!(tenant = %job.tenant, error, "whether a message was sent is unknown");
                (MessageState::Unknown, None, None)
            }
            Err(Unsent::NotNow(error) | Unsent::Unknown(error)) if job.attempt >= job.max_attempts => {
                (MessageState::Failed, Some("gave_up"), Some(error))
            }
            Err(Unsent::NotNow(error) | Unsent::Unknown(error)) => (MessageState::Queued, None, Some(error)),
        };
        count_mail(if state == MessageState::Queued { "retried" } else { state.name() });
        let mut tx = self.worker.begin(job.tenant);
        if failed.is_none() && !job.finish_in(&mut tx).await? {
            // Another worker has the job, and finds the message as it was left.
            return Ok(Done::Finished);
        }
        if state == MessageState::Failed {
            // It was counted as sent when it was permitted.
            tx.all(sql!("messaging/mails_failed.sql"), &[&job.tenant]).await?;
        }
        let params: Params<'_> = &[&id, &attempt.number, &state.name(), &reason, &in_doubt];
        tx.commit_with(sql!("messaging/messages_end.sql"), params).await?;
        match failed {
            Some(error) => Err(Failed(error)),
            None => Ok(Done::Finished),
        }
    }
}

/// A message as it is sent, or why it is not.
enum Written {
    /// With the language of its text.
    Letter((Box<Letter>, String)),
    Skipped(&'static str),
    Later(std::time::Duration),
}
