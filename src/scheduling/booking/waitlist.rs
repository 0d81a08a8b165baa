//! The operations on the waitlist. Freed time is offered to the first matching entry for up to an hour; an offer that
//! is declined or expires goes to the next entry ([`super::offers`]).

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use uuid::Uuid;

use super::{
    appointment::{self, Appointment},
    attempts::attempt,
    book::{self, Who},
    hold::HeldTime,
    holds::{self, Confirmation, HoldSelector},
    offers::{self, Notice},
    waitlist_entry::{NewWaitlistEntry, WaitlistEntry, WaitlistStatus, WholeEntry},
};
use crate::{
    crm::contacts,
    db::{Context, Db, Sql, Tx},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Precondition},
        json::{Created, Json},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        slots::{
            refusals::{unknown_provider, unknown_service},
            setback::Setback,
        },
    },
    sql,
};

pub const GET: Sql<WholeEntry> = sql!("scheduling/waitlist_get.sql" as WholeEntry);

/// The maximum period of a waitlist entry.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(366);

pub struct WaitlistApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl WaitlistApi {
    /// List the waitlist
    ///
    /// All entries, in the order in which they were created; time is offered in this order.
    #[oai(path = "/waitlist", method = "get", operation_id = "list_waitlist_entries")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only entries with this status.
        status: Query<Option<WaitlistStatus>>,
        /// Only entries for this service.
        service_id: Query<Option<Uuid>>,
        /// Only items that changed at or after this instant: the `as_of` of the previous list.
        updated_since: Query<Option<Instant>>,
        page: Paging,
    ) -> Result<Json<Page<WaitlistEntry>>, ApiError<Listing>> {
        let after = page.after(DateTime::UNIX_EPOCH);
        let status = status.0.map(WaitlistStatus::name);
        let as_of = self.db.as_of().await?;
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/waitlist_list.sql" as WholeEntry),
                &[
                    &status,
                    &service_id.0,
                    &after.time,
                    &after.id,
                    &page.rows(),
                    &updated_since.0.map(|instant| instant.0),
                ],
            )
            .await?;
        let entries = rows.into_iter().map(WaitlistEntry::from).collect();
        let page = page.of(entries, |last: &WaitlistEntry| Cursor::new(last.created_at, last.id));
        Ok(Json(page.as_of(as_of)))
    }

    /// Join the waitlist
    ///
    /// Adds a contact to the waitlist of a service. Freed time is offered to the first matching entry for up to an
    /// hour, but not beyond its start, then to the next. The contact gets an e-mail if it has an address. Entries whose
    /// contact has another appointment at that time are skipped. Time freed by a cancellation, a move or a hold is
    /// offered immediately; time freed by changes of hours, closures, time off or rules of the service is offered
    /// within seconds. 409 `already_waiting` if the contact has an entry for the service in an overlapping period. 409
    /// `too_many_entries` if the contact has ten waiting entries.
    #[oai(path = "/waitlist", method = "post", operation_id = "create_waitlist_entry")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewWaitlistEntry>,
    ) -> Result<Created<WaitlistEntry>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_waitlist_entry", idempotency_key.0, &body.0)?;
        let new = body.0;
        let period = period(new.from, new.to)?;
        let entry = self.db.attempt(context, async |tx: Tx, _| -> Result<WaitlistEntry, Failure> {
            once.run(tx, async |tx| {
                let contact = match book::who(new.contact_id, new.contact.as_ref())? {
                    Who::Known(contact) => contact,
                    Who::New(contact) => contacts::create(tx, contact).await?,
                    Who::Unknown => Err(Problem::internal())?,
                };
                let entry = NewEntry {
                    id: Uuid::now_v7(),
                    service: new.service_id,
                    provider: new.provider_id,
                    contact,
                    period,
                    guest_key: None,
                };
                add(tx, &entry).await
            })
            .await
        });
        let entry = entry.await?;
        Ok(once.created(format!("/api/v1/waitlist/{}", entry.id), entry))
    }

    /// Get a waitlist entry
    #[oai(path = "/waitlist/:waitlist_entry_id", method = "get", operation_id = "get_waitlist_entry")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Json<WaitlistEntry>, ApiError<Reading>> {
        let row = self.db.optional(&caller, GET, &[&waitlist_entry_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Accept an offer
    ///
    /// Books the offered time. 409 `nothing_offered` if nothing is offered. 409 `hold_expired` if the offer has
    /// expired. 409 `contact_busy` if the contact has another appointment at that time.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/accept",
        method = "post",
        operation_id = "accept_waitlist_offer"
    )]
    async fn accept(
        &self,
        caller: Member<Staff, Appointments>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Created<Appointment>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let id = waitlist_entry_id.0;
        let once = Once::new(&context, "accept_waitlist_offer", idempotency_key.0, &id)?;
        let (appointment, replayed) =
            accept(&self.db, &self.mailer, context, id, &once, &if_match.on()).await?;
        let location = format!("/api/v1/appointments/{}", appointment.id);
        Ok(Created { location, body: appointment, replayed })
    }

    /// Decline an offer
    ///
    /// Offers the time to the next matching entry, or frees it. 409 `nothing_offered` if nothing is offered.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/decline",
        method = "post",
        operation_id = "decline_waitlist_offer"
    )]
    async fn decline(
        &self,
        caller: Member<Staff>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<WaitlistEntry>, ApiError<Deleting>> {
        let (context, id) = ((&caller).into(), waitlist_entry_id.0);
        let (status, precondition) = (WaitlistStatus::Declined, if_match.on());
        Ok(Json(leave(&self.db, &self.mailer, context, id, status, &precondition).await?))
    }

    /// Leave the waitlist
    ///
    /// Withdraws the entry. Offered time is offered to the next matching entry. 409 `not_waiting` if the entry is no
    /// longer waiting.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/withdraw",
        method = "post",
        operation_id = "withdraw_waitlist_entry"
    )]
    async fn withdraw(
        &self,
        caller: Member<Staff>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<WaitlistEntry>, ApiError<Deleting>> {
        let (context, id) = ((&caller).into(), waitlist_entry_id.0);
        let (status, precondition) = (WaitlistStatus::Withdrawn, if_match.on());
        Ok(Json(leave(&self.db, &self.mailer, context, id, status, &precondition).await?))
    }
}

/// Validates the period of a waitlist entry.
pub fn period(from: Instant, to: Instant) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
    if to.0 <= from.0 || to.0 <= Utc::now() {
        return Err(Problem::invalid_field(
            "to",
            "invalid_value",
            "expected an instant in the future, after from",
        ));
    }
    if to.0 - from.0 > LONGEST_WAIT {
        return Err(Problem::invalid_field(
            "to",
            "period_too_long",
            "expected an instant at most 366 days after from",
        ));
    }
    Ok((from.0, to.0))
}

/// A waitlist entry to create.
pub struct NewEntry {
    pub id: Uuid,
    pub service: Uuid,
    pub provider: Option<Uuid>,
    pub contact: Uuid,
    pub period: (DateTime<Utc>, DateTime<Utc>),
    /// For a guest: see [`GuestRequest::key`](super::guest_request::GuestRequest::key).
    pub guest_key: Option<Uuid>,
}

/// Creates a waitlist entry.
pub async fn add(tx: &mut Tx, new: &NewEntry) -> Result<WaitlistEntry, Failure> {
    let NewEntry { id, service, provider, contact, period: (from, to), guest_key } = new;
    let entry = tx
        .optional(
            sql!("scheduling/waitlist_create.sql" as WaitlistEntry),
            &[id, service, provider, contact, from, to, guest_key],
        )
        .await
        .on_constraint("waitlist_entries_provider_fkey", unknown_provider)
        .on_constraint("waitlist_entries_contact_fkey", || {
            Problem::invalid_field(
                "contact_id",
                "not_found",
                "expected the id of a contact of the organization",
            )
        })
        .on_constraint("waitlist_entries_no_overlap", || {
            let detail = "The contact is already on the waitlist for this service in an overlapping period.";
            Problem::conflict("already_waiting", detail)
        })
        .on_constraint("waitlist_entries_too_many", || {
            let detail = "The contact has reached the limit of ten waiting entries.";
            Problem::conflict("too_many_entries", detail)
        })?;
    Ok(entry.ok_or_else(unknown_service)?)
}

/// Books the time offered to an entry, as an appointment with the id of the entry. Also returns whether it was already
/// booked.
pub async fn accept(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    once: &Once,
    precondition: &Precondition<'_, WaitlistEntry>,
) -> Result<(Appointment, bool), Failure> {
    let booked_before = AtomicBool::new(false);
    let appointment = attempt(db, mailer, context, async |tx: Tx, _| {
        let booked = once.run(tx, async |tx| {
            let entry = entry(tx, id).await?;
            if let Some(appointment) = entry.appointment_id {
                booked_before.store(true, Ordering::Relaxed);
                let row = tx.optional(appointment::GET, &[&appointment]).await?;
                return Ok(row.ok_or_else(Problem::not_found)?.into());
            }
            require(tx, id, precondition).await?;
            if entry.offer.is_none() {
                Err(nothing_offered())?;
            }
            let confirmation = Confirmation {
                held: HoldSelector::For(entry.id),
                who: Who::Known(entry.contact_id),
                note: None,
                guest: None,
                once: &Once::without_key(),
                precondition: &Precondition::none(),
            };
            match holds::confirm(tx, &confirmation).await {
                // The offer was accepted or passed on meanwhile.
                Err(Failure::Problem(problem)) if problem.code == "not_found" => {
                    let appointment =
                        self::entry(tx, id).await?.appointment_id.ok_or_else(nothing_offered)?;
                    booked_before.store(true, Ordering::Relaxed);
                    let row = tx.optional(appointment::GET, &[&appointment]).await?;
                    Ok(row.ok_or_else(Problem::not_found)?.into())
                }
                confirmed => confirmed,
            }
        });
        Ok(booked.await?)
    })
    .await?;
    Ok((appointment, booked_before.into_inner() || once.is_replay()))
}

/// Declines an offer, or withdraws an entry with or without an offer. Offered time is offered to the next entry.
pub async fn leave(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    status: WaitlistStatus,
    precondition: &Precondition<'_, WaitlistEntry>,
) -> Result<WaitlistEntry, Failure> {
    let notices = attempt(db, mailer, context, async |mut tx: Tx, _| {
        require(&mut tx, id, precondition).await?;
        let before = entry(&mut tx, id).await?;
        let notices = if before.offer.is_some() {
            end(&mut tx, id, status.name()).await?
        } else if status == WaitlistStatus::Declined {
            Err(nothing_offered())?
        } else {
            tx.optional(
                sql!("scheduling/waitlist_update.sql"),
                &[&id, &status.name(), &None::<Uuid>, &vec!["waiting"]],
            )
            .await?
            .ok_or_else(not_waiting)?;
            Vec::new()
        };
        tx.commit().await?;
        Ok(notices)
    })
    .await?;
    offers::tell(mailer, &notices);
    let row = db.optional(context, GET, &[&id]).await?;
    Ok(row.ok_or_else(Problem::not_found)?.into())
}

fn not_waiting() -> Problem {
    Problem::conflict("not_waiting", "The entry is no longer on the waitlist: see `status`.")
}

fn nothing_offered() -> Problem {
    Problem::conflict("nothing_offered", "No time is offered to this entry at the moment: see `status`.")
}

async fn entry(tx: &mut Tx, id: Uuid) -> Result<WaitlistEntry, Failure> {
    let row = tx.optional(GET, &[&id]).await?;
    Ok(row.ok_or_else(Problem::not_found)?.into())
}

/// Locks an entry and its offer, and fails with 412 if it is not what a change requires. The offer first, as those do
/// that accept or end it.
async fn require(
    tx: &mut Tx,
    id: Uuid,
    precondition: &Precondition<'_, WaitlistEntry>,
) -> Result<(), Failure> {
    if precondition.is_some() {
        tx.all(sql!("scheduling/holds_of_entry.sql"), &[&id]).await?;
        tx.all(sql!("scheduling/waitlist_lock_row.sql"), &[&id]).await?;
        precondition.check(&entry(tx, id).await?)?;
    }
    Ok(())
}

/// Ends an offer and offers its time to the next entry.
async fn end(tx: &mut Tx, id: Uuid, status: &str) -> Result<Vec<Notice>, Setback> {
    let holds = tx.all(sql!("scheduling/holds_of_entry.sql" as HeldTime), &[&id]).await?;
    if holds.is_empty() {
        return Err(nothing_offered().into());
    }
    offers::free_holds(tx, &holds, status, Utc::now()).await
}
