//! E-mails to guests.

use appointd::scheduling::customers::letters::Place;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

#[test]
fn instant_in_a_letter_is_local_with_its_zone() {
    let instant = "2031-03-30T00:59:00Z".parse::<DateTime<Utc>>().expect("an instant");
    let place = |time_zone| Place { id: Uuid::nil(), organization: "Acme", time_zone };
    assert_eq!(place("Europe/Berlin").local(instant), "2031-03-30 01:59 (Europe/Berlin)");
    let next = instant + TimeDelta::minutes(1);
    assert_eq!(place("Europe/Berlin").local(next), "2031-03-30 03:00 (Europe/Berlin)");
    assert_eq!(place("Asia/Kolkata").local(instant), "2031-03-30 06:29 (Asia/Kolkata)");
    assert_eq!(place("nowhere").local(instant), "2031-03-30 00:59 (UTC)");
}
