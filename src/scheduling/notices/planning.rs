//! Who is told about an event of an appointment. Decided in the transaction that publishes the event.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::NOTICES;
use crate::{
    db::{self, Tx, row},
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
            let mut told = Vec::new();
            for event in events {
                if is_told(event, now)? {
                    told.push(event);
                }
            }
            let events = told;
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
            let mut added = Vec::new();
            for event in events {
                added.extend(messages(event, notifies, &accounts)?);
            }
            notices::add(tx, &added).await
        })
    }
}

/// Whether an event is told at all: of a series only its first appointment is, and nothing of the past.
fn is_told(event: &Happened, now: DateTime<Utc>) -> Result<bool, db::Error> {
    if !NOTICES.iter().any(|notice| notice.event == event.kind) {
        return Ok(false);
    }
    let is_new = matches!(event.kind.as_str(), "appointment.created" | "appointment.requested");
    let occurrence: Option<i32> = event.field("occurrence")?;
    let is_later = is_new && occurrence.is_some_and(|occurrence| occurrence > 1);
    Ok(event.field::<DateTime<Utc>>("starts_at")? > now && !is_later)
}

/// The revision of an appointment after an event.
pub(super) fn sequence(event: &Happened) -> Result<i32, db::Error> {
    event.field("sequence")
}

/// The messages about an event: to the contact, and to the members whose appointment it is or was, unless they caused
/// it.
fn messages<'a>(
    event: &'a Happened,
    notifies: bool,
    accounts: &HashMap<Uuid, Uuid>,
) -> Result<Vec<NewMessage<'a>>, db::Error> {
    let sequence = sequence(event)?;
    let message = |recipient, recipient_id| NewMessage {
        event_id: event.id(),
        event: &event.kind,
        subject_id: event.subject_id,
        sequence,
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
    Ok(contact.into_iter().chain(members).collect())
}
