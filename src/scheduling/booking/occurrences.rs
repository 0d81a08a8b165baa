//! Plans the occurrences of a series: one provider for all of them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Tx},
    http::problem::{Failure, FieldError, Problem},
    scheduling::{
        hours::wall_time,
        slots::{
            alternatives,
            availability::{Allocation, Availability, Enforcement, SlotError, StartRequest},
            choose::named_provider,
            load::{self, AvailabilityQuery},
            problems::{slot_problem, unknown_service},
            setback::Setback,
        },
    },
};

/// How many providers are tried if none is requested.
const MOST_PROVIDERS: usize = 10;

/// What all occurrences have in common.
pub struct OccurrenceTemplate {
    pub service: Uuid,
    pub provider: Option<Uuid>,
    pub contact: Option<Uuid>,
    pub policy: Enforcement,
}

/// Why a series cannot be booked.
pub struct Refused {
    problem: Problem,
    /// The start of the first occurrence that cannot be booked.
    start: DateTime<Utc>,
}

impl Refused {
    /// The error, with starts near the first occurrence that cannot be booked.
    pub async fn with_alternatives(
        self,
        db: &Db,
        context: Context,
        wanted: &OccurrenceTemplate,
        now: DateTime<Utc>,
    ) -> Failure {
        let query = AvailabilityQuery {
            services: &[wanted.service],
            providers: wanted.provider.as_slice(),
            contacts: wanted.contact.as_slice(),
            ignored: &[],
            from: self.start,
            to: self.start,
            now,
        };
        match alternatives::near(db, context, query).await {
            Ok(alternatives) => self.problem.with_extension(&alternatives).into(),
            Err(failure) => failure,
        }
    }
}

/// Chooses the provider and the allocation of each occurrence. The locks must be taken already.
pub async fn plan(
    tx: &mut Tx,
    wanted: &OccurrenceTemplate,
    starts: &[DateTime<Utc>],
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<(Availability, Vec<Allocation>), Refused>, Setback> {
    let first = starts[0];
    let services = [wanted.service];
    let query = AvailabilityQuery {
        services: &services,
        providers: wanted.provider.as_slice(),
        contacts: wanted.contact.as_slice(),
        from: first,
        to: starts[starts.len() - 1] + TimeDelta::microseconds(1),
        ignored: &[],
        now,
    };
    let request =
        |start, with| StartRequest { start, with, contact: wanted.contact, policy: wanted.policy, seat_seed };
    let candidates: Vec<Uuid> = match wanted.provider {
        Some(provider) => vec![provider],
        None => {
            // Providers who are free for the first occurrence come first, then those with fewer appointments that day.
            let around = AvailabilityQuery {
                from: first - TimeDelta::hours(24),
                to: first + TimeDelta::hours(24),
                ..query
            };
            let availability = load::to_book(tx, &around).await?;
            known(&availability)?;
            let date = wall_time::date(availability.zone, first);
            let mut free: Vec<_> = availability
                .candidates()
                .map(|provider| {
                    let fails = availability.plan(provider, request(first, None)).is_err();
                    (fails, provider.booked_on(availability.zone, date), provider.id)
                })
                .collect();
            free.sort_unstable();
            free.into_iter().map(|(_, _, id)| id).take(MOST_PROVIDERS).collect()
        }
    };
    let mut nearest: Option<Vec<(usize, SlotError)>> = None;
    for candidate in candidates {
        let mut availability =
            load::to_book(tx, &AvailabilityQuery { providers: &[candidate], ..query }).await?;
        known(&availability)?;
        named_provider(&availability, candidate)?;
        let mut plans = Vec::with_capacity(starts.len());
        let mut errors = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            let provider = named_provider(&availability, candidate)?;
            match availability.plan(provider, request(*start, Some(candidate))) {
                Ok(plan) => {
                    availability.take(&plan, wanted.contact);
                    plans.push(plan);
                }
                Err(error) => errors.push((index, error)),
            }
        }
        if errors.is_empty() {
            return Ok(Ok((availability, plans)));
        }
        if nearest.as_ref().is_none_or(|nearest| errors.len() < nearest.len()) {
            nearest = Some(errors);
        }
    }
    let errors = nearest.unwrap_or_else(|| vec![(0, SlotError::OutsideHours)]);
    let mut problem =
        slot_problem("starts_at", errors.iter().map(|(_, error)| *error).min().unwrap_or(SlotError::Busy));
    problem.errors = errors
        .iter()
        .flat_map(|&(index, error)| {
            let field = format!("occurrences[{}]", index + 1);
            let at = starts[index].to_rfc3339();
            slot_problem(&field, error)
                .errors
                .into_iter()
                .map(move |error| FieldError { detail: format!("{at}: {}", error.detail), ..error })
        })
        .collect();
    Ok(Err(Refused { problem, start: starts[errors[0].0] }))
}

fn known(availability: &Availability) -> Result<(), Problem> {
    match availability.services.first() {
        None => Err(unknown_service()),
        Some(rules) if !rules.active => {
            Err(Problem::invalid_field("service_id", "inactive", "expected the id of an active service"))
        }
        Some(_) => Ok(()),
    }
}
