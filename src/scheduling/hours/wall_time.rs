//! Converts wall time to instants; no other file does. chrono-tz knows the time zones; this file defines what happens
//! on days with a clock change.

use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Timelike as _,
    Utc,
};
use chrono_tz::Tz;

/// The first instant at which the clocks of a zone show this minute of this date, or a later time.
///
/// A time that is skipped when clocks go forward therefore becomes the instant of the change; a time that occurs twice
/// when they go back means the first of the two. `minute` counts from midnight; 1440 is the midnight that ends the
/// date.
pub fn instant(zone: Tz, date: NaiveDate, minute: i16) -> DateTime<Utc> {
    let wall = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute.into());
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(instant) => instant.to_utc(),
        MappedLocalTime::Ambiguous(one, other) => one.min(other).to_utc(),
        MappedLocalTime::None => end_of_gap(zone, wall),
    }
}

/// The date that the clocks of a zone show.
pub fn date(zone: Tz, instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

/// The instant on another date at which the clocks of a zone show the same time of day.
pub fn same_time_on(zone: Tz, date: NaiveDate, like: DateTime<Utc>) -> DateTime<Utc> {
    let time = like.with_timezone(&zone).time();
    let minute = i16::try_from(time.hour() * 60 + time.minute()).unwrap_or_default();
    let beyond = time.signed_duration_since(NaiveTime::MIN) - TimeDelta::minutes(minute.into());
    instant(zone, date, minute) + beyond
}

/// The instant at which clocks skip `wall`: before it they show an earlier time, from then on a later time.
fn end_of_gap(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    let shows_more = |seconds: i64| {
        DateTime::from_timestamp(seconds, 0)
            .is_some_and(|instant| instant.with_timezone(&zone).naive_local() > wall)
    };
    // No zone is more than 15 hours from UTC, and the largest gap in history skipped a day.
    let (mut before, mut after) =
        (wall.and_utc().timestamp() - 40 * 3600, wall.and_utc().timestamp() + 40 * 3600);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if shows_more(middle) {
            after = middle;
        } else {
            before = middle;
        }
    }
    DateTime::from_timestamp(after, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, date: &str, minute: i16) -> String {
        let zone = zone.parse().expect("a zone");
        instant(zone, date.parse().expect("a date"), minute).to_rfc3339()
    }

    #[test]
    fn an_ordinary_day() {
        assert_eq!(at("Europe/Berlin", "2026-06-01", 9 * 60), "2026-06-01T07:00:00+00:00");
        assert_eq!(at("Asia/Kolkata", "2026-06-01", 9 * 60), "2026-06-01T03:30:00+00:00");
    }

    #[test]
    fn midnight_at_the_end_is_the_next_days_first() {
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
}
