//! Working hours in wall time, as a schedule defines them, and as intervals of instants, as slots are computed from
//! them.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use poem_openapi::Object;
use serde::Serialize;

use super::wall_time;

/// A half-open interval of instants, so intervals may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Object, Serialize)]
pub struct Interval {
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
}

impl Interval {
    /// From the beginning of a date to the end of another.
    pub fn of_dates(zone: Tz, first: NaiveDate, last: NaiveDate) -> Self {
        Self { starts_at: wall_time::instant(zone, first, 0), ends_at: wall_time::instant(zone, last, 1440) }
    }

    /// The part that lies in another interval, if any.
    pub fn within(self, other: Self) -> Option<Self> {
        let part =
            Self { starts_at: self.starts_at.max(other.starts_at), ends_at: self.ends_at.min(other.ends_at) };
        (part.starts_at < part.ends_at).then_some(part)
    }
}

/// From one minute of a day to another, counted from midnight. If `to` is not later than `from`, it is on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i16,
    pub to: i16,
}

impl Span {
    /// The end, counted from the midnight before the beginning.
    pub fn end(self) -> i16 {
        if self.to <= self.from { self.to + 1440 } else { self.to }
    }

    /// Whether two spans that begin on the same date overlap.
    pub fn overlaps(self, other: Self) -> bool {
        self.from < other.end() && other.from < self.end()
    }
}

/// Weekly hours within a range of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// ISO weekday: Monday is 1.
    pub weekday: i16,
    pub span: Span,
    /// The first date of the range. `valid_until` is the last one.
    pub valid_from: NaiveDate,
    pub valid_until: NaiveDate,
}

impl Rule {
    /// Whether two rules have hours on the same date that overlap.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.weekday == other.weekday
            && self.span.overlaps(other.span)
            && self.valid_from <= other.valid_until
            && other.valid_from <= self.valid_until
    }
}

/// A time-zone override: dates on which hours are wall time of another zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneOverride {
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    pub zone: Tz,
}

/// The hours of one provider.
#[derive(Clone, Debug)]
pub struct Hours {
    pub zone: Tz,
    pub rules: Vec<Rule>,
    /// Dates on which other spans replace the weekly ones.
    pub overrides: BTreeMap<NaiveDate, Vec<Span>>,
    pub zone_overrides: Vec<ZoneOverride>,
}

impl Hours {
    /// The intervals that overlap a period, ordered by beginning. They are not merged: each one starts its own grid of
    /// slots.
    pub fn intervals(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Interval> {
        // An interval ends at the latest on the day after it begins, and no zone is a day away from UTC.
        let first = from.date_naive() - Days::new(2);
        let last = to.date_naive() + Days::new(1);
        let mut intervals: Vec<_> = first
            .iter_days()
            .take_while(|date| *date <= last)
            // Determined once per date, not once per interval.
            .map(|date| (date, self.zone_on(date)))
            .flat_map(|(date, zone)| self.spans(date).map(move |span| (date, zone, span)))
            .map(|(date, zone, span)| {
                let (end_date, end) = match span.end() {
                    end if end > 1440 => (date + Days::new(1), end - 1440),
                    end => (date, end),
                };
                Interval {
                    starts_at: wall_time::instant(zone, date, span.from),
                    ends_at: wall_time::instant(zone, end_date, end),
                }
            })
            // Hours that a clock change skips completely do not exist.
            .filter(|interval| interval.starts_at < interval.ends_at)
            .filter(|interval| interval.starts_at < to && interval.ends_at > from)
            .collect();
        intervals.sort();
        intervals
    }

    fn zone_on(&self, date: NaiveDate) -> Tz {
        let applies = |other: &&ZoneOverride| other.starts_on <= date && date <= other.ends_on;
        self.zone_overrides.iter().find(applies).map_or(self.zone, |other| other.zone)
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

/// An index for finding the intervals that overlap a time, among intervals ordered by beginning: for each interval, the
/// latest end among it and all before it. A search walks back from the last interval that begins early enough, and
/// stops where no earlier one can overlap. It takes as many steps as it finds intervals, regardless of how many end
/// earlier (unless a long interval covers many short ones).
#[derive(Clone, Debug, Default)]
pub struct Reach(Vec<DateTime<Utc>>);

impl Reach {
    pub fn new(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut latest = DateTime::<Utc>::MIN_UTC;
        Self(
            intervals
                .into_iter()
                .map(|interval| {
                    latest = latest.max(interval.ends_at);
                    latest
                })
                .collect(),
        )
    }

    /// The indices, last first, of intervals among the first `before` that may end after an instant.
    pub fn back(&self, before: usize, instant: DateTime<Utc>) -> impl Iterator<Item = usize> {
        (0..before).rev().take_while(move |index| self.0[*index] > instant)
    }

    /// The index of the first interval that may end after an instant.
    pub fn first(&self, instant: DateTime<Utc>) -> usize {
        self.0.partition_point(|latest| *latest <= instant)
    }
}

/// When a provider can be booked: the working hours without closures and time off.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// The working hours, ordered by beginning. Each interval starts its own grid of slots.
    intervals: Vec<Interval>,
    reach: Reach,
    /// The working hours, merged and without absences.
    open: Vec<Interval>,
}

/// Merges overlapping and touching intervals. Expects intervals ordered by beginning.
pub fn merged(intervals: impl IntoIterator<Item = Interval>) -> Vec<Interval> {
    let mut merged: Vec<Interval> = Vec::new();
    for interval in intervals {
        match merged.last_mut() {
            Some(last) if interval.starts_at <= last.ends_at => {
                last.ends_at = last.ends_at.max(interval.ends_at);
            }
            _ => merged.push(interval),
        }
    }
    merged
}

impl Open {
    /// Takes working hours ordered by beginning, and absences in any order. Linear in the number of both, apart from
    /// sorting the absences.
    pub fn new(intervals: Vec<Interval>, mut away: Vec<Interval>) -> Self {
        away.sort_unstable();
        let away = merged(away);
        let mut open = Vec::with_capacity(intervals.len());
        // Both are ordered and merged: an absence that ends before one interval begins also ends before the next.
        let mut passed = 0;
        for mut interval in merged(intervals.iter().copied()) {
            while away.get(passed).is_some_and(|away| away.ends_at <= interval.starts_at) {
                passed += 1;
            }
            for away in away[passed..].iter().take_while(|away| away.starts_at < interval.ends_at) {
                if interval.starts_at < away.starts_at {
                    open.push(Interval { ends_at: away.starts_at, ..interval });
                }
                interval.starts_at = interval.ends_at.min(away.ends_at);
            }
            if interval.starts_at < interval.ends_at {
                open.push(interval);
            }
        }
        let reach = Reach::new(intervals.iter().copied());
        Self { intervals, reach, open }
    }

    /// The working hours, merged and without absences, ordered by beginning.
    pub fn open(&self) -> &[Interval] {
        &self.open
    }

    /// Whether a time lies completely within open hours.
    pub fn fits(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> bool {
        let after = self.open.partition_point(|open| open.starts_at <= starts_at);
        self.open[..after].last().is_some_and(|open| ends_at <= open.ends_at)
    }

    /// The intervals of working hours that contain an instant, regardless of absences.
    pub fn around(&self, instant: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let after = self.intervals.partition_point(|interval| interval.starts_at <= instant);
        let found = self.reach.back(after, instant).map(|index| self.intervals[index]);
        found.filter(move |interval| instant < interval.ends_at)
    }

    /// The intervals of working hours that overlap a period, ordered by beginning, regardless of absences.
    pub fn reaching(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let first = self.reach.first(from);
        let found =
            self.intervals[first..].iter().copied().take_while(move |interval| interval.starts_at < to);
        found.filter(move |interval| interval.ends_at > from)
    }
}
