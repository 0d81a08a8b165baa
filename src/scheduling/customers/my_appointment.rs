//! An appointment, as a customer with an account sees it: with names, the time zone and until when it can be changed.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::online;
use crate::{
    db::{Context, Db, Params},
    http::{
        if_match::{IfMatch, Precondition},
        problem::Failure,
    },
    scheduling::booking::{
        appointment::{Appointment, AppointmentStatus},
        named_appointment::{self, NamedAppointment, NamedSegment},
    },
};

/// An appointment, as the customer sees it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct MyAppointment {
    pub id: Uuid,
    /// The name of the organization that customers see.
    pub organization_name: String,
    /// The IANA time zone of the organization, for showing times.
    pub time_zone: String,
    /// The service; for a visit, the first one.
    pub service_id: Uuid,
    pub service_name: String,
    /// The provider; for a visit, of the first service.
    pub provider_id: Uuid,
    pub provider_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// The services of the visit in order; absent for a single service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<NamedSegment>>,
    /// Until when the customer can move or cancel it. Absent if they no longer can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changeable_until: Option<DateTime<Utc>>,
}

impl From<NamedAppointment> for MyAppointment {
    fn from(named: NamedAppointment) -> Self {
        let changeable_until = named.changeable_until(Utc::now());
        let appointment = named.appointment;
        Self {
            id: appointment.id,
            organization_name: named.organization,
            time_zone: named.time_zone.name().to_owned(),
            service_id: appointment.service_id,
            service_name: named.service_name,
            provider_id: appointment.provider_id,
            provider_name: named.provider_name,
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            status: appointment.status,
            segments: named.segments,
            changeable_until,
        }
    }
}

/// The appointment with this id.
pub async fn get(db: &Db, context: Context, id: Uuid) -> Result<MyAppointment, Failure> {
    Ok(online::named(db, context, id).await?.into())
}

/// A page of the appointments of the customer.
pub async fn list(db: &Db, context: Context, params: Params<'_>) -> Result<Vec<MyAppointment>, Failure> {
    let page = named_appointment::list_mine(db, context, params).await?;
    Ok(page.into_iter().map(Into::into).collect())
}

/// What a change requires of the appointment. The names are those from before the transaction: the change replaces
/// none of them.
pub async fn required<'a>(
    db: &Db,
    context: Context,
    id: Uuid,
    if_match: &'a IfMatch,
) -> Result<Precondition<'a, Appointment>, Failure> {
    if !if_match.is_sent() {
        return Ok(Precondition::none());
    }
    let named = online::named(db, context, id).await?;
    Ok(if_match.on_view(move |current: &Appointment| {
        Ok(MyAppointment::from(NamedAppointment { appointment: current.clone(), ..named.clone() }))
    }))
}
