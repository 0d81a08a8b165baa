//! Changes an appointment without moving it: its note and its contact.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::types::Json as AsJson;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentStatus, GET, WholeAppointment},
    attempts::attempt,
    claims::on_taken,
    transaction::Locks,
};
use crate::{
    crm::contacts,
    db::{Context, Db, Tx, row},
    http::{
        if_match::Precondition,
        json::present,
        problem::{Failure, Problem},
        values::{Metadata, Text},
    },
    messaging::mail::Mailer,
    scheduling::slots::{
        alternatives::{self, Alternatives},
        availability::Claim,
        load::AvailabilityQuery,
        problems::contact_busy,
        setback::Setback,
    },
    sql,
};

/// Changes to an appointment. Omitted fields are kept; `null` removes what can be absent.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct AppointmentChanges {
    /// A note of the organization, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: MaybeUndefined<Text<1, 2000>>,
    /// Another contact, whose time is taken instead.
    #[serde(default, deserialize_with = "present")]
    pub contact_id: Option<Uuid>,
    /// The id in another system, 1 to 200 characters. Unique among the appointments of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: MaybeUndefined<Text<1, 200>>,
    /// What other programs note about the appointment: at most 20 pairs. Replaces all of it.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: MaybeUndefined<Metadata>,
}

impl Example for AppointmentChanges {
    fn example() -> Self {
        Self {
            note: Text::parse("Prefers the chair at the window.")
                .map_or(MaybeUndefined::Null, MaybeUndefined::Value),
            contact_id: None,
            external_id: MaybeUndefined::Undefined,
            metadata: MaybeUndefined::Undefined,
        }
    }
}

/// The claimed time of a contact.
struct ContactTime {
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

row! {
    ContactTime { starts_at, ends_at }
}

/// Changes an appointment. If the new contact is busy, fails with starts to which the appointment can be moved for it.
pub async fn change(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    id: Uuid,
    changes: &AppointmentChanges,
    precondition: &Precondition<'_, Appointment>,
    now: DateTime<Utc>,
) -> Result<Appointment, Failure> {
    let changed = attempt(db, mailer, context, |tx, _| change_now(tx, id, changes, precondition)).await;
    match (changed, changes.contact_id) {
        (Err(Failure::Problem(problem)), Some(contact)) if problem.code == "contact_busy" => {
            Err(alternatives::add_to(problem, others(db, context, id, contact, now)).await)
        }
        (changed, _) => changed,
    }
}

/// Starts near the appointment's to which it can be moved for the contact.
async fn others(
    db: &Db,
    context: Context,
    id: Uuid,
    contact: Uuid,
    now: DateTime<Utc>,
) -> Result<Alternatives, Failure> {
    let row = db.optional(context, GET, &[&id]).await?;
    let appointment = Appointment::from(row.ok_or_else(Problem::not_found)?);
    // The providers of a visit may change when it is moved.
    let provider = appointment.segments.is_none().then_some(appointment.provider_id);
    let query = AvailabilityQuery {
        services: &appointment.services(),
        providers: provider.as_slice(),
        contacts: &[contact],
        ignored: &[id],
        from: appointment.starts_at,
        to: appointment.starts_at,
        now,
    };
    alternatives::near(db, context, query).await
}

async fn change_now(
    mut tx: Tx,
    id: Uuid,
    changes: &AppointmentChanges,
    precondition: &Precondition<'_, Appointment>,
) -> Result<Appointment, Setback> {
    let row = tx.optional(sql!("scheduling/appointments_lock.sql" as WholeAppointment), &[&vec![id]]).await?;
    let before = Appointment::from(row.ok_or_else(Problem::not_found)?);
    precondition.check(&before)?;
    let contact = changes.contact_id.filter(|contact| *contact != before.contact_id);
    let mut claims = Vec::new();
    if let Some(contact) = contact {
        // Undoing the end of an appointment restores the claims that it had.
        if !before.status.takes_time() || before.status == AppointmentStatus::Completed {
            let detail = "The appointment has ended; its contact can no longer be changed.";
            return Err(Problem::conflict("appointment_ended", detail).into());
        }
        let locks = Locks { resources: vec![contact], appointments: vec![id], ..Locks::default() };
        locks.take(&mut tx).await?;
        if !contacts::exists(&mut tx, contact).await? {
            let detail = "expected the id of a contact of the organization";
            return Err(Problem::invalid_field("contact_id", "not_found", detail).into());
        }
        if tx.one(sql!("scheduling/holds_have_expired.sql" as (bool,)), &[]).await?.0 {
            return Err(Setback::HoldsExpired);
        }
        // None if the service lets contacts have other appointments at the same time.
        let sql = sql!("scheduling/claims_release_contact.sql" as ContactTime);
        let released = tx.all(sql, &[&id, &before.contact_id]).await?;
        let claim = |time: &ContactTime| Claim::of_contact(contact, id, time.starts_at, time.ends_at);
        claims.extend(released.iter().map(claim));
    }
    let note = changes.note.value().map(|note| &**note);
    let changed = tx
        .one(
            sql!("scheduling/appointments_update.sql" as Appointment),
            &[
                &id,
                &!changes.note.is_undefined(),
                &note,
                &contact,
                &json!(claims),
                &!changes.external_id.is_undefined(),
                &changes.external_id.value().map(|id| &**id),
                &!changes.metadata.is_undefined(),
                &changes.metadata.value().map(AsJson),
            ],
        )
        .await;
    let changed = on_taken(changed, contact_busy)?;
    tx.commit().await?;
    Ok(Appointment { segments: before.segments, ..changed })
}
