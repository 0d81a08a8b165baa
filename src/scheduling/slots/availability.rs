//! Decides which starts can be booked, and what a booking claims. Pure functions: rows and clock are arguments. Listing
//! and booking both call [`Availability::plan`], so a listed start can be booked, and a start that cannot be booked is
//! not listed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    diary::{Diary, Starts, Taken},
    guest_rules::{GuestDetail, GuestRules, GuestVerification},
};
use crate::{
    db::row,
    scheduling::hours::{
        wall_time,
        working_hours::{Interval, Open},
    },
};

/// The maximum duration of a claim, and therefore of a visit.
pub const LONGEST_CLAIM: TimeDelta = TimeDelta::hours(24);

/// How many days ahead a service without a horizon can be booked.
const LONGEST_HORIZON: u32 = 3660;

/// The rules of a service, as `availability_get.sql` returns them. A rule that is null does not exist; one that is
/// absent is an error, for the service would be booked without it.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceRules {
    pub id: Uuid,
    pub active: bool,
    pub bookable_online: bool,
    pub duration_minutes: u32,
    pub slot_step_minutes: u32,
    pub slot_offset_minutes: u32,
    pub buffer_before_minutes: u32,
    pub buffer_after_minutes: u32,
    pub min_notice_minutes: u32,
    #[serde(deserialize_with = "Option::deserialize")]
    pub horizon_days: Option<u32>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub bookable_from: Option<NaiveDate>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub bookable_until: Option<NaiveDate>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub max_per_day: Option<usize>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub max_per_week: Option<usize>,
    pub requires_approval: bool,
    pub capacity: i16,
    pub contact_may_overlap: bool,
    pub cancellation_notice_minutes: u32,
    pub guest_requires: Vec<GuestDetail>,
    pub guest_verification: GuestVerification,
    /// Providers who perform it. Empty: all providers.
    pub provider_ids: BTreeSet<Uuid>,
    /// For each requirement, the rooms and pieces of equipment that satisfy it.
    pub required_resources: Vec<Vec<Uuid>>,
    /// The starts that count towards its limits, if it has limits.
    #[serde(deserialize_with = "Option::deserialize")]
    pub counted_starts: Option<Starts>,
}

pub(super) fn minutes(minutes: u32) -> TimeDelta {
    TimeDelta::minutes(minutes.into())
}

impl ServiceRules {
    pub fn duration(&self) -> TimeDelta {
        minutes(self.duration_minutes)
    }

    pub fn is_performed_by(&self, provider: Uuid) -> bool {
        self.provider_ids.is_empty() || self.provider_ids.contains(&provider)
    }

    pub fn of_guests(&self) -> GuestRules<'_> {
        GuestRules { requires: &self.guest_requires, verification: self.guest_verification }
    }

    /// The key that identifies claims of the same group session.
    pub(super) fn group_key(&self, provider: Uuid) -> Option<Uuid> {
        (self.capacity > 1).then(|| Uuid::new_v5(&self.id, provider.as_bytes()))
    }
}

/// Why a start cannot be booked, ordered from nearest to farthest from being bookable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotError {
    /// The contact has another appointment at that time.
    ContactBusy,
    /// All seats of the group session are taken.
    Capacity,
    /// The time of the service is free, but not the time of its buffers.
    Buffer,
    /// The provider is free, but a required room or piece of equipment is not.
    Resource,
    /// The time is taken, at least in part.
    Busy,
    /// The daily or weekly limit of the provider or the service is reached.
    LimitReached,
    /// Within working hours, but not on the grid of starts.
    OffGrid,
    /// Not completely within working hours.
    OutsideHours,
    /// Beyond the booking horizon, or on a date on which the service is not offered.
    TooFar,
    /// Earlier than the notice the service wants.
    TooSoon,
    /// Earlier than now.
    Past,
}

/// A provider with their open hours and taken times.
#[derive(Clone, Debug)]
pub struct Provider {
    pub id: Uuid,
    pub active: bool,
    pub open: Open,
    pub diary: Diary,
    pub max_per_day: Option<usize>,
    pub max_per_week: Option<usize>,
}

impl Provider {
    /// The number of appointments of the provider on a date.
    pub fn booked_on(&self, zone: Tz, date: NaiveDate) -> usize {
        self.diary.count(zone, &(date..=date))
    }
}

/// A new claim: time of a resource for an appointment or a hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claim {
    pub id: Uuid,
    /// The appointment or the hold.
    pub owner_id: Uuid,
    pub resource_id: Uuid,
    pub service_id: Option<Uuid>,
    pub service_starts_at: Option<DateTime<Utc>>,
    pub service_ends_at: Option<DateTime<Utc>>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub group_key: Option<Uuid>,
    pub seat: i16,
    pub capacity: i16,
    /// Whether it is a contact's own time.
    #[serde(default)]
    pub of_contact: bool,
}

impl Claim {
    /// The claim on the contact's time, without buffers.
    pub fn of_contact(contact: Uuid, owner: Uuid, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::now_v7(),
            owner_id: owner,
            resource_id: contact,
            service_id: None,
            service_starts_at: None,
            service_ends_at: None,
            starts_at,
            ends_at,
            group_key: None,
            seat: 1,
            capacity: 1,
            of_contact: true,
        }
    }

    fn taken(&self) -> Taken {
        Taken {
            during: Interval { starts_at: self.starts_at, ends_at: self.ends_at },
            service_starts_at: self.service_starts_at,
            service_ends_at: self.service_ends_at,
            group_key: self.group_key,
            seat: self.seat,
        }
    }
}

row! {
    Claim {
        id, owner_id, resource_id, service_id, service_starts_at, service_ends_at, starts_at, ends_at, group_key, seat, capacity,
        of_contact
    }
}

/// One service of a booking.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub service: Uuid,
    pub provider: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// What a booking would claim: the result of a search.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// The booked services, in their order.
    pub items: Vec<Item>,
    pub claims: Vec<Claim>,
    /// The seat in a group session; `None` otherwise.
    pub seat: Option<i16>,
    /// The number of free seats at this start with this provider, this one included.
    pub remaining: usize,
}

impl Allocation {
    pub fn starts_at(&self) -> DateTime<Utc> {
        self.items[0].starts_at
    }

    pub fn ends_at(&self) -> DateTime<Utc> {
        self.items[self.items.len() - 1].ends_at
    }

    /// The claims, for this appointment or hold.
    pub fn claims_of(&self, owner: Uuid) -> Vec<Claim> {
        self.claims
            .iter()
            .map(|claim| Claim { id: Uuid::now_v7(), owner_id: owner, ..claim.clone() })
            .collect()
    }
}

/// Whether the rules of services and hours are enforced. Claims always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    Full,
    ClaimsOnly,
}

/// A requested start.
#[derive(Clone, Copy, Debug)]
pub struct StartRequest {
    pub start: DateTime<Utc>,
    /// The provider for the other services of a visit, too. `None`: any.
    pub with: Option<Uuid>,
    /// The contact, if its other appointments are considered.
    pub contact: Option<Uuid>,
    pub policy: Enforcement,
    /// Selects one of the free seats of a group session.
    pub seat_seed: usize,
}

/// The data that decide which starts can be booked.
#[derive(Clone, Debug)]
pub struct Availability {
    /// The services to book, one after the other.
    pub services: Vec<ServiceRules>,
    /// In a stable order.
    pub providers: Vec<Provider>,
    /// Rooms and equipment.
    pub resources: BTreeMap<Uuid, Diary>,
    /// Contacts whose own time was loaded.
    pub contacts: BTreeMap<Uuid, Diary>,
    /// The organization's time zone, in which days and weeks are counted.
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

impl Availability {
    /// The existing group session of the service with this provider at this start.
    pub(super) fn session(&self, provider: &Provider, start: DateTime<Utc>) -> Option<Session> {
        let [rules] = &self.services[..] else {
            return None;
        };
        let taken = provider.diary.session(rules.group_key(provider.id)?, start)?;
        let ends_at = taken.service_ends_at.unwrap_or(start + rules.duration());
        Some(Session { during: taken.during, own: Interval { starts_at: start, ends_at } })
    }

    /// What an allocation would claim for an appointment or hold of this contact.
    pub fn claims_of(&self, plan: &Allocation, owner: Uuid, contact: Option<Uuid>) -> Vec<Claim> {
        let contact = contact.filter(|_| self.claims_contact());
        let contact = contact.map(|id| Claim::of_contact(id, owner, plan.starts_at(), plan.ends_at()));
        plan.claims_of(owner).into_iter().chain(contact).collect()
    }

    /// Marks the claims of an allocation as taken, so that the next one is planned around them.
    pub fn take(&mut self, plan: &Allocation, contact: Option<Uuid>) {
        let claims = self.claims_of(plan, Uuid::nil(), contact);
        self.occupy(&claims);
    }

    /// Marks claims as taken.
    pub fn occupy(&mut self, claims: &[Claim]) {
        for claim in claims {
            let counts = self.diary(claim).is_none_or(|diary| diary.insert(claim.taken()));
            if let Some((starts, start)) = self.counted_starts(claim).filter(|_| counts) {
                starts.push(start);
            }
        }
    }

    /// Marks claims as free, which were taken.
    pub fn vacate(&mut self, claims: &[Claim]) {
        for claim in claims {
            let counts = self.diary(claim).is_none_or(|diary| diary.remove(&claim.taken()));
            if let Some((starts, start)) = self.counted_starts(claim).filter(|_| counts) {
                starts.remove(start);
            }
        }
    }

    /// The diary that a claim belongs to, if it was loaded.
    fn diary(&mut self, claim: &Claim) -> Option<&mut Diary> {
        if claim.of_contact {
            return Some(self.contacts.entry(claim.resource_id).or_default());
        }
        let provider = self.providers.iter_mut().find(|provider| provider.id == claim.resource_id);
        match provider {
            Some(provider) => Some(&mut provider.diary),
            None => self.resources.get_mut(&claim.resource_id),
        }
    }

    /// The starts that count towards the limits of the claim's service, and the start of the claim.
    fn counted_starts(&mut self, claim: &Claim) -> Option<(&mut Starts, DateTime<Utc>)> {
        let rules = self.services.iter_mut().find(|rules| Some(rules.id) == claim.service_id)?;
        Some((rules.counted_starts.as_mut()?, claim.service_starts_at?))
    }

    /// The starts of a provider in a period in order, whether or not they can be booked: those on the grid, and those
    /// of existing group sessions.
    pub fn starts(&self, provider: &Provider, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let mut starts: Vec<_> =
            provider.open.reaching(from, to).flat_map(|interval| self.grid_of(interval, from, to)).collect();
        if let [rules] = &self.services[..]
            && let Some(key) = rules.group_key(provider.id)
        {
            let sessions = provider.diary.sessions(key, Interval { starts_at: from, ends_at: to });
            starts.extend(sessions.filter(|start| from <= *start && *start < to));
        }
        // Intervals that overlap may share starts.
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// The total duration of all services, without buffers.
    pub fn duration(&self) -> TimeDelta {
        self.services.iter().map(ServiceRules::duration).sum()
    }

    /// Whether the contact's time is claimed, too.
    pub fn claims_contact(&self) -> bool {
        self.services.iter().any(|rules| !rules.contact_may_overlap)
    }

    /// Whether a service or a provider has a daily or weekly limit.
    pub fn has_limits(&self) -> bool {
        let limited = |day: Option<usize>, week: Option<usize>| day.or(week).is_some();
        self.services.iter().any(|rules| limited(rules.max_per_day, rules.max_per_week))
            || self.providers.iter().any(|provider| limited(provider.max_per_day, provider.max_per_week))
    }

    /// The active providers who perform the first service.
    pub fn candidates(&self) -> impl Iterator<Item = &Provider> {
        self.providers
            .iter()
            .filter(|provider| provider.active && self.services[0].is_performed_by(provider.id))
    }

    /// Checks notice, horizon and dates of every service: the rules that do not depend on the provider.
    pub(super) fn check_time(&self, start: DateTime<Utc>) -> Result<(), SlotError> {
        let today = wall_time::date(self.zone, self.now);
        let mut starts_at = start;
        for rules in &self.services {
            if starts_at < self.now {
                return Err(SlotError::Past);
            }
            if starts_at < self.now + minutes(rules.min_notice_minutes) {
                return Err(SlotError::TooSoon);
            }
            let date = wall_time::date(self.zone, starts_at);
            let horizon = rules.horizon_days.unwrap_or(LONGEST_HORIZON);
            let beyond = today.checked_add_days(Days::new(horizon.into())).is_some_and(|last| date > last);
            if beyond
                || rules.bookable_from.is_some_and(|first| date < first)
                || rules.bookable_until.is_some_and(|last| date > last)
            {
                return Err(SlotError::TooFar);
            }
            starts_at += rules.duration();
        }
        Ok(())
    }

    /// The starts of an interval's grid that lie in the period.
    fn grid_of(
        &self,
        interval: Interval,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let rules = &self.services[0];
        let step = minutes(rules.slot_step_minutes);
        let first = interval.starts_at + minutes(rules.slot_offset_minutes);
        let ahead = (from - first).max(TimeDelta::zero()).num_microseconds();
        let width = step.num_microseconds();
        let skipped = match (ahead, width) {
            (Some(ahead), Some(width)) if width > 0 => (ahead + width - 1) / width,
            _ => 0,
        };
        let first = first + step * i32::try_from(skipped).unwrap_or(i32::MAX);
        // A step is at least a minute, so this ends.
        std::iter::successors(Some(first), move |start| Some(*start + step))
            .take_while(move |start| *start < to && *start < interval.ends_at)
    }

    pub(super) fn is_on_grid(&self, provider: &Provider, start: DateTime<Utc>) -> bool {
        let rules = &self.services[0];
        let (step, offset) = (minutes(rules.slot_step_minutes), minutes(rules.slot_offset_minutes));
        provider.open.around(start).any(|interval| is_multiple(start - interval.starts_at - offset, step))
    }
}

/// A group session with at least one seat taken.
#[derive(Clone, Copy)]
pub(super) struct Session {
    /// The claimed time of the provider and other resources.
    pub during: Interval,
    /// The time that customers see.
    pub own: Interval,
}

fn is_multiple(elapsed: TimeDelta, step: TimeDelta) -> bool {
    match (elapsed.num_microseconds(), step.num_microseconds()) {
        (Some(elapsed), Some(step)) if step > 0 => elapsed >= 0 && elapsed % step == 0,
        _ => false,
    }
}
