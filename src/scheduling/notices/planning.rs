//! Who is told about an event of an appointment. Decided in the transaction that publishes the event.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::NOTICES;
use crate::{
    db::{Tx, row},
    messaging::{
        notices::{self, NewMessage, Recipient},
        publisher::{Follow, Following, Happened},
    },
    sql,
};

/// Adds messages about appointments.
pub struct TellAboutAppointments;

/// Whether customers are notified, and the account of a provider.
struct ProviderAccount {
    notify_by_email: bool,
    provider_id: Option<Uuid>,
    account_id: Option<Uuid>,
}

row! {
    ProviderAccount { notify_by_email, provider_id, account_id }
}

impl Follow for TellAboutAppointments {
    fn follow<'a>(&'a self, tx: &'a mut Tx, events: &'a [Happened]) -> Following<'a> {
        Box::pin(async move {
            let now = Utc::now();
            let events: Vec<&Happened> = events.iter().filter(|event| is_told(event, now)).collect();
            if events.is_empty() {
                return Ok(());
            }
            let mut providers: Vec<Uuid> =
                events.iter().flat_map(|event| event.references("provider_id")).collect();
            providers.sort_unstable();
            providers.dedup();
            let sql = sql!("scheduling/notices_recipients.sql" as ProviderAccount);
            let told = tx.all(sql, &[&providers]).await?;
            let notifies = told.first().is_some_and(|told| told.notify_by_email);
            let accounts: HashMap<Uuid, Uuid> =
                told.iter().filter_map(|told| told.provider_id.zip(told.account_id)).collect();
            let messages: Vec<NewMessage<'_>> =
                events.iter().flat_map(|event| messages(event, notifies, &accounts)).collect();
            notices::add(tx, &messages).await
        })
    }
}

/// Whether an event is told at all: of a series only its first appointment is, and nothing of the past.
fn is_told(event: &Happened, now: DateTime<Utc>) -> bool {
    let starts_at = event.data.get("starts_at").and_then(Value::as_str);
    let starts_at = starts_at.and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let occurrence = event.data.get("occurrence").and_then(Value::as_i64).unwrap_or(1);
    let is_new = matches!(event.kind.as_str(), "appointment.created" | "appointment.requested");
    NOTICES.iter().any(|notice| notice.event == event.kind)
        && starts_at.is_some_and(|starts_at| starts_at > now)
        && !(is_new && occurrence > 1)
}

/// The revision of an appointment after an event.
pub(super) fn sequence(event: &Happened) -> i32 {
    let sequence = event.data.get("sequence").and_then(Value::as_i64).unwrap_or_default();
    i32::try_from(sequence).unwrap_or_default()
}

/// The messages about an event: to the contact, and to the members whose appointment it is or was, unless they caused
/// it.
fn messages<'a>(event: &'a Happened, notifies: bool, accounts: &HashMap<Uuid, Uuid>) -> Vec<NewMessage<'a>> {
    let message = |recipient, recipient_id| NewMessage {
        event_id: event.id(),
        event: &event.kind,
        subject_id: event.subject_id,
        sequence: sequence(event),
        recipient,
        recipient_id,
        channel: "email",
        occurred_at: event.occurred_at(),
    };
    let contact = event.reference("contact_id").filter(|_| notifies);
    let mut members: Vec<Uuid> = event
        .references("provider_id")
        .filter_map(|provider| accounts.get(&provider).copied())
        .filter(|account| event.actor() != Some(*account))
        .collect();
    members.sort_unstable();
    members.dedup();
    let contact = contact.map(|contact| message(Recipient::Contact, contact));
    let members = members.into_iter().map(|account| message(Recipient::Member, account));
    contact.into_iter().chain(members).collect()
}
