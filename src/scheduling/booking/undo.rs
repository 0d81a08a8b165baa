//! Undoes the last transition of an appointment: a mistaken check-in, start, completion or no-show.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, WholeAppointment},
    attempts::attempt,
    claims::on_taken,
    transaction::Locks,
};
use crate::{
    db::{Context, Db, Tx, row},
    http::{
        if_match::Precondition,
        problem::{Failure, Problem},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::slots::{
        availability::{Claim, SlotError},
        load::{self, AvailabilityQuery},
        problems::slot_problem,
        setback::Setback,
    },
    sql,
};

/// A transition that can be undone.
struct LastStep {
    from_status: AppointmentStatus,
    /// The claims it released, as they were before.
    released: Option<Value>,
    claims: Option<Vec<Claim>>,
}

row! {
    LastStep { from_status, released, claims = released as json }
}

/// Undoes the last transition of an appointment, and claims the time again that it freed.
#[expect(clippy::too_many_arguments, reason = "all of a request")]
pub async fn undo(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    reason: Option<&str>,
    precondition: &Precondition<'_, Appointment>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    attempt(db, mailer, context, async |mut tx: Tx, _| {
        if let Some(answer) = once.answered(&mut tx).await? {
            tx.commit().await?;
            return Ok(answer);
        }
        let sql = sql!("scheduling/appointments_lock.sql" as WholeAppointment);
        let row = tx.optional(sql, &[&vec![id]]).await?;
        let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
        precondition.check(&appointment)?;
        let by = CancelledBy::from(context);
        let not_allowed = || AppointmentAction::Undo.not_allowed(appointment.status, by);
        AppointmentAction::Undo.check(appointment.status, by)?;
        let sql = sql!("scheduling/appointment_transitions_last.sql" as LastStep);
        let LastStep { from_status, released, claims } =
            tx.optional(sql, &[&id, &appointment.status.name()]).await?.ok_or_else(not_allowed)?;
        let released = released.unwrap_or_else(|| json!([]));
        let claims = claims.unwrap_or_default();
        if !claims.is_empty() {
            let resources = claims.iter().map(|claim| claim.resource_id).collect();
            let services = appointment.services();
            let locks = Locks { services, resources, appointments: vec![id], ..Locks::default() };
            locks.take(&mut tx).await?;
            if tx.one(sql!("scheduling/holds_have_expired.sql" as (bool,)), &[]).await?.0 {
                return Err(Setback::HoldsExpired);
            }
            if !appointment.overridden {
                check_limits(&mut tx, &appointment, &claims, now).await?;
            }
            // The remaining claims are deleted, so that the full time can be claimed again.
            let ids: Vec<Uuid> = claims.iter().map(|claim| claim.id).collect();
            tx.all(sql!("scheduling/claims_delete.sql"), &[&id, &ids]).await?;
        }
        let undone = tx
            .one(
                sql!("scheduling/appointments_undo.sql" as Appointment),
                &[&id, &Uuid::now_v7(), &from_status.name(), &released, &reason],
            )
            .await;
        let undone = on_taken(undone, || {
            Problem::conflict(
                "slot_unavailable",
                "The time of the appointment was taken meanwhile. Free it first, or book another time.",
            )
        })?;
        let undone = Appointment { segments: appointment.segments.clone(), ..undone };
        once.keep(&mut tx, &undone).await?;
        tx.commit().await?;
        Ok(undone)
    })
    .await
}

/// 409 if a limit is reached without the claims that were released and are to be taken again.
async fn check_limits(
    tx: &mut Tx,
    appointment: &Appointment,
    released: &[Claim],
    now: DateTime<Utc>,
) -> Result<(), Setback> {
    let sql = sql!("scheduling/claims_of_appointments.sql" as Claim);
    let kept = tx.all(sql, &[&vec![appointment.id]]).await?;
    // Claims that were only shortened still count.
    let again: Vec<&Claim> = released
        .iter()
        .filter(|claim| claim.service_id.is_some() && kept.iter().all(|other| other.id != claim.id))
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    let providers: Vec<Uuid> = again.iter().map(|claim| claim.resource_id).collect();
    let query = AvailabilityQuery {
        services: &appointment.services(),
        providers: &providers,
        contacts: &[],
        from: appointment.starts_at,
        to: appointment.ends_at,
        ignored: &[],
        now,
    };
    let mut availability = load::to_book(tx, &query).await?;
    for claim in again {
        if availability.exceeds_limit(claim) {
            let detail = "The daily or weekly limit is reached. Free the time of another appointment first.";
            let errors = slot_problem("starts_at", SlotError::LimitReached).errors;
            return Err(Problem::conflict("slot_unavailable", detail).with_errors(errors).into());
        }
        availability.occupy(std::slice::from_ref(claim));
    }
    Ok(())
}
