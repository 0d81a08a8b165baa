//! The operation that cancels all appointments with a provider in a period.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, WholeAppointment},
    attempts::attempt,
    offers::{self, Notice},
    period::Bounds,
    transitions::{TransitionRequest, change_status},
};
use crate::{
    db::{Context, Db, Params, Tx},
    http::{
        caller::{Member, Staff},
        if_match::Precondition,
        json::{Json, Replayable},
        problem::{ApiError, Problem, Writing},
        values::{IdempotencyKey, InstantOrDate, Text, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::slots::setback::Setback,
    sql,
};

/// The maximum number of appointments that one request cancels.
const MOST: usize = 200;

/// A cancellation of all appointments in a period.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PeriodCancellation {
    /// The beginning of the period: an instant, or a date in `time_zone`.
    pub from: InstantOrDate,
    /// The end of the period, exclusive: an instant, or a date in `time_zone`.
    pub to: InstantOrDate,
    /// The IANA time zone for dates. Defaults to the organization's time zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
    /// The reason, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
}

impl Example for PeriodCancellation {
    fn example() -> Self {
        serde_json::from_value(json!({
            "from": "2031-05-20",
            "to": "2031-05-21",
            "reason": "The provider is ill.",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// An appointment that was not cancelled.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct KeptAppointment {
    pub appointment_id: Uuid,
    pub status: AppointmentStatus,
    /// Why, as a code: `transition_not_allowed`.
    pub code: String,
}

/// What became of the appointments in a period.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct CancelledPeriod {
    /// The cancelled appointments, ordered by start.
    pub cancelled: Vec<Appointment>,
    /// The appointments whose status does not allow cancelling, because they have begun.
    pub kept: Vec<KeptAppointment>,
}

pub struct BulkApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl BulkApi {
    /// Cancel a provider's appointments
    ///
    /// Cancels all appointments of which a service with the provider starts in the period, in one transaction. Their
    /// time is free immediately, or offered to the waitlist. Appointments that have begun are kept; the answer names
    /// them. 422 `too_many` on `to` if the period has more than 200 appointments: nothing is cancelled.
    #[oai(
        path = "/providers/:provider_id/appointments/cancel",
        method = "post",
        operation_id = "cancel_provider_appointments"
    )]
    async fn cancel(
        &self,
        caller: Member<Staff>,
        provider_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<PeriodCancellation>,
    ) -> Result<Replayable<CancelledPeriod>, ApiError<Writing>> {
        let (context, now) = (Context::from(&caller), Utc::now());
        let (provider, request) = (provider_id.0, &body.0);
        let key = idempotency_key.0;
        let once = Once::new(&context, "cancel_provider_appointments", key, &(provider, request))?;
        let bounds = Bounds { from: Some(request.from), to: Some(request.to), time_zone: request.time_zone };
        let (from, to) = bounds.instants(&self.db, context).await?;
        if to <= from {
            let detail = "expected an instant or a date after from";
            Err(Problem::invalid_field("to", "invalid_value", detail))?;
        }
        let (body, notices) = attempt(&self.db, &self.mailer, context, |tx, _| {
            cancel(tx, context, provider, (from, to), request.reason.as_deref(), &once, now)
        })
        .await?;
        offers::tell(&self.mailer, &notices);
        Ok(Replayable { body, replayed: once.is_replay() })
    }
}

async fn cancel(
    mut tx: Tx,
    context: Context,
    provider: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    reason: Option<&str>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<(CancelledPeriod, Vec<Notice>), Setback> {
    use AppointmentStatus::{CheckedIn, Confirmed, InProgress, Pending};
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok((answer, Vec::new()));
    }
    tx.optional(sql!("scheduling/providers_get.sql"), &[&provider]).await?.ok_or_else(Problem::not_found)?;
    let standing = [Pending, Confirmed, CheckedIn, InProgress].map(AppointmentStatus::name);
    let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    let params: Params = &[&provider, &from, &to, &&standing[..], &limit];
    let found = tx.all(sql!("scheduling/appointments_of_provider.sql" as (Uuid,)), params).await?;
    if found.len() > MOST {
        let detail = "expected a period with at most 200 appointments";
        return Err(Problem::invalid_field("to", "too_many", detail).into());
    }
    let ids: Vec<Uuid> = found.into_iter().map(|(id,)| id).collect();
    // Locked in one statement, in the order of their ids.
    let rows = tx.all(sql!("scheduling/appointments_lock.sql" as WholeAppointment), &[&ids]).await?;
    let action = AppointmentAction::Cancel;
    // Another transaction may have moved some meanwhile.
    let in_period = |appointment: &Appointment| match &appointment.segments {
        Some(segments) => segments
            .iter()
            .any(|segment| segment.provider_id == provider && (from..to).contains(&segment.starts_at)),
        None => appointment.provider_id == provider && (from..to).contains(&appointment.starts_at),
    };
    let (cancellable, begun): (Vec<Appointment>, Vec<Appointment>) = rows
        .into_iter()
        .map(Appointment::from)
        .filter(in_period)
        .partition(|appointment| action.from(CancelledBy::Member).contains(&appointment.status));
    let kept = begun
        .into_iter()
        .filter(|appointment| appointment.status == InProgress)
        .map(|appointment| KeptAppointment {
            appointment_id: appointment.id,
            status: appointment.status,
            code: "transition_not_allowed".to_owned(),
        })
        .collect();
    let (following, precondition) = (false, &Precondition::none());
    let request = TransitionRequest { action, reason, following, precondition };
    let (cancelled, queue) = change_status(&mut tx, context, &cancellable, request, now).await?;
    let answer = CancelledPeriod { cancelled, kept };
    // Before the transaction continues as the scheduler.
    once.keep(&mut tx, &answer).await?;
    let notices = match queue {
        Some(queue) => queue.offer(&mut tx, now).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    Ok((answer, notices))
}
