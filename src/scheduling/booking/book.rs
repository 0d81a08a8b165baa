//! Books appointments. [`Availability`] checks the rules; then the constraints on claims decide: `claims_no_overlap`,
//! `claims_seat_key` and `shared_claims_no_overlap`. After a lost race the attempt is repeated.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus},
    attempts::attempt,
    claims::{self, Booking, CREATE, Labels, Parameters, on_taken},
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
        availability::{Allocation, Availability, Enforcement, SlotError, StartRequest},
        choose::choose_inside,
        listing::Following,
        load::{self, AvailabilityQuery},
        problems::{check_length, slot_problem, unknown_service},
        setback::{Setback, lost_race},
        unknown_ids::{NamedIds, unknown_following},
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
    pub labels: Labels<'a>,
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

    pub fn ids(&self) -> NamedIds<'_> {
        NamedIds::of(self.services.clone(), self.provider, self.contact())
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
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    match attempt(db, mailer, context, |tx, number| book_now(tx, order, once, seat_seed(number), now)).await?
    {
        Ok(appointment) => Ok(appointment),
        Err(error) => Err(with_alternatives(db, context, order, error, now).await),
    }
}

async fn book_now(
    mut tx: Tx,
    order: &Order<'_>,
    once: &Once,
    seat_seed: usize,
    now: DateTime<Utc>,
) -> Result<Result<Appointment, SlotError>, Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok(Ok(answer));
    }
    let availability = load(&mut tx, order, now).await?;
    let request = order.request(seat_seed);
    let (availability, chosen) = choose_inside(&tx, availability, order.provider, request).await?;
    let plan = match chosen {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    let booking = booking(&mut tx, order, &availability, &plan).await?;
    let (contact, claims_contact) = (booking.contact, availability.claims_contact());
    // Of one service, and with nothing to write after it: the commit need not wait for the answer.
    if !once.has_key() && plan.items.len() == 1 {
        let parameters = Parameters::new(&[booking], contact, claims_contact);
        let created = tx.commit_with(CREATE, &[&parameters.appointments, &parameters.claims]).await;
        return Ok(Ok(on_taken(created, lost_race)?.ok_or_else(Problem::internal)?));
    }
    let appointment = create(&mut tx, booking, claims_contact).await?;
    once.keep(&mut tx, &appointment).await?;
    tx.commit().await?;
    Ok(Ok(appointment))
}

/// Counts a guest's booking, and creates the contact if it is new.
async fn booking<'a>(
    tx: &mut Tx,
    order: &Order<'a>,
    availability: &Availability,
    plan: &'a Allocation,
) -> Result<Booking<'a>, Setback> {
    if let Some(guest) = &order.guest {
        guest.count(tx).await?;
    }
    let contact = match order.who {
        Who::Known(contact) => contact,
        Who::New(contact) => contacts::create(tx, contact).await?,
        Who::Unknown => Err(Problem::internal())?,
    };
    Ok(Booking {
        id: order.id.unwrap_or_else(Uuid::now_v7),
        contact,
        status: status(availability, order.policy),
        note: order.note,
        labels: order.labels,
        overridden: order.policy == Enforcement::ClaimsOnly,
        occurrence: None,
        guest_key: order.guest.as_ref().and_then(|guest| guest.key),
        plan,
    })
}

async fn create(tx: &mut Tx, booking: Booking<'_>, claims_contact: bool) -> Result<Appointment, Setback> {
    let contact = booking.contact;
    let created = claims::create(tx, &[booking], contact, claims_contact).await?;
    Ok(created.into_iter().next().ok_or_else(Problem::internal)?)
}

/// Books the allocation in a transaction that the caller commits.
pub async fn write(
    tx: &mut Tx,
    order: &Order<'_>,
    availability: &Availability,
    plan: &Allocation,
) -> Result<Appointment, Setback> {
    let booking = booking(tx, order, availability, plan).await?;
    create(tx, booking, availability.claims_contact()).await
}

/// Takes the locks and loads the data for booking.
pub async fn load(tx: &mut Tx, order: &Order<'_>, now: DateTime<Utc>) -> Result<Availability, Setback> {
    // Choosing a provider depends on the appointments of the whole day, in any time zone.
    let around = if order.provider.is_some() { TimeDelta::zero() } else { TimeDelta::hours(24) };
    let contact = order.contact();
    let query = AvailabilityQuery {
        services: &order.services,
        providers: order.provider.as_slice(),
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
        Some(index) => Err(unknown_following(index - 1))?,
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
pub async fn with_alternatives(
    db: &Db,
    context: Context,
    order: &Order<'_>,
    error: SlotError,
    now: DateTime<Utc>,
) -> Failure {
    let problem = slot_problem("starts_at", error);
    let contact = order.contact();
    let query = AvailabilityQuery {
        services: &order.services,
        providers: order.provider.as_slice(),
        contacts: contact.as_slice(),
        ignored: &[],
        from: order.start,
        to: order.start,
        now,
    };
    alternatives::add_to(problem, alternatives::near(db, context, query)).await
}
