//! The operations for guests, who are customers without an account. They list services and slots and book; with the
//! signed link that they get they can view, move and cancel that one appointment. The link names the organization, too.

use chrono::Utc;
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
    guest_access::{GuestAppointment, GuestToken, Guests, managed},
    guest_verification::{self, GuestBooked},
    ics::Ics,
    online::{self, OnlineProvider, OnlineService},
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        caller::{Link, ManageToken},
        client::Client,
        if_match::Precondition,
        json::{Json, Replayable, SerializedJson},
        page::{Ids, Page, Paging},
        problem::{ApiError, Failure, GuestReading, GuestWriting},
        values::{CaptchaToken, IdempotencyKey, Instant, InstantOrDate, Slug, Text, TimeZone},
    },
    operations::idempotency::Once,
    scheduling::{
        booking::{
            appointment::AppointmentAction,
            book::{self, Order, Who},
            claims::Labels,
            guest_booking::{self, Outcome},
            guest_request::GuestRequest,
        },
        slots::{
            availability::Enforcement,
            listing::{self, Following, SlotQuery, Slots},
            period::RequestedPeriod,
            problems::service_unavailable,
        },
    },
};

/// A booking by a guest.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestBooking {
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
    /// The start: one that `GET /api/v1/guest/services/{service_id}/slots` lists.
    pub starts_at: Instant,
    /// The guest. The link is sent to the e-mail address, if given.
    pub contact: NewContact,
    /// A message for the organization, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for GuestBooking {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// A cancellation by a guest.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestCancellation {
    /// The `manage_token` of the appointment.
    pub token: ManageToken,
    /// The reason, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
}

impl Example for GuestCancellation {
    fn example() -> Self {
        Self { token: GuestToken::example().token, reason: Text::parse("I am ill.").ok() }
    }
}

/// A new time for a guest's appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestReschedule {
    /// The `manage_token` of the appointment.
    pub token: ManageToken,
    /// The new start: one that `GET /api/v1/guest/appointment/slots` lists.
    pub starts_at: Instant,
    /// The new provider. Defaults to the current one.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
}

impl Example for GuestReschedule {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "token": GuestToken::example().token, "starts_at": "2031-05-21T15:00:00Z" }),
        )
        .expect("the example follows the rules it is an example of")
    }
}

pub struct GuestAppointmentsApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestAppointmentsApi {
    /// List services that can be booked online
    ///
    /// The services of the organization that are bookable online, in the order in which they were created. 404
    /// `organization_not_found` if no active organization has the slug or host.
    #[oai(path = "/services", method = "get", operation_id = "list_online_services")]
    async fn list_services(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<OnlineService>>, ApiError<GuestReading>> {
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        Ok(Json(online::services(&self.0.db, guest, &ids, page).await?))
    }

    /// List providers who can be booked online
    ///
    /// The active providers of the organization, in the order in which they were created. 404 `organization_not_found`
    /// if no active organization has the slug or host.
    #[oai(path = "/providers", method = "get", operation_id = "list_online_providers")]
    async fn list_providers(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<OnlineProvider>>, ApiError<GuestReading>> {
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        Ok(Json(online::providers(&self.0.db, guest, &ids, page).await?))
    }

    /// List slots that can be booked online
    ///
    /// The slots of a service that is bookable online. Limits and errors are those of `GET
    /// /api/v1/services/{service_id}/slots`. For moving an appointment, use `GET /api/v1/guest/appointment/slots`. 404
    /// `organization_not_found` if no active organization has the slug or host. 503 `computation_timeout` if computing
    /// takes longer than 2 seconds.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_online_slots")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn list_slots(
        &self,
        client: Client,
        service_id: Path<Uuid>,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
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
    ) -> Result<SerializedJson<Slots>, ApiError<GuestReading>> {
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: None,
            contact: None,
            unavailable: false,
            online: true,
        };
        Ok(listing::list(&self.0.db, guest, wanted, Utc::now()).await?)
    }

    /// Book as a guest
    ///
    /// Books a slot and returns a `manage_token`; a link with it is sent to the contact's e-mail address, if given. If
    /// the service requires approval, the appointment is `pending`. If the service verifies e-mail addresses
    /// (`guest_verification`), returns 202 instead and holds the time for 30 minutes, until the guest opens the link in
    /// an e-mail. Errors are those of `POST /api/v1/appointments`. 409 `already_booked` for a second seat of a group
    /// session with the same e-mail address. 422 `required` on `contact.email` or `contact.phone` if the service
    /// requires it (`guest_requires`). 429 `guest_limit` if the organization's limit of guest bookings is reached. 404
    /// `organization_not_found` if no active organization has the slug or host. 409 `slot_unavailable` or
    /// `contact_busy` if the time is taken. 503 `captcha_unavailable`, `mail_unavailable` if the server cannot check
    /// the captcha or send the e-mail.
    #[oai(path = "/appointments", method = "post", operation_id = "book_as_guest")]
    pub async fn book(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        /// The token from the captcha on the page, valid for one request. Required if the server uses a captcha.
        #[oai(name = "Captcha-Token")]
        captcha_token: Header<Option<CaptchaToken>>,
        body: Json<GuestBooking>,
    ) -> Result<GuestBooked, ApiError<GuestWriting>> {
        let id = Uuid::now_v7();
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), id).await?;
        let once = Once::new(&guest, "book_as_guest", idempotency_key.0, &body.0)?;
        let new = &body.0;
        let token = captcha_token.0.as_deref();
        if let Some(answer) = self.0.admit(&client, guest, token, &once).await? {
            return Ok(self.answer(guest, Outcome::before(answer)?).await?);
        }
        let order = Order {
            id: Some(id),
            services: book::services(new.service_id, new.and_then.as_ref()),
            provider: new.provider_id,
            start: new.starts_at.0,
            who: Who::New(&new.contact),
            note: new.note.as_deref(),
            labels: Labels::default(),
            policy: Enforcement::Full,
            online: true,
            guest: Some(GuestRequest::new(guest.tenant, client.address, new.contact.email.as_deref())),
        };
        let (db, mailer) = (&self.0.db, &self.0.mailer);
        let outcome = guest_booking::book(db, mailer, guest, &order, &once, Utc::now()).await?;
        Ok(self.answer(guest, outcome).await?)
    }

    /// Get a guest's appointment
    ///
    /// Returns everything that a page has to show: names, the organization's time zone, and until when the guest can
    /// change the appointment.
    #[oai(path = "/appointment", method = "get", operation_id = "get_as_guest")]
    async fn get(&self, link: Link) -> Result<Json<GuestAppointment>, ApiError<GuestReading>> {
        let guest = self.0.managing(&link.0)?;
        Ok(Json(self.0.see(guest, managed(guest)?).await?))
    }

    /// Get a guest's appointment by a token in the body
    #[oai(path = "/appointment", method = "post", operation_id = "view_as_guest")]
    pub async fn view(
        &self,
        body: Json<GuestToken>,
    ) -> Result<Json<GuestAppointment>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        Ok(Json(self.0.see(guest, managed(guest)?).await?))
    }

    /// Get a guest's appointment as a calendar entry
    #[oai(path = "/appointment/calendar", method = "post", operation_id = "get_calendar_as_guest")]
    pub async fn calendar(&self, body: Json<GuestToken>) -> Result<Ics, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        Ok(calendar_feeds::one(&self.0.db, guest, managed(guest)?).await?)
    }

    /// List slots for moving a guest's appointment
    ///
    /// The slots to which the appointment can be moved, with all its services. Its own time counts as free; the time of
    /// other appointments of its contact does not. Limits are those of `GET /api/v1/services/{service_id}/slots`, and
    /// errors those of moving: 409 `too_late`, `transition_not_allowed` or `service_unavailable`.
    #[oai(path = "/appointment/slots", method = "get", operation_id = "list_slots_to_reschedule_as_guest")]
    async fn list_slots_to_reschedule(
        &self,
        link: Link,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 62 days after `from`.
        to: Query<InstantOrDate>,
        /// Only slots of this provider, for all services. Defaults to all providers.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone for dates and `local_starts_at`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
    ) -> Result<SerializedJson<Slots>, ApiError<GuestReading>> {
        let guest = self.0.managing(&link.0)?;
        let (id, now) = (managed(guest)?, Utc::now());
        let named = online::named(&self.0.db, guest, id).await?;
        online::check_change(guest, &named, AppointmentAction::Reschedule, now)?;
        let wanted = SlotQuery {
            services: vec![named.appointment.service_id],
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: Some(id),
            contact: None,
            unavailable: false,
            online: true,
        };
        match listing::list(&self.0.db, guest, wanted, now).await {
            // The appointment exists, so guests do not see one of its services.
            Err(Failure::Problem(problem))
                if problem.code == "not_found"
                    || problem.errors.iter().any(|error| error.field == "and_then") =>
            {
                Err(service_unavailable())?
            }
            slots => Ok(slots?),
        }
    }

    /// Cancel a guest's appointment
    ///
    /// 409 `too_late` after the cancellation notice of the service has passed. 409 `transition_not_allowed`, with the
    /// `allowed` actions, if its status does not allow cancelling, for example after check-in.
    #[oai(path = "/appointment/cancel", method = "post", operation_id = "cancel_as_guest")]
    pub async fn cancel(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestCancellation>,
    ) -> Result<Replayable<GuestAppointment>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        let once = Once::new(&guest, "cancel_as_guest", idempotency_key.0, &body.0)?;
        let (id, reason, none) = (managed(guest)?, body.0.reason.as_deref(), Precondition::none());
        online::cancel(&self.0.db, &self.0.mailer, guest, id, reason, &none, &once).await?;
        Ok(once.replayable(self.0.see(guest, id).await?))
    }

    /// Reschedule a guest's appointment
    ///
    /// If the service requires approval, a confirmed appointment becomes `pending` again. Nothing changes if it already
    /// has the start and the provider. 409 `too_late` after the cancellation notice of the service has passed. 409
    /// `transition_not_allowed` if its status does not allow moving, for example after check-in. 409
    /// `service_unavailable` if the service is no longer bookable online. Other errors are those of booking. 409
    /// `slot_unavailable`, `contact_busy` or `already_booked` if the new time is taken.
    #[oai(path = "/appointment/reschedule", method = "post", operation_id = "reschedule_as_guest")]
    pub async fn reschedule(
        &self,
        body: Json<GuestReschedule>,
    ) -> Result<Json<GuestAppointment>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        let GuestReschedule { starts_at, provider_id, .. } = body.0;
        let (db, mailer, id, none) = (&self.0.db, &self.0.mailer, managed(guest)?, Precondition::none());
        online::reschedule(db, mailer, guest, id, starts_at, provider_id, &none).await?;
        Ok(Json(self.0.see(guest, id).await?))
    }
}

impl GuestAppointmentsApi {
    /// The answer to a booking.
    async fn answer(&self, guest: Context, outcome: Outcome) -> Result<GuestBooked, Failure> {
        let location = "/api/v1/guest/appointment".to_owned();
        Ok(match outcome {
            Outcome::Booked(named) => GuestBooked::Booked(Json(self.0.show(guest, &named)?), location, None),
            Outcome::BookedBefore(appointment) => {
                let booked = self.0.see(guest, appointment.id).await?;
                GuestBooked::Booked(Json(booked), location, Some(true))
            }
            Outcome::Held(hold, to_verify) => {
                guest_verification::mail(&self.0, guest, &hold, to_verify)?;
                GuestBooked::Held(Json(hold.into()), None)
            }
            Outcome::HeldBefore(hold) => GuestBooked::Held(Json(hold.into()), Some(true)),
        })
    }
}
