//! Chooses the provider of a booking.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    allocation::MOST_STEPS,
    availability::{Allocation, Availability, Provider, SlotError, StartRequest},
    problems::unknown_provider,
};
use crate::{
    db::Tx,
    http::{
        computing::{self, Deadline},
        problem::{Failure, Problem},
    },
    scheduling::hours::wall_time,
};

/// A search that may take more steps runs on a computing thread instead of the thread that serves requests.
const FEW_STEPS: usize = 50;

/// What [`choose`] finds, and the availability that it was found in.
pub type Chosen = (Availability, Result<Allocation, SlotError>);

/// Chooses in a transaction, which continues afterwards. Waits for a computing thread if the search may be long.
pub async fn choose_inside(
    tx: &Tx,
    availability: Availability,
    named: Option<Uuid>,
    request: StartRequest,
) -> Result<Chosen, Failure> {
    let long = most_steps(&availability, named) > FEW_STEPS;
    let work = move |deadline: &Deadline| -> Result<Chosen, Failure> {
        let chosen = choose(&availability, named, request, deadline)?;
        Ok((availability, chosen))
    };
    computing::inside(tx, long, work).await
}

/// The maximum number of combinations of a provider and a service that a search tries.
fn most_steps(availability: &Availability, named: Option<Uuid>) -> usize {
    let (services, providers) = (availability.services.len(), availability.providers.len());
    if named.is_some() {
        return services;
    }
    let following = (1..services).fold(1, |steps: usize, _| steps.saturating_mul(providers));
    providers.saturating_mul(following.min(MOST_STEPS))
}

/// The allocation for the requested provider. If none is requested: a provider whose session has a free seat, then the
/// one with the fewest appointments that day, then the one created first.
pub fn choose(
    availability: &Availability,
    named: Option<Uuid>,
    request: StartRequest,
    deadline: &Deadline,
) -> Result<Result<Allocation, SlotError>, Problem> {
    if let Some(named) = named {
        let provider = named_provider(availability, named)?;
        return Ok(availability.plan(provider, request));
    }
    let mut refusal = None;
    let mut plans = Vec::new();
    for provider in availability.candidates() {
        deadline.check()?;
        match availability.plan(provider, request) {
            Ok(plan) => plans.push((provider, plan)),
            // Of all errors, the one that is nearest to being bookable.
            Err(refused) => refusal = Some(refusal.map_or(refused, |least: SlotError| least.min(refused))),
        }
    }
    Ok(best(availability, request.start, plans).ok_or(refusal.unwrap_or(SlotError::OutsideHours)))
}

/// The best of several allocations for one start.
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

/// The requested provider, if they can be booked for all services.
pub fn named_provider(availability: &Availability, named: Uuid) -> Result<&Provider, Problem> {
    provider_of(availability, named, availability.services.len())
}

/// The requested provider, if they can be booked for the first `services` services.
pub fn provider_of(availability: &Availability, named: Uuid, services: usize) -> Result<&Provider, Problem> {
    let provider =
        availability.providers.iter().find(|provider| provider.id == named).ok_or_else(unknown_provider)?;
    if !provider.active {
        return Err(Problem::invalid_field(
            "provider_id",
            "inactive",
            "expected the id of an active provider",
        ));
    }
    if !availability.services.iter().take(services).all(|rules| rules.is_performed_by(named)) {
        return Err(Problem::invalid_field(
            "provider_id",
            "not_eligible",
            "expected the id of a provider who performs the service",
        ));
    }
    Ok(provider)
}
