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

/// Hours of every week of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// ISO: Monday is 1.
    pub weekday: i16,
    pub span: Span,
    /// The first and the last date of the season.
    pub valid_from: NaiveDate,
    pub valid_until: NaiveDate,
}

impl Rule {
    /// Whether two begin on one date and have a minute of it in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.weekday == other.weekday
            && self.span.overlaps(other.span)
            && self.valid_from <= other.valid_until
            && other.valid_from <= self.valid_until
    }
}

/// Dates on which hours are wall time of another zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Travel {
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    pub zone: Tz,
}

/// The hours of one provider.
#[derive(Clone, Debug)]
pub struct Hours {
    pub zone: Tz,
    pub rules: Vec<Rule>,
    /// Dates on which other spans replace those of the weekday.
    pub overrides: BTreeMap<NaiveDate, Vec<Span>>,
    pub travels: Vec<Travel>,
}

impl Hours {
    /// The intervals that reach into a period, in the order of their beginnings. They are not merged: each is where a
    /// grid of slots begins.
    pub fn intervals(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Interval> {
        // One that begins on a date ends on the next at the latest, and no zone is a day away from UTC.
        let first = from.date_naive() - Days::new(2);
        let last = to.date_naive() + Days::new(1);
        let mut intervals: Vec<_> = first
            .iter_days()
            .take_while(|date| *date <= last)
            .flat_map(|date| self.spans(date).map(move |span| (date, span)))
            .map(|(date, span)| {
                let zone = self.zone_on(date);
                let (end_date, end) = match span.end() {
                    end if end > 1440 => (date + Days::new(1), end - 1440),
                    end => (date, end),
                };
                Interval {
                    starts_at: wall_time::instant(zone, date, span.from),
                    ends_at: wall_time::instant(zone, end_date, end),
                }
            })
            // Hours that lie wholly in a gap of the clock are none.
            .filter(|interval| interval.starts_at < interval.ends_at)
            .filter(|interval| interval.starts_at < to && interval.ends_at > from)
            .collect();
        intervals.sort();
        intervals
    }

    fn zone_on(&self, date: NaiveDate) -> Tz {
        let travels = |travel: &&Travel| travel.starts_on <= date && date <= travel.ends_on;
        self.travels.iter().find(travels).map_or(self.zone, |travel| travel.zone)
    }

    fn spans(&self, date: NaiveDate) -> Box<dyn Iterator<Item = Span> + '_> {
        let weekday = i16::from(date.weekday().number_from_monday() as u8);
        match self.overrides.get(&date) {
            Some(spans) => Box::new(spans.iter().copied()),
            None => Box::new(
                self.rules
                    .iter()
                    .filter(move |rule| {
                        rule.weekday == weekday && rule.valid_from <= date && date <= rule.valid_until
                    })
                    .map(|rule| rule.span),
            ),
        }
    }
}

/// When somebody can be booked: their hours, less closures and time off.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Each the beginning of a grid, in the order of their beginnings.
    pub intervals: Vec<Interval>,
    /// The same time without overlaps and seams, and without what is away.
    open: Vec<Interval>,
}

impl Open {
    pub fn new(intervals: Vec<Interval>, mut away: Vec<Interval>) -> Self {
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for interval in &intervals {
            match merged.last_mut() {
                Some(last) if interval.starts_at <= last.ends_at => {
                    last.ends_at = last.ends_at.max(interval.ends_at);
                }
                _ => merged.push(*interval),
            }
        }
        away.sort();
        let mut open = Vec::with_capacity(merged.len());
        for mut interval in merged {
            for away in &away {
                if away.starts_at < interval.ends_at && away.ends_at > interval.starts_at {
                    if interval.starts_at < away.starts_at {
                        open.push(Interval { ends_at: away.starts_at, ..interval });
                    }
                    interval.starts_at = interval.ends_at.min(away.ends_at);
                }
            }
            if interval.starts_at < interval.ends_at {
                open.push(interval);
            }
        }
        Self { intervals, open }
    }

    /// Whether all of a time lies in open hours.
    pub fn fits(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> bool {
        let after = self.open.partition_point(|open| open.starts_at <= starts_at);
        self.open[..after].last().is_some_and(|open| ends_at <= open.ends_at)
    }
}
