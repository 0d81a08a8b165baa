//! The e-mails to guests. Each names the organization, and gives times in its time zone, which it names too.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::messaging::{budget::OnBehalf, mail::Mail};

/// The organization of an e-mail, and its time zone.
pub struct Place<'a> {
    /// The organization whose e-mail budget is used.
    pub id: Uuid,
    pub organization: &'a str,
    /// An IANA name.
    pub time_zone: &'a str,
}

impl Place<'_> {
    /// An instant in the organization's time zone: `2031-05-05 11:00 (Europe/Berlin)`.
    pub fn local(&self, instant: DateTime<Utc>) -> String {
        let zone = self.time_zone.parse().unwrap_or(Tz::UTC);
        format!("{} ({})", instant.with_timezone(&zone).format("%Y-%m-%d %H:%M"), zone.name())
    }
}

/// The e-mail after a guest has booked.
pub struct Booked<'a> {
    pub place: Place<'a>,
    pub service: &'a str,
    pub provider: &'a str,
    pub starts_at: DateTime<Utc>,
    /// Whether the organization still has to confirm it.
    pub pending: bool,
    /// Until when the guest can move or cancel it; `None` if it is too late already.
    pub changeable_until: Option<DateTime<Utc>>,
    /// The link for viewing, moving and cancelling it.
    pub link: &'a str,
}

impl Booked<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, service, provider, link, .. } = self;
        let Place { organization, .. } = place;
        let pending = if self.pending { ", to be confirmed" } else { "" };
        let change = match self.changeable_until {
            Some(until) => format!("You can move or cancel it until {}, here:", place.local(until)),
            None => format!("To move or cancel it, ask {organization}. See it here:"),
        };
        Mail {
            to: email.to_owned(),
            on_behalf: OnBehalf::Organization { id: place.id, inviter: None },
            subject: format!("Your appointment with {organization}"),
            body: format!(
                "{service} with {provider}, {starts_at}{pending}.\n\n{change}\n\n{link}\n\n{organization}\n",
                starts_at = place.local(self.starts_at),
            ),
        }
    }
}

/// The e-mail that asks a guest to open a link, which completes the booking.
pub struct Unverified<'a> {
    pub place: Place<'a>,
    pub service: &'a str,
    pub provider: &'a str,
    pub starts_at: DateTime<Utc>,
    /// When the link expires.
    pub expires_at: DateTime<Utc>,
    pub link: &'a str,
}

impl Unverified<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, service, provider, link, .. } = self;
        let Place { organization, .. } = place;
        Mail {
            to: email.to_owned(),
            on_behalf: OnBehalf::Organization { id: place.id, inviter: None },
            subject: format!("Please confirm your booking with {organization}"),
            body: format!(
                "{service} with {provider}, {starts_at}, is held for you until {until}.\n\n\
                 Confirm your booking before then, here:\n\n{link}\n\n\
                 If you did not book it, there is nothing to do.\n\n{organization}\n",
                starts_at = place.local(self.starts_at),
                until = place.local(self.expires_at),
            ),
        }
    }
}
