//! Dates, times, durations and prices as an organization shows them, in the language of the page.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeZone as _, Timelike as _, Utc};
use chrono_tz::{OffsetName as _, Tz};
use iso_currency::Currency;

use super::language::Language;
use crate::{
    http::values::TimeZone,
    tenancy::settings::{DateFormat, TimeFormat},
};

/// How one organization shows times.
#[derive(Clone, Copy)]
pub struct Formats {
    pub language: &'static Language,
    pub zone: Tz,
    pub date: DateFormat,
    pub time: TimeFormat,
}

/// A time for people and, in RFC 3339 with the offset of the organization, for programs.
#[derive(Clone, Debug)]
pub struct Shown {
    pub text: String,
    pub iso: String,
}

impl Formats {
    /// `10:30`, or `10:30 am`. A time that occurs twice that day, when clocks are set back, has its zone.
    pub fn time(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        let text = match self.time {
            TimeFormat::H24 => local.format("%H:%M").to_string(),
            TimeFormat::H12 => {
                let (is_afternoon, hour) = local.hour12();
                let half = self.language.text(if is_afternoon { "pm" } else { "am" });
                format!("{hour}:{:02} {half}", local.minute())
            }
        };
        let is_double =
            matches!(self.zone.from_local_datetime(&local.naive_local()), chrono::LocalResult::Ambiguous(..));
        match local.offset().abbreviation().filter(|_| is_double) {
            Some(abbreviation) => format!("{text} ({abbreviation})"),
            None => text,
        }
    }

    /// A date in the format of the organization.
    pub fn date(&self, date: NaiveDate) -> String {
        let pattern = match self.date {
            DateFormat::YmdDashes => "%Y-%m-%d",
            DateFormat::DmyDots => "%d.%m.%Y",
            DateFormat::DmySlashes => "%d/%m/%Y",
            DateFormat::MdySlashes => "%m/%d/%Y",
        };
        date.format(pattern).to_string()
    }

    /// A date in words, without the year: `Thursday, 3 December`.
    pub fn day(&self, date: NaiveDate) -> String {
        self.language.with(
            "day",
            &[
                ("weekday", self.weekday(date).into()),
                ("day", date.day().to_string().into()),
                ("month", self.month(date).into()),
            ],
        )
    }

    pub fn weekday(&self, date: NaiveDate) -> String {
        self.language.text(&format!("weekday-{}", date.weekday().number_from_monday()))
    }

    pub fn short_weekday(&self, date: NaiveDate) -> String {
        self.language.text(&format!("weekday-short-{}", date.weekday().number_from_monday()))
    }

    pub fn month(&self, date: NaiveDate) -> String {
        self.language.text(&format!("month-{}", date.month()))
    }

    /// `December 2026`.
    pub fn month_and_year(&self, date: NaiveDate) -> String {
        let year = date.year().to_string();
        self.language.with("month-and-year", &[("month", self.month(date).into()), ("year", year.into())])
    }

    /// The date of an instant at the organization.
    pub fn date_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// A start: its time alone.
    pub fn start(&self, at: DateTime<Utc>) -> Shown {
        Shown { text: self.time(at), iso: self.iso(at) }
    }

    /// A start with its date.
    pub fn at(&self, at: DateTime<Utc>) -> Shown {
        let date = self.date_of(at);
        let values = &[
            ("weekday", self.weekday(date).into()),
            ("date", self.date(date).into()),
            ("time", self.time(at).into()),
        ];
        Shown { text: self.language.with("at", values), iso: self.iso(at) }
    }

    /// From when to when.
    pub fn period(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Shown {
        let date = self.date_of(from);
        let values = &[
            ("weekday", self.weekday(date).into()),
            ("date", self.date(date).into()),
            ("from", self.time(from).into()),
            ("to", self.time(to).into()),
        ];
        Shown { text: self.language.with("period", values), iso: self.iso(from) }
    }

    pub fn iso(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
    }

    /// In which time zone the times of a page are.
    pub fn zone_note(&self, organization: &str) -> String {
        let zone = TimeZone(self.zone).name().replace('_', " ");
        self.language.with("zone-note", &[("organization", organization.into()), ("zone", zone.into())])
    }

    pub fn minutes(&self, minutes: i32) -> String {
        let (days, hours, rest) = (minutes / 1440, minutes / 60, minutes % 60);
        let values = &[("days", days.into()), ("hours", hours.into()), ("minutes", rest.into())];
        let key = match (minutes % 1440, hours, rest) {
            (0, _, _) if days > 0 => "duration-days",
            (_, 0, _) => "duration-minutes",
            (_, _, 0) => "duration-hours",
            _ => "duration-both",
        };
        self.language.with(key, values)
    }

    /// An amount in the minor unit of a currency.
    pub fn price(&self, amount: i32, code: &str) -> String {
        let currency = Currency::from_code(code);
        let digits = currency.and_then(Currency::exponent).unwrap_or(2);
        let unit = 10_i32.pow(u32::from(digits));
        let mut number = (amount / unit).to_string();
        if digits > 0 {
            let mark = self.language.text("decimal-mark");
            number = format!("{number}{mark}{:0width$}", amount % unit, width = usize::from(digits));
        }
        let symbol = currency.map_or_else(|| code.to_owned(), |currency| currency.symbol().symbol);
        self.language.with("price-of", &[("amount", number.into()), ("currency", symbol.into())])
    }
}
