//! The operations on the waitlist. Freed time is offered to the first matching entry for up to an hour; an offer that
//! is declined or expires goes to the next entry ([`super::offers`]).

use std::slice;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use uuid::Uuid;

use super::{
    appointment::Appointment,
    attempts::attempt,
    book::{self, Who},
    confirm::{self, Confirmation, nothing_offered},
    expiry,
    guest_request::GuestRequest,
    hold::HeldTime,
    offers::{self, Notice},
    waitlist_entry::{self, GET, NewWaitlistEntry, WaitlistEntry, WaitlistStatus, WholeEntry},
};
use crate::{
    crm::contacts,
    db::{Context, Db, Tx},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Precondition},
        json::{Created, Json, Replayable},
        page::{Cursor, Ids, PageAsOf, Paging, any_of},
        problem::{ApiError, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, List, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        hours::period::Bounds,
        slots::{
            alternatives::{self, Alternatives},
            availability::{Enforcement, ServiceRules},
            guest_rules::{self, verified_only},
            load::AvailabilityQuery,
            problems::{unknown_provider, unknown_service},
            setback::Setback,
            unknown_ids::NamedIds,
        },
    },
    sql,
};

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
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only entries with this status. Can be repeated.
        status: Query<List<WaitlistStatus, 0, 6>>,
        /// Only entries for this service.
        service_id: Query<Option<Uuid>>,
        /// Only entries whose period ends after this instant, or after the beginning of this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only entries whose period begins before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<WaitlistEntry>>, ApiError<Listing>> {
        let after = page.after(DateTime::UNIX_EPOCH);
        let status: Option<Vec<&str>> = any_of(status.0.iter().map(|status| status.name()).collect());
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed(&self.db, (&caller).into()).await?;
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
                    &ids.0,
                    &from,
                    &to,
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
    /// within seconds. Time that is already free is not offered: 409 `slots_available`, with up to three
    /// `alternatives`, if slots in the first 62 days of the period are free and `override_rules` is not set. The search
    /// for them counts towards the rate limits as listing slots does. 409 `already_waiting` if the contact has an entry
    /// for the service in an overlapping period. 409 `too_many_entries` if the contact has ten waiting entries.
    #[oai(path = "/waitlist", method = "post", operation_id = "create_waitlist_entry")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewWaitlistEntry>,
    ) -> Result<Created<WaitlistEntry>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_waitlist_entry", idempotency_key.0, &body.0)?;
        let bounds = Bounds { from: Some(body.0.from), to: Some(body.0.to), time_zone: body.0.time_zone };
        let entry = NewEntry {
            id: Uuid::now_v7(),
            service: body.0.service_id,
            provider: body.0.provider_id,
            period: period(&self.db, context, bounds).await?,
            who: book::who(body.0.contact_id, body.0.contact.as_ref())?,
            guest: None,
            policy: book::policy(body.0.override_rules),
        };
        let joined = join(&self.db, &self.mailer, context, &entry, &once).await;
        let ids = NamedIds::of(vec![body.0.service_id], body.0.provider_id, body.0.contact_id);
        let entry = ids.named(&self.db, context, joined).await?;
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
    /// expired. 409 `contact_busy` if the contact has another appointment at that time. 409 `already_booked` if the
    /// contact has a seat in the session.
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
        let confirmation = Confirmation::of_offer(id, &once, if_match.on());
        let (appointment, replayed) =
            confirm::confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
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
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Replayable<WaitlistEntry>, ApiError<Writing>> {
        let (context, id) = (Context::from(&caller), waitlist_entry_id.0);
        let once = Once::new(&context, "decline_waitlist_offer", idempotency_key.0, &id)?;
        let how = (WaitlistStatus::Declined, &if_match.on(), &once);
        Ok(once.replayable(leave(&self.db, &self.mailer, context, id, how).await?))
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
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Replayable<WaitlistEntry>, ApiError<Writing>> {
        let (context, id) = (Context::from(&caller), waitlist_entry_id.0);
        let once = Once::new(&context, "withdraw_waitlist_entry", idempotency_key.0, &id)?;
        let how = (WaitlistStatus::Withdrawn, &if_match.on(), &once);
        Ok(once.replayable(leave(&self.db, &self.mailer, context, id, how).await?))
    }
}

/// Reads and validates the period of a waitlist entry.
pub async fn period(
    db: &Db,
    context: Context,
    bounds: Bounds,
) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    let (from, to) = bounds.instants(db, context).await?;
    if to <= from || to <= Utc::now() {
        let detail = "expected an instant or a date in the future, after from";
        Err(Problem::invalid_field("to", "invalid_value", detail))?;
    }
    if to - from > LONGEST_WAIT {
        let detail = "expected an instant or a date at most 366 days after from";
        Err(Problem::invalid_field("to", "period_too_long", detail))?;
    }
    Ok((from, to))
}

/// A waitlist entry to create.
pub struct NewEntry<'a> {
    pub id: Uuid,
    pub service: Uuid,
    pub provider: Option<Uuid>,
    pub period: (DateTime<Utc>, DateTime<Utc>),
    pub who: Who<'a>,
    /// For a guest: the limits it counts towards.
    pub guest: Option<GuestRequest>,
    /// With `ClaimsOnly`, free slots in the period do not matter.
    pub policy: Enforcement,
}

/// Creates a waitlist entry, in one transaction. 409 if a slot in the period is free.
pub async fn join(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    new: &NewEntry<'_>,
    once: &Once,
) -> Result<WaitlistEntry, Failure> {
    if once.kept(db, context).await?.is_none() {
        check(db, context, new).await?;
    }
    let entry = db
        .attempt(context, async |tx: Tx, _| {
            once.run(tx, async |tx| {
                if let Some(guest) = &new.guest {
                    guest.count(tx).await?;
                }
                let contact = match new.who {
                    Who::Known(contact) => contact,
                    Who::New(contact) => contacts::create(tx, contact).await?,
                    Who::Unknown => Err(Problem::internal())?,
                };
                add(tx, new, contact).await
            })
            .await
        })
        .await?;
    if !once.is_replay() {
        // The entry exists: the request must not fail any more.
        if let Err(error) = look_again(db, mailer, context, new, entry.contact_id).await {
            tracing::warn!(tenant = %context.tenant, ?error, "the waitlist was joined, but not looked at again");
        }
    }
    Ok(entry)
}

/// Offers time that was freed after [`check`] and before the entry was committed. Transactions that free time later
/// see the entry.
async fn look_again(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    new: &NewEntry<'_>,
    contact: Uuid,
) -> Result<(), Failure> {
    if new.policy == Enforcement::ClaimsOnly {
        return Ok(());
    }
    let (_, free) = free(db, context, new, &[contact], false).await?;
    let times: Vec<_> = free.alternatives.iter().map(|free| (free.starts_at, free.ends_at)).collect();
    if times.is_empty() { Ok(()) } else { expiry::offer_free(db, mailer, context, &times).await }
}

/// The service, and free slots in the period for the contact.
async fn free(
    db: &Db,
    context: Context,
    new: &NewEntry<'_>,
    contacts: &[Uuid],
    counts: bool,
) -> Result<(Vec<ServiceRules>, Alternatives), Failure> {
    let now = Utc::now();
    let (services, providers) = (slice::from_ref(&new.service), new.provider.as_slice());
    let (from, to) = (new.period.0.max(now), new.period.1);
    let query = AvailabilityQuery { services, providers, contacts, from, to, ignored: &[], now };
    alternatives::first(db, context, query, counts).await
}

/// 409 if a slot in the period is free: only time that becomes free is offered. 422 or 409 if a guest does not meet the
/// requirements of the service.
async fn check(db: &Db, context: Context, new: &NewEntry<'_>) -> Result<(), Failure> {
    if new.policy == Enforcement::ClaimsOnly {
        return Ok(());
    }
    let contacts = if let Who::Known(contact) = &new.who { slice::from_ref(contact) } else { &[] };
    let (services, free) = free(db, context, new, contacts, true).await?;
    if let (Some(_), Who::New(contact)) = (&new.guest, &new.who)
        && guest_rules::check(services.iter().map(ServiceRules::of_guests), contact)?
    {
        Err(verified_only())?;
    }
    if free.alternatives.is_empty() {
        return Ok(());
    }
    let detail = "Slots of the period are free. Book one of them, or wait for a period in which none is.";
    Err(Problem::conflict("slots_available", detail).with_extension(&free).into())
}

async fn add(tx: &mut Tx, new: &NewEntry<'_>, contact: Uuid) -> Result<WaitlistEntry, Failure> {
    let NewEntry { id, service, provider, period: (from, to), guest, .. } = new;
    let guest_key = guest.as_ref().and_then(|guest| guest.key);
    let entry = tx
        .optional(
            sql!("scheduling/waitlist_create.sql" as WaitlistEntry),
            &[id, service, provider, &contact, from, to, &guest_key],
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

/// Declines an offer, or withdraws an entry with or without an offer. Offered time is offered to the next entry.
pub async fn leave(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    (status, precondition, once): (WaitlistStatus, &Precondition<'_, WaitlistEntry>, &Once),
) -> Result<WaitlistEntry, Failure> {
    let notices = attempt(db, mailer, context, async |mut tx: Tx, _| {
        if once.answered::<Uuid>(&mut tx).await?.is_some() {
            tx.commit().await?;
            return Ok(Vec::new());
        }
        waitlist_entry::require(&mut tx, id, precondition).await?;
        let before = entry(&mut tx, id).await?;
        // Before the transaction continues as the scheduler. Nothing changes an entry that was left, so a repetition
        // reads it.
        once.keep(&mut tx, &id).await?;
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

async fn entry(tx: &mut Tx, id: Uuid) -> Result<WaitlistEntry, Failure> {
    let row = tx.optional(GET, &[&id]).await?;
    Ok(row.ok_or_else(Problem::not_found)?.into())
}

/// Ends an offer and offers its time to the next entry.
async fn end(tx: &mut Tx, id: Uuid, status: &str) -> Result<Vec<Notice>, Setback> {
    let holds = tx.all(sql!("scheduling/holds_lock_of_entry.sql" as HeldTime), &[&id]).await?;
    if holds.is_empty() {
        return Err(nothing_offered().into());
    }
    offers::free_holds(tx, &holds, status, Utc::now()).await
}
