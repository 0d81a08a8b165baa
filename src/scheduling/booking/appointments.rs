//! The operations that read, book and move appointments. See also [`super::appointment`] (the object), [`super::book`]
//! (booking), [`super::reschedule`] (moving) and [`super::transitions`] (changes of status).

use chrono::Utc;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Response,
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentInclude, AppointmentStatus, ViewedAppointment},
    book,
    change::{self, AppointmentChanges},
    claims::Labels,
    reschedule::{self, AppointmentSwap, Reschedule},
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, Db},
    http::{
        caller::{Member, Staff, Viewer},
        conditional,
        if_match::IfMatch,
        json::{Created, Json, Replayable, or_default},
        page::{Cursor, Ids, Order, PageAsOf, Paging, SortByStart, any_of},
        problem::{ApiError, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, List, Metadata, Text, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{features::Appointments, hours::period::Bounds, slots::listing::Following},
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
    pub and_then: Option<Following>,
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
    #[serde(default)]
    #[oai(nullable)]
    pub contact: Option<NewContact>,
    /// A note of the organization, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 2000>>,
    /// Whether to ignore the rules for notice, horizon, hours, grid, limits and approval. Taken time still cannot be
    /// booked. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
    /// The id in another system, 1 to 200 characters. Unique among the appointments of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: Option<Text<1, 200>>,
    /// What other programs note about the appointment: at most 20 pairs. Keys have 1 to 40 of `A-Z a-z 0-9 _ . -`.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: Option<Metadata>,
}

impl NewAppointment {
    pub fn order(&self) -> Result<book::Order<'_>, Problem> {
        Ok(book::Order {
            id: None,
            services: book::services(self.service_id, self.and_then.as_ref()),
            provider: self.provider_id,
            start: self.starts_at.0,
            who: book::who(self.contact_id, self.contact.as_ref())?,
            note: self.note.as_deref(),
            labels: Labels { external_id: self.external_id.as_deref(), metadata: self.metadata.as_ref() },
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
            "starts_at": "2031-05-20T14:00:00Z",
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
        /// Only appointments that start at or after this instant, or on or after this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only appointments that start before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to the organization's time zone. If sent, items
        /// have `local_starts_at`.
        time_zone: Query<Option<TimeZone>>,
        ids: Ids,
        /// Only appointments with this provider, also for a later service of a visit.
        provider_id: Query<Option<Uuid>>,
        /// Only appointments for this service, also as a later service of a visit.
        service_id: Query<Option<Uuid>>,
        /// Only appointments of this contact.
        contact_id: Query<Option<Uuid>>,
        /// Only appointments of this series.
        series_id: Query<Option<Uuid>>,
        /// Only appointments that this account or API key booked.
        created_by: Query<Option<Uuid>>,
        /// Only the item with this `external_id`.
        external_id: Query<Option<Text<1, 200>>>,
        /// Only appointments with this status. Can be repeated.
        status: Query<List<AppointmentStatus, 0, 8>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        /// Names to include beside ids. Can be repeated.
        include: Query<List<AppointmentInclude, 0, 3>>,
        /// `starts_at`, or `-starts_at` for the latest first. Defaults to `starts_at`. Keep it for all pages.
        sort: Query<Option<SortByStart>>,
        page: Paging,
    ) -> Result<Json<PageAsOf<Appointment>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed(&self.db, (&caller).into()).await?;
        let order = Order::of(sort.0);
        let (after, before) = page.between(from, to, order);
        let latest_first = order == Order::Descending;
        let include = names(&include.0);
        let status: Option<Vec<&str>> = any_of(status.0.iter().map(|status| status.name()).collect());
        let updated = updated_since.0.map(|instant| instant.0);
        let rows = page.rows();
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![
            &include,
            &after.time,
            &after.id,
            &before.time,
            &before.id,
            &rows,
            &latest_first,
            &status,
            &updated,
        ];
        let keys = [contact_id.0, series_id.0, created_by.0, service_id.0, provider_id.0];
        // The plan of the second statement depends on which keys are given, so PostgreSQL makes it each time.
        let external_id = external_id.0.as_deref();
        let sql = if ids.0.is_none() && external_id.is_none() && keys.iter().all(Option::is_none) {
            sql!("scheduling/appointments_list.sql" as ViewedAppointment)
        } else {
            params.push(&ids.0);
            params.extend(keys.iter().map(|key| key as &(dyn ToSql + Sync)));
            params.push(&external_id);
            sql!("scheduling/appointments_list_filtered.sql" as ViewedAppointment)
        };
        let items = self.db.all(&caller, sql, &params).await?;
        let items = items.into_iter().map(|row| row.at(time_zone.0)).collect();
        let page = page.of(items, |last: &Appointment| Cursor::new(last.starts_at, last.id));
        Ok(Json(page.as_of(as_of)))
    }

    /// Book an appointment
    ///
    /// Books a free slot. If the service requires approval, the appointment is `pending` and its time is taken. 409
    /// `slot_unavailable`, with up to three `alternatives`, if the time is taken; `errors` says why: `busy`, `buffer`,
    /// `capacity` or `resource`. 409 `contact_busy` if the contact has another appointment at that time,
    /// `external_id_taken` if another appointment has the `external_id`. 422 on
    /// `starts_at` if the start violates a rule: `too_soon`, `too_far`, `outside_hours`, `off_grid` or `limit_reached`;
    /// `override_rules` ignores these rules. 409 `already_booked` if the contact has a seat in the session.
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
        let booked = book::book(&self.db, &self.mailer, context, &order, &once, now).await;
        let appointment = order.ids().named(&self.db, context, booked).await?;
        Ok(once.created(format!("/api/v1/appointments/{}", appointment.id), appointment))
    }

    /// Get an appointment
    #[oai(path = "/appointments/:appointment_id", method = "get", operation_id = "get_appointment")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        appointment_id: Path<Uuid>,
        /// Names to include beside ids. Can be repeated.
        include: Query<List<AppointmentInclude, 0, 3>>,
        /// Adds `local_starts_at`, in this IANA time zone.
        time_zone: Query<Option<TimeZone>>,
    ) -> Result<Response<Json<Appointment>>, ApiError<Reading>> {
        let sql = sql!("scheduling/appointments_view.sql" as ViewedAppointment);
        let row = self.db.optional(&caller, sql, &[&appointment_id.0, &names(&include.0)]).await?;
        let appointment = row.ok_or_else(Problem::not_found)?.at(time_zone.0);
        // Names and local times are no part of the version that a change requires.
        let version = conditional::etag_of(&appointment.without_view())?;
        Ok(Response::new(Json(appointment)).header("ETag", version))
    }

    /// Change an appointment
    ///
    /// Changes the note, the ids of other systems or the contact. Another contact gets the same time: 409
    /// `contact_busy` if it has another appointment then, unless the service sets `contact_may_overlap`; `alternatives`
    /// are starts to which the appointment can be moved for that contact. 409
    /// `appointment_ended` if the contact is to change and the appointment is completed, cancelled, declined or a
    /// no-show. 409 `already_booked` if the new contact has a seat in the session. 409 `external_id_taken` if another
    /// appointment has the `external_id`.
    #[oai(path = "/appointments/:appointment_id", method = "patch", operation_id = "update_appointment")]
    async fn update(
        &self,
        caller: Member<Staff, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<AppointmentChanges>,
    ) -> Result<Json<Appointment>, ApiError<Writing>> {
        let (context, id, precondition) = ((&caller).into(), appointment_id.0, if_match.on());
        let (db, mailer) = (&self.db, &self.mailer);
        Ok(Json(change::change(db, mailer, context, id, &body.0, &precondition, Utc::now()).await?))
    }

    /// Reschedule an appointment
    ///
    /// Moves the appointment to another time; it keeps its id. If the request fails, the appointment stays unchanged.
    /// Nothing changes if it already has the start and the provider. Errors are those of booking; the appointment's own
    /// time counts as free. With `following`, this appointment of a series and all later ones are moved in one
    /// transaction, by the same number of days and to the same time of day; errors then name the occurrence, such as
    /// `occurrences[3]`. 409 `no_series` if it belongs to no series. 409 `transition_not_allowed`, with the `allowed`
    /// actions, if it has begun or ended. 409 `slot_unavailable` or `contact_busy` if the new time is taken. 409
    /// `already_booked` if the contact has a seat in the session at that time.
    #[oai(
        path = "/appointments/:appointment_id/reschedule",
        method = "post",
        operation_id = "reschedule_appointment"
    )]
    async fn reschedule(
        &self,
        caller: Member<Staff, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<Reschedule>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let (context, id, body, held) = (Context::from(&caller), appointment_id.0, &body.0, if_match.on());
        let once = Once::new(&context, "reschedule_appointment", idempotency_key.0, &(id, body))?;
        let (db, mailer, now) = (&self.db, &self.mailer, Utc::now());
        let moved = reschedule::reschedule(db, mailer, context, id, body, &held, &once, now).await?;
        Ok(once.replayable(moved))
    }

    /// Swap two appointments
    ///
    /// Each appointment gets the start and the provider of the other, in one transaction. Returns the appointment of
    /// the path. Errors are those of rescheduling. 409 `transition_not_allowed`, `slot_unavailable`, `contact_busy` or
    /// `already_booked` as for rescheduling.
    #[oai(path = "/appointments/:appointment_id/swap", method = "post", operation_id = "swap_appointments")]
    async fn swap(
        &self,
        caller: Member<Staff, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<AppointmentSwap>,
    ) -> Result<Replayable<Appointment>, ApiError<Writing>> {
        let (context, id, body, held) = (Context::from(&caller), appointment_id.0, &body.0, if_match.on());
        let once = Once::new(&context, "swap_appointments", idempotency_key.0, &(id, body))?;
        let (db, mailer, now) = (&self.db, &self.mailer, Utc::now());
        let swapped = reschedule::swap(db, mailer, context, id, body, &held, &once, now).await?;
        Ok(once.replayable(swapped))
    }
}

/// The names that statements know.
fn names(include: &[AppointmentInclude]) -> Vec<&'static str> {
    include.iter().map(|include| include.name()).collect()
}
