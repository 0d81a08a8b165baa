//! Appointments: the API object, its statuses, and the actions that each status allows.

use chrono::{DateTime, SecondsFormat, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Context, Sql, Who, row},
    http::{
        problem::Problem,
        values::{Metadata, TimeZone, named_enum},
    },
    sql,
};

named_enum! {
    /// The status of an appointment.
    AppointmentStatus {
        /// Waits to be confirmed or declined; its time is taken.
        Pending = "pending",
        /// Booked; its time is taken.
        Confirmed = "confirmed",
        /// The customer has arrived.
        CheckedIn = "checked_in",
        /// The appointment has begun.
        InProgress = "in_progress",
        /// The appointment has taken place.
        Completed = "completed",
        /// Cancelled; its time is free again.
        Cancelled = "cancelled",
        /// Declined instead of confirmed; its time is free again.
        Declined = "declined",
        /// The customer did not come; its time is free again.
        NoShow = "no_show",
    }
}

impl AppointmentStatus {
    /// Whether an appointment with this status takes time.
    pub const fn takes_time(self) -> bool {
        !matches!(self, Self::Cancelled | Self::Declined | Self::NoShow)
    }

    /// The actions that it allows to these people.
    pub fn allows(self, by: CancelledBy) -> impl Iterator<Item = AppointmentAction> {
        AppointmentAction::ALL.iter().copied().filter(move |action| action.from(by).contains(&self))
    }
}

named_enum! {
    /// An action on an appointment.
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
        /// Undoes the last check_in, start, complete or no_show.
        Undo = "undo",
    }
}

impl AppointmentAction {
    /// The statuses that allow the action to these people.
    pub const fn from(self, by: CancelledBy) -> &'static [AppointmentStatus] {
        use AppointmentStatus::{CheckedIn, Completed, Confirmed, InProgress, NoShow, Pending};
        match (self, by) {
            // Once they have checked in, customers speak with the staff instead.
            (Self::Cancel | Self::Reschedule, CancelledBy::Customer | CancelledBy::Guest) => {
                &[Pending, Confirmed]
            }
            (_, CancelledBy::Customer | CancelledBy::Guest) => &[],
            (Self::Confirm | Self::Decline, _) => &[Pending],
            (Self::Cancel, _) => &[Pending, Confirmed, CheckedIn],
            (Self::Reschedule | Self::Swap, _) => &[Pending, Confirmed],
            (Self::CheckIn | Self::NoShow, _) => &[Confirmed],
            (Self::Start, _) => &[Confirmed, CheckedIn],
            (Self::Complete, _) => &[CheckedIn, InProgress],
            (Self::Undo, _) => &[CheckedIn, InProgress, Completed, NoShow],
        }
    }

    /// The status after the action. `None`: the status stays, or an earlier one is restored.
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

    /// 409 if the status does not allow the action to these people.
    pub fn check(self, status: AppointmentStatus, by: CancelledBy) -> Result<(), Problem> {
        if self.from(by).contains(&status) { Ok(()) } else { Err(self.not_allowed(status, by)) }
    }

    /// The error for an action that the status does not allow, with the allowed actions.
    pub fn not_allowed(self, status: AppointmentStatus, by: CancelledBy) -> Problem {
        let allowed = status.allows(by).collect();
        Problem::conflict(
            "transition_not_allowed",
            format!(
                "The status of the appointment is {}, which does not allow the action {}.",
                status.name(),
                self.name()
            ),
        )
        .with_extension(&AllowedActions { allowed })
    }
}

/// What `transition_not_allowed` adds to a problem.
#[derive(Debug, Object, Serialize)]
pub struct AllowedActions {
    /// The transitions that the current status allows. Only with `transition_not_allowed`.
    pub allowed: Vec<AppointmentAction>,
}

named_enum! {
    /// Who cancelled an appointment.
    CancelledBy {
        /// A member or an API key.
        Member = "member",
        /// A customer with an account.
        Customer = "customer",
        /// A guest with a link.
        Guest = "guest",
    }
}

impl From<Context> for CancelledBy {
    fn from(context: Context) -> Self {
        match context.who {
            Who::Guest { .. } => Self::Guest,
            Who::Customer { .. } => Self::Customer,
            Who::Session { .. } | Who::Key { .. } | Who::Scheduler { .. } | Who::Worker => Self::Member,
        }
    }
}

/// One service of a visit with several services.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Segment {
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive, at which the next service starts.
    pub ends_at: DateTime<Utc>,
}

named_enum! {
    /// What to include in an appointment beside the ids.
    AppointmentInclude {
        Contact = "contact",
        /// The service; with several services, the first one.
        Service = "service",
        /// The provider; with several services, the provider of the first one.
        Provider = "provider",
    }
}

/// The contact of an appointment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct AppointmentContact {
    pub id: Uuid,
    pub first_name: String,
    pub last_name: String,
    /// Absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// A service or provider, by id and name.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Named {
    pub id: Uuid,
    pub name: String,
}

/// An appointment of a contact with a provider for a service, or a visit of several consecutive services.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Appointment {
    pub id: Uuid,
    /// The service; with several services, the first one.
    pub service_id: Uuid,
    /// The provider; with several services, the provider of the first one.
    pub provider_id: Uuid,
    pub contact_id: Uuid,
    /// The contact with its name. Only with `include=contact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<AppointmentContact>,
    /// The service with its name. Only with `include=service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Named>,
    /// The provider with its name. Only with `include=provider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Named>,
    pub starts_at: DateTime<Utc>,
    /// `starts_at` in the requested `time_zone`, with its offset. Absent if the request names no time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_starts_at: Option<String>,
    /// The end, exclusive. An appointment that was completed early keeps this time, and the rest of it can be booked
    /// again.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// The services of a visit, in their order. Absent for a single service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<Segment>>,
    /// The number of the seat in a group session. Absent if the service has one seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<i16>,
    /// The series the appointment belongs to; see `GET /api/v1/appointment-series/{series_id}`. Absent if it belongs to
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<Uuid>,
    /// The number of the appointment in its series, from 1. Absent if it belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<i16>,
    /// A note of the organization or the customer; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The id in another system; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What other programs note about the appointment; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Whether it was booked or moved with `override_rules`.
    pub overridden: bool,
    /// A revision number that increases when the appointment is moved, confirmed, cancelled, declined or marked as a
    /// no-show. The SEQUENCE of its calendar entries (RFC 5545) is this number plus the number of times that service
    /// and contact were renamed.
    pub sequence: i32,
    /// The reason for cancelling or declining; absent if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<DateTime<Utc>>,
    /// The account or API key that cancelled it. Absent if a guest did, or if it is not cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by_kind: Option<CancelledBy>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that booked it. Absent if a guest did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
    pub updated_at: DateTime<Utc>,
}

row! {
    // As statements that write it return it: their callers know the services of a visit.
    Appointment {
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason, cancelled_at,
        cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden, series_id,
        occurrence, seat, external_id, metadata as json;
        segments: None, contact: None, service: None, provider: None, local_starts_at: None
    }
}

/// An appointment with the services of its visit.
pub struct WholeAppointment {
    appointment: Appointment,
    segments: Option<Vec<Segment>>,
}

row! {
    WholeAppointment { appointment: Appointment, segments as json }
}

impl From<WholeAppointment> for Appointment {
    fn from(WholeAppointment { appointment, segments }: WholeAppointment) -> Self {
        Self { segments, ..appointment }
    }
}

/// An appointment as the operations that read appointments return it.
pub struct ViewedAppointment {
    whole: WholeAppointment,
    contact: Option<AppointmentContact>,
    service: Option<Named>,
    provider: Option<Named>,
}

row! {
    ViewedAppointment { whole: WholeAppointment, contact as json, service as json, provider as json }
}

impl ViewedAppointment {
    /// The appointment, with its start in a time zone if one is requested.
    pub fn at(self, zone: Option<TimeZone>) -> Appointment {
        let Self { whole, contact, service, provider } = self;
        let appointment = Appointment::from(whole);
        let local = |zone: TimeZone| {
            appointment.starts_at.with_timezone(&zone.0).to_rfc3339_opts(SecondsFormat::AutoSi, true)
        };
        Appointment { local_starts_at: zone.map(local), contact, service, provider, ..appointment }
    }
}

pub const GET: Sql<WholeAppointment> = sql!("scheduling/appointments_get.sql" as WholeAppointment);

impl Appointment {
    /// The appointment as changes return it: without what the request that read it asked for besides.
    pub fn without_view(&self) -> Self {
        Self { contact: None, service: None, provider: None, local_starts_at: None, ..self.clone() }
    }

    /// The ids of the services, in order.
    pub fn services(&self) -> Vec<Uuid> {
        match &self.segments {
            Some(segments) => segments.iter().map(|segment| segment.service_id).collect(),
            None => vec![self.service_id],
        }
    }

    /// Whether it has this start, and this provider for all its services if one is named.
    pub fn is_at(&self, start: DateTime<Utc>, provider: Option<Uuid>) -> bool {
        let performs = |provider: Uuid| match &self.segments {
            Some(segments) => segments.iter().all(|segment| segment.provider_id == provider),
            None => self.provider_id == provider,
        };
        self.starts_at == start && provider.is_none_or(performs)
    }
}
