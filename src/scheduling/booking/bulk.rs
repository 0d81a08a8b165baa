//! The operations that cancel or move all appointments with a provider in a period.

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
    appointment::{Appointment, AppointmentAction},
    attempts::attempt,
    bulk_move::{MovedPeriod, PeriodMove, move_all},
    offers::{self, Notice},
    provider_period::{self, KeptAppointment},
    transitions::{TransitionRequest, change_status},
};
use crate::{
    db::{Context, Db, Tx},
    http::{
        caller::{Member, Staff},
        if_match::Precondition,
        json::{Json, Replayable},
        name::Name,
        problem::{ApiError, Writing},
        values::{IdempotencyKey, InstantOrDate, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        hours::period::{self, Bounds},
        slots::setback::Setback,
    },
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
    /// The reason, 1 to 500 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Name<500>>,
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
        period::check_order(from, to)?;
        let (body, notices) = attempt(&self.db, &self.mailer, context, |tx, _| {
            cancel(tx, context, provider, (from, to), request.reason.as_deref(), &once, now)
        })
        .await?;
        offers::tell(&self.mailer, &notices);
        Ok(once.replayable(body))
    }

    /// Move a provider's appointments
    ///
    /// Moves all appointments of which a service with the provider starts in the period, in one transaction: to another
    /// provider, by days or minutes, or both. Those that cannot be moved stay where they are, and the answer names them
    /// with the reason: they have begun, the new time is taken, a rule of the service does not allow it, or the
    /// provider does not perform the service. Time that one appointment leaves is free for the others. The seats of a
    /// group session are moved together, or none of them.
    ///
    /// 422 `required` on `provider_id` if nothing would change. 422 `period_too_long` on `to` if the period is longer
    /// than 7 days, `too_many` if it has more than 100 appointments: nothing is moved. 503 `computation_timeout` if
    /// computing takes longer than 2 seconds. 409 `already_booked` if a contact would have two seats of one session.
    #[oai(
        path = "/providers/:provider_id/appointments/move",
        method = "post",
        operation_id = "move_provider_appointments"
    )]
    async fn move_all(
        &self,
        caller: Member<Staff, Appointments>,
        provider_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<PeriodMove>,
    ) -> Result<Replayable<MovedPeriod>, ApiError<Writing>> {
        let (context, now) = (Context::from(&caller), Utc::now());
        let (provider, request) = (provider_id.0, &body.0);
        let key = idempotency_key.0;
        let once = Once::new(&context, "move_provider_appointments", key, &(provider, request))?;
        request.check(provider)?;
        let (body, notices) = attempt(&self.db, &self.mailer, context, |tx, number| {
            move_all(tx, provider, request, &once, (number, now))
        })
        .await?;
        offers::tell(&self.mailer, &notices);
        Ok(once.replayable(body))
    }
}

async fn cancel(
    mut tx: Tx,
    context: Context,
    provider: Uuid,
    period: (DateTime<Utc>, DateTime<Utc>),
    reason: Option<&str>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<(CancelledPeriod, Vec<Notice>), Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok((answer, Vec::new()));
    }
    provider_period::require(&mut tx, provider).await?;
    let action = AppointmentAction::Cancel;
    let (cancellable, kept) = provider_period::lock(&mut tx, provider, period, action, MOST).await?;
    let (following, precondition) = (false, &Precondition::none());
    let request = TransitionRequest { action, reason, following, precondition };
    let (cancelled, queue) = change_status(&mut tx, context, &cancellable, request, now).await?;
    let answer = CancelledPeriod { cancelled, kept: provider_period::named(kept) };
    // Before the transaction continues as the scheduler.
    once.keep(&mut tx, &answer).await?;
    let notices = match queue {
        Some(queue) => queue.offer(&mut tx, now).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    Ok((answer, notices))
}
