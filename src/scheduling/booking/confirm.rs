//! Confirming holds: a hold, or the offer to a waitlist entry, becomes an appointment.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{self, Appointment, AppointmentStatus},
    attempts::attempt,
    book::Who,
    claims::on_taken,
    guest_request::GuestRequest,
    hold::{self, Hold, LockedHold},
    transaction::Locks,
    waitlist_entry::{self, WaitlistEntry},
};
use crate::{
    crm::contacts,
    db::{self, Context, Db, Sql, Tx},
    http::{
        if_match::Precondition,
        problem::{Failure, Problem},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::slots::{
        alternatives::{self, Alternatives},
        availability::{Claim, SlotError},
        guest_rules::{self, GuestRules, verified_only},
        load::AvailabilityQuery,
        problems::slot_problem,
    },
    sql,
};

/// The appointment that a confirmed hold has become.
pub const GET_CONFIRMED: Sql<Appointment> = sql!("scheduling/appointments_get_by_hold.sql" as Appointment);

/// The hold to confirm, and what it must be like before.
pub enum HoldSelector<'a> {
    By(Uuid, Precondition<'a, Hold>),
    /// The current offer to a waitlist entry, and what the entry must be like before.
    For(Uuid, Precondition<'a, WaitlistEntry>),
}

/// A request to confirm a hold.
pub struct Confirmation<'a> {
    pub held: HoldSelector<'a>,
    /// The contact. `Unknown` for an offer: the contact of the waitlist entry.
    pub who: Who<'a>,
    pub note: Option<&'a str>,
    /// For a guest: the limits it counts towards.
    pub guest: Option<&'a GuestRequest>,
    pub once: &'a Once,
}

impl<'a> Confirmation<'a> {
    /// Accepts the offer to a waitlist entry: the appointment gets the id of the entry.
    pub fn of_offer(entry: Uuid, once: &'a Once, precondition: Precondition<'a, WaitlistEntry>) -> Self {
        let held = HoldSelector::For(entry, precondition);
        Self { held, who: Who::Unknown, note: None, guest: None, once }
    }
}

/// Confirms a hold in its own transaction, or returns the appointment it has become. Also returns whether it was
/// already confirmed, by this request or another.
pub async fn confirm_alone(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    confirmation: &Confirmation<'_>,
) -> Result<(Appointment, bool), Failure> {
    let before = AtomicBool::new(false);
    let once = confirmation.once;
    let confirmed = attempt(db, mailer, context, async |tx: Tx, _| {
        let confirming = once.run(tx, async |tx| match confirm(tx, confirmation).await {
            Err(Failure::Problem(problem)) if problem.code == "not_found" => {
                before.store(true, Ordering::Relaxed);
                became(tx, &confirmation.held).await
            }
            confirmed => confirmed,
        });
        Ok(confirming.await?)
    })
    .await;
    match confirmed {
        Ok(appointment) => Ok((appointment, before.into_inner() || once.is_replay())),
        Err(Failure::Problem(problem)) if problem.code == "contact_busy" => {
            Err(alternatives::add_to(problem, others(db, context, confirmation)).await)
        }
        Err(failure) => Err(failure),
    }
}

/// Starts at which the contact is not busy.
async fn others(db: &Db, context: Context, confirmation: &Confirmation<'_>) -> Result<Alternatives, Failure> {
    let known = if let Who::Known(contact) = confirmation.who { Some(contact) } else { None };
    let (service, provider, start, contact) = match &confirmation.held {
        HoldSelector::By(hold, _) => {
            let hold = db.optional(context, hold::GET, &[hold]).await?.ok_or_else(Problem::not_found)?;
            (hold.service_id, None, hold.starts_at, known)
        }
        HoldSelector::For(entry, _) => {
            let entry = db.optional(context, waitlist_entry::GET, &[entry]).await?;
            let entry = WaitlistEntry::from(entry.ok_or_else(Problem::not_found)?);
            let start = entry.offer.ok_or_else(nothing_offered)?.starts_at;
            (entry.service_id, entry.provider_id, start, Some(entry.contact_id))
        }
    };
    let query = AvailabilityQuery {
        services: &[service],
        providers: provider.as_slice(),
        contacts: contact.as_slice(),
        ignored: &[],
        from: start,
        to: start,
        now: Utc::now(),
    };
    alternatives::near(db, context, query).await
}

/// The appointment that a hold, or the offer to a waitlist entry, has become.
async fn became(tx: &mut Tx, held: &HoldSelector<'_>) -> Result<Appointment, Failure> {
    let appointment = match held {
        HoldSelector::By(hold, _) => tx.optional(GET_CONFIRMED, &[hold]).await?,
        HoldSelector::For(entry, _) => {
            let entry = tx.optional(waitlist_entry::GET, &[entry]).await?.ok_or_else(Problem::not_found)?;
            let entry = WaitlistEntry::from(entry);
            let booked = entry.appointment_id.ok_or_else(nothing_offered)?;
            tx.optional(appointment::GET, &[&booked]).await?.map(Into::into)
        }
    };
    Ok(appointment.ok_or_else(Problem::not_found)?)
}

/// 409: nothing is held for the waitlist entry.
pub fn nothing_offered() -> Problem {
    Problem::conflict("nothing_offered", "No time is offered to this entry at the moment: see `status`.")
}

/// Turns a hold into an appointment, with the id of the hold or of the waitlist entry it was offered to, because the
/// link of a guest is valid for all of them. If a member confirms a guest's hold, the appointment gets a new id: it is
/// for a contact that the member chose, and the guest's link must not give access to it.
pub async fn confirm(tx: &mut Tx, confirmation: &Confirmation<'_>) -> Result<Appointment, Failure> {
    let Confirmation { held, who, note, guest, .. } = confirmation;
    let (by_id, by_entry) = match held {
        HoldSelector::By(id, _) => (Some(*id), None),
        HoldSelector::For(entry, _) => (None, Some(*entry)),
    };
    let locked = tx
        .optional(sql!("scheduling/holds_lock.sql" as LockedHold), &[&by_id, &by_entry])
        .await?
        .ok_or_else(Problem::not_found)?;
    let (hold, entry) = (locked.id, locked.waitlist_entry_id);
    if by_entry.is_none() && entry.is_some() {
        // An offer can only be accepted through its waitlist entry.
        Err(Problem::not_found())?;
    }
    if !locked.stands {
        Err(Problem::conflict("hold_expired", "The hold has expired. Choose another slot."))?;
    }
    match held {
        HoldSelector::By(_, precondition) => hold::require(tx, hold, precondition).await?,
        HoldSelector::For(entry, precondition) => waitlist_entry::require(tx, *entry, precondition).await?,
    }
    let guest_key = guest.and_then(|guest| guest.key).or(locked.guest_key);
    let contact = match *who {
        Who::Known(contact) => contact,
        Who::New(contact) => {
            if let Some(guest) = guest {
                let rules =
                    GuestRules { requires: &locked.guest_requires, verification: locked.guest_verification };
                if guest_rules::check([rules], contact)? && !guest.verified {
                    Err(verified_only())?;
                }
            }
            contacts::create(tx, contact).await?
        }
        Who::Unknown => locked.waiting_contact_id.ok_or_else(Problem::internal)?,
    };
    let pending = locked.requires_approval && !locked.overridden;
    let status = if pending { AppointmentStatus::Pending } else { AppointmentStatus::Confirmed };
    let locks = Locks { resources: vec![contact], holds: vec![hold], ..Locks::default() };
    locks.take(tx).await?;
    if let Some(guest) = guest {
        guest.count(tx).await?;
    }
    let is_guests = entry.is_none() && locked.created_by.is_none();
    let by_member = tx
        .context()
        .is_some_and(|context| matches!(context.who, db::Who::Session { .. } | db::Who::Key { .. }));
    let id = if is_guests && by_member { Uuid::now_v7() } else { entry.unwrap_or(hold) };
    let claims: Vec<_> = (!locked.contact_may_overlap)
        .then(|| Claim::of_contact(contact, id, locked.starts_at, locked.ends_at))
        .into_iter()
        .collect();
    let confirmed = tx
        .one(
            sql!("scheduling/holds_confirm.sql" as Appointment),
            &[&hold, &id, &contact, &json!(claims), &status.name(), &note, &locked.seat, &guest_key],
        )
        .await;
    let appointment = on_taken(confirmed, || slot_problem("starts_at", SlotError::ContactBusy))?;
    if let Some(entry) = entry {
        tx.all(
            sql!("scheduling/waitlist_update.sql"),
            &[&entry, &"booked", &Some(appointment.id), &vec!["offered"]],
        )
        .await?;
    }
    tx.all(sql!("scheduling/holds_delete_confirmed.sql"), &[&hold]).await?;
    Ok(appointment)
}
