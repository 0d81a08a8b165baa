//! Which provider is booked.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    availability::{Allocation, Availability, Provider, SlotError, StartRequest},
    refusals::unknown_provider,
};
use crate::{http::problem::Problem, scheduling::hours::wall_time};

/// The provider, and what booking takes: the provider that was named; otherwise one whose session has a free seat, then
/// the one with the fewest appointments that day, then the one that was created first.
pub fn choose(
    availability: &Availability,
    named: Option<Uuid>,
    request: StartRequest,
) -> Result<Result<Allocation, SlotError>, Problem> {
    if let Some(named) = named {
        let provider = named_provider(availability, named)?;
        return Ok(availability.plan(provider, request));
    }
    let mut refusal = None;
    let mut plans = Vec::new();
    for provider in availability.candidates() {
        match availability.plan(provider, request) {
            Ok(plan) => plans.push((provider, plan)),
            // The one that comes nearest to being bookable.
            Err(refused) => refusal = Some(refusal.map_or(refused, |least: SlotError| least.min(refused))),
        }
    }
    Ok(best(availability, request.start, plans).ok_or(refusal.unwrap_or(SlotError::OutsideHours)))
}

/// Of several providers that could be booked for one start, the one that is.
pub fn best<'a>(
    availability: &Availability,
    start: DateTime<Utc>,
    plans: impl IntoIterator<Item = (&'a Provider, Allocation)>,
) -> Option<Allocation> {
    let date = wall_time::date(availability.zone, start);
    let order = |(provider, plan): &(&Provider, Allocation)| {
        let joins = plan.remaining < usize::try_from(plan.claims[0].capacity).unwrap_or(1);
        (!joins, provider.booked_on(availability.zone, date), provider.id)
    };
    plans.into_iter().min_by_key(order).map(|(_, plan)| plan)
}

/// The provider who was asked for, where that is somebody who can be booked for all of it.
pub fn named_provider(availability: &Availability, named: Uuid) -> Result<&Provider, Problem> {
    provider_of(availability, named, availability.services.len())
}

/// The provider who was asked for, where that is somebody who can be booked for the first so many services.
pub fn provider_of(availability: &Availability, named: Uuid, services: usize) -> Result<&Provider, Problem> {
    let provider =
        availability.providers.iter().find(|provider| provider.id == named).ok_or_else(unknown_provider)?;
    if !provider.active {
        return Err(Problem::invalid_field("provider_id", "inactive", "the id of an active provider"));
    }
    if !availability.services.iter().take(services).all(|rules| rules.is_given_by(named)) {
        return Err(Problem::invalid_field(
            "provider_id",
            "not_eligible",
            "the id of a provider who gives the service",
        ));
    }
    Ok(provider)
}
