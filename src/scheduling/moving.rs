//! Moving appointments to another time, in place: the same id, one transaction, and the original intact where that is
//! refused. Whoever moves claims locks the resources first, in one order, so that two who move wait for each other.

use chrono::{DateTime, Datelike as _, Days, TimeDelta, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointments::{Appointment, AppointmentAction, AppointmentStatus},
    availability::check_length,
    booking::{self, contact_claim, provider_of, refused_start, segments, with_segments},
    slots::{Availability, Claim, Plan},
    waitlist::{self, Freed},
    wall_time,
};
use crate::{
    db::{Context, Db, Tx, Who},
    http::{
        problem::{Failure, Problem, retry},
        text::{Instant, Text},
    },
    sql,
};

/// Where an appointment is to be moved.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Reschedule {
    /// The new start: one that `GET /api/v1/services/{service_id}/slots?reschedule_of=…` lists.
    pub starts_at: Instant,
    /// Who is to give it; as before where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// Why.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
    /// Of one in a series: this and all that follow, by as many days, to the same time of day.
    #[serde(default)]
    #[oai(default)]
    pub following: bool,
    /// Move against the rules: notice, horizon, hours, grid, limits. Time that is taken stays taken.
    #[serde(default)]
    #[oai(default)]
    pub override_rules: bool,
}

impl Example for Reschedule {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "starts_at": "2031-05-06T10:00:00Z", "reason": "The customer asked." }),
        )
        .expect("the example follows the rules it is an example of")
    }
}

/// What an appointment is to be swapped with.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Swap {
    /// The other one.
    pub appointment_id: Uuid,
    /// Swap against the rules: notice, horizon, hours, grid, limits. Time that is taken stays taken.
    #[serde(default)]
    #[oai(default)]
    pub override_rules: bool,
}

impl Example for Swap {
    fn example() -> Self {
        Self { appointment_id: Uuid::nil(), override_rules: false }
    }
}

/// From the first to the last of a series, however its parts were moved.
const LONGEST_SERIES: TimeDelta = TimeDelta::days(4 * 366);

/// 409: it stands for itself.
pub fn no_series() -> Problem {
    Problem::conflict("no_series", "The appointment is not part of a series; nothing follows it.")
}

/// An appointment, and where it goes.
struct Move {
    appointment: Appointment,
    provider: Option<Uuid>,
    start: DateTime<Utc>,
    /// What an error names.
    field: String,
}

/// Moves one appointment, or one of a series and all that follow.
pub async fn reschedule(
    db: &Db,
    context: Context,
    id: Uuid,
    request: &Reschedule,
    now: DateTime<Utc>,
) -> Result<(Appointment, Vec<Freed>), Failure> {
    let moved = retry(async |attempt| {
        let mut tx = db.begin(context);
        let appointment = locked(&mut tx, &[id]).await?.pop().ok_or_else(Problem::not_found)?;
        allow(&appointment, AppointmentAction::Reschedule)?;
        let start = request.starts_at.0;
        let mut moves = Vec::new();
        if request.following {
            let (Some(series), Some(occurrence)) = (appointment.series_id, appointment.occurrence) else {
                return Err(no_series().into());
            };
            let row = tx.one(sql!("scheduling/series_get.sql"), &[&series]).await?;
            let zone = row.get::<_, &str>(4).parse().unwrap_or(chrono_tz::Tz::UTC);
            let days = wall_time::date(zone, start) - wall_time::date(zone, appointment.starts_at);
            let rows =
                tx.all(sql!("scheduling/appointments_list_by_series.sql"), &[&series, &occurrence]).await?;
            for following in rows.into_iter().map(Appointment::from) {
                let date = wall_time::date(zone, following.starts_at);
                let date = if days < TimeDelta::zero() {
                    date - Days::new(days.num_days().unsigned_abs())
                } else {
                    date + Days::new(days.num_days().unsigned_abs())
                };
                let start =
                    if following.id == id { start } else { wall_time::same_time_on(zone, date, start) };
                let field = format!("occurrences[{}]", following.occurrence.unwrap_or_default());
                moves.push(Move { provider: request.provider_id, appointment: following, start, field });
            }
        } else {
            let provider = request.provider_id;
            moves.push(Move { appointment, provider, start, field: "starts_at".to_owned() });
        }
        let reason = request.reason.as_deref();
        let action = AppointmentAction::Reschedule;
        let policy = booking::policy(request.override_rules);
        let (moved, freed) =
            carry_out(tx, context, moves, action, reason, policy, now, booking::luck(attempt)).await?;
        let answer =
            moved.into_iter().find(|appointment| appointment.id == id).ok_or_else(Problem::internal)?;
        Ok((answer, freed))
    })
    .await;
    match moved {
        Err(Failure::Refusal(problem)) if problem.code == "slot_unavailable" && !request.following => {
            let row = db.optional(context, sql!("scheduling/appointments_get.sql"), &[&id]).await?;
            let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
            // Of a visit only the one who was asked for gives all of it.
            let provider = match appointment.segments {
                Some(_) => request.provider_id,
                None => request.provider_id.or(Some(appointment.provider_id)),
            };
            let (services, start) = (appointment.services(), request.starts_at.0);
            let others = booking::alternatives(db, context, &services, provider, start, &[id], now).await?;
            Err(problem.with_alternatives(others).into())
        }
        moved => moved,
    }
}

/// Gives each of two appointments the start and the provider of the other.
pub async fn swap(
    db: &Db,
    context: Context,
    id: Uuid,
    request: &Swap,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    if id == request.appointment_id {
        Err(Problem::invalid_field("appointment_id", "invalid_value", "another appointment than this one"))?;
    }
    retry(async |attempt| {
        let mut tx = db.begin(context);
        let both = locked(&mut tx, &[id, request.appointment_id]).await?;
        let find = |wanted: Uuid| both.iter().find(|appointment| appointment.id == wanted).cloned();
        let one = find(id).ok_or_else(Problem::not_found)?;
        let other = find(request.appointment_id).ok_or_else(|| {
            let detail = "the id of an appointment of the organization";
            Problem::invalid_field("appointment_id", "not_found", detail)
        })?;
        for appointment in &both {
            allow(appointment, AppointmentAction::Swap)?;
        }
        let moves = vec![
            Move {
                provider: Some(other.provider_id),
                start: other.starts_at,
                appointment: one.clone(),
                field: "appointment_id".to_owned(),
            },
            Move {
                provider: Some(one.provider_id),
                start: one.starts_at,
                appointment: other,
                field: "appointment_id".to_owned(),
            },
        ];
        let policy = booking::policy(request.override_rules);
        let (moved, _) =
            carry_out(tx, context, moves, AppointmentAction::Swap, None, policy, now, booking::luck(attempt))
                .await?;
        Ok(moved.into_iter().find(|appointment| appointment.id == id).ok_or_else(Problem::internal)?)
    })
    .await
}

/// Whether what a customer moves has to be confirmed anew.
fn asks_again(context: Context, availability: &Availability, appointment: &Appointment) -> bool {
    matches!(context.who, Who::Guest { .. })
        && appointment.status == AppointmentStatus::Confirmed
        && availability.services.iter().any(|rules| rules.requires_approval)
}

/// Those of a series stay within some years of each other, and all within those there are.
fn check_reach(moves: &[Move]) -> Result<(), Problem> {
    let first = moves.iter().map(|one| one.start).min().unwrap_or_default();
    let last = moves.iter().map(|one| one.start).max().unwrap_or_default();
    let years = 1970..=2999;
    if !years.contains(&first.year()) || !years.contains(&last.year()) || last - first > LONGEST_SERIES {
        let detail = "a start from which all that follow lie within four years, between 1970 and 2999";
        return Err(Problem::invalid_field("starts_at", "out_of_range", detail));
    }
    Ok(())
}

async fn locked(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<Appointment>, Failure> {
    let rows = tx.all(sql!("scheduling/appointments_lock.sql"), &[&ids]).await?;
    Ok(rows.into_iter().map(Appointment::from).collect())
}

fn allow(appointment: &Appointment, action: AppointmentAction) -> Result<(), Problem> {
    if action.from().contains(&appointment.status) {
        Ok(())
    } else {
        Err(action.not_allowed(appointment.status))
    }
}

#[expect(clippy::too_many_arguments, reason = "what both ways of moving have in common")]
async fn carry_out(
    mut tx: Tx,
    context: Context,
    moves: Vec<Move>,
    action: AppointmentAction,
    reason: Option<&str>,
    policy: super::slots::Policy,
    now: DateTime<Utc>,
    luck: usize,
) -> Result<(Vec<Appointment>, Vec<Freed>), Failure> {
    check_reach(&moves)?;
    let ids: Vec<Uuid> = moves.iter().map(|one| one.appointment.id).collect();
    let providers = moves.iter().flat_map(|one| {
        let segments = one.appointment.segments.iter().flatten().map(|segment| segment.provider_id);
        segments.chain(one.provider).chain([one.appointment.provider_id, one.appointment.contact_id])
    });
    booking::lock(&mut tx, providers.collect()).await?;
    tx.all(sql!("scheduling/claims_release.sql"), &[&ids]).await?;
    let mut plans: Vec<Plan> = Vec::with_capacity(moves.len());
    let mut claims: Vec<Claim> = Vec::new();
    let mut rows = Vec::new();
    let mut segment_rows = Vec::new();
    // Those of one series are of one service: what decides about all of them is loaded at once.
    let services = moves[0].appointment.services();
    let alike = moves.iter().all(|one| one.appointment.services() == services);
    let mut loaded = None;
    for one in &moves {
        let appointment = &one.appointment;
        if !alike || loaded.is_none() {
            let all: &[Move] = if alike { &moves } else { std::slice::from_ref(one) };
            let from = all.iter().map(|one| one.start).min().unwrap_or(one.start);
            let to = all.iter().map(|one| one.start).max().unwrap_or(one.start);
            let to = to + TimeDelta::microseconds(1);
            let services = appointment.services();
            loaded = Some(booking::load_fresh(&mut tx, &services, None, from, to, now).await?);
        }
        let availability = loaded.as_mut().ok_or_else(Problem::internal)?;
        if availability.services.len() != appointment.services().len() {
            // A guest does not see what is not offered online any more.
            Err(Problem::conflict(
                "service_unavailable",
                "The service is not offered online any more. Tell the organization.",
            ))?;
        }
        check_length(availability)?;
        let named = one.provider.unwrap_or(appointment.provider_id);
        // Of a visit the first: who gives the others may change.
        let with = if appointment.segments.is_some() { one.provider } else { Some(named) };
        let services = if with.is_some() { availability.services.len() } else { 1 };
        let provider = provider_of(availability, named, services)?;
        let plan = availability
            .plan(provider, one.start, with, policy, luck)
            .map_err(|refusal| refused_start(&one.field, refusal))?;
        availability.take(&plan);
        claims.extend(plan.claims_of(appointment.id));
        if availability.claims_contact() {
            claims.push(contact_claim(appointment.contact_id, appointment.id, &plan));
        }
        segment_rows.extend(segments(appointment.id, &plan));
        rows.push(json!({
            "id": appointment.id,
            "provider_id": plan.pieces[0].provider,
            "starts_at": plan.starts_at(),
            "ends_at": plan.ends_at(),
            "overridden": policy == super::slots::Policy::Overridden,
            "seat": plan.seat,
            "status": asks_again(context, availability, appointment).then_some("pending"),
        }));
        plans.push(plan);
    }
    let transitions: Vec<Uuid> = moves.iter().map(|_| Uuid::now_v7()).collect();
    let moved = tx
        .all(
            sql!("scheduling/appointments_move.sql"),
            &[
                &json!(rows),
                &json!(claims),
                &json!(segment_rows),
                &transitions,
                &action.name(),
                &now,
                &reason,
            ],
        )
        .await;
    let moved = booking::lost(moved)?;
    if moved.is_empty() {
        // Somebody else's time: a provider's elsewhere, a room's, or the contact's own.
        drop(tx);
        return Err(Problem::conflict(
            "slot_unavailable",
            "The time is taken: that of the provider, the contact, or what the service needs. Choose another slot.",
        )
        .into());
    }
    let appointments: Vec<_> = moved
        .into_iter()
        .map(|row| {
            let appointment = Appointment::from(row);
            match ids.iter().position(|id| *id == appointment.id) {
                Some(index) => with_segments(appointment, &plans[index]),
                None => appointment,
            }
        })
        .collect();
    let mut freed = Vec::new();
    if action == AppointmentAction::Reschedule {
        for one in &moves {
            freed.extend(waitlist::offer(&mut tx, &one.appointment, now).await?);
        }
    }
    tx.commit().await?;
    Ok((appointments, freed))
}
