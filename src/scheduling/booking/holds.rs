//! The operations on holds: slots reserved for some minutes. Confirming a hold in time always succeeds and makes it an
//! appointment. An expired hold has no effect, even before it is removed. The clock is the database's.

use std::sync::atomic::{AtomicBool, Ordering};

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
    appointment::{Appointment, AppointmentStatus},
    attempts::attempt,
    book::{self, Order, Who},
    claims::{contact_claim, on_taken},
    guest_request::GuestRequest,
    hold::{self, HeldTime, Hold, LockedHold},
    offers,
    transaction::{Locks, seat_seed},
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Context, Db, Sql, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Precondition},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Number, Text, TimeZone},
    },
    messaging::{
        budget::{self, Leave, OnBehalf},
        mail::Mailer,
    },
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        slots::{
            availability::{Enforcement, SlotError},
            choose::choose,
            refusals::contact_busy,
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
    #[serde(default)]
    #[oai(default)]
    pub override_rules: bool,
}

impl Example for NewHold {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2026-12-01T09:00:00+01:00",
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
    #[serde(default, deserialize_with = "present")]
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

/// The appointment that a confirmed hold has become.
pub const GET_CONFIRMED: Sql<Appointment> = sql!("scheduling/appointments_get_by_hold.sql" as Appointment);

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
        page: Paging,
    ) -> Result<Json<Page<Hold>>, ApiError<Listing>> {
        let sql = sql!("scheduling/holds_list.sql" as Hold);
        let holds = self.db.all(&caller, sql, &[&page.after_id(), &page.rows()]).await?;
        Ok(Json(page.of(holds, |last| Cursor::id(last.id))))
    }

    /// Hold a slot
    ///
    /// Reserves a free slot for some minutes. Confirming the hold before it expires always succeeds. Errors are those
    /// of booking. 409 `too_many_holds` if the organization has 500 holds; offers to the waitlist do not count.
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
        let (hold, _) = hold(&self.db, &self.mailer, context, &order, minutes, &once, now).await?;
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
    /// and 404 some seconds later. 409 `contact_busy` if the contact has another appointment at that time.
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
            held: HoldSelector::By(hold_id.0),
            who,
            note: body.0.note.as_deref(),
            guest: None,
            once: &once,
            precondition: &if_match.on(),
        };
        let (body, replayed) = confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
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
            .optional(sql!("scheduling/holds_standing.sql" as HeldTime), &[&id])
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

/// The content of a verification e-mail to a guest, and the permission to send it.
pub struct ToVerify {
    pub leave: Leave,
    pub notice: BookingNotice,
}

/// The content of the e-mail.
pub struct BookingNotice {
    pub organization_name: String,
    pub time_zone: TimeZone,
    pub service_name: String,
    pub provider_name: String,
}

row! {
    BookingNotice { organization_name, time_zone, service_name, provider_name }
}

/// Holds a slot in one transaction. For a guest whose address must be verified, the transaction also gets the
/// permission to send the e-mail, because the hold cannot be confirmed without it.
pub async fn hold(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    order: &Order<'_>,
    minutes: i32,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<(Hold, Option<ToVerify>), Failure> {
    let seconds = f64::from(minutes * 60);
    let held =
        attempt(db, mailer, context, |tx, number| hold_now(tx, order, seconds, once, seat_seed(number), now));
    match held.await? {
        Ok(held) => Ok(held),
        Err(refusal) => Err(book::refuse(db, context, order, refusal, now).await),
    }
}

async fn hold_now(
    mut tx: Tx,
    order: &Order<'_>,
    seconds: f64,
    once: &Once,
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<(Hold, Option<ToVerify>), SlotError>, Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok(Ok((answer, None)));
    }
    let availability = book::load(&mut tx, order, now).await?;
    let plan = match choose(&availability, order.provider, order.request(seat_seed))? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(guest) = &order.guest {
        guest.count(&mut tx).await?;
    }
    let overridden = order.policy == Enforcement::ClaimsOnly;
    let id = order.id.unwrap_or_else(Uuid::now_v7);
    let hold = hold::insert(&mut tx, id, &plan, seconds, overridden, None).await?;
    let mut to_verify = None;
    if let Who::New(contact) = &order.who {
        // Stores the guest's details; they become a contact when the hold is confirmed.
        tx.all(
            sql!("scheduling/guest_bookings_create.sql"),
            &[
                &id,
                &&*contact.first_name,
                &&*contact.last_name,
                &contact.email.as_deref(),
                &contact.phone.as_deref(),
                &order.note,
            ],
        )
        .await?;
        let notice = tx.one(sql!("scheduling/guest_bookings_notice.sql" as BookingNotice), &[&id]).await?;
        let email = contact.email.as_deref().ok_or_else(Problem::internal)?;
        let tenant = tx.context().ok_or_else(Problem::internal)?.tenant;
        let on_behalf = OnBehalf::Organization { id: tenant, inviter: None };
        to_verify = Some(ToVerify { leave: budget::ask(&mut tx, email, on_behalf).await?, notice });
    }
    once.keep(&mut tx, &hold).await?;
    tx.commit().await?;
    Ok(Ok((hold, to_verify)))
}

/// The hold to confirm.
#[derive(Clone, Copy)]
pub enum HoldSelector {
    By(Uuid),
    /// The current offer to a waitlist entry.
    For(Uuid),
}

/// A request to confirm a hold.
pub struct Confirmation<'a> {
    pub held: HoldSelector,
    /// The contact.
    pub who: Who<'a>,
    pub note: Option<&'a str>,
    /// For a guest: the limits it counts towards.
    pub guest: Option<&'a GuestRequest>,
    pub once: &'a Once,
    /// What the hold must be like before.
    pub precondition: &'a Precondition<'a, Hold>,
}

/// Confirms a hold in its own transaction. Also returns whether it was already confirmed, by this request or another.
pub async fn confirm_alone(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    confirmation: &Confirmation<'_>,
) -> Result<(Appointment, bool), Failure> {
    let confirmed_before = AtomicBool::new(false);
    let once = confirmation.once;
    let appointment = attempt(db, mailer, context, async |tx: Tx, _| {
        let confirming = once.run(tx, async |tx| match confirm(tx, confirmation).await {
            Err(Failure::Problem(problem)) if problem.code == "not_found" => {
                let HoldSelector::By(hold) = confirmation.held else {
                    return Err(problem.into());
                };
                let appointment = tx.optional(GET_CONFIRMED, &[&hold]).await?;
                confirmed_before.store(true, Ordering::Relaxed);
                Ok(appointment.ok_or(problem)?)
            }
            confirmed => confirmed,
        });
        Ok(confirming.await?)
    })
    .await?;
    Ok((appointment, confirmed_before.into_inner() || once.is_replay()))
}

/// Turns a hold into an appointment, with the id of the hold or of the waitlist entry it was offered to, because the
/// link of a guest is valid for all of them. If a member confirms a guest's hold, the appointment gets a new id: it is
/// for a contact that the member chose, and the guest's link must not give access to it.
pub async fn confirm(tx: &mut Tx, confirmation: &Confirmation<'_>) -> Result<Appointment, Failure> {
    let Confirmation { held, who, note, guest, precondition, .. } = confirmation;
    let (by_id, by_entry) = match *held {
        HoldSelector::By(id) => (Some(id), None),
        HoldSelector::For(entry) => (None, Some(entry)),
    };
    let locked = tx
        .optional(sql!("scheduling/holds_lock.sql" as LockedHold), &[&by_id, &by_entry])
        .await?
        .ok_or_else(Problem::not_found)?;
    let (hold, entry) = (locked.id, locked.waitlist_entry_id);
    if by_entry.is_none() && entry.is_some() {
        // An offer can only be accepted through its waitlist entry.
        Err(Problem::not_found())?;
    }
    if !locked.stands {
        Err(Problem::conflict("hold_expired", "The hold has expired. Choose another slot."))?;
    }
    hold::require(tx, hold, precondition).await?;
    let guest_key = guest.and_then(|guest| guest.key).or(locked.guest_key);
    let contact = match *who {
        Who::Known(contact) => contact,
        Who::New(contact) => contacts::create(tx, contact).await?,
        Who::Unknown => Err(Problem::internal())?,
    };
    let pending = locked.requires_approval && !locked.overridden;
    let status = if pending { AppointmentStatus::Pending } else { AppointmentStatus::Confirmed };
    let locks = Locks { resources: vec![contact], holds: vec![hold], ..Locks::default() };
    locks.take(tx).await?;
    if let Some(guest) = guest {
        guest.count(tx).await?;
    }
    let is_guests = entry.is_none() && locked.created_by.is_none();
    let by_member = tx
        .context()
        .is_some_and(|context| matches!(context.who, db::Who::Session { .. } | db::Who::Key { .. }));
    let id = if is_guests && by_member { Uuid::now_v7() } else { entry.unwrap_or(hold) };
    let claims: Vec<_> = (!locked.contact_may_overlap)
        .then(|| contact_claim(contact, id, locked.starts_at, locked.ends_at))
        .into_iter()
        .collect();
    let confirmed = tx
        .one(
            sql!("scheduling/holds_confirm.sql" as Appointment),
            &[&hold, &id, &contact, &json!(claims), &status.name(), &note, &locked.seat, &guest_key],
        )
        .await;
    let appointment = on_taken(confirmed, contact_busy)?;
    if let Some(entry) = entry {
        tx.all(
            sql!("scheduling/waitlist_update.sql"),
            &[&entry, &"booked", &Some(appointment.id), &vec!["offered"]],
        )
        .await?;
    }
    tx.all(sql!("scheduling/holds_forget.sql"), &[&hold]).await?;
    Ok(appointment)
}
