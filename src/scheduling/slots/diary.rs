//! What is taken of a provider, a room, a piece of equipment or a contact.

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

/// Starts that limits count. Which date each is on is asked once, not once for each start that is tried.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<DateTime<Utc>>")]
pub struct Starts {
    starts: Vec<DateTime<Utc>>,
    /// How many on each date of a zone.
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

    /// How many are on the dates from one to another, both included. The zone is the same at every call.
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

/// Time of a resource that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub during: Interval,
    /// The start the customer sees, where it is the time of a provider.
    pub serves_at: Option<DateTime<Utc>>,
    /// The end the customer sees.
    pub serves_until: Option<DateTime<Utc>>,
    pub group_key: Option<Uuid>,
    pub seat: i16,
}

/// What is taken of a resource, in the order of the beginnings.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    taken: Vec<Taken>,
    reach: Reach,
    /// What customers see of it; those of one session once.
    starts: Starts,
}

impl Diary {
    pub fn new(mut taken: Vec<Taken>) -> Self {
        taken.sort_by_key(|taken| taken.during);
        let starts: BTreeSet<_> =
            taken.iter().filter_map(|taken| Some((taken.serves_at?, taken.during.starts_at))).collect();
        let starts: Vec<_> = starts.into_iter().map(|(serves_at, _)| serves_at).collect();
        Self { reach: Reach::new(taken.iter().map(|taken| taken.during)), taken, starts: starts.into() }
    }

    pub(super) fn insert(&mut self, taken: Taken) {
        let after = self.taken.partition_point(|other| other.during <= taken.during);
        if let Some(serves_at) = taken.serves_at {
            let first = self.taken.partition_point(|other| other.during.starts_at < taken.during.starts_at);
            let mut beside = self.taken[first..]
                .iter()
                .take_while(|other| other.during.starts_at == taken.during.starts_at);
            // Seats of one session count once.
            if !beside.any(|other| other.serves_at == taken.serves_at) {
                self.starts.push(serves_at);
            }
        }
        self.taken.insert(after, taken);
        self.reach = Reach::new(self.taken.iter().map(|taken| taken.during));
    }

    /// Whether anything of a time is taken.
    pub fn is_taken(&self, during: Interval) -> bool {
        self.overlapping(during).next().is_some()
    }

    fn overlapping(&self, during: Interval) -> impl Iterator<Item = &Taken> {
        let after = self.taken.partition_point(|taken| taken.during.starts_at < during.ends_at);
        let found = self.reach.back(after, during.starts_at).map(|index| &self.taken[index]);
        found.filter(move |taken| taken.during.ends_at > during.starts_at)
    }

    /// The seats of the session that are taken, where nothing else takes the time; otherwise what does.
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

    /// The session of a group that starts at an instant, as one of its seats takes it.
    pub(super) fn session(&self, group_key: Uuid, start: DateTime<Utc>) -> Option<&Taken> {
        let own = |taken: &&Taken| taken.group_key == Some(group_key) && taken.serves_at == Some(start);
        // A buffer before the start is half a day at most.
        let during = Interval { starts_at: start, ends_at: start + TimeDelta::microseconds(1) };
        self.overlapping(during).find(own)
    }

    /// The starts of the sessions of a group that take time of a period.
    pub(super) fn sessions(&self, group_key: Uuid, period: Interval) -> impl Iterator<Item = DateTime<Utc>> {
        self.overlapping(period)
            .filter(move |taken| taken.group_key == Some(group_key))
            .filter_map(|taken| taken.serves_at)
    }

    /// How many begin on the dates from one to another, both included. Those of one session count once.
    pub(super) fn count(&self, zone: Tz, dates: &RangeInclusive<NaiveDate>) -> usize {
        self.starts.count(zone, dates)
    }
}
