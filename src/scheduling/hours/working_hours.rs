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
            // Asked once a date, not once an interval.
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

/// Finds what reaches into a time, among intervals in the order of their beginnings: the latest end of each and all
/// before it. A search walks back from the last that begins early enough, and stops where nothing earlier reaches as far.
/// It takes as many steps as it finds intervals, however many end earlier (unless a long one covers many short ones).
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

    /// The indices, the last first, of those among the first `before` that may end after an instant.
    pub fn back(&self, before: usize, instant: DateTime<Utc>) -> impl Iterator<Item = usize> {
        (0..before).rev().take_while(move |index| self.0[*index] > instant)
    }

    /// The first index from which on an interval may end after an instant.
    pub fn first(&self, instant: DateTime<Utc>) -> usize {
        self.0.partition_point(|latest| *latest <= instant)
    }
}

/// When somebody can be booked: their hours, less closures and time off.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Each the beginning of a grid, in the order of their beginnings.
    intervals: Vec<Interval>,
    reach: Reach,
    /// The same time without overlaps and seams, and without what is away.
    open: Vec<Interval>,
}

/// The same time without overlaps and seams. Takes intervals in the order of their beginnings.
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
    /// Intervals in the order of their beginnings, and what is away in any order. Takes as many steps as both have
    /// entries together (and the sorting of what is away).
    pub fn new(intervals: Vec<Interval>, mut away: Vec<Interval>) -> Self {
        away.sort_unstable();
        let away = merged(away);
        let mut open = Vec::with_capacity(intervals.len());
        // Both are in order and without overlaps: what ends before one interval begins ends before the next as well.
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

    /// Whether all of a time lies in open hours.
    pub fn fits(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> bool {
        let after = self.open.partition_point(|open| open.starts_at <= starts_at);
        self.open[..after].last().is_some_and(|open| ends_at <= open.ends_at)
    }

    /// The intervals of working hours that an instant lies in, absences or not.
    pub fn around(&self, instant: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let after = self.intervals.partition_point(|interval| interval.starts_at <= instant);
        let found = self.reach.back(after, instant).map(|index| self.intervals[index]);
        found.filter(move |interval| instant < interval.ends_at)
    }

    /// The intervals of working hours that reach into a period, in the order of their beginnings, absences or not.
    pub fn reaching(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let first = self.reach.first(from);
        let found =
            self.intervals[first..].iter().copied().take_while(move |interval| interval.starts_at < to);
        found.filter(move |interval| interval.ends_at > from)
    }
}
