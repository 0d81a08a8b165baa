//! Converts wall time to instants; no other file does. chrono-tz knows the time zones; this file defines what happens
//! on days with a clock change.

use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Timelike as _,
    Utc,
};
use chrono_tz::Tz;

use crate::http::values::InstantOrDate;

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

/// The instant that a request gives. A date begins at midnight, or at the clock change that skips midnight.
pub fn given(zone: Tz, given: InstantOrDate) -> DateTime<Utc> {
    match given {
        InstantOrDate::Instant(given) => given,
        InstantOrDate::Date(date) => instant(zone, date, 0),
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
