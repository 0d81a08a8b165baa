//! Waitlist entries of customers with an account.

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    my_appointment::{self, MyAppointment},
    my_appointments::contact,
};
use crate::{
    db::Db,
    http::{
        caller::{Customer, Member},
        if_match::IfMatch,
        json::{Created, Json, Replayable},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::Who,
            confirm::{self, Confirmation},
            waitlist::{self, NewEntry},
            waitlist_entry::{self, WaitlistEntry, WaitlistStatus, WholeEntry},
        },
        features::Appointments,
        hours::period::Bounds,
        slots::availability::Enforcement,
    },
    sql,
};

/// A new waitlist entry of a customer.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MyNewWaitlistEntry {
    pub service_id: Uuid,
    /// The requested provider. Defaults to any provider.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The earliest acceptable start: an instant, or a date in `time_zone`.
    pub from: InstantOrDate,
    /// The end of the period of acceptable starts, exclusive: an instant, or a date in `time_zone`. At most 366 days
    /// after `from`.
    pub to: InstantOrDate,
    /// The IANA time zone for dates. Defaults to the organization's time zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
}

impl Example for MyNewWaitlistEntry {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "from": "2031-05-20T00:00:00Z",
            "to": "2031-05-27T00:00:00Z",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

pub struct MyWaitlistApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/my")]
impl MyWaitlistApi {
    /// List my waitlist entries
    ///
    /// The customer's waitlist entries, in the order in which they were created.
    #[oai(path = "/waitlist", method = "get", operation_id = "list_my_waitlist_entries")]
    async fn list(
        &self,
        caller: Member<Customer>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<WaitlistEntry>>, ApiError<Listing>> {
        let updated = updated_since.0.map(|instant| instant.0);
        let as_of = self.db.as_of().await?;
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/waitlist_list_mine.sql" as WholeEntry),
                &[&caller.account()?, &page.after_id(), &page.rows(), &updated, &ids.0],
            )
            .await?;
        let entries = rows.into_iter().map(WaitlistEntry::from).collect();
        let page = page.of(entries, |last: &WaitlistEntry| Cursor::id(last.id));
        Ok(Json(page.as_of(as_of)))
    }

    /// Join the waitlist
    ///
    /// Creates a waitlist entry for the customer's contact. Offers and errors are those of `POST /api/v1/waitlist`. 409
    /// `slots_available` if slots in the first 62 days of the period are free. 409 `contact_missing` if no contact of
    /// the organization is linked to the account. 409 `already_waiting` if you wait for this service at this time,
    /// `too_many_entries` if you have ten waiting entries.
    #[oai(path = "/waitlist", method = "post", operation_id = "create_my_waitlist_entry")]
    async fn join(
        &self,
        caller: Member<Customer, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<MyNewWaitlistEntry>,
    ) -> Result<Created<WaitlistEntry>, ApiError<Writing>> {
        let id = Uuid::now_v7();
        let context = caller.about(id)?;
        let once = Once::new(&context, "create_my_waitlist_entry", idempotency_key.0, &body.0)?;
        let MyNewWaitlistEntry { service_id, provider_id, from, to, time_zone } = body.0;
        let bounds = Bounds { from: Some(from), to: Some(to), time_zone };
        let period = waitlist::period(&self.db, context, bounds).await?;
        let who = Who::Known(contact(&self.db, context).await?);
        let (service, provider, policy) = (service_id, provider_id, Enforcement::Full);
        let new = NewEntry { id, service, provider, period, who, guest: None, policy };
        let entry = waitlist::join(&self.db, &self.mailer, context, &new, &once).await?;
        Ok(once.created(format!("/api/v1/my/waitlist/{}", entry.id), entry))
    }

    /// Get a waitlist entry of mine
    #[oai(path = "/waitlist/:waitlist_entry_id", method = "get", operation_id = "get_my_waitlist_entry")]
    async fn get(
        &self,
        caller: Member<Customer>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Json<WaitlistEntry>, ApiError<Reading>> {
        let row = self.db.optional(&caller, waitlist_entry::GET, &[&waitlist_entry_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Accept an offer of mine
    ///
    /// Books the offered time. The appointment has the id of the entry. 409 `nothing_offered` if nothing is offered.
    /// 409 `hold_expired` if the offer has expired. 409 `contact_busy` if the customer has another appointment at that
    /// time. 409 `already_booked` if you have a seat in the session.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/accept",
        method = "post",
        operation_id = "accept_my_waitlist_offer"
    )]
    async fn accept(
        &self,
        caller: Member<Customer, Appointments>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Created<MyAppointment>, ApiError<Writing>> {
        let id = waitlist_entry_id.0;
        let context = caller.about(id)?;
        let once = Once::new(&context, "accept_my_waitlist_offer", idempotency_key.0, &id)?;
        let confirmation = Confirmation::of_offer(id, &once, if_match.on());
        let (appointment, replayed) =
            confirm::confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
        let location = format!("/api/v1/my/appointments/{}", appointment.id);
        let body = my_appointment::get(&self.db, context, appointment.id).await?;
        Ok(Created { location, body, replayed })
    }

    /// Decline an offer of mine
    ///
    /// Offers the time to the next matching entry, or frees it. 409 `nothing_offered` if nothing is offered.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/decline",
        method = "post",
        operation_id = "decline_my_waitlist_offer"
    )]
    async fn decline(
        &self,
        caller: Member<Customer>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Replayable<WaitlistEntry>, ApiError<Writing>> {
        let id = waitlist_entry_id.0;
        let context = caller.about(id)?;
        let once = Once::new(&context, "decline_my_waitlist_offer", idempotency_key.0, &id)?;
        let how = (WaitlistStatus::Declined, &if_match.on(), &once);
        Ok(once.replayable(waitlist::leave(&self.db, &self.mailer, context, id, how).await?))
    }

    /// Leave the waitlist
    ///
    /// Withdraws the entry. Offered time is offered to the next matching entry. 409 `not_waiting` if the entry is no
    /// longer waiting.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/withdraw",
        method = "post",
        operation_id = "withdraw_my_waitlist_entry"
    )]
    async fn withdraw(
        &self,
        caller: Member<Customer>,
        waitlist_entry_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Replayable<WaitlistEntry>, ApiError<Writing>> {
        let id = waitlist_entry_id.0;
        let context = caller.about(id)?;
        let once = Once::new(&context, "withdraw_my_waitlist_entry", idempotency_key.0, &id)?;
        let how = (WaitlistStatus::Withdrawn, &if_match.on(), &once);
        Ok(once.replayable(waitlist::leave(&self.db, &self.mailer, context, id, how).await?))
    }
}
