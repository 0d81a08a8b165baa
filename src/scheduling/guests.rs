//! Guests: customers without an account. They see what an organization offers online, book it, and with the link they then
//! get they see, move and cancel that one appointment. The link is signed, and good for nothing else.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;

use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointments::{Appointment, AppointmentAction, AppointmentStatus, CancelledBy, Done, transition},
    availability::{self, Slots, Wanted},
    booking::{self, Order, Who},
    calendar::{self, Ics},
    moving::{self, Reschedule},
    services::Service,
    slots::Policy,
};
use crate::{
    crm::contacts::NewContact,
    db::{self, Context, Db},
    http::{
        Tag, caller,
        client::{Client, Host},
        json::{Created, Json, Written},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{Failure, GuestReading, Guesting, Problem, Refused},
        text::{IdempotencyKey, Instant, InstantOrDate, Slug, Text, TimeZone},
        token::Tokens,
    },
    messaging::{
        budget::OnBehalf,
        mail::{Mail, Mailer},
    },
    operations::idempotency::Once,
    sql,
    tenancy::organizations,
};

/// How long after an appointment its link still shows it.
const LINK_OUTLIVES: TimeDelta = TimeDelta::days(30);

/// A service as customers see it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct OnlineService {
    pub id: Uuid,
    pub name: String,
    /// What the customer should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Elapsed minutes an appointment takes.
    pub duration_minutes: i32,
    /// Price in the minor unit of the currency (cents); absent where none is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_amount: Option<i32>,
    /// ISO 4217 code of the currency of the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// Whether what is booked is pending until the organization confirms it.
    pub requires_approval: bool,
    /// How many may be booked into one start.
    pub capacity: i32,
    /// Elapsed minutes before the start until which it can be cancelled or moved.
    pub cancellation_notice_minutes: i32,
}

impl From<Service> for OnlineService {
    fn from(service: Service) -> Self {
        Self {
            id: service.id,
            name: service.name,
            description: service.description,
            duration_minutes: service.duration_minutes,
            price_amount: service.price_amount,
            price_currency: service.price_currency,
            requires_approval: service.requires_approval,
            capacity: service.capacity,
            cancellation_notice_minutes: service.cancellation_notice_minutes,
        }
    }
}

/// Somebody who can be booked, as customers see them.
#[derive(Debug, Object, Serialize)]
pub struct OnlineProvider {
    pub id: Uuid,
    pub name: String,
}

/// What a guest books.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestBooking {
    pub service_id: Uuid,
    /// Services that follow in the same visit, up to four.
    #[serde(default)]
    #[oai(nullable)]
    pub and_then: Option<Vec<Uuid>>,
    /// Who gives it; whoever is free, where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// One of the starts that are listed.
    pub starts_at: Instant,
    /// Who comes. The link is sent to the e-mail address, where there is one.
    pub contact: NewContact,
    /// What the organization should know.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for GuestBooking {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2026-12-01T09:00:00+01:00",
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// An appointment as a guest sees it.
#[derive(Debug, Object, Serialize)]
pub struct GuestAppointment {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// Whoever has it sees, moves and cancels this appointment, until 30 days after it.
    pub manage_token: String,
}

/// What a guest got with the booking.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Managing {
    /// The `manage_token` of the booking.
    pub token: String,
}

impl Example for Managing {
    fn example() -> Self {
        Self { token: "eyJ0eXAiOiJKV1Qi….eyJzdWIiOiIw….4pX".to_owned() }
    }
}

/// A guest who does not come.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestCancellation {
    /// The `manage_token` of the booking.
    pub token: String,
    /// Why.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
}

impl Example for GuestCancellation {
    fn example() -> Self {
        Self { token: Managing::example().token, reason: Text::parse("I am ill.").ok() }
    }
}

/// A guest who would rather come at another time.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestReschedule {
    /// The `manage_token` of the booking.
    pub token: String,
    /// The new start: one of those listed.
    pub starts_at: Instant,
    /// Who is to give it; as before where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
}

impl Example for GuestReschedule {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "token": Managing::example().token, "starts_at": "2031-05-06T10:00:00Z" }),
        )
        .expect("the example follows the rules it is an example of")
    }
}

pub struct GuestsApi {
    pub db: Db,
    pub tokens: Arc<Tokens>,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/guest", tag = "Tag::Scheduling")]
impl GuestsApi {
    /// List what can be booked online
    ///
    /// Of the organization whose host is asked, or which is named. In the order of creation.
    #[oai(path = "/services", method = "get", operation_id = "list_online_services")]
    async fn list_services(
        &self,
        client: Client,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<OnlineService>>, Refused<GuestReading>> {
        let guest = self.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .db
            .all(
                guest,
                sql!("scheduling/services_list.sql"),
                &[&after, &i64::from(size + 1), &None::<DateTime<Utc>>],
            )
            .await?;
        let services: Result<Vec<_>, Problem> =
            rows.into_iter().map(|row| Service::try_from(row).map(OnlineService::from)).collect();
        Ok(Json(Page::new(services?, size, |last| Cursor::id(last.id))))
    }

    /// List who can be booked online
    ///
    /// Of the organization whose host is asked, or which is named. In the order of creation.
    #[oai(path = "/providers", method = "get", operation_id = "list_online_providers")]
    async fn list_providers(
        &self,
        client: Client,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<OnlineProvider>>, Refused<GuestReading>> {
        let guest = self.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .db
            .all(
                guest,
                sql!("scheduling/providers_list.sql"),
                &[&after, &i64::from(size + 1), &None::<DateTime<Utc>>],
            )
            .await?;
        let provider = |row: tokio_postgres::Row| OnlineProvider { id: row.get(0), name: row.get(1) };
        let providers = rows.into_iter().map(provider).collect();
        Ok(Json(Page::new(providers, size, |last| Cursor::id(last.id))))
    }

    /// List free slots online
    ///
    /// As `GET /api/v1/services/{service_id}/slots` does for those who work there.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_online_slots")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn list_slots(
        &self,
        client: Client,
        service_id: Path<Uuid>,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, itself not part of it. At most 62 days after `from`.
        to: Query<InstantOrDate>,
        /// Only this provider; anybody where not given.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone that dates are in; the organization's where not given.
        time_zone: Query<Option<TimeZone>>,
        /// A service that follows in the same visit. May be repeated, up to four times.
        and_then: Query<Vec<Uuid>>,
    ) -> Result<Written<Slots>, Refused<GuestReading>> {
        let guest = self.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let wanted = Wanted {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            from: from.0,
            to: to.0,
            time_zone: time_zone.0,
            reschedule_of: None,
            contact: None,
            unavailable: false,
            online: true,
        };
        Ok(availability::list(&self.db, guest, wanted, Utc::now()).await?)
    }

    /// Book as a guest
    ///
    /// Refused as `POST /api/v1/appointments` does, with the same codes. The answer has a `manage_token`, and where the contact has
    /// an e-mail address a link with it is sent there.
    #[oai(path = "/appointments", method = "post", operation_id = "book_as_guest")]
    async fn book(
        &self,
        client: Client,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestBooking>,
    ) -> Result<Created<GuestAppointment>, Refused<Guesting>> {
        let id = Uuid::now_v7();
        let guest = self.guest(&client, organization_slug.0.as_deref(), id).await?;
        let once = Once::new(&guest, "book_as_guest", idempotency_key.0, &body.0)?;
        let new = &body.0;
        let following = new.and_then.as_deref().unwrap_or_default();
        let order = Order {
            id: Some(id),
            services: booking::services(new.service_id, following)?,
            provider: new.provider_id,
            start: new.starts_at.0,
            who: Who::New(&new.contact),
            note: new.note.as_deref(),
            policy: Policy::Kept,
            online: true,
        };
        let appointment =
            booking::book(&self.db, &self.mailer, guest, &order, once.as_ref(), Utc::now()).await?;
        let booked = self.show(guest.tenant, appointment)?;
        let replayed = Once::is_replay(once.as_ref());
        if let Some(email) = new.contact.email.as_ref().filter(|_| !replayed) {
            let row = self.db.one(guest, sql!("scheduling/calendar_appointment.sql"), &[&id]).await?;
            let (organization, zone): (&str, &str) = (row.get("feed_name"), row.get("time_zone"));
            let local = booked.starts_at.with_timezone(&zone.parse().unwrap_or(chrono_tz::Tz::UTC));
            self.mailer.send(Mail {
                to: email.to_string(),
                subject: format!("Your appointment with {organization}"),
                body: format!(
                    "{} with {}, {} ({zone}){}.\n\nSee, move or cancel it here:\n\n{}\n",
                    row.get::<_, &str>("service_name"),
                    row.get::<_, &str>("provider_name"),
                    local.format("%Y-%m-%d %H:%M"),
                    if booked.status == AppointmentStatus::Pending { ", to be confirmed" } else { "" },
                    self.mailer.link("manage-appointment", &booked.manage_token),
                ),
                on_behalf: OnBehalf::Organization { id: guest.tenant, inviter: None },
            });
        }
        Ok(Created { location: "/api/v1/guest/appointment".to_owned(), body: booked, replayed })
    }

    /// Get the appointment of a link
    ///
    /// As `POST` does, with the `manage_token` in the header: `Authorization: Bearer …`.
    #[oai(path = "/appointment", method = "get", operation_id = "get_as_guest")]
    async fn get(&self, request: &Request) -> Result<Json<GuestAppointment>, Refused<Guesting>> {
        let guest = self.managing(caller::bearer_token(request)?)?;
        let appointment = appointment(&self.db, guest).await?;
        Ok(Json(self.show(guest.tenant, appointment)?))
    }

    /// See the appointment of a link
    #[oai(path = "/appointment", method = "post", operation_id = "view_as_guest")]
    async fn view(&self, body: Json<Managing>) -> Result<Json<GuestAppointment>, Refused<Guesting>> {
        let guest = self.managing(&body.0.token)?;
        Ok(Json(self.show(guest.tenant, appointment(&self.db, guest).await?)?))
    }

    /// Get the appointment of a link as a calendar entry
    #[oai(path = "/appointment/calendar", method = "post", operation_id = "get_calendar_as_guest")]
    async fn calendar(&self, body: Json<Managing>) -> Result<Ics, Refused<Guesting>> {
        let guest = self.managing(&body.0.token)?;
        Ok(calendar::one(&self.db, guest, managed(guest)?).await?)
    }

    /// Cancel the appointment of a link
    ///
    /// 409 `too_late` once the notice the service wants is over, `transition_not_allowed` where it cannot be cancelled any more.
    #[oai(path = "/appointment/cancel", method = "post", operation_id = "cancel_as_guest")]
    async fn cancel(
        &self,
        body: Json<GuestCancellation>,
    ) -> Result<Json<GuestAppointment>, Refused<Guesting>> {
        let now = Utc::now();
        let guest = self.managing(&body.0.token)?;
        in_time(&self.db, guest, now).await?;
        let done = Done {
            action: AppointmentAction::Cancel,
            reason: body.0.reason.as_deref(),
            following: false,
            by: CancelledBy::Guest,
        };
        let cancelled = transition(&self.db, &self.mailer, guest, managed(guest)?, done, now).await?;
        Ok(Json(self.show(guest.tenant, cancelled)?))
    }

    /// Reschedule the appointment of a link
    ///
    /// 409 `too_late` once the notice the service wants is over; otherwise refused as booking is. The answer has a new token,
    /// since the old one may end before the new time.
    #[oai(path = "/appointment/reschedule", method = "post", operation_id = "reschedule_as_guest")]
    async fn reschedule(
        &self,
        body: Json<GuestReschedule>,
    ) -> Result<Json<GuestAppointment>, Refused<Guesting>> {
        let now = Utc::now();
        let guest = self.managing(&body.0.token)?;
        in_time(&self.db, guest, now).await?;
        let request = Reschedule {
            starts_at: body.0.starts_at,
            provider_id: body.0.provider_id,
            reason: None,
            following: false,
            override_rules: false,
        };
        let moved = moving::reschedule(&self.db, &self.mailer, guest, managed(guest)?, &request, now).await?;
        Ok(Json(self.show(guest.tenant, moved)?))
    }
}

impl GuestsApi {
    /// A guest of the organization whose host is asked, or which is named.
    async fn guest(
        &self,
        client: &Client,
        slug: Option<&str>,
        appointment: Uuid,
    ) -> Result<Context, Failure> {
        let host = match &client.host {
            Host::Ours => None,
            Host::Tenant(name) => Some(name.as_str()),
        };
        if host.is_none() && slug.is_none() {
            let detail = "the slug of the organization, where it is not its own host that is asked";
            Err(Problem::invalid_field("organization_slug", "required", detail))?;
        }
        let organization = organizations::public(&self.db, host, slug).await?;
        Ok(context(organization.ok_or_else(Problem::not_found)?, appointment))
    }

    /// Whoever has the link of an appointment.
    fn managing(&self, token: &str) -> Result<Context, Problem> {
        let (organization, appointment) = self.tokens.managed(token)?;
        Ok(context(organization, appointment))
    }

    fn show(&self, organization: Uuid, appointment: Appointment) -> Result<GuestAppointment, Problem> {
        let now = Utc::now();
        let lifetime = (appointment.ends_at + LINK_OUTLIVES - now).max(TimeDelta::zero());
        let manage_token = self.tokens.issue_managing(organization, appointment.id, lifetime, now)?;
        Ok(GuestAppointment {
            id: appointment.id,
            service_id: appointment.service_id,
            provider_id: appointment.provider_id,
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            status: appointment.status,
            manage_token,
        })
    }
}

fn context(tenant: Uuid, appointment: Uuid) -> Context {
    Context { tenant, who: db::Who::Guest { appointment }, needs: "guest", feature: Some("appointments") }
}

fn managed(guest: Context) -> Result<Uuid, Problem> {
    match guest.who {
        db::Who::Guest { appointment } => Ok(appointment),
        _ => Err(Problem::internal()),
    }
}

async fn appointment(db: &Db, guest: Context) -> Result<Appointment, Failure> {
    let row = db.optional(guest, sql!("scheduling/appointments_get.sql"), &[&managed(guest)?]).await?;
    Ok(row.ok_or_else(Problem::not_found)?.into())
}

/// Whether the service still lets its customers move or cancel.
async fn in_time(db: &Db, guest: Context, now: DateTime<Utc>) -> Result<(), Failure> {
    let appointment = appointment(db, guest).await?;
    let mut notice = 0;
    for service in appointment.services() {
        let row = db.optional(guest, sql!("scheduling/services_get.sql"), &[&service]).await?;
        // What is not offered online any more is a matter for those who work there.
        let service = row.ok_or_else(|| {
            Problem::conflict(
                "service_unavailable",
                "The service is not offered online any more. Tell the organization.",
            )
        })?;
        notice = notice.max(Service::try_from(service)?.cancellation_notice_minutes);
    }
    if appointment.starts_at < now + TimeDelta::minutes(notice.into()) {
        return Err(Problem::conflict(
            "too_late",
            format!("It can be changed until {notice} minutes before it starts. Tell the organization."),
        )
        .into());
    }
    Ok(())
}
