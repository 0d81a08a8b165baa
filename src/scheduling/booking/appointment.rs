//! What an appointment is, and what can be done to it in which status.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::http::{problem::Problem, values::named_enum};

named_enum! {
    /// Where an appointment is in its life.
    AppointmentStatus {
        /// To be confirmed or declined; its time is taken.
        Pending = "pending",
        /// It stands, and its time is taken.
        Confirmed = "confirmed",
        /// The customer is there.
        CheckedIn = "checked_in",
        /// It has begun.
        InProgress = "in_progress",
        /// It was given.
        Completed = "completed",
        /// It was called off, and its time is free again.
        Cancelled = "cancelled",
        /// It was not confirmed, and its time is free again.
        Declined = "declined",
        /// The customer did not come, and its time is free again.
        NoShow = "no_show",
    }
}

impl AppointmentStatus {
    /// Whether the appointment still takes somebody's time.
    pub const fn takes_time(self) -> bool {
        !matches!(self, Self::Cancelled | Self::Declined | Self::NoShow)
    }
}

named_enum! {
    /// What can be done to an appointment.
    AppointmentAction {
        Confirm = "confirm",
        Decline = "decline",
        Cancel = "cancel",
        Reschedule = "reschedule",
        Swap = "swap",
        CheckIn = "check_in",
        Start = "start",
        Complete = "complete",
        NoShow = "no_show",
        /// Takes back the last check_in, start, complete or no_show.
        Undo = "undo",
    }
}

impl AppointmentAction {
    /// The states in which it can be done.
    pub const fn from(self) -> &'static [AppointmentStatus] {
        use AppointmentStatus::{CheckedIn, Completed, Confirmed, InProgress, NoShow, Pending};
        match self {
            Self::Confirm | Self::Decline => &[Pending],
            Self::Cancel => &[Pending, Confirmed, CheckedIn],
            Self::Reschedule | Self::Swap => &[Pending, Confirmed],
            Self::CheckIn | Self::NoShow => &[Confirmed],
            Self::Start => &[Confirmed, CheckedIn],
            Self::Complete => &[CheckedIn, InProgress],
            Self::Undo => &[CheckedIn, InProgress, Completed, NoShow],
        }
    }

    /// The state it leads to. None: it keeps the state, or returns to an earlier one.
    pub const fn to(self) -> Option<AppointmentStatus> {
        match self {
            Self::Confirm => Some(AppointmentStatus::Confirmed),
            Self::Decline => Some(AppointmentStatus::Declined),
            Self::Cancel => Some(AppointmentStatus::Cancelled),
            Self::Reschedule | Self::Swap | Self::Undo => None,
            Self::CheckIn => Some(AppointmentStatus::CheckedIn),
            Self::Start => Some(AppointmentStatus::InProgress),
            Self::Complete => Some(AppointmentStatus::Completed),
            Self::NoShow => Some(AppointmentStatus::NoShow),
        }
    }

    /// Why it cannot be done now, and what can.
    pub fn not_allowed(self, status: AppointmentStatus) -> Problem {
        let allowed: Vec<_> = Self::ALL
            .iter()
            .filter(|action| action.from().contains(&status))
            .map(|action| action.name().to_owned())
            .collect();
        Problem::conflict(
            "transition_not_allowed",
            format!("The appointment is {}; that does not allow: {}.", status.name(), self.name()),
        )
        .with_extension(&AllowedActions { allowed })
    }
}

/// What `transition_not_allowed` adds to a problem.
#[derive(Debug, Object, Serialize)]
pub struct AllowedActions {
    /// Of `transition_not_allowed`: what can be done with it in its present status.
    pub allowed: Vec<String>,
}

named_enum! {
    /// Who called an appointment off.
    CancelledBy {
        /// Somebody who works there, or a program of theirs.
        Member = "member",
        /// A customer with an account.
        Customer = "customer",
        /// A customer with a link.
        Guest = "guest",
    }
}

/// One service of a visit of several.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Segment {
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it, at which the next one starts.
    pub ends_at: DateTime<Utc>,
}

/// A service that a provider gives to a contact at a time; or a visit of several services, one after the other.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Appointment {
    pub id: Uuid,
    /// Of a visit the first service.
    pub service_id: Uuid,
    /// Of a visit the provider of the first service.
    pub provider_id: Uuid,
    pub contact_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    /// One that was completed early keeps this time; what is left of it can be booked again.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// Of a visit of several services: all of them, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<Segment>>,
    /// Of a group session: the number of the seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<i16>,
    /// The series it is part of: `GET /api/v1/appointment-series/{series_id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<Uuid>,
    /// Which of the series it is, from 1 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<i16>,
    /// Free text of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it was booked or moved against the rules of the service.
    pub overridden: bool,
    /// Rises when it is moved, confirmed, cancelled, declined or a no-show. The SEQUENCE of its calendar entries (RFC 5545) is this
    /// and how often service and contact were renamed.
    pub sequence: i32,
    /// Why it was cancelled or declined, where somebody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<DateTime<Utc>>,
    /// The account or API key that cancelled it; absent where a guest did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by_kind: Option<CancelledBy>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that booked it; absent where a guest did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Appointment {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            contact_id: row.get(3),
            starts_at: row.get(4),
            ends_at: row.get(5),
            status: AppointmentStatus::from_name(row.get(6)),
            note: row.get(7),
            cancellation_reason: row.get(8),
            cancelled_at: row.get(9),
            cancelled_by: row.get(10),
            cancelled_by_kind: row.get::<_, Option<&str>>(11).map(CancelledBy::from_name),
            created_at: row.get(12),
            created_by: row.get(13),
            updated_at: row.get(14),
            sequence: row.get(15),
            overridden: row.get(16),
            series_id: row.get(17),
            occurrence: row.get(18),
            seat: row.get(19),
            // Column 20 says whether there are any; what was just made brings them itself.
            segments: row
                .try_get::<_, Option<serde_json::Value>>(21)
                .ok()
                .flatten()
                .and_then(|segments| serde_json::from_value(segments).ok()),
        }
    }
}

impl Appointment {
    /// What is given, in order.
    pub fn services(&self) -> Vec<Uuid> {
        match &self.segments {
            Some(segments) => segments.iter().map(|segment| segment.service_id).collect(),
            None => vec![self.service_id],
        }
    }
}
