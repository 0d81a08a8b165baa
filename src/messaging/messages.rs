//! The operations on messages: who was told what, and what became of it.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::notices::{MessageState, Recipient};
use crate::{
    db::{self, Db, Params, WorkerDb, row},
    http::{
        caller::{Member, Staff},
        json::Json,
        page::{Cursor, Ids, Page, Paging, any_of},
        problem::{ApiError, Listing, Problem, Reading},
        values::{List, named_enum},
    },
    sql,
};

/// How many messages one transaction deletes.
const MOST_FORGOTTEN: i64 = 5000;

named_enum! {
    /// Why a message failed or was skipped.
    MessageReason {
        /// The mail server does not accept it.
        Refused = "refused",
        /// The mail server could not be reached, or did not accept it for now, too often.
        GaveUp = "gave_up",
        /// The object has changed since: the later event has a message of its own.
        Stale = "stale",
        /// The appointment has begun.
        Past = "past",
        /// The contact has no e-mail address, or the member has left or has no verified one.
        NoAddress = "no_address",
        /// The server sends no e-mail.
        NoChannel = "no_channel",
        /// The organization does not send such messages any more.
        SwitchedOff = "switched_off",
        /// The contact does not want such messages.
        OptedOut = "opted_out",
        /// No owner of the organization has a verified e-mail address.
        Unverified = "unverified",
        /// The limits of e-mails did not allow it for a day.
        OverBudget = "over_budget",
        /// The template cannot be rendered for this recipient.
        Template = "template",
    }
}

named_enum! {
    /// How a message is sent.
    MessageChannel {
        Email = "email",
    }
}

/// What a person is told about an event.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Message {
    pub id: Uuid,
    /// The event that it is about, or because of which it was planned.
    pub event_id: Uuid,
    /// The type of the event: see `GET /api/v1/event-types`. Of planned messages: `appointment.reminder` or
    /// `appointment.thanks`.
    pub event: String,
    /// The object of the event.
    pub subject_id: Uuid,
    pub recipient: Recipient,
    /// The id of the contact, or the account of the member.
    pub recipient_id: Uuid,
    pub channel: MessageChannel,
    pub state: MessageState,
    /// Present if the message failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<MessageReason>,
    /// Number of attempts to send it.
    pub attempts: i16,
    /// The address that it went to. Absent before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The language of its text. Absent before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The subject of the e-mail. Absent before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it is to be sent, if it is planned. Absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When the mail server took it. Absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
}

row! {
    Message {
        id, event_id, event, subject_id, recipient, recipient_id, channel, state, reason, attempts, address, language,
        title, due_at, occurred_at, created_at, sent_at
    }
}

pub struct MessagesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl MessagesApi {
    /// List the messages
    ///
    /// What contacts and members are told about events, newest first. Messages are kept for
    /// `privacy.data_retention_days`.
    #[oai(path = "/messages", method = "get", operation_id = "list_messages")]
    async fn list(
        &self,
        caller: Member<Staff>,
        ids: Ids,
        /// Only messages in one of these states. Can be repeated.
        state: Query<List<MessageState, 0, 6>>,
        /// Only messages to this contact or member.
        recipient_id: Query<Option<Uuid>>,
        /// Only messages about this object.
        subject_id: Query<Option<Uuid>>,
        page: Paging,
    ) -> Result<Json<Page<Message>>, ApiError<Listing>> {
        let (before, before_id) = page.cursor().map(|cursor| (cursor.time, cursor.id)).unzip();
        let states: Option<Vec<&str>> = any_of(state.0.iter().map(|state| state.name()).collect());
        let sql = sql!("messaging/messages_list.sql" as Message);
        let params: Params =
            &[&before, &before_id, &page.rows(), &states, &recipient_id.0, &subject_id.0, &ids.0];
        let messages = self.0.all(&caller, sql, params).await?;
        Ok(Json(page.of(messages, |last| Cursor::new(last.created_at, last.id))))
    }

    /// Get a message
    #[oai(path = "/messages/:message_id", method = "get", operation_id = "get_message")]
    async fn get(
        &self,
        caller: Member<Staff>,
        message_id: Path<Uuid>,
    ) -> Result<Json<Message>, ApiError<Reading>> {
        let sql = sql!("messaging/messages_get.sql" as Message);
        let message = self.0.optional(&caller, sql, &[&message_id.0]).await?;
        Ok(Json(message.ok_or_else(Problem::not_found)?))
    }
}

/// Deletes the messages of an organization that were created before an instant.
pub async fn forget(db: &WorkerDb, tenant: Uuid, before: DateTime<Utc>) -> Result<(), db::Error> {
    loop {
        let sql = sql!("messaging/messages_forget.sql" as (i64,));
        let forgotten = db.begin(tenant).commit_with(sql, &[&before, &MOST_FORGOTTEN]).await?;
        if forgotten.is_none_or(|(messages,)| messages < MOST_FORGOTTEN) {
            return Ok(());
        }
    }
}
