//! An appointment with the names that customers see, even if its service is no longer bookable online.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::appointment::{Appointment, AppointmentAction, CancelledBy};
use crate::{
    db::{Context, Db, Sql, Tx},
    http::problem::{Failure, Problem},
    sql,
};

/// One service of an appointment, with names.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct NamedSegment {
    pub service_id: Uuid,
    pub service_name: String,
    pub provider_id: Uuid,
    pub provider_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive; the next service starts then.
    pub ends_at: DateTime<Utc>,
}

/// An appointment, with what customers see of it.
#[derive(Clone, Debug)]
pub struct Named {
    pub appointment: Appointment,
    /// The name of the organization that customers see.
    pub organization: String,
    /// An IANA name.
    pub time_zone: String,
    /// All services in order, at least one.
    pub segments: Vec<NamedSegment>,
    /// How long before its start customers can change it. For a visit, the longest notice of its services.
    pub notice: TimeDelta,
    /// Whether moving it requires the organization's approval.
    pub requires_approval: bool,
}

const GET: Sql = sql!("scheduling/appointments_get_named.sql");

impl From<Row> for Named {
    fn from(row: Row) -> Self {
        let (organization, time_zone) = (row.get("organization_name"), row.get("time_zone"));
        let notice = TimeDelta::minutes(row.get::<_, i32>("cancellation_notice_minutes").into());
        let requires_approval = row.get("requires_approval");
        let (service_name, provider_name) = (row.get("service_name"), row.get("provider_name"));
        let segments = segments(&row);
        let appointment = Appointment::from(row);
        let segments = segments.unwrap_or_else(|| {
            let Appointment { service_id, provider_id, starts_at, ends_at, .. } = appointment;
            vec![NamedSegment { service_id, service_name, provider_id, provider_name, starts_at, ends_at }]
        });
        Self { appointment, organization, time_zone, segments, notice, requires_approval }
    }
}

/// The services in a row with `segments`. `None` for a single service.
pub fn segments(row: &Row) -> Option<Vec<NamedSegment>> {
    let segments: Option<serde_json::Value> = row.get("segments");
    segments.and_then(|segments| serde_json::from_value(segments).ok())
}

impl Named {
    /// Until when customers can change it. `None` if they no longer can.
    pub fn changeable_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.appointment.starts_at - self.notice;
        let stands = AppointmentAction::Cancel.from(CancelledBy::Guest).contains(&self.appointment.status);
        (stands && until >= now).then_some(until)
    }
}

/// A row of `appointments_get_named.sql`.
pub async fn row(db: &Db, context: Context, id: Uuid) -> Result<Row, Failure> {
    Ok(db.optional(context, GET, &[&id]).await?.ok_or_else(Problem::not_found)?)
}

/// The same, in a transaction that the caller commits.
pub async fn inside(tx: &mut Tx, id: Uuid) -> Result<Named, Failure> {
    Ok(tx.optional(GET, &[&id]).await?.ok_or_else(Problem::not_found)?.into())
}
