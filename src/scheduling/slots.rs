//! Which starts are free. Pure: rows and clock are passed in. Listing and booking ask the same [`Calendar`], so what is
//! listed can be booked, and what cannot be booked is not listed.

use chrono::{DateTime, TimeDelta, Utc};

use super::hours::Interval;

/// No interval of working hours is longer: a day, and what clocks that are put back add to it.
const LONGEST_INTERVAL: TimeDelta = TimeDelta::hours(48);

/// How long an appointment takes, and how far apart the offered starts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub duration: TimeDelta,
    pub step: TimeDelta,
}

/// Why a start cannot be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The time, or a part of it, is taken.
    Busy,
    /// Within working hours, but not a multiple of the step after their beginning.
    OffGrid,
    /// Not within working hours from beginning to end.
    OutsideHours,
    /// It lies behind the clock.
    Past,
}

/// A provider's time, as far as loaded.
#[derive(Clone, Debug)]
pub struct Calendar {
    grid: Grid,
    now: DateTime<Utc>,
    /// Each the beginning of a grid, in the order of their beginnings.
    intervals: Vec<Interval>,
    /// The same time without overlaps and seams.
    open: Vec<Interval>,
    /// Without overlaps, in order.
    busy: Vec<Interval>,
}

impl Calendar {
    /// Of working hours and claims, both in the order of their beginnings.
    pub fn new(grid: Grid, now: DateTime<Utc>, intervals: Vec<Interval>, busy: Vec<Interval>) -> Self {
        let mut open: Vec<Interval> = Vec::with_capacity(intervals.len());
        for interval in &intervals {
            match open.last_mut() {
                Some(last) if interval.starts_at <= last.ends_at => {
                    last.ends_at = last.ends_at.max(interval.ends_at);
                }
                _ => open.push(*interval),
            }
        }
        Self { grid, now, intervals, open, busy }
    }

    /// Why this start cannot be booked; none where it can.
    pub fn refusal(&self, start: DateTime<Utc>) -> Option<Refusal> {
        if start < self.now {
            Some(Refusal::Past)
        } else if !self.is_open(start) {
            Some(Refusal::OutsideHours)
        } else if !self.is_on_grid(start) {
            Some(Refusal::OffGrid)
        } else if self.is_busy(start) {
            Some(Refusal::Busy)
        } else {
            None
        }
    }

    /// The starts in a period that can be booked, in order.
    pub fn starts(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let from = from.max(self.now);
        let mut starts: Vec<_> = self
            .intervals
            .iter()
            .flat_map(|interval| self.grid_of(*interval, from, to))
            .filter(|start| self.is_open(*start) && !self.is_busy(*start))
            .collect();
        // Intervals that overlap may share starts.
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// The starts of an interval's grid that lie in the period.
    fn grid_of(
        &self,
        interval: Interval,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let step = self.grid.step;
        let ahead = (from - interval.starts_at).max(TimeDelta::zero()).num_microseconds();
        let width = step.num_microseconds();
        let skipped = match (ahead, width) {
            (Some(ahead), Some(width)) if width > 0 => (ahead + width - 1) / width,
            _ => 0,
        };
        let first = interval.starts_at + step * i32::try_from(skipped).unwrap_or(i32::MAX);
        std::iter::successors(Some(first), move |start| Some(*start + step))
            .take_while(move |start| *start < to && *start < interval.ends_at)
    }

    fn is_open(&self, start: DateTime<Utc>) -> bool {
        let after = self.open.partition_point(|open| open.starts_at <= start);
        self.open[..after].last().is_some_and(|open| start + self.grid.duration <= open.ends_at)
    }

    fn is_on_grid(&self, start: DateTime<Utc>) -> bool {
        let after = self.intervals.partition_point(|interval| interval.starts_at <= start);
        self.intervals[..after]
            .iter()
            .rev()
            .take_while(|interval| start - interval.starts_at <= LONGEST_INTERVAL)
            .filter(|interval| start < interval.ends_at)
            .any(|interval| is_multiple(start - interval.starts_at, self.grid.step))
    }

    fn is_busy(&self, start: DateTime<Utc>) -> bool {
        let before_end = self.busy.partition_point(|busy| busy.starts_at < start + self.grid.duration);
        self.busy[..before_end].last().is_some_and(|busy| busy.ends_at > start)
    }
}

fn is_multiple(elapsed: TimeDelta, step: TimeDelta) -> bool {
    match (elapsed.num_microseconds(), step.num_microseconds()) {
        (Some(elapsed), Some(step)) if step > 0 => elapsed % step == 0,
        _ => false,
    }
}
