//! The waitlist. Whatever frees time offers it, in the same transaction, to the first who waits for it, as a hold with a
//! deadline; an offer that is declined or expires passes to the next. Who is first is decided in the database:
//! `scheduling.next_in_line`.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    appointments::Appointment,
    availability::unknown_provider,
    booking::{self, Who, unknown_service},
    holds::{self, Held, offer_seconds},
    slots::Policy,
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Db, Tx},
    http::{
        Tag,
        caller::{Appointments, Member, Staff, Viewer},
        json::{Created, Json, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{Creating, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Refused},
        text::{Instant, named_enum},
    },
    messaging::{
        budget::OnBehalf,
        mail::{Mail, Mailer},
    },
    sql,
};

/// Nobody waits longer.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(366);

named_enum! {
    /// Where somebody on the waitlist is.
    WaitlistStatus {
        /// Nothing was freed yet.
        Waiting = "waiting",
        /// Time is held for them.
        Offered = "offered",
        /// They took it.
        Booked = "booked",
        /// They did not want it.
        Declined = "declined",
        /// They did not answer in time.
        Expired = "expired",
        /// They do not wait any more.
        Withdrawn = "withdrawn",
    }
}

/// Time that is held for somebody on the waitlist.
#[derive(Debug, Object, Serialize)]
pub struct Offer {
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
}

/// Somebody on the waitlist.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WaitlistEntry {
    pub id: Uuid,
    pub service_id: Uuid,
    /// With whom; absent: anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    pub contact_id: Uuid,
    /// The earliest start that would do.
    pub from: DateTime<Utc>,
    /// The instant before which it has to start.
    pub to: DateTime<Utc>,
    pub status: WaitlistStatus,
    /// What is held for them, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for WaitlistEntry {
    fn from(row: Row) -> Self {
        let held: Option<Uuid> = row.try_get("hold_id").ok().flatten();
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            contact_id: row.get(3),
            from: row.get(4),
            to: row.get(5),
            status: WaitlistStatus::from_name(row.get(6)),
            appointment_id: row.get(7),
            created_at: row.get(8),
            updated_at: row.get(9),
            offer: held.map(|_| Offer {
                provider_id: row.get("offered_provider_id"),
                starts_at: row.get("offered_starts_at"),
                expires_at: row.get("offer_expires_at"),
            }),
        }
    }
}

/// Somebody who would come if time were freed.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewWaitlistEntry {
    pub service_id: Uuid,
    /// With whom; anybody where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The earliest start that would do.
    pub from: Instant,
    /// The instant before which it has to start, at most 366 days after `from`.
    pub to: Instant,
    /// Who waits: either a contact there is, or with `contact` a new one.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// Who waits: a contact to create. Give either this or `contact_id`.
    #[serde(default, deserialize_with = "present")]
    pub contact: Option<NewContact>,
}

impl Example for NewWaitlistEntry {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "from": "2031-05-05T00:00:00Z",
            "to": "2031-05-12T00:00:00Z",
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

pub struct WaitlistApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl WaitlistApi {
    /// List the waitlist
    ///
    /// In the order in which people joined, which is the order in which time is offered.
    #[oai(path = "/waitlist", method = "get", operation_id = "list_waitlist_entries")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only those in this state.
        status: Query<Option<WaitlistStatus>>,
        /// Only those who wait for this service.
        service_id: Query<Option<Uuid>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<WaitlistEntry>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let status = status.0.map(WaitlistStatus::name);
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/waitlist_list.sql"),
                &[&status, &service_id.0, &after, &i64::from(size + 1)],
            )
            .await?;
        let entries = rows.into_iter().map(WaitlistEntry::from).collect();
        Ok(Json(Page::new(entries, size, |last| Cursor::id(last.id))))
    }

    /// Join the waitlist
    ///
    /// For time of a service that others give back. The first who waits is offered it: it is held for them for an hour, or until
    /// shortly before it starts, and they get an e-mail where the contact has an address.
    #[oai(path = "/waitlist", method = "post", operation_id = "create_waitlist_entry")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        body: Json<NewWaitlistEntry>,
    ) -> Result<Created<WaitlistEntry>, Refused<Creating>> {
        let new = body.0;
        if new.to.0 <= new.from.0 || new.to.0 <= Utc::now() {
            Err(Problem::invalid_field("to", "invalid_value", "an instant after from, and not past"))?;
        }
        if new.to.0 - new.from.0 > LONGEST_WAIT {
            Err(Problem::invalid_field("to", "period_too_long", "at most 366 days after from"))?;
        }
        let mut tx = self.db.begin(&caller);
        let contact = match booking::who(new.contact_id, new.contact.as_ref())? {
            Who::Known(contact) => contact,
            Who::New(contact) => contacts::create(&mut tx, contact).await?,
        };
        let row = tx
            .commit_with(
                sql!("scheduling/waitlist_create.sql"),
                &[&Uuid::now_v7(), &new.service_id, &new.provider_id, &contact, &new.from.0, &new.to.0],
            )
            .await
            .on_constraint("waitlist_entries_service_fkey", unknown_service)
            .on_constraint("waitlist_entries_provider_fkey", unknown_provider)
            .on_constraint("waitlist_entries_contact_fkey", || {
                Problem::invalid_field("contact_id", "not_found", "the id of a contact of the organization")
            })?
            .ok_or_else(Problem::internal)?;
        let entry = WaitlistEntry::from(row);
        Ok(Created { location: format!("/api/v1/waitlist/{}", entry.id), body: entry })
    }

    /// Get somebody on the waitlist
    #[oai(path = "/waitlist/:waitlist_entry_id", method = "get", operation_id = "get_waitlist_entry")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Json<WaitlistEntry>, Refused<Reading>> {
        let row =
            self.db.optional(&caller, sql!("scheduling/waitlist_get.sql"), &[&waitlist_entry_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Accept an offer
    ///
    /// Books what is held for somebody on the waitlist. 409 `nothing_offered` where nothing is, `hold_expired` where it is too
    /// late, `contact_busy` where the contact has something else then.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/accept",
        method = "post",
        operation_id = "accept_waitlist_offer"
    )]
    async fn accept(
        &self,
        caller: Member<Staff, Appointments>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Created<Appointment>, Refused<Deleting>> {
        let mut tx = self.db.begin(&caller);
        let entry = entry(&mut tx, waitlist_entry_id.0).await?;
        if entry.offer.is_none() {
            Err(nothing_offered())?;
        }
        let who = Some(Who::Known(entry.contact_id));
        let confirmed = holds::confirm(&mut tx, Held::For(entry.id), who, None).await;
        let appointment = match confirmed {
            // Passed on since it was looked at.
            Err(Failure::Refusal(problem)) if problem.code == "not_found" => Err(nothing_offered())?,
            confirmed => confirmed?,
        };
        tx.commit().await?;
        Ok(Created { location: format!("/api/v1/appointments/{}", appointment.id), body: appointment })
    }

    /// Decline an offer
    ///
    /// The time is offered to the next, or free where nobody is. 409 `nothing_offered` where nothing is held for them.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/decline",
        method = "post",
        operation_id = "decline_waitlist_offer"
    )]
    async fn decline(
        &self,
        caller: Member<Staff>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Json<WaitlistEntry>, Refused<Deleting>> {
        let mut tx = self.db.begin(&caller);
        let before = entry(&mut tx, waitlist_entry_id.0).await?;
        if before.offer.is_none() {
            Err(nothing_offered())?;
        }
        let freed = end(&mut tx, &before, "declined").await?;
        let after = entry(&mut tx, waitlist_entry_id.0).await?;
        if after.status != WaitlistStatus::Declined {
            // Accepted, or passed on, since it was looked at.
            Err(nothing_offered())?;
        }
        tx.commit().await?;
        tell(&self.mailer, freed.as_slice());
        Ok(Json(after))
    }

    /// Leave the waitlist
    ///
    /// What was held for them is offered to the next. 409 `not_waiting` where they do not wait any more.
    #[oai(
        path = "/waitlist/:waitlist_entry_id/withdraw",
        method = "post",
        operation_id = "withdraw_waitlist_entry"
    )]
    async fn withdraw(
        &self,
        caller: Member<Staff>,
        waitlist_entry_id: Path<Uuid>,
    ) -> Result<Json<WaitlistEntry>, Refused<Deleting>> {
        let mut tx = self.db.begin(&caller);
        let before = entry(&mut tx, waitlist_entry_id.0).await?;
        let mut freed = None;
        if before.offer.is_some() {
            freed = end(&mut tx, &before, "withdrawn").await?;
        } else {
            tx.optional(
                sql!("scheduling/waitlist_update.sql"),
                &[&before.id, &"withdrawn", &None::<Uuid>, &vec!["waiting"]],
            )
            .await?
            .ok_or_else(not_waiting)?;
        }
        let after = entry(&mut tx, waitlist_entry_id.0).await?;
        if after.status != WaitlistStatus::Withdrawn {
            Err(not_waiting())?;
        }
        tx.commit().await?;
        tell(&self.mailer, freed.as_slice());
        Ok(Json(after))
    }
}

fn not_waiting() -> Problem {
    Problem::conflict("not_waiting", "They do not wait any more: see status.")
}

fn nothing_offered() -> Problem {
    Problem::conflict("nothing_offered", "Nothing is held for them: see status.")
}

async fn entry(tx: &mut Tx, id: Uuid) -> Result<WaitlistEntry, Failure> {
    let row = tx.optional(sql!("scheduling/waitlist_get.sql"), &[&id]).await?;
    Ok(row.ok_or_else(Problem::not_found)?.into())
}

/// Ends the offer to somebody, and makes it to the next.
async fn end(tx: &mut Tx, entry: &WaitlistEntry, outcome: &str) -> Result<Option<Freed>, Failure> {
    let starts_at = entry.offer.as_ref().map_or_else(Utc::now, |offer| offer.starts_at);
    let lifetime = offer_seconds(starts_at, Utc::now());
    let row = tx.one(sql!("scheduling/waitlist_decline.sql"), &[&entry.id, &outcome, &lifetime]).await?;
    let next: Option<Uuid> = row.get(0);
    Ok(next.map(|_| Freed {
        organization: row.get(4),
        email: row.get(1),
        service: row.get(2),
        starts_at: row.get(3),
    }))
}

/// Time that was freed.
pub struct Time {
    pub service: Uuid,
    pub provider: Uuid,
    pub starts_at: DateTime<Utc>,
}

/// Somebody to whom freed time was offered.
#[derive(Debug)]
pub struct Freed {
    organization: Uuid,
    email: Option<String>,
    service: String,
    starts_at: DateTime<Utc>,
}

/// Offers what an appointment took to the first on the waitlist, in the transaction that frees it. Visits of several
/// services are not waited for.
pub async fn offer(
    tx: &mut Tx,
    appointment: &Appointment,
    now: DateTime<Utc>,
) -> Result<Option<Freed>, Failure> {
    if appointment.segments.is_some() {
        return Ok(None);
    }
    let time = Time {
        service: appointment.service_id,
        provider: appointment.provider_id,
        starts_at: appointment.starts_at,
    };
    offer_time(tx, &time, now).await
}

/// Offers freed time, where it could be booked: by the rules, and by what is taken.
pub async fn offer_time(tx: &mut Tx, time: &Time, now: DateTime<Utc>) -> Result<Option<Freed>, Failure> {
    let end = time.starts_at + TimeDelta::microseconds(1);
    let (services, provider) = ([time.service], Some(time.provider));
    let availability = booking::load_fresh(tx, &services, provider, time.starts_at, end, now).await?;
    // A guest who gives back what is not offered online any more does not see the service.
    if !availability.services.iter().any(|rules| rules.active) {
        return Ok(None);
    }
    let Ok(provider) = booking::named_provider(&availability, time.provider) else {
        return Ok(None);
    };
    let Ok(plan) = availability.plan(provider, time.starts_at, Some(time.provider), Policy::Kept, 0) else {
        return Ok(None);
    };
    let hold = Uuid::now_v7();
    let row = tx
        .one(
            sql!("scheduling/waitlist_offer.sql"),
            &[
                &hold,
                &time.service,
                &time.provider,
                &plan.starts_at(),
                &plan.ends_at(),
                &json!(plan.claims_of(hold)),
                &offer_seconds(time.starts_at, now),
            ],
        )
        .await?;
    let entry: Option<Uuid> = row.get(0);
    Ok(entry.map(|_| Freed {
        organization: row.get(3),
        email: row.get(1),
        service: row.get(2),
        starts_at: time.starts_at,
    }))
}

/// Passes on offers of all organizations that nobody took in time. What servers do every few seconds.
pub async fn pass_on(db: &Db, mailer: &Mailer) -> Result<(), db::Error> {
    let rows = db.gate_all(sql!("scheduling/waitlist_pass_on.sql"), &[&3600.0]).await?;
    let freed: Vec<_> = rows
        .iter()
        .map(|row| Freed {
            organization: row.get(5),
            email: row.get(0),
            service: row.get(1),
            starts_at: row.get(3),
        })
        .collect();
    tell(mailer, &freed);
    Ok(())
}

/// Tells those who have an address.
pub fn tell(mailer: &Mailer, freed: &[Freed]) {
    for freed in freed {
        let Some(email) = &freed.email else {
            continue;
        };
        mailer.send(Mail {
            to: email.clone(),
            subject: format!("A place is free: {}", freed.service),
            body: format!(
                "What you are waiting for is free: {}, {} (UTC).\n\nIt is held for you for an hour at most. \
                 Tell the organization if you want it.\n",
                freed.service,
                freed.starts_at.format("%Y-%m-%d %H:%M"),
            ),
            on_behalf: OnBehalf::Organization { id: freed.organization, inviter: None },
        });
    }
}
