//! Plans the occurrences of a series: one provider for all of them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Tx},
    http::{
        computing::{self, Deadline},
        problem::{Failure, FieldError, Problem},
    },
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
#[derive(Clone, Copy)]
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
        alternatives::add_to(self.problem, alternatives::near(db, context, query)).await
    }
}

/// The allocations of all occurrences; or those that cannot be booked, and why.
type Planned = Result<Vec<Allocation>, Vec<(usize, SlotError)>>;

impl OccurrenceTemplate {
    fn request(&self, start: DateTime<Utc>, with: Option<Uuid>, seat_seed: usize) -> StartRequest {
        StartRequest { start, with, contact: self.contact, policy: self.policy, seat_seed }
    }

    /// The providers to try: those who are free for the first occurrence, then those with fewer appointments that day.
    fn providers(
        &self,
        availability: &Availability,
        first: DateTime<Utc>,
        seat_seed: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Uuid>, Problem> {
        let date = wall_time::date(availability.zone, first);
        let mut free = Vec::new();
        for provider in availability.candidates() {
            deadline.check()?;
            let fails = availability.plan(provider, self.request(first, None, seat_seed)).is_err();
            free.push((fails, provider.booked_on(availability.zone, date), provider.id));
        }
        free.sort_unstable();
        Ok(free.into_iter().map(|(_, _, id)| id).take(MOST_PROVIDERS).collect())
    }

    /// Plans one occurrence after the other, each around those before it.
    fn occurrences(
        &self,
        availability: &mut Availability,
        provider: Uuid,
        starts: &[DateTime<Utc>],
        seat_seed: usize,
        deadline: &Deadline,
    ) -> Result<Planned, Problem> {
        named_provider(availability, provider)?;
        let mut plans = Vec::with_capacity(starts.len());
        let mut errors = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            deadline.check()?;
            let request = self.request(*start, Some(provider), seat_seed);
            match availability.plan(named_provider(availability, provider)?, request) {
                Ok(plan) => {
                    availability.take(&plan, self.contact);
                    plans.push(plan);
                }
                Err(error) => errors.push((index, error)),
            }
        }
        Ok(if errors.is_empty() { Ok(plans) } else { Err(errors) })
    }
}

/// Chooses the provider and the allocation of each occurrence, on a computing thread. The locks must be taken already.
pub async fn plan(
    tx: &mut Tx,
    wanted: &OccurrenceTemplate,
    starts: &Arc<[DateTime<Utc>]>,
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
    let template = *wanted;
    let candidates: Vec<Uuid> = match wanted.provider {
        Some(provider) => vec![provider],
        None => {
            let around = AvailabilityQuery {
                from: first - TimeDelta::hours(24),
                to: first + TimeDelta::hours(24),
                ..query
            };
            let availability = load::to_book(tx, &around).await?;
            known(&availability)?;
            computing::inside(tx, true, move |deadline| {
                Ok(template.providers(&availability, first, seat_seed, deadline)?)
            })
            .await?
        }
    };
    let mut nearest: Option<Vec<(usize, SlotError)>> = None;
    for candidate in candidates {
        let mut availability =
            load::to_book(tx, &AvailabilityQuery { providers: &[candidate], ..query }).await?;
        known(&availability)?;
        let starts = starts.clone();
        let (availability, planned) = computing::inside(tx, true, move |deadline| {
            let planned = template.occurrences(&mut availability, candidate, &starts, seat_seed, deadline)?;
            Ok((availability, planned))
        })
        .await?;
        let errors = match planned {
            Ok(plans) => return Ok(Ok((availability, plans))),
            Err(errors) => errors,
        };
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
