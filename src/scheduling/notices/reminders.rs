//! When contacts are reminded of their appointments and thanked for them. Planned in the transaction that publishes the
//! event of a booking, a confirmation, a move, a change or a completion. Nothing that was planned is changed when the
//! appointment is: when a message is due, it is composed only if the appointment is still as it was planned for.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{REMINDER, THANKS, planning};
use crate::{
    db::{self, Tx, row},
    messaging::{
        notices::{self, NewMessage, Planned, Recipient},
        publisher::{Follow, Following, Happened},
    },
    sql,
};

/// The events after which an appointment may have another time, another contact, or become certain.
const REMINDED: [&str; 4] =
    ["appointment.created", "appointment.confirmed", "appointment.rescheduled", "appointment.updated"];

/// The event after which a contact is thanked.
const THANKED: &str = "appointment.completed";

/// An appointment that is completed later than so long after its end is tidied up: its contact is not thanked.
const TIDYING: TimeDelta = TimeDelta::days(7);

/// Plans reminders and thanks.
pub struct RemindOfAppointments;

/// When customers of a service are reminded and thanked.
struct Rules {
    service_id: Uuid,
    reminder_minutes: Vec<i32>,
    thanks_after_minutes: Option<i32>,
}

row! {
    Rules { service_id, reminder_minutes, thanks_after_minutes }
}

impl Follow for RemindOfAppointments {
    fn follow<'a>(&'a self, tx: &'a mut Tx, events: &'a [Happened]) -> Following<'a> {
        Box::pin(async move {
            let events: Vec<&Happened> = events
                .iter()
                .filter(|event| event.kind == THANKED || REMINDED.contains(&event.kind.as_str()))
                .collect();
            if events.is_empty() {
                return Ok(());
            }
            let mut services: Vec<Uuid> =
                events.iter().filter_map(|event| event.reference("service_id")).collect();
            services.sort_unstable();
            services.dedup();
            let rules = tx.all(sql!("scheduling/reminders_rules.sql" as Rules), &[&services]).await?;
            let rules: HashMap<Uuid, Rules> =
                rules.into_iter().map(|rules| (rules.service_id, rules)).collect();
            let now = Utc::now();
            // Two events of one batch may plan the same.
            let mut seen = BTreeSet::new();
            let mut all: Vec<Planned<'_>> = Vec::new();
            for event in events {
                all.extend(planned(event, &rules, now)?);
            }
            all.retain(|planned| {
                let Planned { message, about_at, ahead_minutes, .. } = planned;
                let key = (message.event, message.subject_id, message.recipient_id);
                seen.insert((key, *about_at, *ahead_minutes))
            });
            notices::plan(tx, &all).await
        })
    }
}

/// What is sent because of an event.
fn planned<'a>(
    event: &Happened,
    rules: &HashMap<Uuid, Rules>,
    now: DateTime<Utc>,
) -> Result<Vec<Planned<'a>>, db::Error> {
    let rules = event.reference("service_id").and_then(|service| rules.get(&service));
    let (Some(rules), Some(contact)) = (rules, event.reference("contact_id")) else {
        return Ok(Vec::new());
    };
    let (starts_at, ends_at): (DateTime<Utc>, DateTime<Utc>) =
        (event.field("starts_at")?, event.field("ends_at")?);
    let (status, sequence): (String, i32) = (event.field("status")?, planning::sequence(event)?);
    let planned = |name, ahead_minutes, due_at| Planned {
        message: NewMessage {
            event_id: event.id(),
            event: name,
            subject_id: event.subject_id,
            sequence,
            recipient: Recipient::Contact,
            recipient_id: contact,
            channel: "email",
            occurred_at: event.occurred_at(),
        },
        about_at: starts_at,
        ahead_minutes,
        due_at,
    };
    if event.kind == THANKED {
        let is_recent = event.occurred_at() - ends_at <= TIDYING;
        let after = rules.thanks_after_minutes.filter(|_| is_recent);
        let due_at = after.map(|minutes| event.occurred_at() + TimeDelta::minutes(minutes.into()));
        return Ok(due_at.map(|due_at| planned(THANKS, 0, due_at)).into_iter().collect());
    }
    if status != "confirmed" || starts_at <= now {
        return Ok(Vec::new());
    }
    let due = |minutes: i32| starts_at - TimeDelta::minutes(minutes.into());
    // Booked later than that: who has just booked knows.
    let reminders = rules.reminder_minutes.iter().filter(|minutes| due(**minutes) > event.occurred_at());
    Ok(reminders.map(|minutes| planned(REMINDER, *minutes, due(*minutes))).collect())
}
