//! What people are told by e-mail. Every time is in the zone of the organization, which is named beside it; every mail names
//! the organization.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::messaging::{budget::OnBehalf, mail::Mail};

/// Where and when: the organization as its customers know it, and the zone its times are in.
pub struct Place<'a> {
    /// Whose budget of mails is spent.
    pub id: Uuid,
    pub organization: &'a str,
    /// An IANA name.
    pub time_zone: &'a str,
}

impl Place<'_> {
    /// An instant as people there read it: `2031-05-05 11:00 (Europe/Berlin)`.
    pub fn local(&self, instant: DateTime<Utc>) -> String {
        let zone = self.time_zone.parse().unwrap_or(Tz::UTC);
        format!("{} ({})", instant.with_timezone(&zone).format("%Y-%m-%d %H:%M"), zone.name())
    }
}

/// A guest has booked.
pub struct Booked<'a> {
    pub place: Place<'a>,
    pub service: &'a str,
    pub provider: &'a str,
    pub starts_at: DateTime<Utc>,
    /// To be confirmed by the organization.
    pub pending: bool,
    /// Until when the guest can move or cancel it. None: it is too late for that already.
    pub changeable_until: Option<DateTime<Utc>>,
    /// Where it is shown, moved and cancelled.
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

/// A guest has to open a link before they have booked.
pub struct Unverified<'a> {
    pub place: Place<'a>,
    pub service: &'a str,
    pub provider: &'a str,
    pub starts_at: DateTime<Utc>,
    /// Until when the link has to be opened.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_in_a_letter_is_local_with_its_zone() {
        let instant = "2031-03-30T00:59:00Z".parse::<DateTime<Utc>>().expect("an instant");
        let place = |time_zone| Place { id: Uuid::nil(), organization: "Acme", time_zone };
        assert_eq!(place("Europe/Berlin").local(instant), "2031-03-30 01:59 (Europe/Berlin)");
        let next = instant + chrono::TimeDelta::minutes(1);
        assert_eq!(place("Europe/Berlin").local(next), "2031-03-30 03:00 (Europe/Berlin)");
        assert_eq!(place("Asia/Kolkata").local(instant), "2031-03-30 06:29 (Asia/Kolkata)");
        assert_eq!(place("nowhere").local(instant), "2031-03-30 00:59 (UTC)");
    }
}
