//! The texts of e-mails.

use appointd::{
    http::values::TimeZone,
    messaging::letters::{Booked, Item, Place},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

fn place(time_zone: &str) -> Place {
    Place {
        id: Uuid::nil(),
        organization: "Acme".to_owned(),
        time_zone: TimeZone::parse(time_zone).expect("a zone"),
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[test]
fn instant_in_a_letter_is_local_with_its_zone() {
    let before = instant("2031-03-30T00:59:00Z");
    assert_eq!(place("Europe/Berlin").local(before), "Sunday 2031-03-30 01:59 (Europe/Berlin)");
    let next = before + chrono::TimeDelta::minutes(1);
    assert_eq!(place("Europe/Berlin").local(next), "Sunday 2031-03-30 03:00 (Europe/Berlin)");
    assert_eq!(place("Asia/Kolkata").local(before), "Sunday 2031-03-30 06:29 (Asia/Kolkata)");
}

#[test]
fn letter_about_a_visit_lists_every_service_with_its_time() {
    let place = place("Europe/Berlin");
    let item = |service, provider, starts_at| Item { service, provider, starts_at: instant(starts_at) };
    let letter = Booked {
        place: &place,
        items: &[item("Cut", "Ada", "2031-05-05T09:00:00Z"), item("Colour", "Grace", "2031-05-05T09:30:00Z")],
        pending: false,
        changeable_until: Some(instant("2031-05-04T09:00:00Z")),
        requires_approval: true,
        link: "https://pages.example.com/manage-appointment#token=x",
    };
    let mail = letter.to("guest@example.com");
    assert_eq!(mail.subject, "Your appointment with Acme");
    assert_eq!(
        mail.body,
        "You have booked an appointment with Acme:\n\n  \
         Cut with Ada, Monday 2031-05-05 11:00 (Europe/Berlin)\n  \
         Colour with Grace, Monday 2031-05-05 11:30 (Europe/Berlin)\n\n\
         You can move or cancel it until Sunday 2031-05-04 11:00 (Europe/Berlin). \
         If you move it, Acme has to confirm the new time. Use this link:\n\n\
         https://pages.example.com/manage-appointment#token=x\n\n\
         If you did not book this, cancel it with the link.\n\nAcme\n"
    );
}
