//! What guests and customers with an account have in common: what an organization offers them, and what they may do with
//! what they have until the notice of the service.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{Context, Db, Who},
    http::{
        page::{Cursor, Page, Paging},
        problem::{Failure, Problem},
        values::Instant,
    },
    messaging::mail::Mailer,
    scheduling::{
        booking::{
            appointment::{Appointment, AppointmentAction, CancelledBy},
            reschedule::{self, Reschedule},
            transitions::{TransitionRequest, transition},
        },
        catalog::service::{GuestDetail, GuestVerification, Service},
    },
    sql,
};

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
    /// Price in the minor unit of the currency (cents). Absent: none is shown.
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
    /// What a guest has to say to book it, beside a name.
    pub guest_requires: Vec<GuestDetail>,
    /// What a guest has to show before it is booked.
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

/// A provider who can be booked, as customers see them.
#[derive(Debug, Object, Serialize)]
pub struct OnlineProvider {
    pub id: Uuid,
    pub name: String,
}

/// What can be booked, in the order of creation.
pub async fn services(db: &Db, context: Context, page: Paging) -> Result<Page<OnlineService>, Failure> {
    let rows = db
        .all(
            context,
            sql!("scheduling/services_list.sql"),
            &[&page.after_id(), &page.rows(), &None::<DateTime<Utc>>],
        )
        .await?;
    let services: Result<Vec<_>, Problem> =
        rows.into_iter().map(|row| Service::try_from(row).map(OnlineService::from)).collect();
    Ok(page.of(services?, |last| Cursor::id(last.id)))
}

/// Who can be booked, in the order of creation.
pub async fn providers(db: &Db, context: Context, page: Paging) -> Result<Page<OnlineProvider>, Failure> {
    let rows = db
        .all(
            context,
            sql!("scheduling/providers_list.sql"),
            &[&page.after_id(), &page.rows(), &None::<DateTime<Utc>>],
        )
        .await?;
    let providers = rows.into_iter().map(|row| OnlineProvider { id: row.get(0), name: row.get(1) }).collect();
    Ok(page.of(providers, |last| Cursor::id(last.id)))
}

/// How long after an appointment its link still shows it.
pub const LINK_OUTLIVES: TimeDelta = TimeDelta::days(30);

/// 401: what the link was for ended long ago.
pub fn link_expired() -> Problem {
    Problem::unauthorized(
        "token_expired",
        "This link has expired: what it was for ended more than 30 days ago.",
    )
}

/// 401 where the link of a guest leads to what ended long ago.
pub fn check_link(context: Context, appointment: &Appointment) -> Result<(), Problem> {
    let is_guest = matches!(context.who, Who::Guest { .. });
    if is_guest && appointment.ends_at + LINK_OUTLIVES < Utc::now() { Err(link_expired()) } else { Ok(()) }
}

/// One appointment, where it is theirs. The link of a guest ends 30 days after it.
pub async fn appointment(db: &Db, context: Context, id: Uuid) -> Result<Appointment, Failure> {
    let row = db.optional(context, sql!("scheduling/appointments_get.sql"), &[&id]).await?;
    let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
    check_link(context, &appointment)?;
    Ok(appointment)
}

/// Whether one of these services wants the e-mail addresses of guests verified.
pub async fn verifies(db: &Db, context: Context, services: &[Uuid]) -> Result<bool, Failure> {
    let mut verifies = false;
    for service in services {
        if let Some(row) = db.optional(context, sql!("scheduling/services_get.sql"), &[service]).await? {
            verifies |= Service::try_from(row)?.guest_verification == GuestVerification::Email;
        }
    }
    Ok(verifies)
}

/// How long before the start of an appointment a customer may change it: of a visit, the longest notice counts.
pub async fn notice(db: &Db, context: Context, id: Uuid) -> Result<TimeDelta, Failure> {
    let row = db.optional(context, sql!("scheduling/appointments_get_notice.sql"), &[&id]).await?;
    let minutes: i32 = row.ok_or_else(Problem::not_found)?.get(0);
    Ok(TimeDelta::minutes(minutes.into()))
}

/// 409 once the notice of the service has passed.
async fn in_time(db: &Db, context: Context, id: Uuid, now: DateTime<Utc>) -> Result<(), Failure> {
    let appointment = appointment(db, context, id).await?;
    let notice = notice(db, context, id).await?;
    if appointment.starts_at < now + notice {
        let notice = spoken(notice);
        return Err(Problem::conflict(
            "too_late",
            format!("It could be changed until {notice} before its start. Please call the organization."),
        )
        .into());
    }
    Ok(())
}

/// A period as people say it.
fn spoken(period: TimeDelta) -> String {
    let (count, unit) = match period.num_minutes() {
        0 => return "the last minute".to_owned(),
        minutes if minutes % 1440 == 0 => (minutes / 1440, "day"),
        minutes if minutes % 60 == 0 => (minutes / 60, "hour"),
        minutes => (minutes, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Cancels an appointment of theirs, while that is possible.
pub async fn cancel(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    reason: Option<&str>,
    by: CancelledBy,
) -> Result<Appointment, Failure> {
    let now = Utc::now();
    in_time(db, context, id, now).await?;
    let done = TransitionRequest { action: AppointmentAction::Cancel, reason, following: false, by };
    transition(db, mailer, context, id, done, now).await
}

/// Moves an appointment of theirs, while that is possible, by the rules.
pub async fn reschedule(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    starts_at: Instant,
    provider: Option<Uuid>,
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
    reschedule::reschedule(db, mailer, context, id, &request, now).await
}
