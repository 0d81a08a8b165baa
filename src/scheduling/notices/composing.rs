//! What a message about an appointment says when it is due.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AppointmentNotices, NOTICES, REMINDER, TEXTS, THANKS, words};
use crate::{
    crm::preferences::{MessageKind, UnsubscribeLink},
    db::{Pass, row},
    messaging::{
        mail::Invitation,
        notices::{Composed, Composing, Content, DueMessage, Notice, Notices, Recipient, Sample, Texts},
        page::Button,
        voice::Voice,
    },
    scheduling::{
        booking::{
            appointment::{AppointmentAction, AppointmentStatus, CancelledBy},
            named_appointment::NamedSegment,
        },
        customers::ics::Entry,
    },
    sql,
};

/// An appointment, and who is told about it.
pub(super) struct ToldAppointment {
    entry: Entry,
    revision: i32,
    requires_approval: bool,
    cancellation_notice_minutes: i32,
    cancellation_reason: Option<String>,
    occurrences: Option<i16>,
    contact_email: Option<String>,
    is_provider: bool,
    member_name: Option<String>,
    member_email: Option<String>,
    organization_id: Uuid,
    /// For the link of the contact.
    proof: Option<Vec<u8>>,
    contact_id: Uuid,
    notify_by_email: bool,
    reminder_minutes: Vec<i32>,
    thanks_after_minutes: Option<i32>,
    review_url: Option<String>,
    wants_reminders: bool,
    reminders_proof: Option<Vec<u8>>,
    wants_thanks: bool,
    thanks_proof: Option<Vec<u8>>,
}

row! {
    ToldAppointment {
        entry: Entry, revision, requires_approval, cancellation_notice_minutes, cancellation_reason, occurrences,
        contact_email, is_provider, member_name, member_email, organization_id, proof, contact_id, notify_by_email,
        reminder_minutes, thanks_after_minutes, review_url, wants_reminders, reminders_proof, wants_thanks,
        thanks_proof
    }
}

impl Notices for AppointmentNotices {
    fn notices(&self) -> &'static [Notice] {
        NOTICES
    }

    fn texts(&self) -> &'static [Texts] {
        TEXTS
    }

    fn sample(
        &self,
        notice: &Notice,
        voice: &Voice,
        language: &str,
        sample: Sample,
    ) -> (Value, Option<Button>) {
        let is_to_contact = notice.recipient == Recipient::Contact;
        let button = match notice.event {
            THANKS => (sample != Sample::Sparse).then(|| Button {
                url: "https://reviews.example.com/".to_owned(),
                label: words::review(language),
            }),
            _ => is_to_contact.then(|| Button {
                url: self.mailer.link("manage-appointment", "example"),
                label: words::open(language),
            }),
        };
        (example(voice, language, sample, button.as_ref()), button)
    }

    fn compose<'a>(
        &'a self,
        tx: &'a mut crate::db::Tx,
        message: &'a DueMessage,
        voice: &'a Voice,
        language: &'a str,
    ) -> Composing<'a> {
        Box::pin(async move {
            let account = (message.recipient == Recipient::Member).then_some(message.recipient_id);
            let sql = sql!("scheduling/appointment_notices_get.sql" as ToldAppointment);
            let told = tx.optional(sql, &[&message.subject_id, &account]).await?;
            // An appointment is never deleted.
            Ok(told.map_or(Err("stale"), |told| self.content(told, message, voice, language)))
        })
    }
}

impl AppointmentNotices {
    fn content(
        &self,
        told: ToldAppointment,
        message: &DueMessage,
        voice: &Voice,
        language: &str,
    ) -> Composed {
        let now = Utc::now();
        if let Some(reason) = told.withheld(message, now) {
            return Err(reason);
        }
        let is_to_contact = message.recipient == Recipient::Contact;
        let address = if is_to_contact { &told.contact_email } else { &told.member_email };
        let address = address.clone().ok_or("no_address")?;
        let customer = told.entry.contact_name.clone().unwrap_or_default();
        let name = match told.member_name.clone() {
            Some(name) if !is_to_contact => name,
            _ => customer.clone(),
        };
        let is_thanks = message.event == THANKS;
        let proof = told.proof.as_deref().and_then(Pass::read).filter(|_| is_to_contact && !is_thanks);
        let link = proof.and_then(|proof| self.link(told.organization_id, told.entry.id, proof));
        let button = link.map(|url| Button { url, label: words::open(language) });
        let variables = told.variables(voice, language, (&name, &customer), button.as_ref(), now);
        if is_thanks || message.event == REMINDER {
            // The appointment is in the calendar already.
            let unsubscribe = told.unsubscribe_link(is_thanks).map(|link| self.mailer.page(&link.path()));
            let review = told.review_url.filter(|_| is_thanks);
            let review = review.map(|url| Button { url, label: words::review(language) });
            let button = button.or(review);
            return Ok(Content { name, address, variables, button, invitation: None, unsubscribe });
        }
        let calls_off = matches!(message.event.as_str(), "appointment.cancelled" | "appointment.declined");
        let cancels = calls_off || (!is_to_contact && !told.is_provider);
        // As in the feed that each of them can read: customers know their own name.
        let mut entry = told.entry;
        if is_to_contact {
            entry.contact_name = None;
        }
        let organizer = (voice.name.as_str(), self.mailer.address());
        let invitation = Invitation {
            method: if cancels { "CANCEL" } else { "REQUEST" },
            calendar: entry.invitation(cancels, organizer, &address),
        };
        let invitation = Some(invitation);
        Ok(Content { name, address, variables, button, invitation, unsubscribe: None })
    }
}

impl ToldAppointment {
    /// Why a message is not sent any more, if it is not.
    fn withheld(&self, message: &DueMessage, now: DateTime<Utc>) -> Option<&'static str> {
        let (starts_at, status) = (self.entry.starts_at, self.entry.status);
        let is_planned_so = message.about_at == Some(starts_at) && message.recipient_id == self.contact_id;
        match message.event.as_str() {
            THANKS if !is_planned_so || status != AppointmentStatus::Completed => Some("stale"),
            THANKS if !self.notify_by_email || self.thanks_after_minutes.is_none() => Some("switched_off"),
            THANKS => (!self.wants_thanks).then_some("opted_out"),
            REMINDER if !is_planned_so || status != AppointmentStatus::Confirmed => Some("stale"),
            _ if message.event != REMINDER && self.revision != message.sequence => Some("stale"),
            _ if starts_at <= now => Some("past"),
            REMINDER => self.unreminded(message.ahead_minutes.unwrap_or_default(), now),
            _ => None,
        }
    }

    /// The link that switches thanks or reminders off.
    fn unsubscribe_link(&self, is_thanks: bool) -> Option<UnsubscribeLink> {
        let (kind, proof) = match is_thanks {
            true => (MessageKind::Thanks, &self.thanks_proof),
            false => (MessageKind::Reminders, &self.reminders_proof),
        };
        let proof = proof.as_deref().and_then(Pass::read)?;
        Some(UnsubscribeLink { kind, organization: self.organization_id, contact: self.contact_id, proof })
    }

    /// Why a contact is not reminded so many minutes ahead, if they are not.
    fn unreminded(&self, ahead_minutes: i32, now: DateTime<Utc>) -> Option<&'static str> {
        let is_due = |minutes: i32| self.entry.starts_at - TimeDelta::minutes(minutes.into()) <= now;
        let minutes = &self.reminder_minutes;
        if !self.notify_by_email || !minutes.contains(&ahead_minutes) {
            return Some("switched_off");
        }
        if !self.wants_reminders {
            return Some("opted_out");
        }
        // No worker ran for so long that the next one is due as well: one of them is enough.
        minutes.iter().any(|other| *other < ahead_minutes && is_due(*other)).then_some("stale")
    }

    fn variables(
        &self,
        voice: &Voice,
        language: &str,
        (recipient, customer): (&str, &str),
        button: Option<&Button>,
        now: DateTime<Utc>,
    ) -> Value {
        let Self { entry, .. } = self;
        let segments = entry.segments.clone().unwrap_or_default();
        let starts = voice.instant(language, entry.starts_at);
        let service = match segments.as_slice() {
            [] => entry.service_name.clone(),
            segments => words::services(segments),
        };
        let list = match segments.as_slice() {
            [] => words::line(language, &entry.service_name, &entry.provider_name, &starts),
            segments => {
                let line = |segment: &NamedSegment| {
                    let starts = voice.instant(language, segment.starts_at);
                    words::line(language, &segment.service_name, &segment.provider_name, &starts)
                };
                segments.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        };
        let until = entry.starts_at - TimeDelta::minutes(self.cancellation_notice_minutes.into());
        let can_change = AppointmentAction::Cancel.from(CancelledBy::Guest).contains(&entry.status);
        let until = (can_change && until >= now).then(|| voice.instant(language, until));
        json!({
            "organization": organization(voice, self.review_url.as_deref()),
            "recipient": { "name": recipient, "is_provider": self.is_provider },
            "customer": { "name": customer },
            "appointment": {
                "service": service,
                "provider": entry.provider_name,
                "starts": starts,
                "list": list,
                "pending": entry.status == AppointmentStatus::Pending,
                "reason": self.cancellation_reason.as_deref().unwrap_or_default(),
                "occurrences": self.occurrences.unwrap_or(1),
                "changeable_until": until.unwrap_or_default(),
                "move_needs_approval": self.requires_approval,
                "link": button.map_or("", |button| button.url.as_str()),
            },
        })
    }
}

fn organization(voice: &Voice, review_url: Option<&str>) -> Value {
    json!({
        "name": voice.name,
        "address": voice.address.as_deref().unwrap_or_default(),
        "review_link": review_url.unwrap_or_default(),
    })
}

/// An example of what templates can say, in May of 2031.
fn example(voice: &Voice, language: &str, sample: Sample, button: Option<&Button>) -> Value {
    let hostile =
        |text: &str| format!("{text} <script>\u{202e}</script> {{{{ 7 * 7 }}}}\r\nBcc: x@example.com");
    let said = |text: &str| match sample {
        Sample::Hostile => hostile(text),
        _ => text.to_owned(),
    };
    let if_known = |text: String| if sample == Sample::Sparse { String::new() } else { text };
    let starts_at = DateTime::from_timestamp(1_936_945_800, 0).unwrap_or_default();
    let (service, provider, starts) = (said("Haircut"), said("Ada"), voice.instant(language, starts_at));
    json!({
        "organization": {
            "name": voice.name,
            "address": if_known(voice.address.clone().unwrap_or_else(|| "1 Main Street\nSpringfield".to_owned())),
            "review_link": if_known("https://reviews.example.com/".to_owned()),
        },
        "recipient": { "name": said("Grace Hopper"), "is_provider": sample != Sample::Sparse },
        "customer": { "name": said("Grace Hopper") },
        "appointment": {
            "service": service,
            "provider": provider,
            "starts": starts,
            "list": words::line(language, &service, &provider, &starts),
            "pending": sample == Sample::Sparse,
            "reason": if_known(said("We are closed on that day.")),
            "occurrences": if sample == Sample::Sparse { 1 } else { 4 },
            "changeable_until": if_known(voice.instant(language, starts_at - TimeDelta::days(1))),
            "move_needs_approval": sample != Sample::Sparse,
            "link": button.map_or("", |button| button.url.as_str()),
        },
    })
}
