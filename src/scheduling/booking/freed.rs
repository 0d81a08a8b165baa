//! Freed time and waitlist entries, and whether a booking for an entry needs the freed time.

use chrono::{DateTime, Datelike as _, Utc};
use tokio_postgres::types::Timestamp;
use uuid::Uuid;

use crate::{
    db::row,
    scheduling::{
        hours::wall_time,
        slots::availability::{Allocation, Availability},
    },
};

/// A waitlist entry that waits for an offer.
#[derive(Clone)]
pub(super) struct Waiting {
    pub id: Uuid,
    pub service: Uuid,
    pub provider: Option<Uuid>,
    pub contact: Uuid,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

row! {
    Waiting {
        id, service = service_id, provider = provider_id, contact = contact_id, from = from_instant, to = to_instant,
        created_at
    }
}

/// Freed time.
#[derive(Clone)]
pub(super) struct FreedTime {
    pub id: Uuid,
    /// The resource that was freed; `None`: all providers.
    resource: Option<Uuid>,
    service: Option<Uuid>,
    counted_at: Option<DateTime<Utc>>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// A row of `scheduling.freed_time`.
pub(super) struct NotedTime {
    id: Uuid,
    resource_id: Option<Uuid>,
    service_id: Option<Uuid>,
    service_starts_at: Option<DateTime<Utc>>,
    starts_at: DateTime<Utc>,
    /// May be infinite.
    ends_at: Timestamp<DateTime<Utc>>,
    /// The last entry that was tried, if an earlier transaction did not try all of them.
    pub after: Option<LastAsked>,
}

row! {
    NotedTime {
        id, resource_id, service_id, service_starts_at, starts_at, ends_at, after: Option<LastAsked>
    }
}

pub(super) struct LastAsked {
    pub created_at: DateTime<Utc>,
    pub entry: Uuid,
}

row! {
    LastAsked { created_at = after_created_at, entry = after_entry_id }
}

impl From<NotedTime> for FreedTime {
    fn from(noted: NotedTime) -> Self {
        Self {
            id: noted.id,
            resource: noted.resource_id,
            service: noted.service_id,
            counted_at: noted.service_starts_at,
            from: noted.starts_at,
            to: match noted.ends_at {
                Timestamp::Value(instant) => instant,
                Timestamp::PosInfinity => DateTime::<Utc>::MAX_UTC,
                Timestamp::NegInfinity => DateTime::<Utc>::MIN_UTC,
            },
        }
    }
}

/// How a booking uses the freed time; offered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It starts within the freed time.
    Start,
    /// It overlaps the freed time.
    Overlap,
    /// It counts towards a limit that is no longer reached.
    Limit,
}

impl FreedTime {
    /// Time of any provider that is free although nothing noted it.
    pub fn unnoted(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { id: Uuid::nil(), resource: None, service: None, counted_at: None, from, to }
    }

    /// Whether it may have counted towards a limit that a booking for the entry counts towards.
    pub fn may_count_for(&self, entry: &Waiting) -> bool {
        let of_provider = entry.provider.is_none_or(|provider| self.resource == Some(provider));
        self.counted_at.is_some() && (of_provider || self.service == Some(entry.service))
    }

    /// Whether a booking would use the freed time, or counts towards a limit that is no longer reached.
    pub fn is_needed(&self, entry: &Waiting, plan: &Allocation, availability: &Availability) -> Option<Need> {
        let takes = |starts_at: DateTime<Utc>, ends_at: DateTime<Utc>| {
            (starts_at < self.to && self.from < ends_at).then(|| {
                let inside = self.from <= plan.starts_at() && plan.starts_at() < self.to;
                if inside { Need::Start } else { Need::Overlap }
            })
        };
        let of = |resource: Option<Uuid>| {
            plan.claims
                .iter()
                .filter(|claim| resource.is_none_or(|resource| resource == claim.resource_id))
                .find_map(|claim| takes(claim.starts_at, claim.ends_at))
        };
        match (self.resource, self.service) {
            (None, Some(service)) if service != entry.service => None,
            (None, _) => of(None),
            (Some(contact), _) if contact == entry.contact => takes(plan.starts_at(), plan.ends_at()),
            (Some(resource), service) => of(Some(resource)).or_else(|| {
                let at = self.counted_at?;
                counted_less(availability, resource, service, at, plan).then_some(Need::Limit)
            }),
        }
    }
}

/// Whether a removed appointment at `at` counted towards a limit that the allocation counts towards.
fn counted_less(
    availability: &Availability,
    provider: Uuid,
    service: Option<Uuid>,
    at: DateTime<Utc>,
    plan: &Allocation,
) -> bool {
    let (then, planned) =
        (wall_time::date(availability.zone, at), wall_time::date(availability.zone, plan.starts_at()));
    let meets = |per_day: Option<usize>, per_week: Option<usize>| {
        (per_day.is_some() && then == planned)
            || (per_week.is_some() && then.iso_week() == planned.iso_week())
    };
    let item = plan.items[0];
    let of_service = availability
        .services
        .iter()
        .any(|rules| Some(rules.id) == service && meets(rules.max_per_day, rules.max_per_week));
    let of_provider = availability.providers.iter().any(|one| {
        one.id == provider && item.provider == provider && meets(one.max_per_day, one.max_per_week)
    });
    of_service || of_provider
}
