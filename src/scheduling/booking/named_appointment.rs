//! An appointment with the names that customers see, even if its service is no longer bookable online.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::appointment::{Appointment, AppointmentAction, CancelledBy};
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        problem::{Failure, Problem},
        values::TimeZone,
    },
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
pub struct NamedAppointment {
    pub appointment: Appointment,
    /// The name of the organization that customers see.
    pub organization: String,
    pub time_zone: TimeZone,
    /// Of the first service.
    pub service_name: String,
    pub provider_name: String,
    /// The services of a visit in order; `None` for a single service.
    pub segments: Option<Vec<NamedSegment>>,
    /// How long before its start customers can change it. For a visit, the longest notice of its services.
    pub notice: TimeDelta,
    /// Whether moving it requires the organization's approval.
    pub requires_approval: bool,
    /// The revision of its calendar entry, and when that last changed.
    pub entry_sequence: i32,
    pub entry_updated_at: DateTime<Utc>,
    pub organization_updated_at: DateTime<Utc>,
}

/// A row of the statement.
struct NamedRow {
    appointment: Appointment,
    segments: Option<Vec<NamedSegment>>,
    organization_name: String,
    time_zone: TimeZone,
    service_name: String,
    provider_name: String,
    requires_approval: bool,
    cancellation_notice_minutes: i32,
    entry_sequence: i32,
    entry_updated_at: DateTime<Utc>,
    organization_updated_at: DateTime<Utc>,
}

row! {
    NamedRow {
        appointment: Appointment, segments as json, organization_name, time_zone, service_name, provider_name,
        requires_approval, cancellation_notice_minutes, entry_sequence, entry_updated_at, organization_updated_at
    }
}

const GET: Sql<NamedRow> = sql!("scheduling/appointments_get_named.sql" as NamedRow);

impl From<NamedRow> for NamedAppointment {
    fn from(row: NamedRow) -> Self {
        Self {
            appointment: row.appointment,
            organization: row.organization_name,
            time_zone: row.time_zone,
            service_name: row.service_name,
            provider_name: row.provider_name,
            segments: row.segments,
            notice: TimeDelta::minutes(row.cancellation_notice_minutes.into()),
            requires_approval: row.requires_approval,
            entry_sequence: row.entry_sequence,
            entry_updated_at: row.entry_updated_at,
            organization_updated_at: row.organization_updated_at,
        }
    }
}

impl NamedAppointment {
    /// Until when customers can change it. `None` if they no longer can.
    pub fn changeable_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.appointment.starts_at - self.notice;
        let stands = AppointmentAction::Cancel.from(CancelledBy::Guest).contains(&self.appointment.status);
        (stands && until >= now).then_some(until)
    }
}

/// A page of the appointments of a customer.
pub async fn list_mine(
    db: &Db,
    context: Context,
    params: Params<'_>,
) -> Result<Vec<NamedAppointment>, Failure> {
    let rows = db.all(context, sql!("scheduling/appointments_list_mine.sql" as NamedRow), params).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The appointment with this id.
pub async fn get(db: &Db, context: Context, id: Uuid) -> Result<NamedAppointment, Failure> {
    Ok(db.optional(context, GET, &[&id]).await?.ok_or_else(Problem::not_found)?.into())
}

/// The same, in a transaction that the caller commits.
pub async fn inside(tx: &mut Tx, id: Uuid) -> Result<NamedAppointment, Failure> {
    Ok(tx.optional(GET, &[&id]).await?.ok_or_else(Problem::not_found)?.into())
}
