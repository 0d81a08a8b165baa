//! Booking. The rules are asked of [`Availability`], then the claims decide: `claims_no_overlap`, `claims_seat_key` and
//! `shared_claims_no_overlap`, and nothing here. Whoever loses a race looks again.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus},
    attempts::attempt,
    claims::{self, Booking, CREATE, Parameters, taken, with_segments},
    guest_request::GuestRequest,
    transaction::seat_seed,
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{Context, Db, Tx},
    http::problem::{Failure, Problem},
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::slots::{
        alternatives,
        availability::{Availability, Enforcement, SlotError, StartRequest},
        choose::choose,
        listing::MOST_SERVICES,
        load::{self, AvailabilityQuery},
        refusals::{check_length, slot_problem, unknown_service},
        setback::{Setback, lost_race},
    },
};

/// Who comes.
#[derive(Clone)]
pub enum Who<'a> {
    Known(Uuid),
    New(&'a NewContact),
    /// Not said yet.
    Unknown,
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
    pub policy: Enforcement,
    /// Whether customers themselves book, and what they may not see does not exist.
    pub online: bool,
    /// Of a guest: what it counts towards.
    pub guest: Option<GuestRequest>,
}

impl<'a> Order<'a> {
    /// The contact, where it is known already.
    fn contact(&self) -> Option<Uuid> {
        match self.who {
            Who::Known(contact) => Some(contact),
            Who::New(_) | Who::Unknown => None,
        }
    }

    pub fn request(&self, seat_seed: usize) -> StartRequest {
        StartRequest {
            start: self.start,
            with: self.provider,
            contact: self.contact(),
            policy: self.policy,
            seat_seed,
        }
    }
}

pub fn policy(override_rules: bool) -> Enforcement {
    if override_rules { Enforcement::ClaimsOnly } else { Enforcement::Full }
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
    match attempt(db, mailer, context, |tx, number| book_now(tx, order, once, seat_seed(number), now)).await?
    {
        Ok(appointment) => Ok(appointment),
        Err(refusal) => Err(refuse(db, context, order, refusal, now).await),
    }
}

async fn book_now(
    mut tx: Tx,
    order: &Order<'_>,
    once: Option<&Once>,
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<Appointment, SlotError>, Setback> {
    if let Some(once) = once
        && let Some(answer) = once.answered(&mut tx).await?
    {
        tx.commit().await?;
        return Ok(Ok(answer));
    }
    let availability = load(&mut tx, order, now).await?;
    let plan = match choose(&availability, order.provider, order.request(seat_seed))? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(guest) = &order.guest {
        guest.count(&mut tx).await?;
    }
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
        overridden: order.policy == Enforcement::ClaimsOnly,
        occurrence: None,
        guest_key: order.guest.as_ref().and_then(|guest| guest.key),
        plan: &plan,
    };
    let claims_contact = availability.claims_contact();
    // Where the time is taken there is nothing to undo, unless there is: the commit need not wait for the answer.
    if is_new || once.is_some() {
        let appointment = claims::create(&mut tx, &[booking], contact, claims_contact)
            .await?
            .pop()
            .ok_or_else(lost_race)?;
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
    let row = taken(created.map(|row| row.into_iter().collect()))?.pop().ok_or_else(lost_race)?;
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
    let mut availability = load::locked_to_book(tx, &query).await?;
    if availability.has_limits() {
        // Counted alone: the first look was before the locks, which others may have held.
        availability = load::to_book(tx, &query).await?;
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

pub fn status(availability: &Availability, policy: Enforcement) -> AppointmentStatus {
    let wants_approval = availability.services.iter().any(|rules| rules.requires_approval);
    if wants_approval && policy == Enforcement::Full {
        AppointmentStatus::Pending
    } else {
        AppointmentStatus::Confirmed
    }
}

/// The refusal of a start, with others that can be booked where that one is taken.
pub async fn refuse(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    refusal: SlotError,
    now: DateTime<Utc>,
) -> Failure {
    let problem = slot_problem("starts_at", refusal);
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
    match alternatives::near(db, context, query).await {
        Ok(alternatives) => problem.with_extension(&alternatives).into(),
        Err(failure) => failure,
    }
}
