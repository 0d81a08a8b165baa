//! Appointments: booking, reading, cancelling. Who gets a time is decided by `claims_no_overlap` and by nothing here.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    availability::{self, unknown_provider},
    slots::Refusal,
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Context, Db, Params, Sql},
    http::{
        Tag,
        caller::{Appointments, Customer, Member, Staff, Viewer},
        json::{Created, Json, OptionalJson, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{
            Changing, Creating, Failure, Listing, OnConstraint as _, Problem, Reading, Refused, retry_once,
        },
        text::{Instant, Text},
    },
    sql,
};

/// Where an appointment is in its life.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AppointmentStatus {
    /// It stands, and its time is taken.
    Confirmed,
    /// It was called off, and its time is free again.
    Cancelled,
}

impl AppointmentStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "cancelled" => Self::Cancelled,
            _ => Self::Confirmed,
        }
    }
}

/// A service that a provider gives to a contact at a time.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Appointment {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub contact_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// Free text of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it was cancelled, where somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<DateTime<Utc>>,
    /// The account or API key that cancelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that booked it.
    pub created_by: Uuid,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Appointment {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            contact_id: row.get(3),
            starts_at: row.get(4),
            ends_at: row.get(5),
            status: AppointmentStatus::from_name(row.get(6)),
            note: row.get(7),
            cancellation_reason: row.get(8),
            cancelled_at: row.get(9),
            cancelled_by: row.get(10),
            created_at: row.get(11),
            created_by: row.get(12),
            updated_at: row.get(13),
        }
    }
}

/// An appointment to book.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewAppointment {
    pub service_id: Uuid,
    /// Whoever is free, where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// One of the starts that `GET /api/v1/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// Who comes: either a contact there is, or with `contact` a new one.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// Who comes: a contact to create with the appointment. Give either this or `contact_id`.
    #[serde(default, deserialize_with = "present")]
    pub contact: Option<NewContact>,
    /// Free text of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 2000>>,
}

impl Example for NewAppointment {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2026-12-01T09:00:00+01:00",
            "contact": NewContact::example(),
            "note": "First visit.",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Calling an appointment off.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Cancellation {
    /// Why.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
}

impl Example for Cancellation {
    fn example() -> Self {
        Self { reason: Text::parse("The customer is ill.").ok() }
    }
}

/// An appointment as the customer sees it.
#[derive(Debug, Object, Serialize)]
pub struct MyAppointment {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
}

impl From<Row> for MyAppointment {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            starts_at: row.get(3),
            ends_at: row.get(4),
            status: AppointmentStatus::from_name(row.get(5)),
        }
    }
}

pub struct AppointmentsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl AppointmentsApi {
    /// List appointments
    ///
    /// In the order of their starts.
    #[oai(path = "/appointments", method = "get", operation_id = "list_appointments")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only those that start at this instant or later.
        starts_from: Query<Option<Instant>>,
        /// Only those that start before this instant.
        starts_to: Query<Option<Instant>>,
        /// Only those of this provider.
        provider_id: Query<Option<Uuid>>,
        /// Only those of this contact.
        contact_id: Query<Option<Uuid>>,
        /// Only those in this state.
        status: Query<Option<AppointmentStatus>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Appointment>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let rows_wanted = i64::from(size + 1);
        let status = status.0.map(AppointmentStatus::name);
        let before = starts_to.0.map_or(END_OF_TIME, |instant| instant.0);
        // Behind the nil UUID is every appointment that starts at the instant.
        let from = starts_from.0.map_or(DateTime::UNIX_EPOCH, |instant| instant.0);
        let after = cursor.0.filter(|cursor| cursor.time >= from).unwrap_or(Cursor::new(from, Uuid::nil()));
        // One statement for each index.
        let rows = match (provider_id.0, contact_id.0) {
            (provider, Some(contact)) => {
                let sql = sql!("scheduling/appointments_list_by_contact.sql");
                let params: Params =
                    &[&status, &before, &after.time, &after.id, &rows_wanted, &contact, &provider];
                self.0.all(&caller, sql, params).await?
            }
            (Some(provider), None) => {
                let sql = sql!("scheduling/appointments_list_by_provider.sql");
                let params: Params = &[&status, &before, &after.time, &after.id, &rows_wanted, &provider];
                self.0.all(&caller, sql, params).await?
            }
            (None, None) => {
                let sql = sql!("scheduling/appointments_list.sql");
                let params: Params = &[&status, &before, &after.time, &after.id, &rows_wanted];
                self.0.all(&caller, sql, params).await?
            }
        };
        let appointments = rows.into_iter().map(Appointment::from).collect();
        Ok(Json(Page::new(appointments, size, |last| Cursor::new(last.starts_at, last.id))))
    }

    /// List my appointments
    ///
    /// For customers with an account: those they have with the organization the token is for, in the order of their starts.
    #[oai(path = "/my/appointments", method = "get", operation_id = "list_my_appointments")]
    async fn list_mine(
        &self,
        caller: Member<Customer>,
        /// Only those that start at this instant or later.
        starts_from: Query<Option<Instant>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<MyAppointment>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let from = starts_from.0.map_or(DateTime::UNIX_EPOCH, |instant| instant.0);
        let after = cursor.0.filter(|cursor| cursor.time >= from).unwrap_or(Cursor::new(from, Uuid::nil()));
        let rows = self
            .0
            .all(
                &caller,
                sql!("scheduling/appointments_list_mine.sql"),
                &[&caller.account()?, &after.time, &after.id, &i64::from(size + 1)],
            )
            .await?;
        let appointments = rows.into_iter().map(MyAppointment::from).collect();
        Ok(Json(Page::new(appointments, size, |last| Cursor::new(last.starts_at, last.id))))
    }

    /// Book an appointment
    ///
    /// Books a free slot, or nothing. 409 `slot_unavailable` where the time is taken, by whoever came first; 422 with
    /// `starts_at` at fault where it is `past`, `outside_hours` or `off_grid`.
    #[oai(path = "/appointments", method = "post", operation_id = "create_appointment")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        body: Json<NewAppointment>,
    ) -> Result<Created<Appointment>, Refused<Creating>> {
        let now = Utc::now();
        let appointment = retry_once(|| book(&self.0, (&caller).into(), &body.0, now)).await?;
        Ok(Created { location: format!("/api/v1/appointments/{}", appointment.id), body: appointment })
    }

    /// Get an appointment
    #[oai(path = "/appointments/:appointment_id", method = "get", operation_id = "get_appointment")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        appointment_id: Path<Uuid>,
    ) -> Result<Json<Appointment>, Refused<Reading>> {
        let row =
            self.0.optional(&caller, sql!("scheduling/appointments_get.sql"), &[&appointment_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Cancel an appointment
    ///
    /// Its time is free at once. The body may be left out. 409 `not_confirmed` where it was cancelled before.
    #[oai(
        path = "/appointments/:appointment_id/cancel",
        method = "post",
        operation_id = "cancel_appointment"
    )]
    async fn cancel(
        &self,
        caller: Member<Staff>,
        appointment_id: Path<Uuid>,
        body: OptionalJson<Cancellation>,
    ) -> Result<Json<Appointment>, Refused<Changing>> {
        let now = Utc::now();
        let cancelled =
            cancel(&self.0, (&caller).into(), appointment_id.0, body.0.reason.as_deref(), now).await?;
        if let Some(appointment) = cancelled {
            return Ok(Json(appointment));
        }
        // Nothing was done. Say why.
        self.0
            .optional(&caller, sql!("scheduling/appointments_get.sql"), &[&appointment_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Err(Problem::conflict(
            "not_confirmed",
            "The appointment is cancelled already; only a confirmed one can be cancelled.",
        ))?
    }
}

/// 3000-01-01, after everything an [`Instant`] can be.
const END_OF_TIME: DateTime<Utc> = match DateTime::from_timestamp(32_503_680_000, 0) {
    Some(instant) => instant,
    None => DateTime::<Utc>::MAX_UTC,
};

/// Books, in one transaction: the service, the provider and the hours are checked, then the claim decides.
pub async fn book(
    db: &Db,
    context: Context,
    new: &NewAppointment,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    let start = new.starts_at.0;
    let mut tx = db.begin(context);
    if new.contact_id.is_some() && new.contact.is_some() {
        Err(Problem::invalid_field(
            "contact_id",
            "conflicting",
            "either contact_id or contact, and not both",
        ))?;
    }
    if new.contact_id.is_none() && new.contact.is_none() {
        Err(Problem::invalid_field("contact_id", "required", "either contact_id or contact, and not both"))?;
    }
    let one_moment = start + TimeDelta::microseconds(1);
    let availability = availability::load(&mut tx, new.service_id, new.provider_id, start, one_moment, now)
        .await?
        .ok_or_else(unknown_service)?;
    if new.provider_id.is_some() && availability.providers.iter().any(|provider| !provider.active) {
        Err(Problem::invalid_field("provider_id", "inactive", "the id of an active provider"))?;
    }
    if !availability.active {
        Err(Problem::invalid_field("service_id", "inactive", "the id of an active service"))?;
    }
    let mut refusals = Vec::new();
    let mut free = Vec::new();
    for provider in &availability.providers {
        match availability.calendar(provider).refusal(start) {
            None => free.push(provider.id),
            Some(refusal) => refusals.push(refusal),
        }
    }
    if free.is_empty() {
        // The one that comes nearest to being bookable.
        return Err(match refusals.into_iter().min() {
            Some(refusal) => refuse(refusal),
            None if new.provider_id.is_some() => unknown_provider(),
            None => refuse(Refusal::OutsideHours),
        })?;
    }

    let contact = match (new.contact_id, &new.contact) {
        (Some(contact), _) => contact,
        (None, Some(contact)) => contacts::create(&mut tx, contact).await?.id,
        (None, None) => return Err(Problem::internal())?,
    };
    let end = start + availability.grid.duration;
    let booking = |provider| Booking {
        id: Uuid::now_v7(),
        claim: Uuid::now_v7(),
        service: new.service_id,
        provider,
        contact,
        start,
        end,
        note: new.note.as_deref(),
    };
    // Where the last of them is taken there is nothing to undo, unless a contact was made: the commit need not wait for
    // the answer.
    let last = if new.contact.is_none() { free.pop() } else { None };
    for provider in free {
        if let Some(row) = refused(tx.optional(CREATE, &booking(provider).params()).await)? {
            tx.commit().await?;
            return Ok(row.into());
        }
    }
    if let Some(provider) = last
        && let Some(row) = refused(tx.commit_with(CREATE, &booking(provider).params()).await)?
    {
        return Ok(row.into());
    }
    Err(refuse(Refusal::Busy))?
}

const CREATE: Sql = sql!("scheduling/appointments_create.sql");

/// The parameters of [`CREATE`].
struct Booking<'a> {
    id: Uuid,
    claim: Uuid,
    service: Uuid,
    provider: Uuid,
    contact: Uuid,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    note: Option<&'a str>,
}

impl Booking<'_> {
    fn params(&self) -> [&(dyn ToSql + Sync); 8] {
        [
            &self.id,
            &self.service,
            &self.provider,
            &self.contact,
            &self.start,
            &self.end,
            &self.note,
            &self.claim,
        ]
    }
}

/// What it means where a key of a booking leads nowhere.
fn refused(booked: Result<Option<Row>, db::Error>) -> Result<Option<Row>, Failure> {
    booked
        .on_constraint("appointments_contact_fkey", || {
            Problem::invalid_field("contact_id", "not_found", "the id of a contact of the organization")
        })
        // Somebody deleted it since it was loaded.
        .on_constraint("appointments_service_fkey", unknown_service)
        .on_constraint("appointments_provider_fkey", unknown_provider)
        .on_constraint("claims_resource_fkey", unknown_provider)
}

fn unknown_service() -> Problem {
    Problem::invalid_field("service_id", "not_found", "the id of a service of the organization")
}

fn refuse(refusal: Refusal) -> Problem {
    let starts_at = |code, detail| Problem::invalid_field("starts_at", code, detail);
    match refusal {
        Refusal::Busy => Problem::conflict("slot_unavailable", "The time is taken. Choose another slot."),
        Refusal::OffGrid => {
            starts_at("off_grid", "one of the starts that GET /services/{service_id}/slots lists")
        }
        Refusal::OutsideHours => {
            starts_at("outside_hours", "a start from which the service fits into working hours")
        }
        Refusal::Past => starts_at("past", "a start that is not in the past"),
    }
}

/// Cancels; none where there is no such appointment, or it is not confirmed.
pub async fn cancel(
    db: &Db,
    context: Context,
    appointment: Uuid,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Appointment>, Failure> {
    let row = db
        .optional(
            context,
            sql!("scheduling/appointments_cancel.sql"),
            &[&appointment, &reason, &context.actor(), &now],
        )
        .await?;
    Ok(row.map(Appointment::from))
}
