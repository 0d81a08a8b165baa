//! Booking. The rules are asked of [`Availability`], then the claims decide: `claims_no_overlap`, `claims_seat_key` and
//! `shared_claims_no_overlap`, and nothing here. Whoever loses a race looks again.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    appointments::{Appointment, AppointmentStatus, NewAppointment, Segment},
    attempts::{Setback, attempt, lost, luck},
    availability::{
        self, AvailabilityQuery, Effort, Loaded, MOST_SERVICES, People, Reason, check_length,
        unknown_provider,
    },
    slots::{Availability, Claim, Plan, Policy, Provider, Refusal, StartRequest},
    wall_time,
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{self, Context, Db, Sql, Tx},
    http::computing,
    http::problem::{Alternative, Failure, FieldError, OnConstraint as _, Problem},
    messaging::mail::Mailer,
    operations::idempotency::Once,
    sql,
};

/// How far ahead alternatives are looked for.
const ALTERNATIVES_WITHIN: TimeDelta = TimeDelta::days(7);
const MOST_ALTERNATIVES: usize = 3;
/// What looking for them weighs: see [`computing::place`].
const ALTERNATIVES_WEIGHT: u32 = 100;

/// Who comes.
#[derive(Clone)]
pub enum Who<'a> {
    Known(Uuid),
    New(&'a NewContact),
    /// Not said yet.
    Unknown,
}

impl Who<'_> {
    /// Of a guest with an e-mail address: what their appointments are marked with, so that they take one seat of a session.
    pub fn guest_key(&self, context: Context) -> Option<Uuid> {
        match (context.who, self) {
            (db::Who::Guest { .. }, Self::New(contact)) => {
                let email = contact.email.as_deref()?;
                let digest = Sha256::digest(format!("{} guest {email}", context.tenant));
                Uuid::from_slice(&digest[..16]).ok()
            }
            _ => None,
        }
    }
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
    /// The contact, where it is known already.
    fn contact(&self) -> Option<Uuid> {
        match self.who {
            Who::Known(contact) => Some(contact),
            Who::New(_) | Who::Unknown => None,
        }
    }

    pub fn request(&self, luck: usize) -> StartRequest {
        StartRequest {
            start: self.start,
            with: self.provider,
            contact: self.contact(),
            policy: self.policy,
            luck,
        }
    }

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
    mailer: &Mailer,
    context: Context,
    order: &Order<'_>,
    once: Option<&Once>,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    match attempt(db, mailer, context, |tx, number| book_now(tx, order, once, luck(number), now)).await? {
        Ok(appointment) => Ok(appointment),
        Err(refusal) => Err(refuse(db, context, order, refusal, now).await),
    }
}

async fn book_now(
    mut tx: Tx,
    order: &Order<'_>,
    once: Option<&Once>,
    luck: usize,
    now: DateTime<Utc>,
) -> Result<Result<Appointment, Refusal>, Setback> {
    if let Some(once) = once
        && let Some(answer) = once.answered(&mut tx).await?
    {
        tx.commit().await?;
        return Ok(Ok(answer));
    }
    let availability = load(&mut tx, order, now).await?;
    let plan = match choose(&availability, order.provider, order.request(luck))? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (contact, is_new) = match order.who {
        Who::Known(contact) => (contact, false),
        Who::New(contact) => (contacts::create(&mut tx, contact).await?, true),
        Who::Unknown => Err(Problem::internal())?,
    };
    let booking = Booking {
        id: order.id.unwrap_or_else(Uuid::now_v7),
        contact,
        status: status(&availability, order.policy),
        note: order.note,
        overridden: order.policy == Policy::Overridden,
        occurrence: None,
        guest_key: tx.context().and_then(|context| order.who.guest_key(context)),
        plan: &plan,
    };
    let claims_contact = availability.claims_contact();
    // Where the time is taken there is nothing to undo, unless there is: the commit need not wait for the answer.
    if is_new || once.is_some() {
        let appointment =
            create(&mut tx, &[booking], contact, claims_contact).await?.pop().ok_or_else(lost)?;
        if let Some(once) = once {
            once.keep(&mut tx, &appointment).await?;
        }
        tx.commit().await?;
        return Ok(Ok(appointment));
    }
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
    let row = taken(created.map(|row| row.into_iter().collect()))?.pop().ok_or_else(lost)?;
    Ok(Ok(with_segments(Appointment::from(row), &plan)))
}

/// Loads what decides, and takes the locks of booking.
pub async fn load(tx: &mut Tx, order: &Order<'_>, now: DateTime<Utc>) -> Result<Availability, Setback> {
    // An unnamed provider is chosen by what each has that day, wherever the day begins.
    let around = if order.provider.is_some() { TimeDelta::zero() } else { TimeDelta::hours(24) };
    let contact = order.contact();
    let query = AvailabilityQuery {
        services: &order.services,
        provider: order.provider,
        contacts: contact.as_slice(),
        from: order.start - around,
        to: order.start + around + TimeDelta::microseconds(1),
        ignored: &[],
        now,
    };
    let Loaded { mut availability, holds_expired } = availability::load_to_book(tx, &query).await?;
    if holds_expired {
        return Err(Setback::HoldsExpired);
    }
    if availability.has_limits() {
        // Counted alone: the first look was before the locks, which others may have held.
        availability = availability::load(tx, &query).await?.availability;
    }
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

/// The provider, and what booking takes: the provider that was named; otherwise one whose session has a free seat, then
/// the one with the fewest appointments that day, then the one that was created first.
pub fn choose(
    availability: &Availability,
    named: Option<Uuid>,
    request: StartRequest,
) -> Result<Result<Plan, Refusal>, Problem> {
    if let Some(named) = named {
        let provider = named_provider(availability, named)?;
        return Ok(availability.plan(provider, request));
    }
    let mut refusal = None;
    let mut plans = Vec::new();
    for provider in availability.candidates() {
        match availability.plan(provider, request) {
            Ok(plan) => plans.push((provider, plan)),
            // The one that comes nearest to being bookable.
            Err(refused) => refusal = Some(refusal.map_or(refused, |least: Refusal| least.min(refused))),
        }
    }
    Ok(best(availability, request.start, plans).ok_or(refusal.unwrap_or(Refusal::OutsideHours)))
}

/// Of several providers that could be booked for one start, the one that is.
pub fn best<'a>(
    availability: &Availability,
    start: DateTime<Utc>,
    plans: impl IntoIterator<Item = (&'a Provider, Plan)>,
) -> Option<Plan> {
    let date = wall_time::date(availability.zone, start);
    let order = |(provider, plan): &(&Provider, Plan)| {
        let joins = plan.remaining < usize::try_from(plan.claims[0].capacity).unwrap_or(1);
        (!joins, provider.booked_on(availability.zone, date), provider.id)
    };
    plans.into_iter().min_by_key(order).map(|(_, plan)| plan)
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
    /// See [`Who::guest_key`].
    pub guest_key: Option<Uuid>,
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
                "guest_key": booking.guest_key,
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
        serves_until: None,
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
    let mut appointments: Vec<_> = taken(created)?
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

/// What it means where a key of a booking leads nowhere. No row: another transaction took some of the time.
pub fn taken(
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
    let one_seat = || {
        let detail = "A seat of this session is booked with this e-mail address already.";
        Problem::conflict("already_booked", detail)
    };
    booked
        .on_constraint("appointments_guest_seat_key", one_seat)
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
    let contact = order.contact();
    let query = AvailabilityQuery {
        services: &order.services,
        provider: order.provider,
        contacts: contact.as_slice(),
        ignored: &[],
        from: order.start,
        to: order.start,
        now,
    };
    match alternatives(db, context, query).await {
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
        Refusal::ContactBusy => "the contact has another appointment at that time",
        Refusal::LimitReached => "the daily or weekly limit is reached; choose another day",
        Refusal::OffGrid => "one of the starts that GET /services/{service_id}/slots lists",
        Refusal::OutsideHours => "a start from which the service fits into working hours",
        Refusal::TooFar => "a start that can be booked already, on a date on which the service is offered",
        Refusal::TooSoon => "a start in the future, with the notice the service asks for",
    };
    let error = FieldError::new(field, Reason::from(refusal).name(), detail);
    match refusal {
        Refusal::Busy | Refusal::Buffer | Refusal::Capacity | Refusal::Resource => {
            Problem::conflict("slot_unavailable", "The time is taken. Choose another slot.")
                .with_errors(vec![error])
        }
        Refusal::ContactBusy => contact_busy().with_errors(vec![error]),
        _ => Problem::invalid(vec![error]),
    }
}

/// Starts near the one of the query (`from`) that is taken.
pub async fn alternatives(
    db: &Db,
    context: Context,
    query: AvailabilityQuery<'_>,
) -> Result<Vec<Alternative>, Failure> {
    let start = query.from;
    let (from, to) = (start - TimeDelta::hours(12), start + ALTERNATIVES_WITHIN);
    let people = People { with: query.provider, contact: query.contacts.first().copied() };
    let place = computing::place(context.tenant, ALTERNATIVES_WEIGHT).await?;
    let mut tx = db.begin(context);
    let loaded = availability::load(&mut tx, &AvailabilityQuery { from, to, ..query }).await?;
    tx.commit().await?;
    let zone = loaded.availability.zone;
    let slots = place
        .compute(move |deadline| {
            let mut effort = Effort::new(deadline);
            // They are a help: where they would take too long there are none.
            Ok(loaded.availability.slots_of(from, to, people, zone, false, &mut effort).unwrap_or_default())
        })
        .await?;
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
