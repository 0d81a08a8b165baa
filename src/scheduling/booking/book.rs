//! Books appointments. [`Availability`] checks the rules; then the constraints on claims decide: `claims_no_overlap`,
//! `claims_seat_key` and `shared_claims_no_overlap`. After a lost race the attempt is repeated.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus},
    attempts::attempt,
    claims::{self, Booking, CREATE, Parameters, on_taken},
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
        listing::Following,
        load::{self, AvailabilityQuery},
        refusals::{check_length, slot_problem, unknown_service},
        setback::{Setback, lost_race},
    },
};

/// The contact of a booking.
#[derive(Clone)]
pub enum Who<'a> {
    Known(Uuid),
    New(&'a NewContact),
    /// Not known yet.
    Unknown,
}

/// A request to book.
#[derive(Clone)]
pub struct Order<'a> {
    /// The id of the appointment or hold, if it is needed in advance.
    pub id: Option<Uuid>,
    pub services: Vec<Uuid>,
    pub provider: Option<Uuid>,
    pub start: DateTime<Utc>,
    pub who: Who<'a>,
    pub note: Option<&'a str>,
    pub policy: Enforcement,
    /// Whether a customer or guest books: services that are not bookable online do not exist for them.
    pub online: bool,
    /// For a guest: the limits it counts towards.
    pub guest: Option<GuestRequest>,
}

impl<'a> Order<'a> {
    /// The contact, if it already exists.
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

/// Reads the contact of a request: an existing one or a new one.
pub fn who(contact_id: Option<Uuid>, contact: Option<&NewContact>) -> Result<Who<'_>, Problem> {
    match (contact_id, contact) {
        (Some(id), None) => Ok(Who::Known(id)),
        (None, Some(contact)) => Ok(Who::New(contact)),
        (Some(_), Some(_)) => {
            Err(Problem::invalid_field("contact_id", "conflicting", "expected either contact_id or contact"))
        }
        (None, None) => {
            Err(Problem::invalid_field("contact_id", "required", "expected either contact_id or contact"))
        }
    }
}

/// The services to book, one after the other.
pub fn services(first: Uuid, following: Option<&Following>) -> Vec<Uuid> {
    let following = following.into_iter().flat_map(|following| following.iter().copied());
    std::iter::once(first).chain(following).collect()
}

/// Books an appointment in one transaction, or fails with alternatives.
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
    let contact = match order.who {
        Who::Known(contact) => contact,
        Who::New(contact) => contacts::create(&mut tx, contact).await?,
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
    // Of one service, and with nothing to write after it: the commit need not wait for the answer.
    if once.is_none() && plan.items.len() == 1 {
        let parameters = Parameters::new(&[booking], contact, claims_contact);
        let created = tx.commit_with(CREATE, &[&parameters.appointments, &parameters.claims]).await;
        let row = on_taken(created, lost_race)?.ok_or_else(Problem::internal)?;
        return Ok(Ok(row.into()));
    }
    let created = claims::create(&mut tx, &[booking], contact, claims_contact).await?;
    let appointment = created.into_iter().next().ok_or_else(Problem::internal)?;
    if let Some(once) = once {
        once.keep(&mut tx, &appointment).await?;
    }
    tx.commit().await?;
    Ok(Ok(appointment))
}

/// Takes the locks and loads the data for booking.
pub async fn load(tx: &mut Tx, order: &Order<'_>, now: DateTime<Utc>) -> Result<Availability, Setback> {
    // Choosing a provider depends on the appointments of the whole day, in any time zone.
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
        // Loaded again: the first statement's snapshot is older than the locks, and others may have booked meanwhile.
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
            "expected the id of a service of the organization",
        ))?,
        None => {}
    }
    if availability.services.iter().any(|rules| !rules.active) {
        Err(Problem::invalid_field("service_id", "inactive", "expected the id of an active service"))?;
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

/// The error for a start, with alternatives that can be booked.
pub async fn refuse(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    refusal: SlotError,
    now: DateTime<Utc>,
) -> Failure {
    let problem = slot_problem("starts_at", refusal);
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
