//! Working hours as the schedule has them (wall time) and as everything else needs them (intervals of instants).

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use super::wall_time;

/// From one instant to another, half-open: intervals may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// From one minute of a day to another, counted from midnight. To a minute that is not later: of the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i16,
    pub to: i16,
}

impl Span {
    /// The end, counted from the midnight at which the day of the beginning begins.
    pub fn end(self) -> i16 {
        if self.to <= self.from { self.to + 1440 } else { self.to }
    }

    /// Whether two that begin on one date have a minute in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.from < other.end() && other.from < self.end()
    }
}

/// The hours of one provider.
#[derive(Clone, Debug)]
pub struct Hours {
    pub zone: Tz,
    /// ISO weekday (Monday is 1) and span.
    pub rules: Vec<(i16, Span)>,
    /// Dates on which other spans replace those of the weekday.
    pub overrides: BTreeMap<NaiveDate, Vec<Span>>,
}

impl Hours {
    /// The intervals that reach into a period, in the order of their beginnings. They are not merged: each is where a
    /// grid of slots begins.
    pub fn intervals(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Interval> {
        // One that begins on a date ends on the next at the latest.
        let first = wall_time::date(self.zone, from) - Days::new(1);
        let last = wall_time::date(self.zone, to);
        let mut intervals: Vec<_> = first
            .iter_days()
            .take_while(|date| *date <= last)
            .flat_map(|date| self.spans(date).map(move |span| (date, span)))
            .map(|(date, span)| {
                let (end_date, end) = match span.end() {
                    end if end > 1440 => (date + Days::new(1), end - 1440),
                    end => (date, end),
                };
                Interval {
                    starts_at: wall_time::instant(self.zone, date, span.from),
                    ends_at: wall_time::instant(self.zone, end_date, end),
                }
            })
            // Hours that lie wholly in a gap of the clock are none.
            .filter(|interval| interval.starts_at < interval.ends_at)
            .filter(|interval| interval.starts_at < to && interval.ends_at > from)
            .collect();
        intervals.sort();
        intervals
    }

    fn spans(&self, date: NaiveDate) -> Box<dyn Iterator<Item = Span> + '_> {
        let weekday = i16::from(date.weekday().number_from_monday() as u8);
        match self.overrides.get(&date) {
            Some(spans) => Box::new(spans.iter().copied()),
            None => {
                Box::new(self.rules.iter().filter(move |(day, _)| *day == weekday).map(|(_, span)| *span))
            }
        }
    }
}
