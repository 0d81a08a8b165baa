//! Undoes the last transition of an appointment: a mistaken check-in, start, completion or no-show.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction, CancelledBy},
    attempts::attempt,
    claims::on_taken,
    transaction::Locks,
};
use crate::{
    db::{Context, Db, Tx},
    http::problem::{Failure, Problem},
    messaging::mail::Mailer,
    scheduling::slots::setback::Setback,
    sql,
};

/// Undoes the last transition of an appointment, and claims the time again that it freed.
pub async fn undo(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    attempt(db, mailer, context, async |mut tx: Tx, _| {
        let row = tx.optional(sql!("scheduling/appointments_lock.sql"), &[&vec![id]]).await?;
        let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
        let by = CancelledBy::from(context);
        let not_allowed = || AppointmentAction::Undo.not_allowed(appointment.status, by);
        AppointmentAction::Undo.check(appointment.status, by)?;
        let last = tx
            .optional(sql!("scheduling/appointment_transitions_last.sql"), &[&id, &appointment.status.name()])
            .await?
            .ok_or_else(not_allowed)?;
        let released: serde_json::Value =
            last.get::<_, Option<serde_json::Value>>("released").unwrap_or_else(|| json!([]));
        let ids_of = |name: &str| -> Vec<Uuid> {
            let claims = released.as_array().into_iter().flatten();
            claims.filter_map(|claim| claim[name].as_str()?.parse().ok()).collect()
        };
        if !ids_of("id").is_empty() {
            let locks =
                Locks { resources: ids_of("resource_id"), appointments: vec![id], ..Locks::default() };
            locks.take(&mut tx).await?;
            if tx.one(sql!("scheduling/holds_expired.sql"), &[]).await?.get(0) {
                return Err(Setback::HoldsExpired);
            }
            // The remaining claims are deleted, so that the full time can be claimed again.
            tx.all(sql!("scheduling/claims_delete.sql"), &[&id, &ids_of("id")]).await?;
        }
        let undone = tx
            .one(
                sql!("scheduling/appointments_undo.sql"),
                &[&id, &Uuid::now_v7(), &last.get::<_, &str>("from_status"), &released, &now, &reason],
            )
            .await;
        let row = on_taken(undone, || {
            Problem::conflict(
                "slot_unavailable",
                "The time of the appointment was taken meanwhile. Free it first, or book another time.",
            )
        })?;
        let undone = Appointment { segments: appointment.segments.clone(), ..row.into() };
        tx.commit().await?;
        Ok(undone)
    })
    .await
}
