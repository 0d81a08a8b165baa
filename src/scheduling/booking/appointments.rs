//! The operations that read, book and move appointments. See also [`super::appointment`] (the object), [`super::book`]
//! (booking), [`super::reschedule`] (moving) and [`super::transitions`] (changes of status).

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus, GET, WholeAppointment},
    book::{self, Order},
    reschedule::{self, Reschedule, Swap},
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, Db, Params},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::IfMatch,
        json::{Created, Json, present},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Text},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::features::Appointments,
    sql,
};

/// A new appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewAppointment {
    pub service_id: Uuid,
    /// Services that follow in the same visit, up to four. Defaults to none.
    #[serde(default)]
    #[oai(nullable)]
    pub and_then: Option<Vec<Uuid>>,
    /// Provider for this and all following services. If omitted: the free provider with the fewest appointments that
    /// day.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The start: one that `GET /api/v1/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// An existing contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// A new contact, created with the appointment. Send either `contact_id` or `contact`.
    #[serde(default, deserialize_with = "present")]
    pub contact: Option<NewContact>,
    /// A note of the organization, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 2000>>,
    /// Whether to ignore the rules for notice, horizon, hours, grid, limits and approval. Taken time still cannot be
    /// booked. Defaults to `false`.
    #[serde(default)]
    #[oai(default)]
    pub override_rules: bool,
}

impl NewAppointment {
    pub fn order(&self) -> Result<Order<'_>, Problem> {
        let following = self.and_then.as_deref().unwrap_or_default();
        Ok(Order {
            id: None,
            services: book::services(self.service_id, following)?,
            provider: self.provider_id,
            start: self.starts_at.0,
            who: book::who(self.contact_id, self.contact.as_ref())?,
            note: self.note.as_deref(),
            policy: book::policy(self.override_rules),
            online: false,
            guest: None,
        })
    }
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

#[derive(Clone)]
pub struct AppointmentsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl AppointmentsApi {
    /// List appointments
    ///
    /// All appointments, ordered by start.
    #[oai(path = "/appointments", method = "get", operation_id = "list_appointments")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only appointments that start at or after this instant.
        starts_from: Query<Option<Instant>>,
        /// Only appointments that start before this instant.
        starts_to: Query<Option<Instant>>,
        /// Only appointments of this provider.
        provider_id: Query<Option<Uuid>>,
        /// Only appointments of this contact.
        contact_id: Query<Option<Uuid>>,
        /// Only appointments with this status.
        status: Query<Option<AppointmentStatus>>,
        /// Only items that changed at or after this instant: the `as_of` of the previous list.
        updated_since: Query<Option<Instant>>,
        page: Paging,
    ) -> Result<Json<Page<Appointment>>, ApiError<Listing>> {
        let status = status.0.map(AppointmentStatus::name);
        let updated = updated_since.0.map(|instant| instant.0);
        let before = starts_to.0.map_or(END_OF_TIME, |instant| instant.0);
        let from = starts_from.0.map_or(DateTime::UNIX_EPOCH, |instant| instant.0);
        let after = page.after(from);
        let as_of = self.db.as_of().await?;
        // One statement for each index.
        let rows = match (provider_id.0, contact_id.0) {
            (provider, Some(contact)) => {
                let sql = sql!("scheduling/appointments_list_by_contact.sql" as WholeAppointment);
                let params: Params =
                    &[&status, &before, &after.time, &after.id, &page.rows(), &updated, &contact, &provider];
                self.db.all(&caller, sql, params).await?
            }
            (Some(provider), None) => {
                let sql = sql!("scheduling/appointments_list_by_provider.sql" as WholeAppointment);
                let params: Params =
                    &[&status, &before, &after.time, &after.id, &page.rows(), &updated, &provider];
                self.db.all(&caller, sql, params).await?
            }
            (None, None) => {
                let sql = sql!("scheduling/appointments_list.sql" as WholeAppointment);
                let params: Params = &[&status, &before, &after.time, &after.id, &page.rows(), &updated];
                self.db.all(&caller, sql, params).await?
            }
        };
        let appointments = rows.into_iter().map(Appointment::from).collect();
        let page = page.of(appointments, |last: &Appointment| Cursor::new(last.starts_at, last.id));
        Ok(Json(page.as_of(as_of)))
    }

    /// Book an appointment
    ///
    /// Books a free slot. If the service requires approval, the appointment is `pending` and its time is taken. 409
    /// `slot_unavailable`, with up to three `alternatives`, if the time is taken; `errors` says why: `busy`, `buffer`,
    /// `capacity` or `resource`. 409 `contact_busy` if the contact has another appointment at that time. 422 on
    /// `starts_at` if the start violates a rule: `too_soon`, `too_far`, `outside_hours`, `off_grid` or `limit_reached`;
    /// `override_rules` ignores these rules.
    #[oai(path = "/appointments", method = "post", operation_id = "create_appointment")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewAppointment>,
    ) -> Result<Created<Appointment>, ApiError<Writing>> {
        let now = Utc::now();
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_appointment", idempotency_key.0, &body.0)?;
        let order = body.0.order()?;
        let appointment = book::book(&self.db, &self.mailer, context, &order, &once, now).await?;
        Ok(once.created(format!("/api/v1/appointments/{}", appointment.id), appointment))
    }

    /// Get an appointment
    #[oai(path = "/appointments/:appointment_id", method = "get", operation_id = "get_appointment")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        appointment_id: Path<Uuid>,
    ) -> Result<Json<Appointment>, ApiError<Reading>> {
        let row = self.db.optional(&caller, GET, &[&appointment_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Reschedule an appointment
    ///
    /// Moves the appointment to another time; it keeps its id. If the request fails, the appointment stays unchanged.
    /// Errors are those of booking; the appointment's own time counts as free. With `following`, this appointment of a
    /// series and all later ones are moved in one transaction, by the same number of days and to the same time of day;
    /// errors then name the occurrence, such as `occurrences[3]`. 409 `no_series` if it belongs to no series. 409
    /// `transition_not_allowed`, with the `allowed` actions, if it has begun or ended.
    #[oai(
        path = "/appointments/:appointment_id/reschedule",
        method = "post",
        operation_id = "reschedule_appointment"
    )]
    async fn reschedule(
        &self,
        caller: Member<Staff, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<Reschedule>,
    ) -> Result<Json<Appointment>, ApiError<Writing>> {
        let (context, id, precondition, now) =
            ((&caller).into(), appointment_id.0, if_match.on(), Utc::now());
        let (db, mailer) = (&self.db, &self.mailer);
        Ok(Json(reschedule::reschedule(db, mailer, context, id, &body.0, &precondition, now).await?))
    }

    /// Swap two appointments
    ///
    /// Each appointment gets the start and the provider of the other, in one transaction. Returns the appointment of
    /// the path. Errors are those of rescheduling.
    #[oai(path = "/appointments/:appointment_id/swap", method = "post", operation_id = "swap_appointments")]
    async fn swap(
        &self,
        caller: Member<Staff, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<Swap>,
    ) -> Result<Json<Appointment>, ApiError<Writing>> {
        let (context, id, precondition, now) =
            ((&caller).into(), appointment_id.0, if_match.on(), Utc::now());
        let (db, mailer) = (&self.db, &self.mailer);
        Ok(Json(reschedule::swap(db, mailer, context, id, &body.0, &precondition, now).await?))
    }
}

/// 3000-01-01, after everything an [`Instant`] can be.
const END_OF_TIME: DateTime<Utc> = match DateTime::from_timestamp(32_503_680_000, 0) {
    Some(instant) => instant,
    None => DateTime::<Utc>::MAX_UTC,
};
