//! Instants, dates, times of day and time zones.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;

use super::{
    super::schema::{schema_type, serde_error},
    macros::{from_column, from_string},
};

/// The name of an IANA time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(pub Tz);

impl TimeZone {
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            serde_error("unknown_time_zone", "expected the name of an IANA time zone, such as Europe/Berlin")
        })
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

from_string!(TimeZone);
from_column!(TimeZone, |name| Self::parse(name).ok());
schema_type!(
    TimeZone,
    "time-zone",
    MetaSchema {
        example: Some(json!("Europe/Berlin")),
        ..MetaSchema::new_with_format("string", "time-zone")
    }
);

/// The accepted years of instants and dates. Other years are taken for typing errors.
const YEARS: RangeInclusive<i32> = 1970..=2999;

/// An RFC 3339 instant with an offset, between 1970 and 2999, in whole microseconds, the resolution of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub DateTime<Utc>);

impl Instant {
    pub fn parse(text: &str) -> Result<Self, String> {
        // In a query an unencoded plus is read as a space. After the T it can only be the sign of an offset.
        let text = match text.split_once('T') {
            Some((date, time)) => format!("{date}T{}", time.replace(' ', "+")),
            None => text.to_owned(),
        };
        DateTime::parse_from_rfc3339(&text)
            // Some clients write ISO 8601 offsets without a colon.
            .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| instant.to_utc())
            .filter(|instant| YEARS.contains(&instant.year()))
            .and_then(|instant| DateTime::from_timestamp_micros(instant.timestamp_micros()))
            .map(Self)
            .ok_or_else(|| {
                serde_error(
                    "invalid_value",
                    "expected an RFC 3339 date-time with an offset, such as 2026-11-20T09:00:00+01:00, between 1970 and 2999",
                )
            })
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

from_string!(Instant);
schema_type!(
    Instant,
    "date-time",
    MetaSchema {
        example: Some(json!("2031-05-20T14:00:00Z")),
        ..MetaSchema::new_with_format("string", "date-time")
    }
);

/// An instant, or a calendar date that the operation interprets in a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstantOrDate {
    Instant(DateTime<Utc>),
    Date(NaiveDate),
}

impl InstantOrDate {
    pub fn parse(text: &str) -> Result<Self, String> {
        let date =
            text.parse::<NaiveDate>().ok().filter(|date| text.len() == 10 && YEARS.contains(&date.year()));
        match date {
            Some(date) => Ok(Self::Date(date)),
            None => Instant::parse(text).map(|instant| Self::Instant(instant.0)).map_err(|_| {
                serde_error(
                    "invalid_value",
                    "expected a date, such as 2026-11-20, or an RFC 3339 date-time with an offset, such as \
                     2026-11-20T09:00:00+01:00, between 1970 and 2999",
                )
            }),
        }
    }
}

impl InstantOrDate {
    /// The instant, or the beginning of the date in UTC.
    pub fn in_utc(self) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant,
            Self::Date(date) => date.and_time(NaiveTime::MIN).and_utc(),
        }
    }
}

impl Serialize for InstantOrDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Instant(instant) => Instant(*instant).serialize(serializer),
            Self::Date(date) => date.serialize(serializer),
        }
    }
}

from_string!(InstantOrDate);
schema_type!(
    InstantOrDate,
    "date-time or date",
    MetaSchema {
        example: Some(json!("2031-05-20")),
        ..MetaSchema::new_with_format("string", "date-time-or-date")
    }
);

/// A calendar date (RFC 3339 full-date).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Date(pub NaiveDate);

impl Date {
    pub fn parse(text: &str) -> Result<Self, String> {
        match InstantOrDate::parse(text) {
            Ok(InstantOrDate::Date(date)) => Ok(Self(date)),
            _ => Err(serde_error("invalid_value", "expected a date, such as 2026-11-20")),
        }
    }
}

from_string!(Date);
schema_type!(
    Date,
    "date",
    MetaSchema { example: Some(json!("2031-05-20")), ..MetaSchema::new_with_format("string", "date") }
);

/// A time of day in minutes, `00:00` to `23:59`; up to `24:00` if it is the `END` of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay<const END: bool> {
    /// Minutes after midnight, 0 to 1440.
    pub minute: i16,
}

impl<const END: bool> TimeOfDay<END> {
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<i16>().ok())
                .flatten()
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)))
            .filter(|&(hour, minute)| (hour < 24 && minute < 60) || (END && (hour, minute) == (24, 0)))
            .map(|(hour, minute)| Self { minute: hour * 60 + minute })
            .ok_or_else(|| {
                let latest = if END { "24:00" } else { "23:59" };
                serde_error(
                    "invalid_value",
                    format_args!("expected a time of day from 00:00 to {latest}, such as 09:30"),
                )
            })
    }
}

impl<const END: bool> Serialize for TimeOfDay<END> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", self.minute / 60, self.minute % 60))
    }
}

from_string!([const END: bool] TimeOfDay<END>);
schema_type!(
    [const END: bool] TimeOfDay<END>,
    "time-of-day",
    MetaSchema {
        pattern: Some(match END {
            true => "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$".into(),
            false => "^([01][0-9]|2[0-3]):[0-5][0-9]$".into(),
        }),
        example: Some(json!("09:30")),
        ..MetaSchema::new("string")
    }
);
