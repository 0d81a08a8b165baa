//! What guests and customers with an account have in common: the services and providers they can book online, and
//! cancelling and moving their appointments.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{Context, Db, Who, row},
    http::{
        if_match::Precondition,
        page::{Cursor, Page, Paging},
        problem::{Failure, Problem},
        values::Instant,
    },
    messaging::mail::Mailer,
    scheduling::{
        booking::{
            appointment::{self, Appointment, AppointmentAction, CancelledBy},
            reschedule::{self, Reschedule},
            transitions::{TransitionRequest, transition},
        },
        catalog::{
            service::{GuestDetail, GuestVerification, Service, ServiceRow},
            services,
        },
    },
    sql,
};

/// A service, as customers see it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct OnlineService {
    pub id: Uuid,
    pub name: String,
    /// Information for customers; absent if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Duration of an appointment in minutes of elapsed time.
    pub duration_minutes: i32,
    /// Price in the minor unit of the currency, such as cents; absent if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_amount: Option<i32>,
    /// ISO 4217 code of the currency of the price; absent if no price is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// Whether a booking is pending until the organization confirms it.
    pub requires_approval: bool,
    /// Number of seats: how many appointments one provider can have at one start.
    pub capacity: i32,
    /// How long before the start an appointment can be cancelled or moved, in minutes of elapsed time.
    pub cancellation_notice_minutes: i32,
    /// Contact details that a guest must give besides a name.
    pub guest_requires: Vec<GuestDetail>,
    /// How a guest is verified before a booking takes effect.
    pub guest_verification: GuestVerification,
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
            guest_requires: service.guest_requires,
            guest_verification: service.guest_verification,
        }
    }
}

/// A provider who can be booked online.
#[derive(Debug, Object, Serialize)]
pub struct OnlineProvider {
    pub id: Uuid,
    pub name: String,
}

row! {
    OnlineProvider { id, name }
}

/// The services that can be booked online, in the order of creation.
pub async fn services(db: &Db, context: Context, page: Paging) -> Result<Page<OnlineService>, Failure> {
    let rows = db
        .all(
            context,
            sql!("scheduling/services_list.sql" as ServiceRow),
            &[&page.after_id(), &page.rows(), &None::<DateTime<Utc>>],
        )
        .await?;
    let services = rows.into_iter().map(|row| Service::from(row).into()).collect();
    Ok(page.of(services, |last: &OnlineService| Cursor::id(last.id)))
}

/// The providers who can be booked online, in the order of creation.
pub async fn providers(db: &Db, context: Context, page: Paging) -> Result<Page<OnlineProvider>, Failure> {
    let providers = db
        .all(
            context,
            sql!("scheduling/providers_list.sql" as OnlineProvider),
            &[&page.after_id(), &page.rows(), &None::<DateTime<Utc>>],
        )
        .await?;
    Ok(page.of(providers, |last| Cursor::id(last.id)))
}

/// How long after the end of an appointment its link is valid.
pub const LINK_OUTLIVES: TimeDelta = TimeDelta::days(30);

/// 401: the appointment of the link ended too long ago.
pub fn link_expired() -> Problem {
    Problem::unauthorized(
        "token_expired",
        "The link has expired: its appointment or waitlist entry ended more than 30 days ago.",
    )
}

/// 401 if the appointment of a guest's link ended too long ago.
pub fn check_link(context: Context, appointment: &Appointment) -> Result<(), Problem> {
    let is_guest = matches!(context.who, Who::Guest { .. });
    if is_guest && appointment.ends_at + LINK_OUTLIVES < Utc::now() { Err(link_expired()) } else { Ok(()) }
}

/// One appointment of the guest or customer. The link of a guest expires 30 days after its end.
pub async fn appointment(db: &Db, context: Context, id: Uuid) -> Result<Appointment, Failure> {
    let row = db.optional(context, appointment::GET, &[&id]).await?;
    let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
    check_link(context, &appointment)?;
    Ok(appointment)
}

/// Whether one of these services verifies e-mail addresses of guests.
pub async fn verifies(db: &Db, context: Context, services: &[Uuid]) -> Result<bool, Failure> {
    let mut verifies = false;
    for service in services {
        if let Some(row) = db.optional(context, services::GET, &[service]).await? {
            verifies |= Service::from(row).guest_verification == GuestVerification::Email;
        }
    }
    Ok(verifies)
}

/// How long before its start an appointment can be changed by a customer. For a visit, the longest notice of its
/// services.
pub async fn notice(db: &Db, context: Context, id: Uuid) -> Result<TimeDelta, Failure> {
    let sql = sql!("scheduling/appointments_get_notice.sql" as (i32,));
    let (minutes,) = db.optional(context, sql, &[&id]).await?.ok_or_else(Problem::not_found)?;
    Ok(TimeDelta::minutes(minutes.into()))
}

/// 409 after the cancellation notice of the service has passed.
async fn in_time(db: &Db, context: Context, id: Uuid, now: DateTime<Utc>) -> Result<(), Failure> {
    let appointment = appointment(db, context, id).await?;
    let notice = notice(db, context, id).await?;
    if appointment.starts_at < now + notice {
        let notice = spoken(notice);
        return Err(Problem::conflict(
            "too_late",
            format!("The appointment could be changed until {notice} before its start. Please contact the organization."),
        )
        .into());
    }
    Ok(())
}

/// A period in words.
fn spoken(period: TimeDelta) -> String {
    let (count, unit) = match period.num_minutes() {
        0 => return "the last minute".to_owned(),
        minutes if minutes % 1440 == 0 => (minutes / 1440, "day"),
        minutes if minutes % 60 == 0 => (minutes / 60, "hour"),
        minutes => (minutes, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Cancels an appointment for a guest or customer, within the cancellation notice.
pub async fn cancel(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    reason: Option<&str>,
    by: CancelledBy,
    precondition: &Precondition<'_, Appointment>,
) -> Result<Appointment, Failure> {
    let now = Utc::now();
    in_time(db, context, id, now).await?;
    let (action, following) = (AppointmentAction::Cancel, false);
    let done = TransitionRequest { action, reason, following, by, precondition };
    transition(db, mailer, context, id, done, now).await
}

/// Moves an appointment for a guest or customer, within the cancellation notice and the rules of the service.
pub async fn reschedule(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    starts_at: Instant,
    provider: Option<Uuid>,
    precondition: &Precondition<'_, Appointment>,
) -> Result<Appointment, Failure> {
    let now = Utc::now();
    in_time(db, context, id, now).await?;
    let request = Reschedule {
        starts_at,
        provider_id: provider,
        reason: None,
        following: false,
        override_rules: false,
    };
    reschedule::reschedule(db, mailer, context, id, &request, precondition, now).await
}
