//! Wall time on ordinary days, and on days with a clock change.

use appointd::scheduling::hours::wall_time::instant;

fn at(zone: &str, date: &str, minute: i16) -> String {
    let zone = zone.parse().expect("a zone");
    instant(zone, date.parse().expect("a date"), minute).to_rfc3339()
}

#[test]
fn time_of_an_ordinary_day_is_converted() {
    assert_eq!(at("Europe/Berlin", "2026-06-01", 9 * 60), "2026-06-01T07:00:00+00:00");
    assert_eq!(at("Asia/Kolkata", "2026-06-01", 9 * 60), "2026-06-01T03:30:00+00:00");
}

#[test]
fn midnight_that_ends_a_day_begins_the_next() {
    assert_eq!(at("Europe/Berlin", "2026-06-01", 1440), at("Europe/Berlin", "2026-06-02", 0));
}

#[test]
fn skipped_time_is_the_instant_of_the_jump() {
    // 02:00 becomes 03:00.
    assert_eq!(at("Europe/Berlin", "2026-03-29", 2 * 60), "2026-03-29T01:00:00+00:00");
    assert_eq!(at("Europe/Berlin", "2026-03-29", 2 * 60 + 30), "2026-03-29T01:00:00+00:00");
    assert_eq!(at("Europe/Berlin", "2026-03-29", 3 * 60), "2026-03-29T01:00:00+00:00");
    // Half an hour only.
    assert_eq!(at("Australia/Lord_Howe", "2026-10-04", 2 * 60 + 15), "2026-10-03T15:30:00+00:00");
    // At midnight, so that the day has no 00:00.
    assert_eq!(at("Africa/Cairo", "2026-04-24", 0), "2026-04-23T22:00:00+00:00");
    // A whole day that never was.
    assert_eq!(at("Pacific/Apia", "2011-12-30", 12 * 60), "2011-12-30T10:00:00+00:00");
}

#[test]
fn repeated_time_is_the_first_of_the_two() {
    assert_eq!(at("Europe/Berlin", "2026-10-25", 2 * 60 + 30), "2026-10-25T00:30:00+00:00");
    assert_eq!(at("America/New_York", "2026-11-01", 60), "2026-11-01T05:00:00+00:00");
}
