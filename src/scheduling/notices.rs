//! What people are told about appointments: the contact, and the member who is the provider.

mod composing;
pub mod planning;
pub mod reminders;
mod words;

use uuid::Uuid;

use crate::{
    db::Pass,
    messaging::{
        mail::Mailer,
        notices::{Notice, Recipient, Texts},
    },
};

/// What templates for contacts can say.
const TO_CONTACT: &[&str] = &[
    "appointment.changeable_until",
    "appointment.link",
    "appointment.list",
    "appointment.move_needs_approval",
    "appointment.occurrences",
    "appointment.pending",
    "appointment.provider",
    "appointment.reason",
    "appointment.service",
    "appointment.starts",
    "organization.address",
    "organization.name",
    "recipient.name",
];

/// What templates for members can say.
const TO_MEMBER: &[&str] = &[
    "appointment.list",
    "appointment.occurrences",
    "appointment.pending",
    "appointment.provider",
    "appointment.reason",
    "appointment.service",
    "appointment.starts",
    "customer.name",
    "organization.address",
    "organization.name",
    "recipient.is_provider",
    "recipient.name",
];

/// What thanks can say.
const THANKS_SAY: &[&str] = &[
    "appointment.list",
    "appointment.provider",
    "appointment.service",
    "appointment.starts",
    "organization.address",
    "organization.name",
    "organization.review_link",
    "recipient.name",
];

/// The message before an appointment, in place of the type of an event.
const REMINDER: &str = "appointment.reminder";

/// The message after an appointment.
const THANKS: &str = "appointment.thanks";

const fn to_contact(event: &'static str) -> Notice {
    Notice { event, recipient: Recipient::Contact, doubts: 2, variables: TO_CONTACT }
}

const fn to_member(event: &'static str) -> Notice {
    Notice { event, recipient: Recipient::Member, doubts: 2, variables: TO_MEMBER }
}

/// Rather none than two.
const fn at_most_once(event: &'static str, variables: &'static [&'static str]) -> Notice {
    Notice { event, recipient: Recipient::Contact, doubts: 1, variables }
}

/// The messages about appointments.
const NOTICES: &[Notice] = &[
    to_contact("appointment.requested"),
    to_contact("appointment.created"),
    to_contact("appointment.confirmed"),
    to_contact("appointment.declined"),
    to_contact("appointment.rescheduled"),
    to_contact("appointment.cancelled"),
    at_most_once(REMINDER, TO_CONTACT),
    at_most_once(THANKS, THANKS_SAY),
    to_member("appointment.requested"),
    to_member("appointment.created"),
    to_member("appointment.confirmed"),
    to_member("appointment.declined"),
    to_member("appointment.rescheduled"),
    to_member("appointment.cancelled"),
];

const TEXTS: &[Texts] = &[
    Texts { language: "en", file: include_str!("notices/texts/en.txt") },
    Texts { language: "de", file: include_str!("notices/texts/de.txt") },
    Texts { language: "fr", file: include_str!("notices/texts/fr.txt") },
    Texts { language: "es", file: include_str!("notices/texts/es.txt") },
];

/// The messages about appointments.
#[derive(Clone)]
pub struct AppointmentNotices {
    /// Makes the links, and knows the address that e-mails come from.
    pub mailer: Mailer,
}

impl AppointmentNotices {
    /// The link to the page where a customer manages an appointment.
    fn link(&self, organization: Uuid, appointment: Uuid, proof: Pass) -> Option<String> {
        self.mailer.managing_link("manage-appointment", organization, appointment, proof)
    }
}
