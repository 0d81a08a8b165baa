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
        page::{Cursor, Ids, Page, Paging},
        problem::{Failure, Problem},
        values::Instant,
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{
            appointment::{Appointment, AppointmentAction, CancelledBy},
            named_appointment::{self, NamedAppointment},
            reschedule::{self, Reschedule},
            transitions::{TransitionRequest, transition},
        },
        catalog::service::{Service, ServiceRow},
        slots::guest_rules::{GuestDetail, GuestVerification},
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
    /// Whether an appointment that is booked or moved is pending until the organization confirms it.
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
pub async fn services(
    db: &Db,
    context: Context,
    ids: &Ids,
    page: Paging,
) -> Result<Page<OnlineService>, Failure> {
    let services = service_rows(db, context, ids, page).await?.into_iter().map(Into::into).collect();
    Ok(page.of(services, |last: &OnlineService| Cursor::id(last.id)))
}

/// All services that can be booked online, or those with the ids, with the providers who perform them.
pub async fn catalog(db: &Db, context: Context, ids: &Ids) -> Result<Vec<Service>, Failure> {
    let mut all: Vec<Service> = Vec::new();
    loop {
        let page = Paging::largest(all.last().map_or(Uuid::nil(), |last| last.id));
        let rows = service_rows(db, context, ids, page).await?;
        let more = rows.len() as i64 == page.rows();
        all.extend(rows);
        if !more {
            return Ok(all);
        }
    }
}

/// All providers who can be booked online.
pub async fn staff(db: &Db, context: Context) -> Result<Vec<OnlineProvider>, Failure> {
    let mut all: Vec<OnlineProvider> = Vec::new();
    loop {
        let after = Paging::largest(all.last().map_or(Uuid::nil(), |last| last.id));
        let page = providers(db, context, &Ids::default(), after).await?;
        all.extend(page.items);
        if page.next_cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn service_rows(db: &Db, context: Context, ids: &Ids, page: Paging) -> Result<Vec<Service>, Failure> {
    let rows = db
        .all(
            context,
            sql!("scheduling/services_list.sql" as ServiceRow),
            &[
                &page.after_id(),
                &page.rows(),
                &None::<DateTime<Utc>>,
                &ids.0,
                &None::<bool>,
                &None::<bool>,
                &None::<&str>,
            ],
        )
        .await?;
    Ok(rows.into_iter().map(Service::from).collect())
}

/// The providers who can be booked online, in the order of creation.
pub async fn providers(
    db: &Db,
    context: Context,
    ids: &Ids,
    page: Paging,
) -> Result<Page<OnlineProvider>, Failure> {
    let providers = db
        .all(
            context,
            sql!("scheduling/providers_list.sql" as OnlineProvider),
            &[&page.after_id(), &page.rows(), &None::<DateTime<Utc>>, &ids.0, &None::<bool>, &None::<&str>],
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
pub fn check_link(context: Context, ends_at: DateTime<Utc>) -> Result<(), Problem> {
    let is_guest = matches!(context.who, Who::Guest { .. });
    if is_guest && ends_at + LINK_OUTLIVES < Utc::now() { Err(link_expired()) } else { Ok(()) }
}

/// One appointment of the guest or customer, with names. The link of a guest expires 30 days after its end.
pub async fn named(db: &Db, context: Context, id: Uuid) -> Result<NamedAppointment, Failure> {
    let named = named_appointment::get(db, context, id).await?;
    check_link(context, named.appointment.ends_at)?;
    Ok(named)
}

/// 409 if the guest or customer cannot change the appointment: its status does not allow it, or the cancellation notice
/// has passed.
pub fn check_change(
    context: Context,
    named: &NamedAppointment,
    action: AppointmentAction,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    action.check(named.appointment.status, CancelledBy::from(context))?;
    if named.changeable_until(now).is_none() {
        let notice = in_words(named.notice);
        let detail = format!(
            "The appointment could be changed until {notice} before its start. Please contact the organization."
        );
        return Err(Problem::conflict("too_late", detail));
    }
    Ok(())
}

/// A period in words.
fn in_words(period: TimeDelta) -> String {
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
    precondition: &Precondition<'_, Appointment>,
    once: &Once,
) -> Result<Appointment, Failure> {
    let (now, action) = (Utc::now(), AppointmentAction::Cancel);
    let before = named(db, context, id).await?;
    // A repeated request gets its stored answer.
    if once.kept(db, context).await?.is_none() {
        check_change(context, &before, action, now)?;
    }
    let done = TransitionRequest { action, reason, following: false, precondition };
    transition(db, mailer, context, id, done, once, now).await
}

/// Moves an appointment for a guest or customer, within the cancellation notice and the rules of the service. Nothing
/// changes if it already has the start and the provider.
pub async fn reschedule(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    starts_at: Instant,
    provider: Option<Uuid>,
    precondition: &Precondition<'_, Appointment>,
) -> Result<Appointment, Failure> {
    let (now, action) = (Utc::now(), AppointmentAction::Reschedule);
    let before = named(db, context, id).await?;
    action.check(before.appointment.status, CancelledBy::from(context))?;
    if before.appointment.is_at(starts_at.0, provider) {
        return Ok(before.appointment);
    }
    check_change(context, &before, action, now)?;
    let request = Reschedule {
        starts_at,
        provider_id: provider,
        reason: None,
        following: false,
        override_rules: false,
    };
    let once = Once::without_key();
    reschedule::reschedule(db, mailer, context, id, &request, precondition, &once, now).await
}
