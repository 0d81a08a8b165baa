//! The operations for customers with an account: booking with the organization of their token, and their appointments
//! with it and with all organizations.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    calendar_feeds,
    ics::Refreshed,
    my_appointment::{self, MyAppointment},
    online::{self, OnlineProvider, OnlineService},
};
use crate::{
    crm::contacts,
    db::{Context, Db, Params, row},
    http::{
        caller::{Customer, Member, SignedIn},
        if_match::IfMatch,
        json::{Created, Json, OptionalJson, Replayable, SerializedJson},
        page::{Cursor, Ids, Order as ListOrder, Page, Paging, SortByStart},
        problem::{ApiError, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, Text, TimeZone},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{
            appointment::AppointmentStatus,
            book::{self, Order, Who},
            claims::Labels,
            transitions::TransitionReason,
        },
        features::Appointments,
        hours::period::Bounds,
        slots::{
            availability::Enforcement,
            listing::{self, Following, SlotQuery, Slots},
            period::RequestedPeriod,
        },
    },
    sql,
};

/// An appointment with any organization, as the customer sees it.
#[derive(Debug, Object, Serialize)]
pub struct AppointmentSomewhere {
    pub organization_id: Uuid,
    pub organization_name: String,
    pub id: Uuid,
    pub service_name: String,
    pub provider_name: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// The IANA time zone of the organization.
    pub time_zone: String,
}

row! {
    AppointmentSomewhere {
        organization_id, organization_name, id, service_name, provider_name, starts_at, ends_at, status, time_zone
    }
}

/// A booking by a customer.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MyBooking {
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
    /// The start: one that `GET /api/v1/my/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// A message for the organization, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for MyBooking {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// A new time for a customer's appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MyReschedule {
    /// The new start: one that `GET /api/v1/my/services/{service_id}/slots?reschedule_of=…` lists.
    pub starts_at: Instant,
    /// The new provider. Defaults to the current one.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
}

impl Example for MyReschedule {
    fn example() -> Self {
        serde_json::from_value(json!({ "starts_at": "2031-05-21T15:00:00Z" }))
            .expect("the example follows the rules it is an example of")
    }
}

pub struct MyAppointmentsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/my")]
impl MyAppointmentsApi {
    /// List the services I can book
    ///
    /// The services that can be booked online, in the order in which they were created.
    #[oai(path = "/services", method = "get", operation_id = "list_my_services")]
    async fn list_services(
        &self,
        caller: Member<Customer, Appointments>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<OnlineService>>, ApiError<Listing>> {
        Ok(Json(online::services(&self.db, (&caller).into(), &ids, page).await?))
    }

    /// List the providers I can book
    ///
    /// The active providers of the organization, in the order in which they were created.
    #[oai(path = "/providers", method = "get", operation_id = "list_my_providers")]
    async fn list_providers(
        &self,
        caller: Member<Customer, Appointments>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<OnlineProvider>>, ApiError<Listing>> {
        Ok(Json(online::providers(&self.db, (&caller).into(), &ids, page).await?))
    }

    /// List the slots I can book
    ///
    /// The slots of a service that is bookable online. Limits and errors are those of `GET
    /// /api/v1/services/{service_id}/slots`. 503 `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_my_slots")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn list_slots(
        &self,
        caller: Member<Customer, Appointments>,
        service_id: Path<Uuid>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 62 days after `from`.
        to: Query<InstantOrDate>,
        /// Only slots of this provider, for all services. Defaults to all providers.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone for dates and `local_starts_at`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// The id of a service that follows in the same visit. Can be repeated, up to four times.
        and_then: Query<Following>,
        /// The id of an appointment of the customer to reschedule: its own time counts as free, and it does not count
        /// towards limits.
        reschedule_of: Query<Option<Uuid>>,
    ) -> Result<SerializedJson<Slots>, ApiError<Listing>> {
        let context = Context::from(&caller);
        let wanted = SlotQuery {
            contact: linked_contact(&self.db, context).await?,
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: reschedule_of.0,
            unavailable: false,
            online: true,
        };
        Ok(listing::list(&self.db, context, wanted, Utc::now()).await?)
    }

    /// List my appointments
    ///
    /// The customer's appointments with the organization of the token, ordered by start.
    #[oai(path = "/appointments", method = "get", operation_id = "list_my_appointments")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list_mine(
        &self,
        caller: Member<Customer>,
        /// Only appointments that start at or after this instant, or on or after this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only appointments that start before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        ids: Ids,
        /// `starts_at`, or `-starts_at` for the latest first. Defaults to `starts_at`. Keep it for all pages.
        sort: Query<Option<SortByStart>>,
        page: Paging,
    ) -> Result<Json<Page<MyAppointment>>, ApiError<Listing>> {
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed(&self.db, (&caller).into()).await?;
        let order = ListOrder::of(sort.0);
        let (after, before) = page.between(from, to, order);
        let latest_first = order == ListOrder::Descending;
        let params: Params = &[
            &caller.account()?,
            &after.time,
            &after.id,
            &before.time,
            &before.id,
            &page.rows(),
            &latest_first,
            &ids.0,
        ];
        let appointments = my_appointment::list(&self.db, (&caller).into(), params).await?;
        Ok(Json(page.of(appointments, |last| Cursor::new(last.starts_at, last.id))))
    }

    /// List my appointments with all organizations
    ///
    /// The account's appointments as a customer of any organization, ordered by start.
    #[oai(
        path = "/appointments/everywhere",
        method = "get",
        operation_id = "list_my_appointments_everywhere"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list_everywhere(
        &self,
        caller: SignedIn,
        /// Only appointments that start at or after this instant, or on or after this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only appointments that start before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to UTC.
        time_zone: Query<Option<TimeZone>>,
        ids: Ids,
        /// `starts_at`, or `-starts_at` for the latest first. Defaults to `starts_at`. Keep it for all pages.
        sort: Query<Option<SortByStart>>,
        page: Paging,
    ) -> Result<Json<Page<AppointmentSomewhere>>, ApiError<Listing>> {
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed_in(time_zone.0.map_or(Tz::UTC, |zone| zone.0))?;
        let order = ListOrder::of(sort.0);
        let (after, before) = page.between(from, to, order);
        let latest_first = order == ListOrder::Descending;
        let appointments = self
            .db
            .all(
                &caller,
                sql!("scheduling/appointments_list_everywhere.sql" as AppointmentSomewhere),
                &[&after.time, &after.id, &before.time, &before.id, &page.rows(), &latest_first, &ids.0],
            )
            .await?;
        Ok(Json(page.of(appointments, |last| Cursor::new(last.starts_at, last.id))))
    }

    /// Book an appointment of mine
    ///
    /// Books a slot for the customer's contact. Errors are those of `POST /api/v1/appointments`. 409 `contact_missing`
    /// if no contact of the organization is linked to the account. 409 `slot_unavailable`, `contact_busy` or
    /// `already_booked` if the time is taken.
    #[oai(path = "/appointments", method = "post", operation_id = "book_my_appointment")]
    async fn book(
        &self,
        caller: Member<Customer, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<MyBooking>,
    ) -> Result<Created<MyAppointment>, ApiError<Writing>> {
        let id = Uuid::now_v7();
        let context = caller.about(id)?;
        let once = Once::new(&context, "book_my_appointment", idempotency_key.0, &body.0)?;
        let new = &body.0;
        let order = Order {
            id: Some(id),
            services: book::services(new.service_id, new.and_then.as_ref()),
            provider: new.provider_id,
            start: new.starts_at.0,
            who: Who::Known(contact(&self.db, context).await?),
            note: new.note.as_deref(),
            labels: Labels::default(),
            policy: Enforcement::Full,
            online: true,
            guest: None,
        };
        let appointment = book::book(&self.db, &self.mailer, context, &order, &once, Utc::now()).await?;
        let booked = my_appointment::get(&self.db, context, appointment.id).await?;
        Ok(once.created(format!("/api/v1/my/appointments/{}", booked.id), booked))
    }

    /// Get an appointment of mine
    #[oai(path = "/appointments/:appointment_id", method = "get", operation_id = "get_my_appointment")]
    async fn get(
        &self,
        caller: Member<Customer>,
        appointment_id: Path<Uuid>,
    ) -> Result<Json<MyAppointment>, ApiError<Reading>> {
        Ok(Json(my_appointment::get(&self.db, (&caller).into(), appointment_id.0).await?))
    }

    /// Get an appointment of mine as a calendar entry
    ///
    /// Returns the appointment as an iCalendar file.
    #[oai(
        path = "/appointments/:appointment_id/calendar.ics",
        method = "get",
        operation_id = "get_my_appointment_calendar"
    )]
    async fn calendar(
        &self,
        caller: Member<Customer>,
        appointment_id: Path<Uuid>,
        /// The `ETag` of an earlier answer, or several, comma-separated. 304 if the content has one of them.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The `Last-Modified` of an earlier answer. 304 if the content has not changed since. Ignored if
        /// `If-None-Match` is sent.
        #[oai(name = "If-Modified-Since")]
        if_modified_since: Header<Option<String>>,
    ) -> Result<Refreshed, ApiError<Reading>> {
        let ics = calendar_feeds::one(&self.db, (&caller).into(), appointment_id.0).await?;
        Ok(ics.unless_held(if_none_match.0.as_deref(), if_modified_since.0.as_deref()))
    }

    /// Cancel an appointment of mine
    ///
    /// The body is optional. 409 `too_late` after the cancellation notice of the service has passed. 409
    /// `transition_not_allowed`, with the `allowed` actions, if its status does not allow cancelling, for example after
    /// check-in.
    #[oai(
        path = "/appointments/:appointment_id/cancel",
        method = "post",
        operation_id = "cancel_my_appointment"
    )]
    async fn cancel(
        &self,
        caller: Member<Customer>,
        appointment_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<TransitionReason>,
    ) -> Result<Replayable<MyAppointment>, ApiError<Writing>> {
        let context = caller.about(appointment_id.0)?;
        let (id, reason) = (appointment_id.0, body.0.reason.as_deref());
        let once = Once::new(&context, "cancel_my_appointment", idempotency_key.0, &(id, &body.0))?;
        let precondition = my_appointment::required(&self.db, context, id, &if_match).await?;
        online::cancel(&self.db, &self.mailer, context, id, reason, &precondition, &once).await?;
        Ok(once.replayable(my_appointment::get(&self.db, context, id).await?))
    }

    /// Reschedule an appointment of mine
    ///
    /// If the service requires approval, a confirmed appointment becomes `pending` again. Nothing changes if it already
    /// has the start and the provider. 409 `too_late` after the cancellation notice of the service has passed. 409
    /// `transition_not_allowed` if its status does not allow moving, for example after check-in. 409
    /// `service_unavailable` if the service is no longer bookable online. Other errors are those of booking: 409
    /// `slot_unavailable`, `contact_busy` or `already_booked` if the new time is taken.
    #[oai(
        path = "/appointments/:appointment_id/reschedule",
        method = "post",
        operation_id = "reschedule_my_appointment"
    )]
    async fn reschedule(
        &self,
        caller: Member<Customer, Appointments>,
        appointment_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MyReschedule>,
    ) -> Result<Json<MyAppointment>, ApiError<Writing>> {
        let context = caller.about(appointment_id.0)?;
        let MyReschedule { starts_at, provider_id } = body.0;
        let (db, mailer, id) = (&self.db, &self.mailer, appointment_id.0);
        let precondition = my_appointment::required(db, context, id, &if_match).await?;
        online::reschedule(db, mailer, context, id, starts_at, provider_id, &precondition).await?;
        Ok(Json(my_appointment::get(db, context, id).await?))
    }
}

/// The contact that is linked to the account of a customer, if any.
pub async fn linked_contact(db: &Db, context: Context) -> Result<Option<Uuid>, Failure> {
    let account = context.actor().ok_or_else(Problem::person_required)?;
    let mut tx = db.begin(context);
    let contact = contacts::of_account(&mut tx, account).await?;
    tx.commit().await?;
    Ok(contact)
}

/// The contact that is linked to the account of a customer.
pub async fn contact(db: &Db, context: Context) -> Result<Uuid, Failure> {
    let missing = || {
        let detail = "No contact of the organization is linked to your account. Ask the organization to invite you as a customer.";
        Problem::conflict("contact_missing", detail)
    };
    Ok(linked_contact(db, context).await?.ok_or_else(missing)?)
}
