//! The day of the examples.

use appointd::http::description::{dated, day};
use chrono::Datelike as _;

#[test]
fn dates_of_the_year_of_examples_move_and_no_others() {
    let text =
        r#"{"a":"2031-05-20T14:00:00Z","b":"20310521T140000Z","c":"2031","d":"2026-11-20","e":"é 2031"}"#;
    let moved =
        r#"{"a":"2027-03-02T14:00:00Z","b":"20270303T140000Z","c":"2031","d":"2026-11-20","e":"é 2031"}"#;
    assert_eq!(dated(text, "2027-03-02".parse().expect("a day")), moved);
    assert_eq!(dated(text, "2031-05-20".parse().expect("a day")), text);
}

#[test]
fn day_of_examples_is_a_tuesday_to_come() {
    for now in ["2026-11-30T00:00:00Z", "2026-12-06T23:59:59Z"] {
        let day = day(now.parse().expect("an instant"));
        assert_eq!((day.to_string().as_str(), day.weekday()), ("2026-12-15", chrono::Weekday::Tue), "{now}");
    }
}
