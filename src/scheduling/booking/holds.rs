//! Holds: time kept for somebody for some minutes. Confirmed in time a hold becomes an appointment, whatever else happens;
//! expired it counts for nothing, without anybody having to do anything. The clock is the database's.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus},
    attempts::attempt,
    book::{self, Order, Who},
    claims::taken,
    guest_request::GuestRequest,
    hold::{self, Hold},
    offers,
    transaction::{Locks, seat_seed},
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Context, Db, Tx},
    http::{
        Tag,
        caller::{Appointments, Member, Staff, Viewer},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Number, Text},
    },
    messaging::{
        budget::{self, Leave, OnBehalf},
        mail::Mailer,
    },
    operations::idempotency::Once,
    scheduling::slots::{
        availability::{Enforcement, SlotError},
        choose::choose,
        refusals::contact_busy,
        setback::{Setback, lost_race},
    },
    sql,
};

/// How many minutes a hold lasts where nobody says.
pub const DEFAULT_MINUTES: i32 = 10;

/// A hold to make.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewHold {
    pub service_id: Uuid,
    /// Who gives it; whoever is free and has least that day, where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// One of the starts that `GET /api/v1/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// How many minutes it lasts, 1 to 60; 10 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub minutes: Option<Number<1, 60>>,
    /// Hold against the rules: notice, horizon, hours, grid, limits. Time that is taken stays taken.
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

/// For whom a hold becomes an appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct HoldConfirmation {
    /// Who comes: either a contact there is, or with `contact` a new one.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// Who comes: a contact to create. Give either this or `contact_id`.
    #[serde(default, deserialize_with = "present")]
    pub contact: Option<NewContact>,
    /// Free text of the organization.
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

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl HoldsApi {
    /// List holds
    ///
    /// Those that have not expired, in the order in which they were made.
    #[oai(path = "/holds", method = "get", operation_id = "list_holds")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        page: Paging,
    ) -> Result<Json<Page<Hold>>, ApiError<Listing>> {
        let rows = self
            .db
            .all(&caller, sql!("scheduling/holds_list.sql"), &[&page.after_id(), &page.rows()])
            .await?;
        let holds = rows.into_iter().map(Hold::from).collect();
        Ok(Json(page.of(holds, |last| Cursor::id(last.id))))
    }

    /// Hold a slot
    ///
    /// Keeps a free slot for some minutes: nobody else gets it, and confirming it before it expires always works. Refused as
    /// booking is. An organization may have 500 holds that stand: 409 `too_many_holds` otherwise. Offers to the waitlist do not
    /// count.
    #[oai(path = "/holds", method = "post", operation_id = "create_hold")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewHold>,
    ) -> Result<Created<Hold>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_hold", idempotency_key.0, &body.0)?;
        let order = body.0.order();
        let minutes = body.0.minutes.map_or(DEFAULT_MINUTES, |minutes| minutes.0);
        let now = Utc::now();
        let (hold, _) = hold(&self.db, &self.mailer, context, &order, minutes, once.as_ref(), now).await?;
        let location = format!("/api/v1/holds/{}", hold.id);
        Ok(Created { location, body: hold, replayed: Once::is_replay(once.as_ref()) })
    }

    /// Get a hold
    ///
    /// 404 once it has expired.
    #[oai(path = "/holds/:hold_id", method = "get", operation_id = "get_hold")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        hold_id: Path<Uuid>,
    ) -> Result<Json<Hold>, ApiError<Reading>> {
        let row = self.db.optional(&caller, sql!("scheduling/holds_get.sql"), &[&hold_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Release a hold
    ///
    /// Its time is free at once, or offered to the first on the waitlist. An offer to the waitlist is declined at
    /// `/api/v1/waitlist` instead: 404 here.
    #[oai(path = "/holds/:hold_id", method = "delete", operation_id = "release_hold")]
    async fn release(
        &self,
        caller: Member<Staff>,
        hold_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        release(&self.db, &self.mailer, (&caller).into(), hold_id.0).await?;
        Ok(NoContent)
    }

    /// Confirm a hold
    ///
    /// Makes it an appointment, `pending` where the service wants approval. A hold that was confirmed before is answered with the
    /// appointment it has become, and `Idempotency-Replayed: true`. 409 `hold_expired` where it was confirmed too late (404 some
    /// seconds later),
    /// `contact_busy` where the contact has something else then.
    #[oai(path = "/holds/:hold_id/confirm", method = "post", operation_id = "confirm_hold")]
    async fn confirm(
        &self,
        caller: Member<Staff, Appointments>,
        hold_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
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
            once: once.as_ref(),
        };
        let (appointment, replayed) = confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
        let location = format!("/api/v1/appointments/{}", appointment.id);
        Ok(Created { location, body: appointment, replayed })
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

/// Gives a hold back, and offers its time to the waitlist in the same transaction.
pub async fn release(db: &Db, mailer: &Mailer, context: Context, id: Uuid) -> Result<(), Failure> {
    let notices = attempt(db, mailer, context, async |mut tx: Tx, _| {
        let row = tx
            .optional(sql!("scheduling/holds_standing.sql"), &[&id])
            .await?
            .ok_or_else(Problem::not_found)?;
        let time = (row.get("starts_at"), row.get("ends_at"));
        let notices = offers::free_holds(&mut tx, vec![id], &[time], "declined", Utc::now()).await?;
        tx.commit().await?;
        Ok(notices)
    })
    .await?;
    offers::tell(mailer, &notices);
    Ok(())
}

/// What a guest is to be told whose address has to be verified, and leave to tell it.
pub struct ToVerify {
    pub leave: Leave,
    /// A row of `guest_bookings_notice.sql`.
    pub notice: Row,
}

/// Holds a slot, in one transaction. A guest who comes is told how to verify their address: leave to send that is part of
/// it, for without the mail nobody could confirm the hold.
pub async fn hold(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    order: &Order<'_>,
    minutes: i32,
    once: Option<&Once>,
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
    once: Option<&Once>,
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<(Hold, Option<ToVerify>), SlotError>, Setback> {
    if let Some(once) = once
        && let Some(answer) = once.answered(&mut tx).await?
    {
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
    let hold = hold::insert(&mut tx, id, &plan, seconds, overridden, None).await?.ok_or_else(lost_race)?;
    let mut to_verify = None;
    if let Who::New(contact) = &order.who {
        // Who comes is known, and becomes a contact when the hold is confirmed.
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
        let notice = tx.one(sql!("scheduling/guest_bookings_notice.sql"), &[&id]).await?;
        let email = contact.email.as_deref().ok_or_else(Problem::internal)?;
        let tenant = tx.context().ok_or_else(Problem::internal)?.tenant;
        let on_behalf = OnBehalf::Organization { id: tenant, inviter: None };
        to_verify = Some(ToVerify { leave: budget::ask(&mut tx, email, on_behalf).await?, notice });
    }
    if let Some(once) = once {
        once.keep(&mut tx, &hold).await?;
    }
    tx.commit().await?;
    Ok(Ok((hold, to_verify)))
}

/// Which hold is to be confirmed.
#[derive(Clone, Copy)]
pub enum HoldSelector {
    By(Uuid),
    /// The one that stands for somebody on the waitlist.
    For(Uuid),
}

/// How a hold is confirmed.
pub struct Confirmation<'a> {
    pub held: HoldSelector,
    /// Who comes.
    pub who: Who<'a>,
    pub note: Option<&'a str>,
    /// Of a guest: what it counts towards.
    pub guest: Option<&'a GuestRequest>,
    pub once: Option<&'a Once>,
}

/// Confirms a hold in a transaction of its own; whether it was confirmed before, by this request or another.
pub async fn confirm_alone(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    confirmation: &Confirmation<'_>,
) -> Result<(Appointment, bool), Failure> {
    let confirmed_before = AtomicBool::new(false);
    let appointment = attempt(db, mailer, context, async |mut tx: Tx, _| {
        let appointment =
            Once::run(confirmation.once, &mut tx, async |tx| match confirm(tx, confirmation).await {
                Err(Failure::Problem(problem)) if problem.code == "not_found" => {
                    let HoldSelector::By(hold) = confirmation.held else {
                        return Err(problem.into());
                    };
                    let row = tx.optional(sql!("scheduling/appointments_get_by_hold.sql"), &[&hold]).await?;
                    confirmed_before.store(true, Ordering::Relaxed);
                    Ok(row.ok_or(problem)?.into())
                }
                confirmed => confirmed,
            })
            .await?;
        tx.commit().await?;
        Ok(appointment)
    })
    .await?;
    Ok((appointment, confirmed_before.into_inner() || Once::is_replay(confirmation.once)))
}

/// Makes a hold an appointment, with the id of the hold, or of the entry of the waitlist that it was offered to: the link
/// of a guest names all of them. Where a member confirms what a guest holds, it is for a contact that the member names:
/// the guest's link must not lead there.
pub async fn confirm(tx: &mut Tx, confirmation: &Confirmation<'_>) -> Result<Appointment, Failure> {
    let Confirmation { held, who, note, guest, .. } = confirmation;
    let (by_id, by_entry) = match *held {
        HoldSelector::By(id) => (Some(id), None),
        HoldSelector::For(entry) => (None, Some(entry)),
    };
    let row = tx
        .optional(sql!("scheduling/holds_lock.sql"), &[&by_id, &by_entry])
        .await?
        .ok_or_else(Problem::not_found)?;
    let entry: Option<Uuid> = row.get("waitlist_entry_id");
    if by_entry.is_none() && entry.is_some() {
        // An offer is accepted by whom it was made to.
        Err(Problem::not_found())?;
    }
    if !row.get::<_, bool>("stands") {
        Err(Problem::conflict("hold_expired", "The hold has expired. Look for another slot."))?;
    }
    let hold: Uuid = row.get("id");
    let guest_key = guest.and_then(|guest| guest.key).or(row.get("guest_key"));
    let contact = match *who {
        Who::Known(contact) => contact,
        Who::New(contact) => contacts::create(tx, contact).await?,
        Who::Unknown => Err(Problem::internal())?,
    };
    let pending = row.get::<_, bool>("requires_approval") && !row.get::<_, bool>("overridden");
    let status = if pending { AppointmentStatus::Pending } else { AppointmentStatus::Confirmed };
    let locks = Locks { resources: vec![contact], holds: vec![hold], ..Locks::default() };
    locks.take(tx).await?;
    if let Some(guest) = guest {
        guest.count(tx).await?;
    }
    let is_guests = entry.is_none() && row.get::<_, Option<Uuid>>("created_by").is_none();
    let by_member = tx
        .context()
        .is_some_and(|context| matches!(context.who, db::Who::Session { .. } | db::Who::Key { .. }));
    let id = if is_guests && by_member { Uuid::now_v7() } else { entry.unwrap_or(hold) };
    let contact_claim = (!row.get::<_, bool>("contact_may_overlap")).then(Uuid::now_v7);
    let seat: Option<i16> = row.get("seat");
    let confirmed = tx
        .all(
            sql!("scheduling/holds_confirm.sql"),
            &[&hold, &id, &contact, &contact_claim, &status.name(), &note, &seat, &guest_key],
        )
        .await;
    let appointment = taken(confirmed)?.pop().map(Appointment::from).ok_or_else(contact_busy)?;
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
