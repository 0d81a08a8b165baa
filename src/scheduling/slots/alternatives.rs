//! Finds starts that can be booked: near one that cannot, or in a period.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::{
    availability::ServiceRules,
    cost,
    listing::{Effort, LONGEST_PERIOD, People, Slot},
    load::{self, AvailabilityQuery, Rows},
};
use crate::{
    db::{Context, Db},
    http::{
        computing,
        problem::{Failure, Problem},
    },
};

/// What `slot_unavailable`, `contact_busy` and `slots_available` add to a problem.
#[derive(Debug, Object, Serialize)]
pub struct Alternatives {
    /// Up to three starts that can be booked. Only with `slot_unavailable`, `contact_busy` and `slots_available`, or
    /// if `starts_at` is at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// An alternative start that can be booked.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct Alternative {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The providers who are free.
    pub provider_ids: Vec<Uuid>,
}

/// How far ahead alternatives are searched.
const ALTERNATIVES_WITHIN: TimeDelta = TimeDelta::days(7);

const MOST_ALTERNATIVES: usize = 3;

/// The weight of a search; see [`computing::place`].
const ALTERNATIVES_WEIGHT: u32 = 100;

/// The problem with the alternatives that are searched. They are optional: if the search fails, the problem is the
/// answer without them.
pub async fn add_to(
    problem: Problem,
    search: impl Future<Output = Result<Alternatives, Failure>>,
) -> Failure {
    match search.await {
        Ok(alternatives) => problem.with_extension(&alternatives).into(),
        Err(failure) => {
            let failed = Problem::from(failure);
            tracing::warn!(code = failed.code, refused = problem.code, "no alternatives could be searched");
            problem.into()
        }
    }
}

/// Starts near the one of the query (`from`) that cannot be booked.
pub async fn near(db: &Db, context: Context, query: AvailabilityQuery<'_>) -> Result<Alternatives, Failure> {
    let start = query.from.max(query.now);
    let (from, to) = (start - TimeDelta::hours(12), start + ALTERNATIVES_WITHIN);
    let people = People { with: query.only_provider(), contact: query.contacts.first().copied() };
    let place = computing::place(context.tenant, ALTERNATIVES_WEIGHT).await?;
    let mut tx = db.begin(context);
    let availability = load::to_list(&mut tx, &AvailabilityQuery { from, to, ..query }).await?;
    tx.commit().await?;
    let zone = availability.zone;
    let slots = place
        .compute(move |deadline| {
            let mut effort = Effort::new(deadline);
            // Alternatives are optional: if the search takes too long, none are returned.
            Ok(availability.slots_of(from, to, people, zone, false, &mut effort).unwrap_or_default())
        })
        .await?;
    let mut alternatives: Vec<_> = slots.into_iter().map(alternative).collect();
    alternatives.sort_by_key(|alternative| (alternative.starts_at - start).abs());
    alternatives.truncate(MOST_ALTERNATIVES);
    alternatives.sort_by_key(|alternative| alternative.starts_at);
    Ok(Alternatives { alternatives })
}

/// The services of the query, and the first starts in its period that can be booked. Searches the first 62 days.
/// `counts`: towards the rate limits.
pub async fn first(
    db: &Db,
    context: Context,
    query: AvailabilityQuery<'_>,
    counts: bool,
) -> Result<(Vec<ServiceRules>, Alternatives), Failure> {
    let (from, to) = (query.from, query.to.min(query.from + TimeDelta::days(LONGEST_PERIOD)));
    let people = People { with: query.only_provider(), contact: query.contacts.first().copied() };
    let (_, providers) = cost::weigh(db, context, None, query.only_provider().map(|_| 1)).await?;
    let place = cost::place(context, providers, from, to, counts).await?;
    let mut tx = db.begin(context);
    let rows = Rows::of(&mut tx, &AvailabilityQuery { from, to, ..query }).await?;
    tx.commit().await?;
    place
        .compute(move |deadline| {
            let availability = rows.availability(deadline)?;
            let (mut alternatives, mut since) = (Vec::new(), from);
            let mut effort = Effort::new(deadline);
            while !availability.services.is_empty() && since < to && alternatives.len() < MOST_ALTERNATIVES {
                let until = to.min(since + TimeDelta::days(1));
                // If the search takes too long, no start is known to be free.
                let Ok(slots) =
                    availability.slots_of(since, until, people, availability.zone, false, &mut effort)
                else {
                    break;
                };
                alternatives.extend(slots.into_iter().map(alternative));
                since = until;
            }
            alternatives.truncate(MOST_ALTERNATIVES);
            Ok((availability.services, Alternatives { alternatives }))
        })
        .await
}

fn alternative(slot: Slot) -> Alternative {
    Alternative { starts_at: slot.starts_at, ends_at: slot.ends_at, provider_ids: slot.provider_ids }
}
