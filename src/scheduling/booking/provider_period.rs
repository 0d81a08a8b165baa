//! The appointments with a provider in a period, locked to be changed together, and those of them that are kept.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::appointment::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, WholeAppointment};
use crate::{
    db::{Params, Tx},
    http::problem::{Failure, Problem},
    sql,
};

/// An appointment that was not changed.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct KeptAppointment {
    pub appointment_id: Uuid,
    pub status: AppointmentStatus,
    /// Why: `transition_not_allowed` if its status does not allow the change; or, if it could not be moved, the code of
    /// `FieldCode` that rescheduling it would have, such as `busy`, `contact_busy`, `outside_hours` or `not_eligible`.
    pub code: String,
    /// Why, for people.
    pub detail: String,
}

/// An appointment that is not changed, and why.
pub struct Kept {
    pub appointment: Appointment,
    pub code: String,
    pub detail: String,
}

impl Kept {
    fn as_it_is(appointment: Appointment, action: AppointmentAction) -> Self {
        let problem = action.not_allowed(appointment.status, CancelledBy::Member);
        Self { appointment, code: problem.code.to_owned(), detail: problem.detail.into_owned() }
    }
}

/// The kept appointments as an answer names them, ordered by start.
pub fn named(mut kept: Vec<Kept>) -> Vec<KeptAppointment> {
    kept.sort_by_key(|one| (one.appointment.starts_at, one.appointment.id));
    kept.into_iter()
        .map(|Kept { appointment, code, detail }| KeptAppointment {
            appointment_id: appointment.id,
            status: appointment.status,
            code,
            detail,
        })
        .collect()
}

/// 404 if the provider does not exist.
pub async fn require(tx: &mut Tx, provider: Uuid) -> Result<(), Failure> {
    tx.optional(sql!("scheduling/providers_get.sql"), &[&provider]).await?.ok_or_else(Problem::not_found)?;
    Ok(())
}

/// Locks the appointments of which a service with the provider starts in the period. Returns those whose status allows
/// the action, and those that have begun and are kept. 422 for more than `most`.
pub async fn lock(
    tx: &mut Tx,
    provider: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    action: AppointmentAction,
    most: usize,
) -> Result<(Vec<Appointment>, Vec<Kept>), Failure> {
    use AppointmentStatus::{CheckedIn, Confirmed, InProgress, Pending};
    let standing = [Pending, Confirmed, CheckedIn, InProgress];
    let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let names = standing.map(AppointmentStatus::name);
    let params: Params = &[&provider, &from, &to, &&names[..], &limit];
    let found = tx.all(sql!("scheduling/appointments_of_provider.sql" as (Uuid,)), params).await?;
    if found.len() > most {
        let detail = format!("expected a period with at most {most} appointments");
        return Err(Problem::invalid_field("to", "too_many", detail).into());
    }
    let ids: Vec<Uuid> = found.into_iter().map(|(id,)| id).collect();
    // Locked in one statement, in the order of their ids.
    let rows = tx.all(sql!("scheduling/appointments_lock.sql" as WholeAppointment), &[&ids]).await?;
    // Another transaction may have moved some meanwhile.
    let in_period = |appointment: &Appointment| match &appointment.segments {
        Some(segments) => segments
            .iter()
            .any(|segment| segment.provider_id == provider && (from..to).contains(&segment.starts_at)),
        None => appointment.provider_id == provider && (from..to).contains(&appointment.starts_at),
    };
    let (allowed, begun): (Vec<Appointment>, Vec<Appointment>) = rows
        .into_iter()
        .map(Appointment::from)
        .filter(in_period)
        .partition(|appointment| action.from(CancelledBy::Member).contains(&appointment.status));
    let begun = begun.into_iter().filter(|appointment| standing.contains(&appointment.status));
    Ok((allowed, begun.map(|appointment| Kept::as_it_is(appointment, action)).collect()))
}
