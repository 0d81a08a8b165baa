//! Moves appointments to another time in one transaction. They keep their ids, and stay unchanged if moving fails.

use chrono::{DateTime, Datelike as _, Days, TimeDelta, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, GET, WholeAppointment},
    attempts::attempt,
    book,
    moves::{self, Move, MoveOptions, PlannedMove},
    offers::{self, Notice},
    transaction::seat_seed,
};
use crate::{
    db::{self, Context, Db, Tx, Who, row},
    http::{
        computing::{self, Deadline},
        if_match::Precondition,
        json::or_default,
        problem::{Failure, Problem},
        values::{Instant, Text, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        hours::wall_time,
        slots::{
            alternatives::{self, Alternatives},
            availability::{Availability, Enforcement},
            load::{self, AvailabilityQuery},
            problems::{no_series, service_unavailable, slot_problem},
            setback::Setback,
        },
    },
    sql,
};

/// The new time of an appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Reschedule {
    /// The new start: one that `GET /api/v1/services/{service_id}/slots?reschedule_of=…` lists.
    pub starts_at: Instant,
    /// The new provider. Defaults to the current one.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The reason, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
    /// Whether to move all later appointments of the series too, by the same number of days and to the same time of
    /// day. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub following: bool,
    /// Whether to ignore the rules for notice, horizon, hours, grid and limits. Taken time still cannot be booked.
    /// Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for Reschedule {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "starts_at": "2031-05-21T15:00:00Z", "reason": "The customer asked." }),
        )
        .expect("the example follows the rules it is an example of")
    }
}

/// The appointment to swap with.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct AppointmentSwap {
    /// The id of the other appointment.
    pub appointment_id: Uuid,
    /// Whether to ignore the rules for notice, horizon, hours, grid and limits. Taken time still cannot be booked.
    /// Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for AppointmentSwap {
    fn example() -> Self {
        Self { appointment_id: uuid::uuid!("019a9c3e-5a24-7c1e-9f6b-2f1f4a3d9b24"), override_rules: false }
    }
}

/// The maximum time from the first to the last appointment of a series, after moving.
const LONGEST_SERIES: TimeDelta = TimeDelta::days(4 * 366);

struct ZoneOfSeries {
    time_zone: TimeZone,
}

row! {
    ZoneOfSeries { time_zone }
}

/// Moves one appointment, or one of a series and all later ones.
#[expect(clippy::too_many_arguments, reason = "all of a request")]
pub async fn reschedule(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    request: &Reschedule,
    precondition: &Precondition<'_, Appointment>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    let moved = attempt(db, mailer, context, |mut tx, number| async move {
        if let Some(answer) = once.answered(&mut tx).await? {
            tx.commit().await?;
            return Ok((answer, Vec::new()));
        }
        let mut moves = following(&mut tx, context, id, request, precondition).await?;
        if let Some(place) = moves.iter().position(|one| one.appointment.id == id)
            && moves.iter().all(|one| one.appointment.is_at(one.start, one.provider))
        {
            let unchanged = moves.swap_remove(place).appointment;
            once.keep(&mut tx, &unchanged).await?;
            tx.commit().await?;
            return Ok((unchanged, Vec::new()));
        }
        let how = MoveOptions {
            action: AppointmentAction::Reschedule,
            reason: request.reason.as_deref(),
            policy: book::policy(request.override_rules),
            seat_seed: seat_seed(number),
        };
        let field = |appointment: &Appointment| match request.following {
            true => format!("occurrences[{}]", appointment.occurrence.unwrap_or_default()),
            false => "starts_at".to_owned(),
        };
        carry_out(tx, context, (id, moves), &how, field, once, now).await
    })
    .await;
    match moved {
        Err(Failure::Problem(problem))
            if problem.errors.iter().any(|error| error.field == "starts_at") && !request.following =>
        {
            Err(alternatives::add_to(problem, others(db, context, id, request, now)).await)
        }
        moved => {
            let (appointment, notices) = moved?;
            offers::tell(mailer, &notices);
            Ok(appointment)
        }
    }
}

/// Starts near the requested one to which the appointment can be moved.
async fn others(
    db: &Db,
    context: Context,
    id: Uuid,
    request: &Reschedule,
    now: DateTime<Utc>,
) -> Result<Alternatives, Failure> {
    let row = db.optional(context, GET, &[&id]).await?;
    let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
    // For a visit, only a requested provider must perform all services.
    let provider = match appointment.segments {
        Some(_) => request.provider_id,
        None => request.provider_id.or(Some(appointment.provider_id)),
    };
    let query = AvailabilityQuery {
        services: &appointment.services(),
        providers: provider.as_slice(),
        contacts: &[appointment.contact_id],
        ignored: &[id],
        from: request.starts_at.0,
        to: request.starts_at.0,
        now,
    };
    alternatives::near(db, context, query).await
}

/// Locks the appointment and, if requested, the later ones of its series. Returns each with its new start.
async fn following(
    tx: &mut Tx,
    context: Context,
    id: Uuid,
    request: &Reschedule,
    precondition: &Precondition<'_, Appointment>,
) -> Result<Vec<Move>, Failure> {
    let by = CancelledBy::from(context);
    let start = request.starts_at.0;
    let provider = request.provider_id;
    if !request.following {
        let appointment = locked(tx, &[id]).await?.pop().ok_or_else(Problem::not_found)?;
        precondition.check(&appointment)?;
        AppointmentAction::Reschedule.check(appointment.status, by)?;
        return Ok(vec![Move { appointment, provider, start }]);
    }
    let row = tx.optional(GET, &[&id]).await?;
    let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
    precondition.check(&appointment)?;
    AppointmentAction::Reschedule.check(appointment.status, by)?;
    let (Some(series), Some(occurrence)) = (appointment.series_id, appointment.occurrence) else {
        return Err(no_series().into());
    };
    let zone = tx.one(sql!("scheduling/series_get.sql" as ZoneOfSeries), &[&series]).await?.time_zone.0;
    // Locked in one statement, in the order of their ids.
    let sql = sql!("scheduling/appointments_list_by_series.sql" as WholeAppointment);
    let rows = tx.all(sql, &[&series, &occurrence]).await?;
    let all: Vec<_> = rows.into_iter().map(Appointment::from).collect();
    // Missing from the list if another transaction has changed it meanwhile.
    let first = all.iter().find(|one| one.id == id).ok_or(db::Error::Conflict)?;
    // Again, because now it is locked.
    precondition.check(first)?;
    let days = wall_time::date(zone, start) - wall_time::date(zone, first.starts_at);
    let mut moves: Vec<Move> = all
        .into_iter()
        .map(|following| {
            let date = wall_time::date(zone, following.starts_at);
            let date = if days < TimeDelta::zero() {
                date - Days::new(days.num_days().unsigned_abs())
            } else {
                date + Days::new(days.num_days().unsigned_abs())
            };
            let start = if following.id == id { start } else { wall_time::same_time_on(zone, date, start) };
            Move { provider, appointment: following, start }
        })
        .collect();
    moves.sort_by_key(|one| one.appointment.occurrence);
    Ok(moves)
}

/// Swaps the starts and providers of two appointments.
#[expect(clippy::too_many_arguments, reason = "all of a request")]
pub async fn swap(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    request: &AppointmentSwap,
    precondition: &Precondition<'_, Appointment>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    if id == request.appointment_id {
        Err(Problem::invalid_field(
            "appointment_id",
            "invalid_value",
            "expected the id of another appointment",
        ))?;
    }
    let (swapped, notices) = attempt(db, mailer, context, |mut tx, number| async move {
        if let Some(answer) = once.answered(&mut tx).await? {
            tx.commit().await?;
            return Ok((answer, Vec::new()));
        }
        let both = locked(&mut tx, &[id, request.appointment_id]).await?;
        let find = |wanted: Uuid| both.iter().find(|appointment| appointment.id == wanted).cloned();
        let one = find(id).ok_or_else(Problem::not_found)?;
        precondition.check(&one)?;
        let other = find(request.appointment_id).ok_or_else(|| {
            let detail = "expected the id of an appointment of the organization";
            Problem::invalid_field("appointment_id", "not_found", detail)
        })?;
        for appointment in &both {
            AppointmentAction::Swap.check(appointment.status, CancelledBy::from(context))?;
        }
        let to_that_of = |moved: &Appointment, other: &Appointment| Move {
            provider: Some(other.provider_id),
            start: other.starts_at,
            appointment: moved.clone(),
        };
        let moves = vec![to_that_of(&one, &other), to_that_of(&other, &one)];
        let how = MoveOptions {
            action: AppointmentAction::Swap,
            reason: None,
            policy: book::policy(request.override_rules),
            seat_seed: seat_seed(number),
        };
        let field = |_: &Appointment| "appointment_id".to_owned();
        carry_out(tx, context, (id, moves), &how, field, once, now).await
    })
    .await?;
    offers::tell(mailer, &notices);
    Ok(swapped)
}

/// Whether an appointment that a customer or guest moves must be confirmed again.
fn asks_again(context: Context, availability: &Availability, appointment: &Appointment) -> bool {
    matches!(context.who, Who::Guest { .. } | Who::Customer { .. })
        && appointment.status == AppointmentStatus::Confirmed
        && availability.services.iter().any(|rules| rules.requires_approval)
}

/// Checks that a series spans at most four years, between 1970 and 2999.
fn check_reach(moves: &[Move]) -> Result<(), Problem> {
    let first = moves.iter().map(|one| one.start).min().unwrap_or_default();
    let last = moves.iter().map(|one| one.start).max().unwrap_or_default();
    let years = 1970..=2999;
    if !years.contains(&first.year()) || !years.contains(&last.year()) || last - first > LONGEST_SERIES {
        let detail = "expected a start so that the series spans at most four years, between 1970 and 2999";
        return Err(Problem::invalid_field("starts_at", "out_of_range", detail));
    }
    Ok(())
}

async fn locked(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<Appointment>, Failure> {
    let rows = tx.all(sql!("scheduling/appointments_lock.sql" as WholeAppointment), &[&ids]).await?;
    Ok(rows.into_iter().map(Appointment::from).collect())
}

/// Moves that are planned one after the other, each around those before it.
struct MoveGroup {
    availability: Availability,
    /// With what the errors of each name.
    moves: Vec<(String, Move)>,
}

impl MoveGroup {
    fn plan(
        mut self,
        context: Context,
        policy: Enforcement,
        seat_seed: usize,
        deadline: &Deadline,
    ) -> Result<Vec<PlannedMove>, Problem> {
        let mut planned = Vec::with_capacity(self.moves.len());
        for (field, one) in self.moves {
            deadline.check()?;
            let plan = one.plan(&self.availability, policy, seat_seed)?;
            let mut plan = plan.map_err(|error| slot_problem(&field, error))?;
            plan.status = asks_again(context, &self.availability, &plan.appointment).then_some("pending");
            self.availability.occupy(&plan.claims);
            planned.push(plan);
        }
        Ok(planned)
    }
}

/// Moves locked appointments, all or none, and returns the one with this id. `field` is what errors name.
async fn carry_out(
    mut tx: Tx,
    context: Context,
    (id, moves): (Uuid, Vec<Move>),
    how: &MoveOptions<'_>,
    field: impl Fn(&Appointment) -> String,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<(Appointment, Vec<Notice>), Setback> {
    check_reach(&moves)?;
    let ids: Vec<Uuid> = moves.iter().map(|one| one.appointment.id).collect();
    let queue = moves::lock(&mut tx, &moves).await?;
    moves::release(&mut tx, &ids).await?;
    // Appointments of one series have the same service, so their data are loaded at once.
    let services = moves[0].appointment.services();
    let alike = moves.iter().all(|one| one.appointment.services() == services);
    let contacts: Vec<Uuid> = moves.iter().map(|one| one.appointment.contact_id).collect();
    let starts: Vec<DateTime<Utc>> = moves.iter().map(|one| one.start).collect();
    // More than a swap, or a visit, may take many steps.
    let long = moves.len() > 2 || moves.iter().any(|one| one.appointment.segments.is_some());
    let mut groups: Vec<MoveGroup> = Vec::new();
    for one in moves {
        if !alike || groups.is_empty() {
            let all: &[DateTime<Utc>] = if alike { &starts } else { std::slice::from_ref(&one.start) };
            let from = all.iter().min().copied().unwrap_or(one.start);
            let to = all.iter().max().copied().unwrap_or(one.start);
            let query = AvailabilityQuery {
                services: &one.appointment.services(),
                providers: &[],
                contacts: &contacts,
                from,
                to: to + TimeDelta::microseconds(1),
                ignored: &[],
                now,
            };
            groups.push(MoveGroup { availability: load::to_book(&mut tx, &query).await?, moves: Vec::new() });
        }
        let group = groups.last_mut().ok_or_else(Problem::internal)?;
        if group.availability.services.len() != one.appointment.services().len() {
            // A guest or customer cannot see a service that is no longer bookable online.
            Err(service_unavailable())?;
        }
        group.moves.push((field(&one.appointment), one));
    }
    let (policy, seat_seed) = (how.policy, how.seat_seed);
    let planned = computing::inside(&tx, long, move |deadline| {
        let mut planned: Vec<PlannedMove> = Vec::new();
        for group in groups {
            planned.extend(group.plan(context, policy, seat_seed, deadline)?);
        }
        Ok(planned)
    })
    .await?;
    let moved = moves::write(&mut tx, &planned, how).await?;
    let answer = moved.into_iter().find(|appointment| appointment.id == id).ok_or_else(Problem::internal)?;
    // Before the transaction continues as the scheduler.
    once.keep(&mut tx, &answer).await?;
    let notices = queue.offer(&mut tx, now).await?;
    tx.commit().await?;
    Ok((answer, notices))
}
