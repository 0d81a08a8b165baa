//! Finds what a booking takes, its allocation: the provider of each service, its time with buffers, rooms, the seat.

use std::{collections::BTreeSet, ops::RangeInclusive};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{
    availability::{
        Allocation, Availability, Claim, Enforcement, Item, Provider, ServiceRules, SlotError, StartRequest,
        minutes,
    },
    diary::Diary,
};
use crate::scheduling::hours::{wall_time, working_hours::Interval};

/// The maximum number of combinations of providers that are tried for one start.
pub(super) const MOST_STEPS: usize = 500;

/// The state of a search for the providers of a visit.
struct Search {
    pub with: Option<Uuid>,
    pub policy: Enforcement,
    pub seat_seed: usize,
    pub steps: usize,
    pub plan: Vec<PlannedItem>,
}

struct PlannedItem {
    pub index: usize,
    pub item: Item,
    pub claims: Vec<Claim>,
    pub seat: i16,
    pub remaining: usize,
}

impl Availability {
    /// The allocation for this start with this provider for the first service, or why it cannot be booked.
    pub fn plan(&self, provider: &Provider, request: StartRequest) -> Result<Allocation, SlotError> {
        let StartRequest { start, with, policy, seat_seed, .. } = request;
        if policy == Enforcement::Full {
            self.check_time(start)?;
            let session = self.session(provider, start);
            let end = session.map_or(start + self.services[0].duration(), |session| session.own.ends_at);
            if !provider.open.fits(start, end) {
                return Err(SlotError::OutsideHours);
            }
            // An existing group session can be booked even if it is not on today's grid.
            if session.is_none() && !self.is_on_grid(provider, start) {
                return Err(SlotError::OffGrid);
            }
        }
        let mut search = Search { with, policy, seat_seed, steps: 0, plan: Vec::new() };
        self.extend(&mut search, provider, start)?;
        let visit = Interval { starts_at: start, ends_at: search.plan[search.plan.len() - 1].item.ends_at };
        let busy = |contact| self.contacts.get(&contact).is_some_and(|diary| diary.is_taken(visit));
        if self.claims_contact() && request.contact.is_some_and(busy) {
            return Err(SlotError::ContactBusy);
        }
        let mut claims = Vec::new();
        let mut items = Vec::new();
        for entry in &search.plan {
            items.push(entry.item);
            claims.extend(entry.claims.iter().cloned());
        }
        let single = &search.plan[0];
        let seat = (self.services.len() == 1 && self.services[0].capacity > 1).then_some(single.seat);
        let remaining = if self.services.len() == 1 { single.remaining } else { 1 };
        Ok(Allocation { items, claims, seat, remaining })
    }

    /// Plans the next service with this provider, and all following services.
    fn extend(
        &self,
        search: &mut Search,
        provider: &Provider,
        start: DateTime<Utc>,
    ) -> Result<(), SlotError> {
        search.steps += 1;
        let index = search.plan.len();
        let entry = self.plan_item(search, provider, start)?;
        let end = entry.item.ends_at;
        search.plan.push(entry);
        if index + 1 == self.services.len() {
            return Ok(());
        }
        // The same provider continues if possible.
        let next = &self.services[index + 1];
        let others = self.providers.iter().filter(|other| other.id != provider.id);
        let mut nearest = SlotError::OutsideHours;
        for other in std::iter::once(provider).chain(others) {
            if !other.active
                || !next.is_performed_by(other.id)
                || search.with.is_some_and(|with| with != other.id)
            {
                continue;
            }
            if search.steps >= MOST_STEPS {
                break;
            }
            // If another provider continues, the buffer after this service is needed.
            if other.id != provider.id && !self.close(search, provider) {
                nearest = nearest.min(SlotError::Buffer);
                break;
            }
            match self.extend(search, other, end) {
                Ok(()) => return Ok(()),
                Err(error) => nearest = nearest.min(error),
            }
        }
        search.plan.truncate(index);
        Err(nearest)
    }

    /// Adds the buffer after the last item, which was planned without it. Returns whether that time is free.
    fn close(&self, search: &mut Search, provider: &Provider) -> bool {
        let Some(entry) = search.plan.last_mut() else {
            return true;
        };
        let rules = &self.services[entry.index];
        let after = Interval {
            starts_at: entry.item.ends_at,
            ends_at: entry.item.ends_at + minutes(rules.buffer_after_minutes),
        };
        if entry.claims[0].ends_at == after.ends_at {
            return true;
        }
        let free = |diary: &Diary| !diary.is_taken(after);
        let all_free = free(&provider.diary)
            && entry.claims[1..].iter().all(|claim| self.resources.get(&claim.resource_id).is_none_or(free));
        if all_free {
            for claim in &mut entry.claims {
                claim.ends_at = after.ends_at;
            }
        }
        all_free
    }

    fn plan_item(
        &self,
        search: &Search,
        provider: &Provider,
        start: DateTime<Utc>,
    ) -> Result<PlannedItem, SlotError> {
        let index = search.plan.len();
        let rules = &self.services[index];
        let session = self.session(provider, start);
        let own = session
            .map_or(Interval { starts_at: start, ends_at: start + rules.duration() }, |session| session.own);
        let end = own.ends_at;
        if index > 0 && search.policy == Enforcement::Full && !provider.open.fits(start, end) {
            return Err(SlotError::OutsideHours);
        }
        // Consecutive services of one provider in one visit need no buffer between them.
        let goes_on = search.plan.last().is_some_and(|before| before.item.provider == provider.id);
        let last = index + 1 == self.services.len();
        let planned = Interval {
            starts_at: if goes_on { start } else { start - minutes(rules.buffer_before_minutes) },
            ends_at: if last { end + minutes(rules.buffer_after_minutes) } else { end },
        };
        // Joining a group session claims the time of its first booking: all seats have the same range.
        let during = session.map_or(planned, |session| session.during);
        // Whether an earlier service of the visit already claims the resource at this time.
        let earlier = |resource: Uuid| {
            search.plan.iter().flat_map(|entry| &entry.claims).any(|claim| {
                claim.resource_id == resource
                    && claim.starts_at < during.ends_at
                    && claim.ends_at > during.starts_at
            })
        };
        if earlier(provider.id) {
            return Err(SlotError::Busy);
        }
        let key = if self.services.len() == 1 { rules.group_key(provider.id) } else { None };
        let taken_seats = match provider.diary.seats(during, key) {
            Ok(seats) => seats,
            // A reached limit is reported first: no other time of that day would help.
            Err(_)
                if search.policy == Enforcement::Full
                    && self.limit_reached(search, rules, provider, start) =>
            {
                return Err(SlotError::LimitReached);
            }
            Err(_) if provider.diary.is_taken(own) => return Err(SlotError::Busy),
            Err(_) => return Err(SlotError::Buffer),
        };
        let capacity = if key.is_some() { rules.capacity } else { 1 };
        // Joining a group session does not count towards limits.
        if taken_seats.is_empty()
            && search.policy == Enforcement::Full
            && self.limit_reached(search, rules, provider, start)
        {
            return Err(SlotError::LimitReached);
        }
        let taken_seats: BTreeSet<i16> = taken_seats.into_iter().collect();
        let free: Vec<i16> = (1..=capacity).filter(|seat| !taken_seats.contains(seat)).collect();
        if free.is_empty() {
            return Err(SlotError::Capacity);
        }
        let seat = free[search.seat_seed % free.len()];
        let resources = self
            .assign_resources(&rules.required_resources, during, key, &earlier)
            .ok_or(SlotError::Resource)?;
        let claim = |resource_id| Claim {
            id: Uuid::nil(),
            owner_id: Uuid::nil(),
            resource_id,
            service_id: None,
            service_starts_at: None,
            service_ends_at: None,
            starts_at: during.starts_at,
            ends_at: during.ends_at,
            group_key: key,
            seat,
            capacity,
            of_contact: false,
        };
        let mut claims = vec![Claim {
            service_id: Some(rules.id),
            service_starts_at: Some(start),
            service_ends_at: Some(end),
            ..claim(provider.id)
        }];
        claims.extend(resources.into_iter().map(claim));
        let item = Item { service: rules.id, provider: provider.id, starts_at: start, ends_at: end };
        Ok(PlannedItem { index, item, claims, seat, remaining: free.len() })
    }

    /// Whether a claim counts towards a limit that is reached without it. A further seat of a group session does not
    /// count.
    pub fn exceeds_limit(&self, claim: &Claim) -> bool {
        let rules = self.services.iter().find(|rules| Some(rules.id) == claim.service_id);
        let provider = self.providers.iter().find(|provider| provider.id == claim.resource_id);
        let (Some(rules), Some(provider), Some(start)) = (rules, provider, claim.service_starts_at) else {
            return false;
        };
        let during = Interval { starts_at: claim.starts_at, ends_at: claim.ends_at };
        let joins = provider.diary.seats(during, claim.group_key).is_ok_and(|seats| !seats.is_empty());
        let nothing =
            Search { with: None, policy: Enforcement::Full, seat_seed: 0, steps: 0, plan: Vec::new() };
        !joins && self.limit_reached(&nothing, rules, provider, start)
    }

    fn limit_reached(
        &self,
        search: &Search,
        rules: &ServiceRules,
        provider: &Provider,
        start: DateTime<Utc>,
    ) -> bool {
        let date = wall_time::date(self.zone, start);
        let week = date.week(chrono::Weekday::Mon);
        let (day, week) = (date..=date, week.first_day()..=week.last_day());
        let planned = |matches: &dyn Fn(&Item) -> bool, dates: &RangeInclusive<NaiveDate>| {
            let items = search.plan.iter().map(|entry| entry.item);
            items
                .filter(|item| matches(item) && dates.contains(&wall_time::date(self.zone, item.starts_at)))
                .count()
        };
        let of_service = |dates: &RangeInclusive<NaiveDate>| {
            rules.counted_starts.as_ref().map_or(0, |given| given.count(self.zone, dates))
                + planned(&|item| item.service == rules.id, dates)
        };
        let of_provider = |dates: &RangeInclusive<NaiveDate>| {
            provider.diary.count(self.zone, dates) + planned(&|item| item.provider == provider.id, dates)
        };
        rules.max_per_day.is_some_and(|most| of_service(&day) >= most)
            || rules.max_per_week.is_some_and(|most| of_service(&week) >= most)
            || provider.max_per_day.is_some_and(|most| of_provider(&day) >= most)
            || provider.max_per_week.is_some_and(|most| of_provider(&week) >= most)
    }
}
