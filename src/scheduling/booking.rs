//! Booking. The rules are asked of [`Availability`], then the claims decide: `claims_no_overlap`, `claims_seat_key` and
//! `shared_claims_no_overlap`, and nothing here. Whoever loses a race looks again.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    appointments::{Appointment, AppointmentStatus, NewAppointment, Segment},
    availability::{self, Loaded, MOST_SERVICES, Reason, check_length, unknown_provider},
    slots::{Availability, Claim, Plan, Policy, Provider, Refusal},
    wall_time,
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Context, Db, Sql, Tx},
    http::problem::{Alternative, Failure, FieldError, OnConstraint as _, Problem},
    operations::idempotency::Once,
    sql,
};

/// How often a booking that lost a race is tried again: other providers, other seats.
pub const MOST_ATTEMPTS: usize = 20;
/// How far ahead alternatives are looked for.
const ALTERNATIVES_WITHIN: TimeDelta = TimeDelta::days(7);
const MOST_ALTERNATIVES: usize = 3;

/// Who comes.
#[derive(Clone)]
pub enum Who<'a> {
    Known(Uuid),
    New(&'a NewContact),
}

/// What is to be booked.
#[derive(Clone)]
pub struct Order<'a> {
    /// The id it gets, where that matters before.
    pub id: Option<Uuid>,
    pub services: Vec<Uuid>,
    pub provider: Option<Uuid>,
    pub start: DateTime<Utc>,
    pub who: Who<'a>,
    pub note: Option<&'a str>,
    pub policy: Policy,
    /// Whether customers themselves book, and what they may not see does not exist.
    pub online: bool,
}

impl<'a> Order<'a> {
    pub fn new(new: &'a NewAppointment) -> Result<Self, Problem> {
        let following = new.and_then.as_deref().unwrap_or_default();
        Ok(Self {
            id: None,
            services: services(new.service_id, following)?,
            provider: new.provider_id,
            start: new.starts_at.0,
            who: who(new.contact_id, new.contact.as_ref())?,
            note: new.note.as_deref(),
            policy: policy(new.override_rules),
            online: false,
        })
    }
}

pub fn policy(override_rules: bool) -> Policy {
    if override_rules { Policy::Overridden } else { Policy::Kept }
}

/// Either a contact there is or a new one.
pub fn who(contact_id: Option<Uuid>, contact: Option<&NewContact>) -> Result<Who<'_>, Problem> {
    match (contact_id, contact) {
        (Some(id), None) => Ok(Who::Known(id)),
        (None, Some(contact)) => Ok(Who::New(contact)),
        (Some(_), Some(_)) => Err(Problem::invalid_field(
            "contact_id",
            "conflicting",
            "either contact_id or contact, and not both",
        )),
        (None, None) => Err(Problem::invalid_field(
            "contact_id",
            "required",
            "either contact_id or contact, and not both",
        )),
    }
}

/// What is booked, one after the other.
pub fn services(first: Uuid, following: &[Uuid]) -> Result<Vec<Uuid>, Problem> {
    if following.len() >= MOST_SERVICES {
        return Err(Problem::invalid_field("and_then", "too_many", "at most four services that follow"));
    }
    Ok(std::iter::once(first).chain(following.iter().copied()).collect())
}

/// Books, in one transaction.
pub async fn book(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    once: Option<&Once>,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    let mut deadlocks = 0;
    for attempt in 0..MOST_ATTEMPTS {
        match book_now(db, context, order, once, luck(attempt), now).await {
            Ok(Outcome::Booked(appointment)) => return Ok(*appointment),
            Ok(Outcome::Lost { contact, plan }) => {
                if contact_is_busy(db, context, contact, &[(plan.starts_at(), plan.ends_at())])
                    .await?
                    .is_some()
                {
                    return Err(contact_busy().into());
                }
            }
            Ok(Outcome::Refused(refusal)) => return Err(refuse(db, context, order, refusal, now).await),
            Err(Failure::Database(error)) if error.is_transient() && deadlocks < 3 => deadlocks += 1,
            Err(failure) => return Err(failure),
        }
    }
    Err(db::Error::Conflict.into())
}

/// Seats are tried in their order, and by those who lost one at random: they would meet at the next again.
pub fn luck(attempt: usize) -> usize {
    if attempt == 0 {
        return 0;
    }
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize
}

enum Outcome {
    Booked(Box<Appointment>),
    /// Somebody else was faster.
    Lost {
        contact: Option<Uuid>,
        plan: Plan,
    },
    Refused(Refusal),
}

async fn book_now(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    once: Option<&Once>,
    luck: usize,
    now: DateTime<Utc>,
) -> Result<Outcome, Failure> {
    let mut tx = db.begin(context);
    if let Some(once) = once
        && let Some(answer) = once.answered(&mut tx).await?
    {
        tx.commit().await?;
        return Ok(Outcome::Booked(Box::new(answer)));
    }
    let availability = load(&mut tx, order, now).await?;
    let plan = match choose(&availability, order.provider, order.start, order.policy, luck)? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let (contact, is_new) = match order.who {
        Who::Known(contact) => (contact, false),
        Who::New(contact) => (contacts::create(&mut tx, contact).await?, true),
    };
    let booking = Booking {
        id: order.id.unwrap_or_else(Uuid::now_v7),
        contact,
        status: status(&availability, order.policy),
        note: order.note,
        overridden: order.policy == Policy::Overridden,
        occurrence: None,
        plan: &plan,
    };
    let claims_contact = availability.claims_contact();
    // Where the time is taken there is nothing to undo, unless there is: the commit need not wait for the answer.
    let row = if is_new || once.is_some() {
        let row = create(&mut tx, &[booking], contact, claims_contact).await?;
        match row.into_iter().next() {
            Some(appointment) => {
                if let Some(once) = once {
                    once.keep(&mut tx, &appointment).await?;
                }
                tx.commit().await?;
                Some(appointment)
            }
            None => None,
        }
    } else {
        let parameters = Parameters::new(&[booking], contact, claims_contact);
        let created = tx
            .commit_with(
                CREATE,
                &[
                    &parameters.appointments,
                    &parameters.claims,
                    &parameters.segments,
                    &parameters.claimed_contact,
                ],
            )
            .await;
        lost(created.map(|row| row.into_iter().collect()))?
            .into_iter()
            .next()
            .map(|row| with_segments(Appointment::from(row), &plan))
    };
    Ok(match row {
        Some(appointment) => Outcome::Booked(Box::new(appointment)),
        None => Outcome::Lost { contact: (claims_contact && !is_new).then_some(contact), plan },
    })
}

/// Loads what decides, without holds that are over.
pub async fn load(tx: &mut Tx, order: &Order<'_>, now: DateTime<Utc>) -> Result<Availability, Failure> {
    // Whoever may be anybody is chosen by what they have that day, wherever the day begins.
    let around = if order.provider.is_some() { TimeDelta::zero() } else { TimeDelta::hours(24) };
    let (from, to) = (order.start - around, order.start + around + TimeDelta::microseconds(1));
    let availability = load_fresh(tx, &order.services, order.provider, from, to, now).await?;
    let known = |id: &Uuid| {
        availability.services.iter().any(|rules| rules.id == *id && (!order.online || rules.bookable_online))
    };
    match order.services.iter().position(|id| !known(id)) {
        Some(0) => Err(unknown_service())?,
        Some(index) => Err(Problem::invalid_field(
            format!("and_then[{}]", index - 1),
            "not_found",
            "the id of a service of the organization",
        ))?,
        None => {}
    }
    if availability.services.iter().any(|rules| !rules.active) {
        Err(Problem::invalid_field("service_id", "inactive", "the id of an active service"))?;
    }
    check_length(&availability)?;
    Ok(availability)
}

/// Loads what decides about starts in a period, once holds that are over are gone. Where there are limits they are counted
/// alone, so that two at once do not both find room for one.
pub async fn load_fresh(
    tx: &mut Tx,
    services: &[Uuid],
    provider: Option<Uuid>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Availability, Failure> {
    let Loaded { availability, holds_expired } =
        availability::load_for(tx, services, provider, from, to, &[], now, true).await?;
    let mut limited: Vec<Uuid> = availability
        .providers
        .iter()
        .filter(|provider| provider.max_per_day.is_some() || provider.max_per_week.is_some())
        .map(|provider| provider.id)
        .collect();
    if availability.services.iter().any(|rules| rules.given_at.is_some()) {
        // Whoever gives it.
        limited = availability.providers.iter().map(|provider| provider.id).collect();
    }
    if !holds_expired && limited.is_empty() {
        return Ok(availability);
    }
    if holds_expired {
        tx.all(sql!("scheduling/holds_expire.sql"), &[]).await?;
    }
    lock(tx, limited).await?;
    Ok(availability::load(tx, services, provider, from, to, &[], now).await?.availability)
}

/// Locks resources for whoever counts or moves their claims, in one order.
pub async fn lock(tx: &mut Tx, mut resources: Vec<Uuid>) -> Result<(), Failure> {
    if !resources.is_empty() {
        resources.sort_unstable();
        resources.dedup();
        tx.all(sql!("scheduling/resources_lock.sql"), &[&resources]).await?;
    }
    Ok(())
}

/// Who gives it, and what that takes: the provider who was named; otherwise whoever has a session with a free seat already,
/// then who has least that day, then who was there first.
pub fn choose(
    availability: &Availability,
    named: Option<Uuid>,
    start: DateTime<Utc>,
    policy: Policy,
    luck: usize,
) -> Result<Result<Plan, Refusal>, Problem> {
    if let Some(named) = named {
        let provider = named_provider(availability, named)?;
        return Ok(availability.plan(provider, start, Some(named), policy, luck));
    }
    let date = wall_time::date(availability.zone, start);
    let mut refusal = None;
    let mut plans = Vec::new();
    for provider in availability.candidates() {
        match availability.plan(provider, start, None, policy, luck) {
            Ok(plan) => {
                let joins = plan.remaining < usize::try_from(plan.claims[0].capacity).unwrap_or(1);
                plans.push((!joins, provider.booked_on(availability.zone, date), provider.id, plan));
            }
            // The one that comes nearest to being bookable.
            Err(refused) => refusal = Some(refusal.map_or(refused, |least: Refusal| least.min(refused))),
        }
    }
    let best = plans.into_iter().min_by_key(|(joins_none, booked, id, _)| (*joins_none, *booked, *id));
    Ok(match best {
        Some((_, _, _, plan)) => Ok(plan),
        None => Err(refusal.unwrap_or(Refusal::OutsideHours)),
    })
}

/// The provider who was asked for, where that is somebody who can be booked for all of it.
pub fn named_provider(availability: &Availability, named: Uuid) -> Result<&Provider, Problem> {
    provider_of(availability, named, availability.services.len())
}

/// The provider who was asked for, where that is somebody who can be booked for the first so many services.
pub fn provider_of(availability: &Availability, named: Uuid, services: usize) -> Result<&Provider, Problem> {
    let provider =
        availability.providers.iter().find(|provider| provider.id == named).ok_or_else(unknown_provider)?;
    if !provider.active {
        return Err(Problem::invalid_field("provider_id", "inactive", "the id of an active provider"));
    }
    if !availability.services.iter().take(services).all(|rules| rules.is_given_by(named)) {
        return Err(Problem::invalid_field(
            "provider_id",
            "not_eligible",
            "the id of a provider who gives the service",
        ));
    }
    Ok(provider)
}

pub fn status(availability: &Availability, policy: Policy) -> AppointmentStatus {
    let wants_approval = availability.services.iter().any(|rules| rules.requires_approval);
    if wants_approval && policy == Policy::Kept {
        AppointmentStatus::Pending
    } else {
        AppointmentStatus::Confirmed
    }
}

/// An appointment about to be made.
pub struct Booking<'a> {
    pub id: Uuid,
    pub contact: Uuid,
    pub status: AppointmentStatus,
    pub note: Option<&'a str>,
    pub overridden: bool,
    /// The series, and which of it.
    pub occurrence: Option<(Uuid, i16)>,
    pub plan: &'a Plan,
}

const CREATE: Sql = sql!("scheduling/appointments_create.sql");

/// The parameters of [`CREATE`].
struct Parameters {
    appointments: Value,
    claims: Value,
    segments: Value,
    claimed_contact: Option<Uuid>,
}

impl Parameters {
    fn new(bookings: &[Booking<'_>], contact: Uuid, claims_contact: bool) -> Self {
        let mut claims: Vec<Claim> = Vec::new();
        for booking in bookings {
            claims.extend(booking.plan.claims_of(booking.id));
            if claims_contact {
                claims.push(contact_claim(contact, booking.id, booking.plan));
            }
        }
        let appointments = bookings.iter().map(|booking| {
            let first = booking.plan.pieces[0];
            json!({
                "id": booking.id,
                "service_id": first.service,
                "provider_id": first.provider,
                "contact_id": booking.contact,
                "starts_at": booking.plan.starts_at(),
                "ends_at": booking.plan.ends_at(),
                "status": booking.status,
                "note": booking.note,
                "overridden": booking.overridden,
                "series_id": booking.occurrence.map(|(series, _)| series),
                "occurrence": booking.occurrence.map(|(_, occurrence)| occurrence),
                "visit": booking.plan.pieces.len() > 1,
                "seat": booking.plan.seat,
            })
        });
        Self {
            appointments: appointments.collect(),
            claims: json!(claims),
            segments: bookings.iter().flat_map(|booking| segments(booking.id, booking.plan)).collect(),
            claimed_contact: claims_contact.then_some(contact),
        }
    }
}

/// The rows of the services of a visit; none of a single service.
pub fn segments(appointment: Uuid, plan: &Plan) -> Vec<Value> {
    if plan.pieces.len() == 1 {
        return Vec::new();
    }
    let row = |(position, piece): (i16, &super::slots::Piece)| {
        json!({
            "appointment_id": appointment,
            "position": position,
            "service_id": piece.service,
            "provider_id": piece.provider,
            "starts_at": piece.starts_at,
            "ends_at": piece.ends_at,
        })
    };
    (1..).zip(&plan.pieces).map(row).collect()
}

/// The contact's own time, without buffers.
pub fn contact_claim(contact: Uuid, owner: Uuid, plan: &Plan) -> Claim {
    Claim {
        id: Uuid::now_v7(),
        owner_id: owner,
        resource_id: contact,
        service_id: None,
        serves_at: None,
        starts_at: plan.starts_at(),
        ends_at: plan.ends_at(),
        group_key: None,
        seat: 1,
        capacity: 1,
    }
}

/// Makes appointments of one contact, all or none: none where some time is taken.
pub async fn create(
    tx: &mut Tx,
    bookings: &[Booking<'_>],
    contact: Uuid,
    claims_contact: bool,
) -> Result<Vec<Appointment>, Failure> {
    let parameters = Parameters::new(bookings, contact, claims_contact);
    let created = tx
        .all(
            CREATE,
            &[
                &parameters.appointments,
                &parameters.claims,
                &parameters.segments,
                &parameters.claimed_contact,
            ],
        )
        .await;
    let mut appointments: Vec<_> = lost(created)?
        .into_iter()
        .map(|row| {
            let appointment = Appointment::from(row);
            let plan =
                bookings.iter().find(|booking| booking.id == appointment.id).map(|booking| booking.plan);
            match plan {
                Some(plan) => with_segments(appointment, plan),
                None => appointment,
            }
        })
        .collect();
    appointments.sort_by_key(|appointment| (appointment.occurrence, appointment.starts_at));
    Ok(appointments)
}

pub fn with_segments(mut appointment: Appointment, plan: &Plan) -> Appointment {
    if plan.pieces.len() > 1 {
        let segment = |piece: &super::slots::Piece| Segment {
            service_id: piece.service,
            provider_id: piece.provider,
            starts_at: piece.starts_at,
            ends_at: piece.ends_at,
        };
        appointment.segments = Some(plan.pieces.iter().map(segment).collect());
    }
    appointment
}

/// What it means where a key of a booking leads nowhere. No row: some time was taken.
pub fn lost(
    booked: Result<Vec<tokio_postgres::Row>, db::Error>,
) -> Result<Vec<tokio_postgres::Row>, Failure> {
    let booked = match booked {
        // Some of the claims were made, and not all: what they refer to was not.
        Err(db::Error::Constraint(name))
            if name == "claims_appointment_fkey"
                || name == "claims_hold_fkey"
                // The provider is somebody else since, or nobody.
                || name == "shared_claims_person_fkey" =>
        {
            return Ok(Vec::new());
        }
        booked => booked,
    };
    let unknown_contact =
        || Problem::invalid_field("contact_id", "not_found", "the id of a contact of the organization");
    booked
        .on_constraint("appointments_contact_fkey", unknown_contact)
        .on_constraint("resources_contact_fkey", unknown_contact)
        // Somebody deleted it since it was loaded.
        .on_constraint("appointments_service_fkey", unknown_service)
        .on_constraint("claims_service_fkey", unknown_service)
        .on_constraint("holds_service_fkey", unknown_service)
        .on_constraint("appointments_provider_fkey", unknown_provider)
        .on_constraint("claims_resource_fkey", unknown_provider)
}

pub fn unknown_service() -> Problem {
    Problem::invalid_field("service_id", "not_found", "the id of a service of the organization")
}

/// In which of these times the contact has something else; none where in none.
pub async fn contact_is_busy(
    db: &Db,
    context: Context,
    contact: Option<Uuid>,
    times: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Result<Option<usize>, Failure> {
    let Some(contact) = contact else {
        return Ok(None);
    };
    let (starts, ends): (Vec<_>, Vec<_>) = times.iter().copied().unzip();
    let row = db.all(context, sql!("scheduling/claims_of_contact.sql"), &[&contact, &starts, &ends]).await?;
    Ok(row.first().and_then(|row| usize::try_from(row.get::<_, i64>(0) - 1).ok()))
}

pub fn contact_busy() -> Problem {
    Problem::conflict("contact_busy", "The contact has another appointment at that time.")
}

/// The refusal of a start, with others that can be booked where that one is taken.
pub async fn refuse(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    refusal: Refusal,
    now: DateTime<Utc>,
) -> Failure {
    let problem = refused_start("starts_at", refusal);
    if problem.status != poem::http::StatusCode::CONFLICT {
        return problem.into();
    }
    match alternatives(db, context, &order.services, order.provider, order.start, &[], now).await {
        Ok(alternatives) => problem.with_alternatives(alternatives).into(),
        Err(failure) => failure,
    }
}

/// What is said about a start that cannot be booked.
pub fn refused_start(field: &str, refusal: Refusal) -> Problem {
    let detail = match refusal {
        Refusal::Busy => "the time is taken",
        Refusal::Buffer => "the time around it, which the service needs too, is taken",
        Refusal::Capacity => "all seats are taken",
        Refusal::Resource => "no room or piece of equipment that it needs is free",
        Refusal::LimitReached => "a day on which there are fewer: there are as many as there may be",
        Refusal::OffGrid => "one of the starts that GET /services/{service_id}/slots lists",
        Refusal::OutsideHours => "a start from which the service fits into working hours",
        Refusal::TooFar => "a start that can be booked already, on a date on which the service is given",
        Refusal::TooSoon => "a start that is not past, with the notice the service wants",
    };
    let error = FieldError::new(field, Reason::from(refusal).name(), detail);
    match refusal {
        Refusal::Busy | Refusal::Buffer | Refusal::Capacity | Refusal::Resource => {
            Problem::conflict("slot_unavailable", "The time is taken. Choose another slot.")
                .with_errors(vec![error])
        }
        _ => Problem::invalid(vec![error]),
    }
}

/// Starts near one that is taken; what is about to be moved does not stand in its own way.
pub async fn alternatives(
    db: &Db,
    context: Context,
    services: &[Uuid],
    provider: Option<Uuid>,
    start: DateTime<Utc>,
    moved: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Alternative>, Failure> {
    let (from, to) = (start - TimeDelta::hours(12), start + ALTERNATIVES_WITHIN);
    let mut tx = db.begin(context);
    let loaded = availability::load(&mut tx, services, provider, from, to, moved, now).await?;
    tx.commit().await?;
    let zone = loaded.availability.zone;
    let slots = tokio::task::spawn_blocking(move || {
        loaded.availability.slots(from, to, provider, zone, false).unwrap_or_default()
    })
    .await
    .map_err(|_| Problem::internal())?;
    let mut alternatives: Vec<_> = slots
        .into_iter()
        .map(|slot| Alternative {
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            provider_ids: slot.provider_ids,
        })
        .collect();
    alternatives.sort_by_key(|alternative| (alternative.starts_at - start).abs());
    alternatives.truncate(MOST_ALTERNATIVES);
    alternatives.sort_by_key(|alternative| alternative.starts_at);
    Ok(alternatives)
}
