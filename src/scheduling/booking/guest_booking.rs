//! Books for guests: immediately, or after they open a link in an e-mail if the service verifies e-mail addresses. The
//! requirements of the services are read in the transaction that books.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    appointment::Appointment,
    attempts::attempt,
    book::{self, Order, Who},
    hold::Hold,
    holds,
    named_appointment::{self, NamedAppointment},
    transaction::seat_seed,
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, Db, Tx, row},
    http::{
        problem::{Failure, Problem},
        values::TimeZone,
    },
    messaging::{
        budget::{self, OnBehalf, SendPermit},
        mail::Mailer,
    },
    operations::idempotency::{self, Once},
    scheduling::slots::{
        availability::{Allocation, ServiceRules, SlotError},
        choose::choose_inside,
        guest_rules,
        setback::Setback,
    },
    sql,
};

/// How long a guest can open the link, in seconds.
const SECONDS: f64 = 30.0 * 60.0;

/// The result of a guest's request to book.
pub enum Outcome {
    Booked(Box<NamedAppointment>),
    /// Held until the guest opens the link.
    Held(Hold, ToVerify),
    /// Booked by an earlier request with the same key; held, the same.
    BookedBefore(Box<Appointment>),
    HeldBefore(Hold),
}

/// The content of a verification e-mail to a guest, and the permission to send it.
pub struct ToVerify {
    pub permit: SendPermit,
    pub notice: BookingNotice,
}

/// The content of the e-mail.
pub struct BookingNotice {
    pub organization_name: String,
    pub time_zone: TimeZone,
    pub service_name: String,
    pub provider_name: String,
}

row! {
    BookingNotice { organization_name, time_zone, service_name, provider_name }
}

impl Outcome {
    /// The stored answer to a repeated request, regardless of what the services require now.
    pub fn before(answer: Value) -> Result<Self, Failure> {
        Ok(if answer.get("expires_at").is_some() {
            Self::HeldBefore(idempotency::read(Some(answer))?)
        } else {
            Self::BookedBefore(Box::new(idempotency::read(Some(answer))?))
        })
    }
}

/// Books for a new contact in one transaction, or fails with alternatives.
pub async fn book(
    db: &Db,
    mailer: &Mailer,
    guest: Context,
    order: &Order<'_>,
    once: &Once,
    now: DateTime<Utc>,
) -> Result<Outcome, Failure> {
    let sends = mailer.sends();
    let decided =
        attempt(db, mailer, guest, |tx, number| book_now(tx, order, once, seat_seed(number), sends, now))
            .await?;
    match decided {
        Ok(outcome) => Ok(outcome),
        Err(error) => Err(book::with_alternatives(db, guest, order, error, now).await),
    }
}

async fn book_now(
    mut tx: Tx,
    order: &Order<'_>,
    once: &Once,
    seat_seed: usize,
    sends: bool,
    now: DateTime<Utc>,
) -> Result<Result<Outcome, SlotError>, Setback> {
    if let Some(answer) = once.answered::<Value>(&mut tx).await? {
        tx.commit().await?;
        return Ok(Ok(Outcome::before(answer)?));
    }
    let Who::New(contact) = order.who else { Err(Problem::internal())? };
    let availability = book::load(&mut tx, order, now).await?;
    let verifies = guest_rules::check(availability.services.iter().map(ServiceRules::of_guests), contact)?;
    if verifies && order.services.len() > 1 {
        let detail = "expected no further service; a service that verifies e-mail addresses is booked alone";
        Err(Problem::invalid_field("and_then", "not_supported", detail))?;
    }
    if verifies && !sends {
        let detail = "This server does not send e-mail and cannot verify your address. Please contact the organization.";
        Err(Problem::unavailable("mail_unavailable", detail))?;
    }
    let request = order.request(seat_seed);
    let (availability, chosen) = choose_inside(&tx, availability, order.provider, request).await?;
    let plan = match chosen {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    let outcome = if verifies {
        let (hold, to_verify) = hold(&mut tx, order, &plan, contact).await?;
        once.keep(&mut tx, &hold).await?;
        Outcome::Held(hold, to_verify)
    } else {
        let id = book::write(&mut tx, order, &availability, &plan).await?.id;
        // Read before the commit: if it failed afterwards, a guest without a key would book again.
        let named = named_appointment::inside(&mut tx, id).await?;
        once.keep(&mut tx, &named.appointment).await?;
        Outcome::Booked(Box::new(named))
    };
    tx.commit().await?;
    Ok(Ok(outcome))
}

/// Holds the time and stores the guest's details; they become a contact when the link is opened. The transaction also
/// gets the permission to send the e-mail, because the hold cannot be confirmed without it.
async fn hold(
    tx: &mut Tx,
    order: &Order<'_>,
    plan: &Allocation,
    contact: &NewContact,
) -> Result<(Hold, ToVerify), Setback> {
    let hold = holds::write(tx, order, plan, SECONDS).await?;
    let email = contact.email.as_deref().ok_or_else(Problem::internal)?;
    tx.all(
        sql!("scheduling/guest_bookings_create.sql"),
        &[
            &hold.id,
            &&*contact.first_name,
            &&*contact.last_name,
            &email,
            &contact.phone.as_deref(),
            &order.note,
        ],
    )
    .await?;
    let notice = tx.one(sql!("scheduling/guest_bookings_notice.sql" as BookingNotice), &[&hold.id]).await?;
    let tenant = tx.context().ok_or_else(Problem::internal)?.tenant;
    let permit = budget::spend(tx, email, OnBehalf::Organization { id: tenant, inviter: None }).await?;
    Ok((hold, ToVerify { permit, notice }))
}
