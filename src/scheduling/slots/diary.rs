//! The taken times of a provider, room, piece of equipment or contact.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::OnceLock,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use uuid::Uuid;

use crate::scheduling::hours::{
    wall_time,
    working_hours::{Interval, Reach},
};

/// Starts that count towards limits. The date of each is computed once, not once for each start that is tried.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<DateTime<Utc>>")]
pub struct Starts {
    starts: Vec<DateTime<Utc>>,
    /// The number of starts on each date of a time zone.
    dates: OnceLock<(Tz, BTreeMap<NaiveDate, usize>)>,
}

impl From<Vec<DateTime<Utc>>> for Starts {
    fn from(starts: Vec<DateTime<Utc>>) -> Self {
        Self { starts, dates: OnceLock::new() }
    }
}

impl Starts {
    pub(super) fn push(&mut self, start: DateTime<Utc>) {
        self.starts.push(start);
        if let Some((zone, dates)) = self.dates.get_mut() {
            *dates.entry(wall_time::date(*zone, start)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, start: DateTime<Utc>) {
        let Some(index) = self.starts.iter().position(|other| *other == start) else {
            return;
        };
        self.starts.swap_remove(index);
        if let Some((zone, dates)) = self.dates.get_mut()
            && let Some(count) = dates.get_mut(&wall_time::date(*zone, start))
        {
            *count -= 1;
        }
    }

    /// The number of starts within a range of dates. The zone must be the same at every call.
    pub(super) fn count(&self, zone: Tz, dates: &RangeInclusive<NaiveDate>) -> usize {
        let (counted_in, counts) = self.dates.get_or_init(|| {
            let mut counts = BTreeMap::new();
            for start in &self.starts {
                *counts.entry(wall_time::date(zone, *start)).or_default() += 1;
            }
            (zone, counts)
        });
        debug_assert_eq!(*counted_in, zone, "days are counted in the zone of the organization");
        counts.range(dates.clone()).map(|(_, count)| count).sum()
    }
}

/// A taken time of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub during: Interval,
    /// The start that the customer sees, if the resource is a provider.
    pub service_starts_at: Option<DateTime<Utc>>,
    /// The end that the customer sees.
    pub service_ends_at: Option<DateTime<Utc>>,
    pub group_key: Option<Uuid>,
    pub seat: i16,
}

/// The taken times of a resource, ordered by beginning.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    taken: Vec<Taken>,
    reach: Reach,
    /// The starts that customers see; seats of one group session count once.
    starts: Starts,
}

impl Diary {
    pub fn new(mut taken: Vec<Taken>) -> Self {
        taken.sort_by_key(|taken| taken.during);
        let starts: BTreeSet<_> = taken
            .iter()
            .filter_map(|taken| Some((taken.service_starts_at?, taken.during.starts_at)))
            .collect();
        let starts: Vec<_> = starts.into_iter().map(|(service_starts_at, _)| service_starts_at).collect();
        Self { reach: Reach::new(taken.iter().map(|taken| taken.during)), taken, starts: starts.into() }
    }

    /// Adds a taken time. Returns whether it counts towards limits: the other seats of its group session do not.
    pub(super) fn insert(&mut self, taken: Taken) -> bool {
        let counted = self.counted_start(&taken);
        if let Some(start) = counted {
            self.starts.push(start);
        }
        let after = self.taken.partition_point(|other| other.during <= taken.during);
        self.taken.insert(after, taken);
        self.reach = Reach::new(self.taken.iter().map(|taken| taken.during));
        counted.is_some()
    }

    /// Removes a taken time, if the diary has it. Returns whether it counted towards limits.
    pub(super) fn remove(&mut self, taken: &Taken) -> bool {
        let Some(index) = self.taken.iter().position(|other| other == taken) else {
            return false;
        };
        self.taken.remove(index);
        self.reach = Reach::new(self.taken.iter().map(|taken| taken.during));
        let counted = self.counted_start(taken);
        if let Some(start) = counted {
            self.starts.remove(start);
        }
        counted.is_some()
    }

    /// The start that customers see, unless another seat of the group session has it.
    fn counted_start(&self, taken: &Taken) -> Option<DateTime<Utc>> {
        let first = self.taken.partition_point(|other| other.during.starts_at < taken.during.starts_at);
        let mut beside =
            self.taken[first..].iter().take_while(|other| other.during.starts_at == taken.during.starts_at);
        taken
            .service_starts_at
            .filter(|_| !beside.any(|other| other.service_starts_at == taken.service_starts_at))
    }

    /// Whether any part of a time is taken.
    pub fn is_taken(&self, during: Interval) -> bool {
        self.overlapping(during).next().is_some()
    }

    fn overlapping(&self, during: Interval) -> impl Iterator<Item = &Taken> {
        let after = self.taken.partition_point(|taken| taken.during.starts_at < during.ends_at);
        let found = self.reach.back(after, during.starts_at).map(|index| &self.taken[index]);
        found.filter(move |taken| taken.during.ends_at > during.starts_at)
    }

    /// The taken seats of the group session. Fails with the conflicting entry if anything else takes the time.
    pub(super) fn seats(&self, during: Interval, group_key: Option<Uuid>) -> Result<Vec<i16>, &Taken> {
        let mut seats = Vec::new();
        for taken in self.overlapping(during) {
            if group_key.is_some() && taken.group_key == group_key && taken.during == during {
                seats.push(taken.seat);
            } else {
                return Err(taken);
            }
        }
        Ok(seats)
    }

    /// The group session that starts at an instant, as one of its seats.
    pub(super) fn session(&self, group_key: Uuid, start: DateTime<Utc>) -> Option<&Taken> {
        let own =
            |taken: &&Taken| taken.group_key == Some(group_key) && taken.service_starts_at == Some(start);
        // A buffer before the start is at most half a day.
        let during = Interval { starts_at: start, ends_at: start + TimeDelta::microseconds(1) };
        self.overlapping(during).find(own)
    }

    /// The starts of group sessions that overlap a period.
    pub(super) fn sessions(&self, group_key: Uuid, period: Interval) -> impl Iterator<Item = DateTime<Utc>> {
        self.overlapping(period)
            .filter(move |taken| taken.group_key == Some(group_key))
            .filter_map(|taken| taken.service_starts_at)
    }

    /// The number of appointments within a range of dates. Seats of one group session count once.
    pub(super) fn count(&self, zone: Tz, dates: &RangeInclusive<NaiveDate>) -> usize {
        self.starts.count(zone, dates)
    }
}
