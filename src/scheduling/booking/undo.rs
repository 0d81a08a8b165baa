//! Undoes the last transition of an appointment: a mistaken check-in, start, completion or no-show.

use chrono::{DateTime, Utc};
use serde::Deserialize;
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
    scheduling::slots::setback::Setback,
    sql,
};

/// A transition that can be undone.
struct LastStep {
    from_status: AppointmentStatus,
    /// The claims it released, as they were before.
    released: Option<Value>,
    claims: Option<Vec<ReleasedClaim>>,
}

row! {
    LastStep { from_status, released, claims = released as json }
}

#[derive(Deserialize)]
struct ReleasedClaim {
    id: Uuid,
    resource_id: Uuid,
}

/// Undoes the last transition of an appointment, and claims the time again that it freed.
pub async fn undo(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    reason: Option<&str>,
    precondition: &Precondition<'_, Appointment>,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    attempt(db, mailer, context, async |mut tx: Tx, _| {
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
            let locks = Locks { resources, appointments: vec![id], ..Locks::default() };
            locks.take(&mut tx).await?;
            if tx.one(sql!("scheduling/holds_have_expired.sql" as (bool,)), &[]).await?.0 {
                return Err(Setback::HoldsExpired);
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
        tx.commit().await?;
        Ok(undone)
    })
    .await
}
