//! Writes appointments and their claims in one statement. The constraints of claims decide:
//! `scheduling.take_time` fails with their names.

use serde_json::{Value, json};
use uuid::Uuid;

use super::appointment::{Appointment, AppointmentStatus, Segment};
use crate::{
    db::{self, Sql, Tx},
    http::{
        problem::{Failure, OnConstraint as _, Problem},
        values::Metadata,
    },
    scheduling::slots::{
        availability::{Allocation, Claim, Item},
        problems::{unknown_provider, unknown_service},
        setback::lost_race,
        unknown_ids::unknown_contact,
    },
    sql,
};

/// What other systems know an appointment by.
#[derive(Clone, Copy, Default)]
pub struct Labels<'a> {
    pub external_id: Option<&'a str>,
    pub metadata: Option<&'a Metadata>,
}

/// An appointment to create.
pub struct Booking<'a> {
    pub id: Uuid,
    pub contact: Uuid,
    pub status: AppointmentStatus,
    pub note: Option<&'a str>,
    pub labels: Labels<'a>,
    pub overridden: bool,
    /// The series and the number of the occurrence in it.
    pub occurrence: Option<(Uuid, i16)>,
    /// See [`GuestRequest::key`](super::guest_request::GuestRequest::key).
    pub guest_key: Option<Uuid>,
    pub plan: &'a Allocation,
}

pub(super) const CREATE: Sql<Appointment> = sql!("scheduling/appointments_create.sql" as Appointment);

/// The parameters of [`CREATE`].
pub(super) struct Parameters {
    pub appointments: Value,
    pub claims: Value,
}

impl Parameters {
    pub(super) fn new(bookings: &[Booking<'_>], contact: Uuid, claims_contact: bool) -> Self {
        let mut claims: Vec<Claim> = Vec::new();
        for booking in bookings {
            claims.extend(booking.plan.claims_of(booking.id));
            if claims_contact {
                let (starts_at, ends_at) = (booking.plan.starts_at(), booking.plan.ends_at());
                claims.push(Claim::of_contact(contact, booking.id, starts_at, ends_at));
            }
        }
        let appointments = bookings.iter().map(|booking| {
            let first = booking.plan.items[0];
            json!({
                "id": booking.id,
                "service_id": first.service,
                "provider_id": first.provider,
                "contact_id": booking.contact,
                "starts_at": booking.plan.starts_at(),
                "ends_at": booking.plan.ends_at(),
                "status": booking.status,
                "note": booking.note,
                "external_id": booking.labels.external_id,
                "metadata": booking.labels.metadata,
                "overridden": booking.overridden,
                "series_id": booking.occurrence.map(|(series, _)| series),
                "occurrence": booking.occurrence.map(|(_, occurrence)| occurrence),
                "visit": booking.plan.items.len() > 1,
                "seat": booking.plan.seat,
                "guest_key": booking.guest_key,
            })
        });
        Self { appointments: appointments.collect(), claims: json!(claims) }
    }
}

/// The rows for the services of a visit; empty for a single service.
pub fn segments(appointment: Uuid, plan: &Allocation) -> Vec<Value> {
    if plan.items.len() == 1 {
        return Vec::new();
    }
    let row = |(position, item): (i16, &Item)| {
        json!({
            "appointment_id": appointment,
            "position": position,
            "service_id": item.service,
            "provider_id": item.provider,
            "starts_at": item.starts_at,
            "ends_at": item.ends_at,
        })
    };
    (1..).zip(&plan.items).map(row).collect()
}

/// Adds the services of visits to appointments that were created or moved.
pub async fn add_segments(tx: &mut Tx, segments: Vec<Value>) -> Result<(), Failure> {
    if !segments.is_empty() {
        tx.all(sql!("scheduling/appointment_segments_add.sql"), &[&json!(segments)]).await?;
    }
    Ok(())
}

/// Creates appointments of one contact, all or none.
pub async fn create(
    tx: &mut Tx,
    bookings: &[Booking<'_>],
    contact: Uuid,
    claims_contact: bool,
) -> Result<Vec<Appointment>, Failure> {
    let parameters = Parameters::new(bookings, contact, claims_contact);
    let created = tx.all(CREATE, &[&parameters.appointments, &parameters.claims]).await;
    let created = on_taken(created, lost_race)?;
    add_segments(tx, bookings.iter().flat_map(|booking| segments(booking.id, booking.plan)).collect())
        .await?;
    let mut appointments: Vec<_> = created
        .into_iter()
        .map(|appointment| {
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

pub fn with_segments(mut appointment: Appointment, plan: &Allocation) -> Appointment {
    if plan.items.len() > 1 {
        let segment = |item: &Item| Segment {
            service_id: item.service,
            provider_id: item.provider,
            starts_at: item.starts_at,
            ends_at: item.ends_at,
        };
        appointment.segments = Some(plan.items.iter().map(segment).collect());
    }
    appointment
}

/// Maps constraints on a booking to errors: to `taken` if another transaction took some of the time first.
pub fn on_taken<T, R: Into<Failure>>(
    booked: Result<T, db::Error>,
    taken: impl Fn() -> R,
) -> Result<T, Failure> {
    let one_seat = |detail: &'static str| move || Problem::conflict("already_booked", detail);
    booked
        .on_constraint("claims_no_overlap", &taken)
        .on_constraint("shared_claims_no_overlap", &taken)
        // The provider's link to a person has changed meanwhile.
        .on_constraint("shared_claims_person_fkey", &taken)
        .on_constraint(
            "appointments_guest_seat_key",
            one_seat("A seat of this group session is already booked with this e-mail address."),
        )
        .on_constraint(
            "appointments_contact_seat",
            one_seat("The contact already has a seat in this group session."),
        )
        .on_constraint("appointments_contact_fkey", unknown_contact)
        .on_constraint("resources_contact_fkey", unknown_contact)
        // Deleted after it was loaded.
        .on_constraint("appointments_service_fkey", unknown_service)
        .on_constraint("claims_service_fkey", unknown_service)
        .on_constraint("holds_service_fkey", unknown_service)
        .on_constraint("appointments_provider_fkey", unknown_provider)
        .on_constraint("claims_resource_fkey", unknown_provider)
}
