//! Which starts can be booked, and what booking one takes. Pure: rows and clock are passed in. Listing and booking ask
//! [`Availability::plan`] alike, so what is listed can be booked, and what cannot be booked is not listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::OnceLock,
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    hours::{Interval, Open, Reach},
    wall_time,
};

/// No claim lasts longer, and so no visit.
pub const LONGEST_CLAIM: TimeDelta = TimeDelta::hours(24);
/// How many combinations of providers of a visit are looked at for one start.
const MOST_STEPS: usize = 500;

/// The rules of a service, as `availability_get.sql` has them.
#[derive(Clone, Debug, Deserialize)]
pub struct Rules {
    pub id: Uuid,
    pub active: bool,
    pub bookable_online: bool,
    pub duration_minutes: u32,
    pub slot_step_minutes: u32,
    pub slot_offset_minutes: u32,
    pub buffer_before_minutes: u32,
    pub buffer_after_minutes: u32,
    pub min_notice_minutes: u32,
    pub horizon_days: Option<u32>,
    pub bookable_from: Option<NaiveDate>,
    pub bookable_until: Option<NaiveDate>,
    pub max_per_day: Option<usize>,
    pub max_per_week: Option<usize>,
    pub requires_approval: bool,
    pub capacity: i16,
    pub contact_may_overlap: bool,
    pub cancellation_notice_minutes: u32,
    /// Who gives it; everybody where there is nobody.
    pub provider_ids: BTreeSet<Uuid>,
    /// Of each requirement the rooms and pieces of equipment that would do.
    pub required_resources: Vec<Vec<Uuid>>,
    /// The starts its limits count, where it has limits.
    pub given_at: Option<Starts>,
}

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
    fn push(&mut self, start: DateTime<Utc>) {
        self.starts.push(start);
        if let Some((zone, dates)) = self.dates.get_mut() {
            *dates.entry(wall_time::date(*zone, start)).or_default() += 1;
        }
    }

    /// How many are on the dates from one to another, both included. The zone is the same at every call.
    fn count(&self, zone: Tz, dates: &RangeInclusive<NaiveDate>) -> usize {
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

fn minutes(minutes: u32) -> TimeDelta {
    TimeDelta::minutes(minutes.into())
}

impl Rules {
    pub fn duration(&self) -> TimeDelta {
        minutes(self.duration_minutes)
    }

    pub fn is_given_by(&self, provider: Uuid) -> bool {
        self.provider_ids.is_empty() || self.provider_ids.contains(&provider)
    }

    /// What tells the claims of a group session from others.
    fn group_key(&self, provider: Uuid) -> Option<Uuid> {
        (self.capacity > 1).then(|| Uuid::new_v5(&self.id, provider.as_bytes()))
    }
}

/// Why a start cannot be booked, the one that comes nearest to being bookable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The contact has something else then.
    ContactBusy,
    /// All seats of the group session are taken.
    Capacity,
    /// Its own time is free, but not that of the buffers around it.
    Buffer,
    /// The provider is free, but no room or no piece of equipment that it needs.
    Resource,
    /// The time, or a part of it, is taken.
    Busy,
    /// The provider or the service has as many that day or week as there may be.
    LimitReached,
    /// Within working hours, but not a multiple of the step after their beginning.
    OffGrid,
    /// Not within working hours from beginning to end.
    OutsideHours,
    /// Later than it may be booked today, or not a date on which it is given.
    TooFar,
    /// Earlier than the notice the service wants, or past.
    TooSoon,
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

    fn insert(&mut self, taken: Taken) {
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
    fn seats(&self, during: Interval, group_key: Option<Uuid>) -> Result<Vec<i16>, &Taken> {
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
    fn session(&self, group_key: Uuid, start: DateTime<Utc>) -> Option<&Taken> {
        let own = |taken: &&Taken| taken.group_key == Some(group_key) && taken.serves_at == Some(start);
        // A buffer before the start is half a day at most.
        let during = Interval { starts_at: start, ends_at: start + TimeDelta::microseconds(1) };
        self.overlapping(during).find(own)
    }

    /// The starts of the sessions of a group that take time of a period.
    fn sessions(&self, group_key: Uuid, period: Interval) -> impl Iterator<Item = DateTime<Utc>> {
        self.overlapping(period)
            .filter(move |taken| taken.group_key == Some(group_key))
            .filter_map(|taken| taken.serves_at)
    }

    /// How many begin on the dates from one to another, both included. Those of one session count once.
    fn count(&self, zone: Tz, dates: &RangeInclusive<NaiveDate>) -> usize {
        self.starts.count(zone, dates)
    }
}

/// Somebody who can be booked.
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
    /// How many the provider has on a date.
    pub fn booked_on(&self, zone: Tz, date: NaiveDate) -> usize {
        self.diary.count(zone, &(date..=date))
    }
}

/// A claim to be made: time of a resource, for an appointment or a hold.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    pub id: Uuid,
    /// The appointment or the hold.
    pub owner_id: Uuid,
    pub resource_id: Uuid,
    pub service_id: Option<Uuid>,
    pub serves_at: Option<DateTime<Utc>>,
    pub serves_until: Option<DateTime<Utc>>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub group_key: Option<Uuid>,
    pub seat: i16,
    pub capacity: i16,
}

/// One service of what is booked.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub service: Uuid,
    pub provider: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// What booking a start would take.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One, or several in their order.
    pub pieces: Vec<Piece>,
    pub claims: Vec<Claim>,
    /// Of a group session: the seat.
    pub seat: Option<i16>,
    /// How many more could be booked at this start with this provider, this one included.
    pub remaining: usize,
}

impl Plan {
    pub fn starts_at(&self) -> DateTime<Utc> {
        self.pieces[0].starts_at
    }

    pub fn ends_at(&self) -> DateTime<Utc> {
        self.pieces[self.pieces.len() - 1].ends_at
    }

    /// The claims, as those of an appointment or a hold.
    pub fn claims_of(&self, owner: Uuid) -> Vec<Claim> {
        self.claims
            .iter()
            .map(|claim| Claim { id: Uuid::now_v7(), owner_id: owner, ..claim.clone() })
            .collect()
    }
}

/// Whether the rules of services and hours count. Claims always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Kept,
    Overridden,
}

/// A start that somebody would like.
#[derive(Clone, Copy, Debug)]
pub struct StartRequest {
    pub start: DateTime<Utc>,
    /// The provider of the other services of a visit, too. None: any.
    pub with: Option<Uuid>,
    /// The contact that comes, where its other appointments count. None: a contact without any.
    pub contact: Option<Uuid>,
    pub policy: Policy,
    /// Chooses among the free seats of a group session.
    pub luck: usize,
}

/// Everything that decides which starts can be booked, as far as loaded.
#[derive(Clone, Debug)]
pub struct Availability {
    /// What is booked, one after the other.
    pub services: Vec<Rules>,
    /// In a stable order.
    pub providers: Vec<Provider>,
    /// Rooms and equipment.
    pub resources: BTreeMap<Uuid, Diary>,
    /// Contacts whose own time was loaded.
    pub contacts: BTreeMap<Uuid, Diary>,
    /// In which days and weeks are counted.
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

impl Availability {
    /// What booking this start, with this provider first, would take; or why it cannot be booked.
    pub fn plan(&self, provider: &Provider, request: StartRequest) -> Result<Plan, Refusal> {
        let StartRequest { start, with, policy, luck, .. } = request;
        if policy == Policy::Kept {
            self.check_time(start)?;
            let session = self.session(provider, start);
            let end = session.map_or(start + self.services[0].duration(), |session| session.own.ends_at);
            if !provider.open.fits(start, end) {
                return Err(Refusal::OutsideHours);
            }
            // A session stays where it was opened, whatever the grid is today.
            if session.is_none() && !self.is_on_grid(provider, start) {
                return Err(Refusal::OffGrid);
            }
        }
        let mut search = Search { with, policy, luck, steps: 0, plan: Vec::new() };
        self.extend(&mut search, provider, start)?;
        let visit = Interval { starts_at: start, ends_at: search.plan[search.plan.len() - 1].piece.ends_at };
        let busy = |contact| self.contacts.get(&contact).is_some_and(|diary| diary.is_taken(visit));
        if self.claims_contact() && request.contact.is_some_and(busy) {
            return Err(Refusal::ContactBusy);
        }
        let mut claims = Vec::new();
        let mut pieces = Vec::new();
        for part in &search.plan {
            pieces.push(part.piece);
            claims.extend(part.claims.iter().cloned());
        }
        let single = &search.plan[0];
        let seat = (self.services.len() == 1 && self.services[0].capacity > 1).then_some(single.seat);
        let remaining = if self.services.len() == 1 { single.remaining } else { 1 };
        Ok(Plan { pieces, claims, seat, remaining })
    }

    /// The session of the service that a provider already gives at a start.
    fn session(&self, provider: &Provider, start: DateTime<Utc>) -> Option<Session> {
        let [rules] = &self.services[..] else {
            return None;
        };
        let taken = provider.diary.session(rules.group_key(provider.id)?, start)?;
        let ends_at = taken.serves_until.unwrap_or(start + rules.duration());
        Some(Session { during: taken.during, own: Interval { starts_at: start, ends_at } })
    }

    /// Takes what a plan takes, so that the next is planned around it.
    pub fn take(&mut self, plan: &Plan, contact: Option<Uuid>) {
        if let Some(contact) = contact.filter(|_| self.claims_contact()) {
            self.contacts.entry(contact).or_default().insert(Taken {
                during: Interval { starts_at: plan.starts_at(), ends_at: plan.ends_at() },
                serves_at: None,
                serves_until: None,
                group_key: None,
                seat: 1,
            });
        }
        for claim in &plan.claims {
            let taken = Taken {
                during: Interval { starts_at: claim.starts_at, ends_at: claim.ends_at },
                serves_at: claim.serves_at,
                serves_until: claim.serves_until,
                group_key: claim.group_key,
                seat: claim.seat,
            };
            let provider = self.providers.iter_mut().find(|provider| provider.id == claim.resource_id);
            let diary = match provider {
                Some(provider) => Some(&mut provider.diary),
                None => self.resources.get_mut(&claim.resource_id),
            };
            if let Some(diary) = diary {
                diary.insert(taken);
            }
            let rules = self.services.iter_mut().find(|rules| Some(rules.id) == claim.service_id);
            if let (Some(rules), Some(serves_at)) = (rules, claim.serves_at)
                && let Some(given_at) = &mut rules.given_at
            {
                given_at.push(serves_at);
            }
        }
    }

    /// The starts of a provider in a period, whether or not they can be booked, in order: those of the grid, and those of
    /// group sessions that were opened already.
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

    /// How long it takes, without buffers.
    pub fn duration(&self) -> TimeDelta {
        self.services.iter().map(Rules::duration).sum()
    }

    /// Whether the contact's own time is claimed as well.
    pub fn claims_contact(&self) -> bool {
        self.services.iter().any(|rules| !rules.contact_may_overlap)
    }

    /// Whether bookings are counted, by a service or by a provider.
    pub fn has_limits(&self) -> bool {
        let limited = |day: Option<usize>, week: Option<usize>| day.or(week).is_some();
        self.services.iter().any(|rules| limited(rules.max_per_day, rules.max_per_week))
            || self.providers.iter().any(|provider| limited(provider.max_per_day, provider.max_per_week))
    }

    /// Who gives the first of the services and can be booked.
    pub fn candidates(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().filter(|provider| provider.active && self.services[0].is_given_by(provider.id))
    }

    /// Notice and horizon of every service: what holds whoever gives them.
    fn check_time(&self, start: DateTime<Utc>) -> Result<(), Refusal> {
        let today = wall_time::date(self.zone, self.now);
        let mut starts_at = start;
        for rules in &self.services {
            if starts_at < self.now + minutes(rules.min_notice_minutes) {
                return Err(Refusal::TooSoon);
            }
            let date = wall_time::date(self.zone, starts_at);
            let beyond = rules
                .horizon_days
                .and_then(|days| today.checked_add_days(Days::new(days.into())))
                .is_some_and(|last| date > last);
            if beyond
                || rules.bookable_from.is_some_and(|first| date < first)
                || rules.bookable_until.is_some_and(|last| date > last)
            {
                return Err(Refusal::TooFar);
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
        // A step is a minute at least, so this ends.
        std::iter::successors(Some(first), move |start| Some(*start + step))
            .take_while(move |start| *start < to && *start < interval.ends_at)
    }

    fn is_on_grid(&self, provider: &Provider, start: DateTime<Utc>) -> bool {
        let rules = &self.services[0];
        let (step, offset) = (minutes(rules.slot_step_minutes), minutes(rules.slot_offset_minutes));
        provider.open.around(start).any(|interval| is_multiple(start - interval.starts_at - offset, step))
    }

    /// Plans the next service with this provider, and all that follow.
    fn extend(&self, search: &mut Search, provider: &Provider, start: DateTime<Utc>) -> Result<(), Refusal> {
        search.steps += 1;
        let index = search.plan.len();
        let part = self.part(search, provider, start)?;
        let end = part.piece.ends_at;
        search.plan.push(part);
        if index + 1 == self.services.len() {
            return Ok(());
        }
        // The same person goes on, if they can.
        let next = &self.services[index + 1];
        let others = self.providers.iter().filter(|other| other.id != provider.id);
        let mut nearest = Refusal::OutsideHours;
        for other in std::iter::once(provider).chain(others) {
            if !other.active
                || !next.is_given_by(other.id)
                || search.with.is_some_and(|with| with != other.id)
            {
                continue;
            }
            if search.steps >= MOST_STEPS {
                break;
            }
            // Whoever does not go on has their buffer now.
            if other.id != provider.id && !self.close(search, provider) {
                nearest = nearest.min(Refusal::Buffer);
                break;
            }
            match self.extend(search, other, end) {
                Ok(()) => return Ok(()),
                Err(refusal) => nearest = nearest.min(refusal),
            }
        }
        search.plan.truncate(index);
        Err(nearest)
    }

    /// Gives the last part its buffer behind, which it was planned without; whether that is free.
    fn close(&self, search: &mut Search, provider: &Provider) -> bool {
        let Some(part) = search.plan.last_mut() else {
            return true;
        };
        let rules = &self.services[part.index];
        let after = Interval {
            starts_at: part.piece.ends_at,
            ends_at: part.piece.ends_at + minutes(rules.buffer_after_minutes),
        };
        if part.claims[0].ends_at == after.ends_at {
            return true;
        }
        let free = |diary: &Diary| !diary.is_taken(after);
        let all_free = free(&provider.diary)
            && part.claims[1..].iter().all(|claim| self.resources.get(&claim.resource_id).is_none_or(free));
        if all_free {
            for claim in &mut part.claims {
                claim.ends_at = after.ends_at;
            }
        }
        all_free
    }

    fn part(&self, search: &Search, provider: &Provider, start: DateTime<Utc>) -> Result<Part, Refusal> {
        let index = search.plan.len();
        let rules = &self.services[index];
        let session = self.session(provider, start);
        let own = session
            .map_or(Interval { starts_at: start, ends_at: start + rules.duration() }, |session| session.own);
        let end = own.ends_at;
        if index > 0 && search.policy == Policy::Kept && !provider.open.fits(start, end) {
            return Err(Refusal::OutsideHours);
        }
        // Between services of one person in one visit there is nothing to prepare.
        let goes_on = search.plan.last().is_some_and(|before| before.piece.provider == provider.id);
        let last = index + 1 == self.services.len();
        let planned = Interval {
            starts_at: if goes_on { start } else { start - minutes(rules.buffer_before_minutes) },
            ends_at: if last { end + minutes(rules.buffer_after_minutes) } else { end },
        };
        // Joining a session takes the time it was opened with: its seats have one range.
        let during = session.map_or(planned, |session| session.during);
        // Somebody who comes back in the same visit.
        let earlier = |resource: Uuid| {
            search.plan.iter().flat_map(|part| &part.claims).any(|claim| {
                claim.resource_id == resource
                    && claim.starts_at < during.ends_at
                    && claim.ends_at > during.starts_at
            })
        };
        if earlier(provider.id) {
            return Err(Refusal::Busy);
        }
        let key = if self.services.len() == 1 { rules.group_key(provider.id) } else { None };
        let taken_seats = match provider.diary.seats(during, key) {
            Ok(seats) => seats,
            // Limits first, where nothing would be gained by another time of that day.
            Err(_) if search.policy == Policy::Kept && self.limit_reached(search, rules, provider, start) => {
                return Err(Refusal::LimitReached);
            }
            Err(_) if provider.diary.is_taken(own) => return Err(Refusal::Busy),
            Err(_) => return Err(Refusal::Buffer),
        };
        let capacity = if key.is_some() { rules.capacity } else { 1 };
        // Whoever joins a session adds none.
        if taken_seats.is_empty()
            && search.policy == Policy::Kept
            && self.limit_reached(search, rules, provider, start)
        {
            return Err(Refusal::LimitReached);
        }
        let taken_seats: BTreeSet<i16> = taken_seats.into_iter().collect();
        let free: Vec<i16> = (1..=capacity).filter(|seat| !taken_seats.contains(seat)).collect();
        if free.is_empty() {
            return Err(Refusal::Capacity);
        }
        let seat = free[search.luck % free.len()];
        let resources =
            self.choose(&rules.required_resources, during, key, &earlier).ok_or(Refusal::Resource)?;
        let claim = |resource_id| Claim {
            id: Uuid::nil(),
            owner_id: Uuid::nil(),
            resource_id,
            service_id: None,
            serves_at: None,
            serves_until: None,
            starts_at: during.starts_at,
            ends_at: during.ends_at,
            group_key: key,
            seat,
            capacity,
        };
        let mut claims = vec![Claim {
            service_id: Some(rules.id),
            serves_at: Some(start),
            serves_until: Some(end),
            ..claim(provider.id)
        }];
        claims.extend(resources.into_iter().map(claim));
        let piece = Piece { service: rules.id, provider: provider.id, starts_at: start, ends_at: end };
        Ok(Part { index, piece, claims, seat, remaining: free.len() })
    }

    /// One of each, none twice: a matching by augmenting paths (Kuhn 1955), which takes no longer than requirements times
    /// resources times requirements, whatever they are.
    fn choose(
        &self,
        requirements: &[Vec<Uuid>],
        during: Interval,
        key: Option<Uuid>,
        earlier: &impl Fn(Uuid) -> bool,
    ) -> Option<Vec<Uuid>> {
        let free: Vec<Vec<Uuid>> = requirements
            .iter()
            .map(|pool| {
                // The one the session is in already comes first.
                let mut free: Vec<(bool, Uuid)> = pool
                    .iter()
                    .filter(|resource| !earlier(**resource))
                    .filter_map(|resource| {
                        let seats = self.resources.get(resource)?.seats(during, key).ok()?;
                        Some((seats.is_empty(), *resource))
                    })
                    .collect();
                free.sort_unstable();
                free.into_iter().map(|(_, resource)| resource).collect()
            })
            .collect();
        let mut taken: BTreeMap<Uuid, usize> = BTreeMap::new();
        for requirement in 0..free.len() {
            if !augment(requirement, &free, &mut taken, &mut BTreeSet::new()) {
                return None;
            }
        }
        let mut chosen: Vec<(usize, Uuid)> =
            taken.into_iter().map(|(resource, requirement)| (requirement, resource)).collect();
        chosen.sort_unstable();
        Some(chosen.into_iter().map(|(_, resource)| resource).collect())
    }

    fn limit_reached(
        &self,
        search: &Search,
        rules: &Rules,
        provider: &Provider,
        start: DateTime<Utc>,
    ) -> bool {
        let date = wall_time::date(self.zone, start);
        let week = date.week(chrono::Weekday::Mon);
        let (day, week) = (date..=date, week.first_day()..=week.last_day());
        let planned = |matches: &dyn Fn(&Piece) -> bool, dates: &RangeInclusive<NaiveDate>| {
            let pieces = search.plan.iter().map(|part| part.piece);
            pieces
                .filter(|piece| {
                    matches(piece) && dates.contains(&wall_time::date(self.zone, piece.starts_at))
                })
                .count()
        };
        let of_service = |dates: &RangeInclusive<NaiveDate>| {
            rules.given_at.as_ref().map_or(0, |given| given.count(self.zone, dates))
                + planned(&|piece| piece.service == rules.id, dates)
        };
        let of_provider = |dates: &RangeInclusive<NaiveDate>| {
            provider.diary.count(self.zone, dates) + planned(&|piece| piece.provider == provider.id, dates)
        };
        rules.max_per_day.is_some_and(|most| of_service(&day) >= most)
            || rules.max_per_week.is_some_and(|most| of_service(&week) >= most)
            || provider.max_per_day.is_some_and(|most| of_provider(&day) >= most)
            || provider.max_per_week.is_some_and(|most| of_provider(&week) >= most)
    }
}

/// Finds a resource for a requirement, where others may have to take another for it.
fn augment(
    requirement: usize,
    free: &[Vec<Uuid>],
    taken: &mut BTreeMap<Uuid, usize>,
    seen: &mut BTreeSet<Uuid>,
) -> bool {
    for resource in &free[requirement] {
        if !seen.insert(*resource) {
            continue;
        }
        let holder = taken.get(resource).copied();
        if holder.is_none_or(|holder| augment(holder, free, taken, seen)) {
            taken.insert(*resource, requirement);
            return true;
        }
    }
    false
}

/// A group session with at least one seat taken.
#[derive(Clone, Copy)]
struct Session {
    /// What it takes of the provider, and of what else it needs.
    during: Interval,
    /// What its customers see.
    own: Interval,
}

/// A search for who gives the services of a visit.
struct Search {
    with: Option<Uuid>,
    policy: Policy,
    luck: usize,
    steps: usize,
    plan: Vec<Part>,
}

struct Part {
    index: usize,
    piece: Piece,
    claims: Vec<Claim>,
    seat: i16,
    remaining: usize,
}

fn is_multiple(elapsed: TimeDelta, step: TimeDelta) -> bool {
    match (elapsed.num_microseconds(), step.num_microseconds()) {
        (Some(elapsed), Some(step)) if step > 0 => elapsed >= 0 && elapsed % step == 0,
        _ => false,
    }
}
