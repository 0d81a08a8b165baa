//! The texts of all e-mails. The subject says what it is and from whom; the body says what happened, what to do and
//! until when, and what to do if it was not you. Times are in the organization's time zone, which is named too. An
//! e-mail about an account, which belongs to no organization, says how long its link is valid.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{budget::OnBehalf, mail::Mail, webhooks::endpoints::DisabledReason};
use crate::http::values::TimeZone;

/// The organization of an e-mail, and its time zone.
#[derive(Clone, Debug)]
pub struct Place {
    /// The organization whose e-mail budget is used.
    pub id: Uuid,
    pub organization: String,
    pub time_zone: TimeZone,
}

impl Place {
    /// An instant in the organization's time zone: `Monday 2031-05-05 11:00 (Europe/Berlin)`.
    pub fn local(&self, instant: DateTime<Utc>) -> String {
        let zone = self.time_zone.0;
        format!("{} ({})", instant.with_timezone(&zone).format("%A %Y-%m-%d %H:%M"), zone.name())
    }

    fn body(&self, parts: &[String]) -> String {
        format!("{}\n\n{}\n", parts.join("\n\n"), self.organization)
    }

    fn mail(&self, to: &str, subject: String, parts: &[String]) -> Mail {
        let on_behalf = OnBehalf::Organization { id: self.id, inviter: None };
        Mail { to: to.to_owned(), on_behalf, subject, body: self.body(parts) }
    }
}

/// The e-mail to admins after a webhook endpoint was disabled.
pub struct Disabled<'a> {
    /// The name of the organization, and its id.
    pub organization: &'a str,
    pub id: Uuid,
    pub url: &'a str,
    pub reason: DisabledReason,
}

impl Disabled<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { organization, id, url, reason } = self;
        let why = match reason {
            DisabledReason::Admin => "a member disabled it",
            DisabledReason::Gone => "it answered that it is gone (410)",
            DisabledReason::Maker => "the member or API key that set it up may no longer do so",
            DisabledReason::Failing => "all requests to it failed for five days",
        };
        let body = format!(
            "{organization} sends no more events to this webhook endpoint, because {why}:\n\n  {url}\n\nIf it is still \
             needed, enable it again, then recover the events that it has missed.\n"
        );
        Mail {
            to: email.to_owned(),
            on_behalf: OnBehalf::Organization { id: *id, inviter: None },
            subject: format!("A webhook endpoint of {organization} was disabled"),
            body,
        }
    }
}

/// One service that is booked, held or offered.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    pub service: &'a str,
    pub provider: &'a str,
    pub starts_at: DateTime<Utc>,
}

/// One line for each service.
fn list(place: &Place, items: &[Item<'_>]) -> String {
    let line = |item: &Item<'_>| {
        format!("  {} with {}, {}", item.service, item.provider, place.local(item.starts_at))
    };
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The e-mail that asks a guest to open a link, which completes the booking.
pub struct Unverified<'a> {
    pub place: &'a Place,
    pub item: Item<'a>,
    /// When the link expires.
    pub expires_at: DateTime<Utc>,
    pub link: &'a str,
}

impl Unverified<'_> {
    /// Subject and body.
    pub fn text(&self) -> (String, String) {
        let Self { place, item, expires_at, link } = self;
        let organization = &place.organization;
        let parts = [
            format!("A time at {organization} is held for you. It is not booked yet:"),
            list(place, std::slice::from_ref(item)),
            format!("To book it, open this link until {}:", place.local(*expires_at)),
            (*link).to_owned(),
            "If you did not ask for this, do nothing: the time is given to others.".to_owned(),
        ];
        (format!("Please confirm your booking with {organization}"), place.body(&parts))
    }
}

/// The e-mail after a guest has joined the waitlist.
pub struct Waiting<'a> {
    pub place: &'a Place,
    pub service: &'a str,
    /// `None` if any provider is acceptable.
    pub provider: Option<&'a str>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The link for viewing and withdrawing the entry.
    pub link: &'a str,
}

impl Waiting<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, service, provider, from, to, link } = self;
        let organization = &place.organization;
        let with = provider.map(|provider| format!(" with {provider}")).unwrap_or_default();
        let parts = [
            format!("You are on the waitlist of {organization}, for a time that is not free yet:"),
            format!("  {service}{with}, between {} and {}", place.local(*from), place.local(*to)),
            "If such a time becomes free, you get an e-mail, and the time is held for you for a while: an hour at most."
                .to_owned(),
            "This link shows your entry and lets you leave the waitlist:".to_owned(),
            (*link).to_owned(),
            "If you did not join the waitlist, leave it with the link.".to_owned(),
        ];
        place.mail(email, format!("You are on the waitlist of {organization}"), &parts)
    }
}

/// The e-mail that offers time to a contact on the waitlist.
pub struct Offered<'a> {
    pub place: &'a Place,
    pub item: Item<'a>,
    /// When the offer expires.
    pub expires_at: DateTime<Utc>,
    pub link: &'a str,
}

impl Offered<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, item, expires_at, link } = self;
        let organization = &place.organization;
        let parts = [
            format!("A time you wait for at {organization} is free:"),
            list(place, std::slice::from_ref(item)),
            format!(
                "It is held for you until {}. Accept or decline it with this link:",
                place.local(*expires_at)
            ),
            (*link).to_owned(),
            "If you do nothing, the time is offered to the next on the waitlist, and you are no longer on it. If you did \
             not join the waitlist, decline."
                .to_owned(),
        ];
        place.mail(email, format!("A time is free: {} at {organization}", item.service), &parts)
    }
}

/// The e-mail that asks a member to be a provider.
pub struct LinkRequested<'a> {
    pub place: &'a Place,
    pub inviter: Option<Uuid>,
    pub provider: &'a str,
    /// The page for accepting and declining it.
    pub page: &'a str,
}

impl LinkRequested<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, inviter, provider, page } = self;
        let organization = &place.organization;
        let parts = [
            format!("{organization} asks whether you are its provider {provider}."),
            "If you accept, no two organizations can book you at the same time. Each of them can see which quarters of an \
             hour the others have booked, and nothing else. You can end it at any time."
                .to_owned(),
            "Sign in to accept or decline:".to_owned(),
            (*page).to_owned(),
            "You can answer at any time. If it is not you, decline, or do nothing: nothing changes.".to_owned(),
        ];
        let on_behalf = OnBehalf::Organization { id: place.id, inviter: *inviter };
        Mail { on_behalf, ..place.mail(email, format!("{organization}: are you {provider}?"), &parts) }
    }
}

/// The e-mail that tells an owner what is wrong in their organization.
pub struct Alert<'a> {
    pub place: &'a Place,
    /// What is wrong, a sentence each.
    pub lines: &'a [String],
    /// The host of the pages.
    pub site: &'a str,
}

impl Alert<'_> {
    pub fn to(&self, email: &str) -> Mail {
        let Self { place, lines, site } = self;
        let organization = &place.organization;
        let lines = lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
        let parts = [
            format!("Something in {organization} needs your attention:"),
            lines,
            format!("Sign in at {site} to see more."),
            "You get this e-mail as an owner, once a day at most. If you do nothing, you are not told of the same again."
                .to_owned(),
        ];
        place.mail(email, format!("{organization} needs your attention"), &parts)
    }
}

/// The e-mail of an invitation: to work for an organization, or to open an account as its customer.
pub struct Invited<'a> {
    pub place: &'a Place,
    pub role: &'a str,
    pub expires_at: DateTime<Utc>,
    pub link: &'a str,
    pub token: &'a str,
}

impl Invited<'_> {
    /// Subject and body.
    pub fn text(&self) -> (String, String) {
        let Self { place, role, expires_at, link, token } = self;
        let organization = &place.organization;
        let first = match *role {
            "customer" => format!(
                "{organization} invites you to open an account as its customer. With it you see, book, move and cancel \
                 your appointments."
            ),
            role => format!("{organization} invites you to join it as {role}."),
        };
        let body = format!(
            "{first}\n\nTo accept, open this link until {until}:\n\n{link}\n\nor use this token: {token}\n\n\
             If you did not expect this, do nothing: without you nothing happens.\n\n{organization}\n",
            until = place.local(*expires_at),
        );
        // A single line: names contain no line breaks.
        (format!("An invitation from {organization}"), body)
    }
}

/// The e-mail with a link that sets a new password.
pub struct PasswordForgotten<'a> {
    /// The host of the pages.
    pub site: &'a str,
    pub email: &'a str,
    pub link: &'a str,
    pub token: &'a str,
}

impl PasswordForgotten<'_> {
    pub fn mail(&self) -> Mail {
        let Self { site, email, link, token } = self;
        Mail {
            to: (*email).to_owned(),
            on_behalf: OnBehalf::Account,
            subject: format!("Set a new password at {site}"),
            body: format!(
                "A new password was asked for, for the account {email} at {site}.\n\n\
                 To set one, open this link within an hour:\n\n{link}\n\nor use this token: {token}\n\n\
                 If you did not ask for it, do nothing: your password stays as it is.\n"
            ),
        }
    }
}

/// The e-mail with a link that verifies the address of an account.
pub struct AddressUnverified<'a> {
    /// The host of the pages.
    pub site: &'a str,
    pub email: &'a str,
    pub link: &'a str,
    pub token: &'a str,
}

impl AddressUnverified<'_> {
    /// Subject and body.
    pub fn text(&self) -> (String, String) {
        let Self { site, email, link, token } = self;
        let body = format!(
            "An account at {site} was registered with your e-mail address {email}, which is not verified yet.\n\n\
             To verify it, open this link within 7 days, where you are signed in:\n\n{link}\n\n\
             or use this token: {token}\n\n\
             If you have not registered there, do nothing: the address stays unverified.\n"
        );
        (format!("Verify your e-mail address at {site}"), body)
    }
}
