//! The operations that change the status of an appointment: confirm, decline, cancel, check in, start, complete,
//! no-show and undo. Each is recorded in `scheduling.appointment_transitions`; time that it frees is free in the same
//! statement.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, GET, WholeAppointment},
    attempts::attempt,
    offers::{self, Notice, Queue},
    too_early,
    transaction::Locks,
    undo::undo,
};
use crate::{
    db::{Context, Db, Params, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Precondition},
        json::{Json, OptionalJson, Replayable, or_default},
        name::Name,
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Failure, Listing, Problem, Writing},
        values::IdempotencyKey,
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::slots::{problems::no_series, setback::Setback},
    sql,
};

/// A cancellation.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Cancellation {
    /// The reason, 1 to 500 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Name<500>>,
    /// Whether to cancel all later appointments of the series too. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub following: bool,
}

impl Example for Cancellation {
    fn example() -> Self {
        Self { reason: Name::parse("The customer is ill.").ok(), following: false }
    }
}

/// The reason of a change of status.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct TransitionReason {
    /// The reason, 1 to 500 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Name<500>>,
}

impl From<TransitionReason> for Cancellation {
    fn from(TransitionReason { reason }: TransitionReason) -> Self {
        Self { reason, following: false }
    }
}

impl Example for TransitionReason {
    fn example() -> Self {
        Self { reason: Name::parse("As agreed on the telephone.").ok() }
    }
}

/// A change of an appointment.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Transition {
    pub id: Uuid,
    pub action: AppointmentAction,
    pub from_status: AppointmentStatus,
    pub to_status: AppointmentStatus,
    /// The previous start. Absent if it was not moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_starts_at: Option<DateTime<Utc>>,
    /// The previous provider. Absent if it was not moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_provider_id: Option<Uuid>,
    pub occurred_at: DateTime<Utc>,
    /// The account or API key that made the change. Absent if a guest did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<Uuid>,
    /// The role of the actor: a member's role, `customer` or `guest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_role: Option<String>,
    /// The reason; absent if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

row! {
    Transition {
        id, action, from_status, to_status, from_starts_at, from_provider_id, occurred_at, actor_id, actor_role, reason
    }
}

pub struct TransitionsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl TransitionsApi {
    /// List the changes of an appointment
    ///
    /// All changes of status and time, oldest first. The booking itself is not listed; see `created_at` and
    /// `created_by` of the appointment.
    #[oai(
        path = "/appointments/:appointment_id/transitions",
        method = "get",
        operation_id = "list_appointment_transitions"
    )]
    async fn list_transitions(
        &self,
        caller: Member<Viewer>,
        appointment_id: Path<Uuid>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<Transition>>, ApiError<Listing>> {
        let mut tx = self.db.begin(&caller);
        tx.optional(GET, &[&appointment_id.0]).await?.ok_or_else(Problem::not_found)?;
        let sql = sql!("scheduling/appointment_transitions_list.sql" as Transition);
        let transitions = tx.all(sql, &[&appointment_id.0, &page.after_id(), &page.rows(), &ids.0]).await?;
        tx.commit().await?;
        Ok(Json(page.of(transitions, |last| Cursor::id(last.id))))
    }

    /// Cancel an appointment
    ///
    /// Frees its time immediately, or offers it to the waitlist. The body is optional. With `following`, all later
    /// appointments of the series are cancelled too; the answer contains this one. 409 `no_series` if it belongs to no
    /// series. 409 `transition_not_allowed`, with the `allowed` actions, if its status does not allow cancelling.
    #[oai(
        path = "/appointments/:appointment_id/cancel",
        method = "post",
        operation_id = "cancel_appointment"
    )]
    async fn cancel(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<Cancellation>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("cancel_appointment", AppointmentAction::Cancel);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0).await
    }

    /// Confirm an appointment
    ///
    /// Confirms a pending appointment. 409 `transition_not_allowed`, with the `allowed` actions, if it is not pending.
    #[oai(
        path = "/appointments/:appointment_id/confirm",
        method = "post",
        operation_id = "confirm_appointment"
    )]
    async fn confirm(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("confirm_appointment", AppointmentAction::Confirm);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Decline an appointment
    ///
    /// Declines a pending appointment, and frees its time immediately or offers it to the waitlist. 409
    /// `transition_not_allowed`, with the `allowed` actions, if it is not pending.
    #[oai(
        path = "/appointments/:appointment_id/decline",
        method = "post",
        operation_id = "decline_appointment"
    )]
    async fn decline(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("decline_appointment", AppointmentAction::Decline);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Check in for an appointment
    ///
    /// Records that the customer has arrived. 409 `too_early` if the start is more than `check_in_opens_minutes` ahead
    /// (see `PATCH /api/v1/organizations/me/settings`). 409 `transition_not_allowed`, with the `allowed` actions, if it
    /// is not confirmed.
    #[oai(
        path = "/appointments/:appointment_id/check-in",
        method = "post",
        operation_id = "check_in_appointment"
    )]
    async fn check_in(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("check_in_appointment", AppointmentAction::CheckIn);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Start an appointment
    ///
    /// Records that the appointment has begun. 409 `too_early` before its start. 409 `transition_not_allowed`, with the
    /// `allowed` actions, if it is neither confirmed nor checked in.
    #[oai(path = "/appointments/:appointment_id/start", method = "post", operation_id = "start_appointment")]
    async fn start(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("start_appointment", AppointmentAction::Start);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Complete an appointment
    ///
    /// Records that the appointment has ended. If it is completed before its end, its remaining time, except the buffer
    /// after it, can be booked again and is offered to the waitlist; a group session keeps its time. 409 `too_early`
    /// before its start. 409 `transition_not_allowed`, with the `allowed` actions, if it is neither checked in nor in
    /// progress.
    #[oai(
        path = "/appointments/:appointment_id/complete",
        method = "post",
        operation_id = "complete_appointment"
    )]
    async fn complete(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("complete_appointment", AppointmentAction::Complete);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Mark an appointment as a no-show
    ///
    /// Records that the customer did not come. Its time can be booked again and is offered to the waitlist. 409
    /// `too_early` before its start. 409 `transition_not_allowed`, with the `allowed` actions, if it is not confirmed.
    #[oai(
        path = "/appointments/:appointment_id/no-show",
        method = "post",
        operation_id = "mark_appointment_no_show"
    )]
    async fn no_show(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let change = ("mark_appointment_no_show", AppointmentAction::NoShow);
        self.change(&caller, change, appointment_id.0, idempotency_key.0, &if_match, body.0.into()).await
    }

    /// Undo the last transition of an appointment
    ///
    /// Undoes the last check-in, start, completion or no-show: the appointment returns to its previous status, and
    /// takes the time again that the transition had freed. 409 `slot_unavailable` if that time was taken meanwhile, or
    /// a daily or weekly limit is reached without the appointment. 409 `transition_not_allowed`, with the `allowed`
    /// actions, if the status cannot be undone.
    #[oai(
        path = "/appointments/:appointment_id/undo",
        method = "post",
        operation_id = "undo_appointment_transition"
    )]
    async fn undo(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let (context, id) = (Context::from(&caller), appointment_id.0);
        let once = Once::new(&context, "undo_appointment_transition", idempotency_key.0, &(id, &body.0))?;
        let (db, mailer, reason) = (&self.db, &self.mailer, body.0.reason.as_deref());
        let undone = undo(db, mailer, context, id, reason, &if_match.on(), &once, Utc::now()).await?;
        Ok(once.replayable(undone))
    }
}

impl TransitionsApi {
    /// Changes the status: `operation` is the id of the operation, for its idempotency keys.
    async fn change(
        &self,
        caller: &Member<Staff>,
        (operation, action): (&'static str, AppointmentAction),
        appointment: Uuid,
        key: Option<IdempotencyKey>,
        if_match: &IfMatch,
        body: Cancellation,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let context = Context::from(caller);
        let once = Once::new(&context, operation, key, &(appointment, &body))?;
        let Cancellation { reason, following } = &body;
        let (reason, following, precondition) = (reason.as_deref(), *following, &if_match.on());
        let request = TransitionRequest { action, reason, following, precondition };
        let (db, mailer, now) = (&self.db, &self.mailer, Utc::now());
        Ok(once.replayable(transition(db, mailer, context, appointment, request, &once, now).await?))
    }
}

/// A requested change of status.
#[derive(Clone, Copy)]
pub struct TransitionRequest<'a> {
    pub action: AppointmentAction,
    pub reason: Option<&'a str>,
    /// Whether to include all later appointments of the series.
    pub following: bool,
    /// What the appointment must be like before.
    pub precondition: &'a Precondition<'a, Appointment>,
}

/// Changes the status of an appointment. Freed time is offered to the waitlist in the same transaction.
pub async fn transition(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    appointment: Uuid,
    done: TransitionRequest<'_>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    let (changed, notices) =
        attempt(db, mailer, context, |tx, _| transition_now(tx, context, appointment, done, once, now))
            .await?;
    offers::tell(mailer, &notices);
    Ok(changed)
}

async fn transition_now(
    mut tx: Tx,
    context: Context,
    appointment: Uuid,
    done: TransitionRequest<'_>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<(Appointment, Vec<Notice>), Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok((answer, Vec::new()));
    }
    let (action, by) = (done.action, CancelledBy::from(context));
    let mut ids = vec![appointment];
    if done.following {
        let row = tx.optional(GET, &[&appointment]).await?;
        let first = Appointment::from(row.ok_or_else(Problem::not_found)?);
        let (Some(series), Some(occurrence)) = (first.series_id, first.occurrence) else {
            return Err(no_series().into());
        };
        let sql = sql!("scheduling/appointments_list_by_series.sql" as WholeAppointment);
        let following = tx.all(sql, &[&series, &occurrence]).await?.into_iter().map(Appointment::from);
        ids.extend(following.map(|following| following.id).filter(|id| *id != appointment));
    }
    // Lock first, in its own statement: the next statement's snapshot then includes the changes we waited for.
    let rows = tx.all(sql!("scheduling/appointments_lock.sql" as WholeAppointment), &[&ids]).await?;
    let locked: Vec<Appointment> = rows.into_iter().map(Into::into).collect();
    locked.iter().filter(|one| one.id == appointment).try_for_each(|one| done.precondition.check(one))?;
    let (rows, queue) = change_status(&mut tx, context, &locked, done, now).await?;
    let Some(changed) = rows.into_iter().find(|changed| changed.id == appointment) else {
        // Nothing was changed: report the current status.
        let row = tx.optional(GET, &[&appointment]).await?;
        let as_it_is = Appointment::from(row.ok_or_else(Problem::not_found)?);
        return Err(action.not_allowed(as_it_is.status, by).into());
    };
    // Before the transaction continues as the scheduler.
    once.keep(&mut tx, &changed).await?;
    let notices = match queue {
        Some(queue) => queue.offer(&mut tx, now).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    Ok((changed, notices))
}

/// Changes the status of locked appointments. Returns those that were changed, and who may be offered their time.
pub async fn change_status(
    tx: &mut Tx,
    context: Context,
    locked: &[Appointment],
    done: TransitionRequest<'_>,
    now: DateTime<Utc>,
) -> Result<(Vec<Appointment>, Option<Queue>), Setback> {
    let (action, by) = (done.action, CancelledBy::from(context));
    let to = action.to().ok_or_else(Problem::internal)?;
    let ids: Vec<Uuid> = locked.iter().map(|appointment| appointment.id).collect();
    for appointment in locked {
        too_early::check(tx, appointment, action, by, now).await?;
    }
    let mut queue = None;
    if !to.takes_time() {
        let times: Vec<_> = locked.iter().map(|one| (one.starts_at, one.ends_at)).collect();
        let waiting = Queue::read(tx, &times).await?;
        let locks = Locks { appointments: ids.clone(), ..Locks::default() };
        waiting.add_to(locks).take(tx).await?;
        queue = Some(waiting);
    }
    let from: Vec<&str> = action.from(by).iter().map(|status| status.name()).collect();
    let transitions: Vec<Uuid> = ids.iter().map(|_| Uuid::now_v7()).collect();
    let sql = sql!("scheduling/appointments_transition.sql" as WholeAppointment);
    let (action, to, actor, by) = (action.name(), to.name(), context.actor(), by.name());
    let params: Params = &[&ids, &action, &to, &from, &done.reason, &transitions, &now, &actor, &by];
    let rows = tx.all(sql, params).await?;
    Ok((rows.into_iter().map(Appointment::from).collect(), queue))
}
