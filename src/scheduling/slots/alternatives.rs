//! Finds free starts near one that is taken.

use chrono::TimeDelta;

use super::{
    listing::{Effort, People},
    load::{self, AvailabilityQuery},
};
use crate::{
    db::{Context, Db},
    http::{
        computing,
        problem::{Alternative, Failure},
    },
};

/// How far ahead alternatives are searched.
const ALTERNATIVES_WITHIN: TimeDelta = TimeDelta::days(7);

const MOST_ALTERNATIVES: usize = 3;

/// The weight of a search; see [`computing::place`].
const ALTERNATIVES_WEIGHT: u32 = 100;

/// Free starts near the taken one, which is the query's `from`.
pub async fn near(
    db: &Db,
    context: Context,
    query: AvailabilityQuery<'_>,
) -> Result<Vec<Alternative>, Failure> {
    let start = query.from;
    let (from, to) = (start - TimeDelta::hours(12), start + ALTERNATIVES_WITHIN);
    let people = People { with: query.provider, contact: query.contacts.first().copied() };
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
    let mut alternatives: Vec<_> = slots
        .into_iter()
        .map(|slot| Alternative {
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            provider_ids: slot.provider_ids,
        })
        .collect();
    alternatives.sort_by_key(|alternative| (alternative.starts_at - start).abs());
    alternatives.truncate(MOST_ALTERNATIVES);
    alternatives.sort_by_key(|alternative| alternative.starts_at);
    Ok(alternatives)
}
