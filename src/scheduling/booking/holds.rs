//! The operations on holds: slots reserved for some minutes. Confirming a hold in time always succeeds and makes it an
//! appointment. An expired hold has no effect, even before it is removed. The clock is the database's.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::Appointment,
    attempts::attempt,
    book::{self, Order, Who},
    claims::Labels,
    confirm::{self, Confirmation, HoldSelector},
    hold::{self, HeldTime, Hold},
    offers,
    transaction::seat_seed,
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, Db, Params, Tx},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Precondition},
        json::{Created, Json, NoContent, or_default},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, Number, Text, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        hours::period::Bounds,
        slots::{
            availability::{Allocation, Enforcement, SlotError},
            choose::choose_inside,
            guest_rules::verified_only,
            setback::Setback,
        },
    },
    sql,
};

/// The default duration of a hold, in minutes.
pub const DEFAULT_MINUTES: i32 = 10;

/// A new hold.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewHold {
    pub service_id: Uuid,
    /// The provider. If omitted: the free provider with the fewest appointments that day.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The start: one that `GET /api/v1/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// Duration of the hold in minutes, 1 to 60. Defaults to 10.
    #[serde(default)]
    #[oai(nullable)]
    pub minutes: Option<Number<1, 60>>,
    /// Whether to ignore the rules for notice, horizon, hours, grid, limits and approval. Taken time still cannot be
    /// held. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for NewHold {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
            "minutes": 5,
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// The contact for whom a hold is confirmed.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct HoldConfirmation {
    /// An existing contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// A new contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact: Option<NewContact>,
    /// A note of the organization, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 2000>>,
}

impl Example for HoldConfirmation {
    fn example() -> Self {
        Self { contact_id: None, contact: Some(NewContact::example()), note: None }
    }
}

pub struct HoldsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl HoldsApi {
    /// List holds
    ///
    /// Holds that have not expired, in the order in which they were created.
    #[oai(path = "/holds", method = "get", operation_id = "list_holds")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only holds that start at or after this instant, or on or after this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only holds that start before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<Hold>>, ApiError<Listing>> {
        let sql = sql!("scheduling/holds_list.sql" as Hold);
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed(&self.db, (&caller).into()).await?;
        let params: Params = &[&page.after_id(), &page.rows(), &ids.0, &from, &to];
        let holds = self.db.all(&caller, sql, params).await?;
        Ok(Json(page.of(holds, |last| Cursor::id(last.id))))
    }

    /// Hold a slot
    ///
    /// Reserves a free slot for some minutes. Confirming the hold before it expires always succeeds. Errors are those
    /// of booking. 409 `too_many_holds` if the organization has 500 holds; offers to the waitlist do not count. 409
    /// `slot_unavailable` or `contact_busy` if the time is taken.
    #[oai(path = "/holds", method = "post", operation_id = "create_hold")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewHold>,
    ) -> Result<Created<Hold>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_hold", idempotency_key.0, &body.0)?;
        let (order, now) = (body.0.order(), Utc::now());
        let minutes = body.0.minutes.map_or(DEFAULT_MINUTES, |minutes| minutes.0);
        let held = hold(&self.db, &self.mailer, context, &order, minutes, &once, now).await;
        let hold = order.ids().named(&self.db, context, held).await?;
        Ok(once.created(format!("/api/v1/holds/{}", hold.id), hold))
    }

    /// Get a hold
    ///
    /// 404 after it has expired.
    #[oai(path = "/holds/:hold_id", method = "get", operation_id = "get_hold")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        hold_id: Path<Uuid>,
    ) -> Result<Json<Hold>, ApiError<Reading>> {
        let hold = self.db.optional(&caller, hold::GET, &[&hold_id.0]).await?;
        Ok(Json(hold.ok_or_else(Problem::not_found)?))
    }

    /// Release a hold
    ///
    /// Frees its time immediately, or offers it to the waitlist. 404 for an offer to the waitlist; decline it with
    /// `POST /api/v1/waitlist/{waitlist_entry_id}/decline` instead.
    #[oai(path = "/holds/:hold_id", method = "delete", operation_id = "release_hold")]
    async fn release(
        &self,
        caller: Member<Staff>,
        hold_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        release(&self.db, &self.mailer, (&caller).into(), hold_id.0, &if_match.on()).await?;
        Ok(NoContent)
    }

    /// Confirm a hold
    ///
    /// Turns the hold into an appointment, which is `pending` if the service requires approval. If the hold was already
    /// confirmed, returns its appointment with `Idempotency-Replayed: true`. 409 `hold_expired` after it has expired,
    /// and 404 some seconds later. 409 `contact_busy` if the contact has another appointment at that time. 409
    /// `already_booked` if the contact has a seat in the session.
    #[oai(path = "/holds/:hold_id/confirm", method = "post", operation_id = "confirm_hold")]
    async fn confirm(
        &self,
        caller: Member<Staff, Appointments>,
        hold_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<HoldConfirmation>,
    ) -> Result<Created<Appointment>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "confirm_hold", idempotency_key.0, &(hold_id.0, &body.0))?;
        let who = book::who(body.0.contact_id, body.0.contact.as_ref())?;
        let confirmation = Confirmation {
            held: HoldSelector::By(hold_id.0, if_match.on()),
            who,
            note: body.0.note.as_deref(),
            guest: None,
            once: &once,
        };
        let (body, replayed) = confirm::confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
        Ok(Created { location: format!("/api/v1/appointments/{}", body.id), body, replayed })
    }
}

impl NewHold {
    fn order(&self) -> Order<'static> {
        Order {
            id: None,
            services: vec![self.service_id],
            provider: self.provider_id,
            start: self.starts_at.0,
            who: Who::Unknown,
            note: None,
            labels: Labels::default(),
            policy: book::policy(self.override_rules),
            online: false,
            guest: None,
        }
    }
}

/// Releases a hold, and offers its time to the waitlist in the same transaction.
pub async fn release(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    precondition: &Precondition<'_, Hold>,
) -> Result<(), Failure> {
    let notices = attempt(db, mailer, context, async |mut tx: Tx, _| {
        let hold = tx
            .optional(sql!("scheduling/holds_lock_standing.sql" as HeldTime), &[&id])
            .await?
            .ok_or_else(Problem::not_found)?;
        hold::require(&mut tx, id, precondition).await?;
        let notices = offers::free_holds(&mut tx, &[hold], "declined", Utc::now()).await?;
        tx.commit().await?;
        Ok(notices)
    })
    .await?;
    offers::tell(mailer, &notices);
    Ok(())
}

/// Holds a slot in one transaction.
pub async fn hold(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    order: &Order<'_>,
    minutes: i32,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Hold, Failure> {
    let seconds = f64::from(minutes * 60);
    let held =
        attempt(db, mailer, context, |tx, number| hold_now(tx, order, seconds, once, seat_seed(number), now));
    match held.await? {
        Ok(hold) => Ok(hold),
        Err(error) => Err(book::with_alternatives(db, context, order, error, now).await),
    }
}

async fn hold_now(
    mut tx: Tx,
    order: &Order<'_>,
    seconds: f64,
    once: &Once,
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<Hold, SlotError>, Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok(Ok(answer));
    }
    let availability = book::load(&mut tx, order, now).await?;
    if order.guest.is_some() && availability.services.iter().any(|rules| rules.of_guests().verifies()) {
        Err(verified_only())?;
    }
    let request = order.request(seat_seed);
    let plan = match choose_inside(&tx, availability, order.provider, request).await?.1 {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    let hold = write(&mut tx, order, &plan, seconds).await?;
    once.keep(&mut tx, &hold).await?;
    tx.commit().await?;
    Ok(Ok(hold))
}

/// Holds the allocation in a transaction that the caller commits.
pub async fn write(tx: &mut Tx, order: &Order<'_>, plan: &Allocation, seconds: f64) -> Result<Hold, Setback> {
    if let Some(guest) = &order.guest {
        guest.count(tx).await?;
    }
    let overridden = order.policy == Enforcement::ClaimsOnly;
    let id = order.id.unwrap_or_else(Uuid::now_v7);
    Ok(hold::insert(tx, id, plan, seconds, overridden, None).await?)
}
