//! What all moves of appointments have in common: the locks, the plan of one appointment, and the statement that writes
//! the new times.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction},
    claims::{add_segments, on_taken, segments, with_segments},
    offers::Queue,
    transaction::Locks,
};
use crate::{
    db::Tx,
    http::problem::{Failure, Problem},
    scheduling::slots::{
        availability::{Allocation, Availability, Claim, Enforcement, SlotError, StartRequest},
        choose::provider_of,
        problems::check_length,
        setback::lost_race,
    },
    sql,
};

/// An appointment and its new time.
pub struct Move {
    pub appointment: Appointment,
    /// The new provider. `None`: the current one; for a visit, any for each of its services.
    pub provider: Option<Uuid>,
    pub start: DateTime<Utc>,
}

/// How appointments are moved.
#[derive(Clone, Copy)]
pub struct MoveOptions<'a> {
    pub action: AppointmentAction,
    pub reason: Option<&'a str>,
    pub policy: Enforcement,
    pub seat_seed: usize,
}

/// A move that can be written.
pub struct PlannedMove {
    pub appointment: Appointment,
    pub plan: Allocation,
    /// With that of the contact.
    pub claims: Vec<Claim>,
    /// The new status. `None`: the current one.
    pub status: Option<&'static str>,
}

impl Move {
    /// Plans the move. The time of the appointment itself must be free. Fails with a problem if the provider cannot
    /// perform the services at any start.
    pub fn plan(
        self,
        availability: &Availability,
        policy: Enforcement,
        seat_seed: usize,
    ) -> Result<Result<PlannedMove, SlotError>, Problem> {
        let Self { appointment, provider, start } = self;
        check_length(availability)?;
        let named = provider.unwrap_or(appointment.provider_id);
        // For a visit, the provider of the first service; the others may change.
        let with = if appointment.segments.is_some() { provider } else { Some(named) };
        let services = if with.is_some() { availability.services.len() } else { 1 };
        let provider = provider_of(availability, named, services)?;
        let contact = Some(appointment.contact_id);
        let plan = match availability.plan(provider, StartRequest { start, with, contact, policy, seat_seed })
        {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let claims = availability.claims_of(&plan, appointment.id, contact);
        Ok(Ok(PlannedMove { appointment, plan, claims, status: None }))
    }
}

/// Takes the locks, after the appointments are locked and before anything else. Returns who may be offered the time
/// that the moves free.
pub async fn lock(tx: &mut Tx, moves: &[Move]) -> Result<Queue, Failure> {
    let freed: Vec<_> =
        moves.iter().map(|one| (one.appointment.starts_at, one.appointment.ends_at)).collect();
    let queue = Queue::read(tx, &freed).await?;
    let locks = Locks {
        services: moves.iter().flat_map(|one| one.appointment.services()).collect(),
        // The providers of a visit may change.
        any_provider: moves.iter().any(|one| one.appointment.segments.is_some() && one.provider.is_none()),
        resources: moves
            .iter()
            .flat_map(|one| {
                one.provider.into_iter().chain([one.appointment.provider_id, one.appointment.contact_id])
            })
            .collect(),
        appointments: moves.iter().map(|one| one.appointment.id).collect(),
        ..Locks::default()
    };
    queue.add_to(locks).take(tx).await?;
    Ok(queue)
}

/// Deletes the claims and segments of appointments, which [`write()`] replaces.
pub async fn release(tx: &mut Tx, ids: &[Uuid]) -> Result<(), Failure> {
    tx.all(sql!("scheduling/claims_release.sql"), &[&ids]).await?;
    Ok(())
}

/// Writes the new times of appointments whose claims are released.
pub async fn write(
    tx: &mut Tx,
    moves: &[PlannedMove],
    how: &MoveOptions<'_>,
) -> Result<Vec<Appointment>, Failure> {
    let rows = moves.iter().map(|PlannedMove { appointment, plan, status, .. }| {
        json!({
            "id": appointment.id,
            "provider_id": plan.items[0].provider,
            "starts_at": plan.starts_at(),
            "ends_at": plan.ends_at(),
            "overridden": how.policy == Enforcement::ClaimsOnly,
            "seat": plan.seat,
            "status": status,
        })
    });
    let rows: Vec<_> = rows.collect();
    let claims: Vec<&Claim> = moves.iter().flat_map(|one| &one.claims).collect();
    let transitions: Vec<Uuid> = moves.iter().map(|_| Uuid::now_v7()).collect();
    let moved = tx
        .all(
            sql!("scheduling/appointments_move.sql" as Appointment),
            &[&json!(rows), &json!(claims), &transitions, &how.action.name(), &how.reason],
        )
        .await;
    let moved = on_taken(moved, lost_race)?;
    let all_segments = moves.iter().flat_map(|one| segments(one.appointment.id, &one.plan));
    add_segments(tx, all_segments.collect()).await?;
    let planned = |id: Uuid| moves.iter().find(|one| one.appointment.id == id).map(|one| &one.plan);
    let whole = |appointment: Appointment| match planned(appointment.id) {
        Some(plan) => with_segments(appointment, plan),
        None => appointment,
    };
    Ok(moved.into_iter().map(whole).collect())
}
