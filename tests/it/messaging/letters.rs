//! The texts of e-mails.

use appointd::{http::values::TimeZone, messaging::letters::Place};
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
