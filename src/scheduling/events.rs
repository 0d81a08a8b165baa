//! The events of this module, and the names that they are published with.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    messaging::{
        event_types::{KnownEvent, events},
        publisher::{Describe, Describing, Happened},
    },
    sql,
};

pub const EVENTS: &[KnownEvent] = events! {
    viewer {
        "service.created" = "A service was created.",
        "service.updated" = "A service was changed.",
        "service.deleted" = "A service was deleted.",
        "provider.created" = "A provider was created.",
        "provider.updated" = "A provider was changed.",
        "provider.deleted" = "A provider was deleted.",
        "schedule.created" = "A provider got working hours.",
        "schedule.updated" = "The working hours of a provider were replaced.",
        "closure.created" = "A closure was entered.",
        "closure.updated" = "A closure was changed.",
        "closure.deleted" = "A closure was removed.",
        "time_off.created" = "Time off of a provider was entered.",
        "time_off.updated" = "Time off of a provider was changed.",
        "time_off.deleted" = "Time off of a provider was removed.",
        "appointment.requested" = "An appointment was booked and is to be confirmed.",
        "appointment.created" = "An appointment was booked.",
        "appointment.confirmed" = "A requested appointment was confirmed.",
        "appointment.declined" = "A requested appointment was declined.",
        "appointment.rescheduled" = "An appointment got another time or another provider.",
        "appointment.updated" = "Other fields of an appointment were changed, for example its note.",
        "appointment.cancelled" = "An appointment was cancelled.",
        "appointment.checked_in" = "The customer of an appointment arrived.",
        "appointment.started" = "An appointment began.",
        "appointment.completed" = "An appointment ended.",
        "appointment.no_show" = "The customer of an appointment did not come.",
        "appointment.undone" = "The last step of an appointment was undone.",
        "hold.created" = "Time was held. Confirmed, it becomes an appointment with its id as `hold_id`.",
        "hold.expired" = "A hold was not confirmed in time.",
        "waitlist.joined" = "A contact joined the waitlist.",
        "waitlist.updated" = "A waitlist entry was changed.",
        "waitlist.offered" = "Time was offered to a waitlist entry.",
        "waitlist.accepted" = "An offer was accepted, or the entry was booked.",
        "waitlist.passed_on" = "An offer was declined or expired; the time goes to the next entry.",
        "waitlist.withdrawn" = "A waitlist entry was withdrawn.",
    }
};

/// The columns that refer to something with a name, and the fields for the names.
const NAMED: [(&str, &str); 3] =
    [("service_id", "service_name"), ("provider_id", "provider_name"), ("contact_id", "contact_name")];

/// Adds the names of services, providers and contacts to events.
pub struct EventNames;

impl Describe for EventNames {
    fn describe<'a>(&'a self, tx: &'a mut crate::db::Tx, events: &'a mut [Happened]) -> Describing<'a> {
        Box::pin(async move {
            for event in events.iter_mut() {
                if matches!(event.subject_kind(), "appointment" | "waitlist") {
                    let contact = event.reference("contact_id");
                    event.show_to(contact);
                }
            }
            let [services, providers, contacts] = NAMED.map(|(column, _)| {
                let mut ids: Vec<Uuid> = events.iter().flat_map(|event| event.references(column)).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            });
            if services.is_empty() && providers.is_empty() && contacts.is_empty() {
                return Ok(());
            }
            let sql = sql!("scheduling/events_names.sql" as (Uuid, String));
            let names: HashMap<Uuid, String> =
                tx.all(sql, &[&services, &providers, &contacts]).await?.into_iter().collect();
            for event in events {
                for (column, field) in NAMED {
                    event.name(column, field, &names);
                }
            }
            Ok(())
        })
    }
}
