//! Why a start cannot be booked, as programs and people read it.

use poem_openapi::Enum;
use serde::{Deserialize, Serialize};

use super::availability::{Availability, LONGEST_CLAIM, SlotError};
use crate::http::problem::{FieldError, Problem};

/// Why a start cannot be booked.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum UnavailableReason {
    /// The start is in the past, or gives less notice than the service requires.
    TooSoon,
    /// The service cannot be booked that far ahead, or is not offered on this date.
    TooFar,
    /// The service does not fit into working hours.
    OutsideHours,
    /// Not a multiple of the step after the beginning of working hours. Such a start is never listed.
    OffGrid,
    /// The time is taken.
    Busy,
    /// The time of the buffers around it is taken.
    Buffer,
    /// The daily or weekly limit is reached.
    LimitReached,
    /// All seats are taken.
    Capacity,
    /// No room or piece of equipment that the service needs is free.
    Resource,
    /// The contact of `contact_id` has another appointment then.
    ContactBusy,
}

impl UnavailableReason {
    /// As a program reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooSoon => "too_soon",
            Self::TooFar => "too_far",
            Self::OutsideHours => "outside_hours",
            Self::OffGrid => "off_grid",
            Self::Busy => "busy",
            Self::Buffer => "buffer",
            Self::LimitReached => "limit_reached",
            Self::Capacity => "capacity",
            Self::Resource => "resource",
            Self::ContactBusy => "contact_busy",
        }
    }
}

impl From<SlotError> for UnavailableReason {
    fn from(error: SlotError) -> Self {
        match error {
            SlotError::TooSoon | SlotError::Past => Self::TooSoon,
            SlotError::TooFar => Self::TooFar,
            SlotError::OutsideHours => Self::OutsideHours,
            SlotError::OffGrid => Self::OffGrid,
            SlotError::Busy => Self::Busy,
            SlotError::Buffer => Self::Buffer,
            SlotError::LimitReached => Self::LimitReached,
            SlotError::Capacity => Self::Capacity,
            SlotError::Resource => Self::Resource,
            SlotError::ContactBusy => Self::ContactBusy,
        }
    }
}

/// 422 for a visit of more than 24 hours.
pub fn check_length(availability: &Availability) -> Result<(), Problem> {
    if availability.duration() > LONGEST_CLAIM {
        return Err(Problem::invalid_field("and_then", "too_long", "expected a visit of at most 24 hours"));
    }
    Ok(())
}

/// 422 for a provider who does not exist or cannot be booked.
pub fn unknown_provider() -> Problem {
    Problem::invalid_field("provider_id", "not_found", "expected the id of a provider of the organization")
}

pub fn unknown_service() -> Problem {
    Problem::invalid_field("service_id", "not_found", "expected the id of a service of the organization")
}

pub fn contact_busy() -> Problem {
    Problem::conflict("contact_busy", "The contact has another appointment at that time.")
}

/// The error for a start that cannot be booked.
pub fn slot_problem(field: &str, error: SlotError) -> Problem {
    let detail = match error {
        SlotError::Busy => "the time is taken",
        SlotError::Buffer => "the time around it, which the service needs too, is taken",
        SlotError::Capacity => "all seats are taken",
        SlotError::Resource => "no room or piece of equipment that it needs is free",
        SlotError::ContactBusy => "the contact has another appointment at that time",
        SlotError::LimitReached => "The daily or weekly limit is reached; choose another day.",
        SlotError::OffGrid => {
            "The service does not start at this time; GET …/services/{service_id}/slots lists the starts."
        }
        SlotError::OutsideHours => "The service does not fit into working hours at this time.",
        SlotError::TooFar => "The service cannot be booked that far ahead, or is not offered on this date.",
        SlotError::TooSoon => "The service has to be booked earlier before its start (min_notice_minutes).",
        SlotError::Past => "The start is in the past.",
    };
    let field_error = FieldError::new(field, UnavailableReason::from(error).name(), detail);
    match error {
        SlotError::Busy | SlotError::Buffer | SlotError::Capacity | SlotError::Resource => {
            Problem::conflict("slot_unavailable", "The time is taken. Choose another slot.")
                .with_errors(vec![field_error])
        }
        SlotError::ContactBusy => contact_busy().with_errors(vec![field_error]),
        SlotError::LimitReached
        | SlotError::OffGrid
        | SlotError::OutsideHours
        | SlotError::TooFar
        | SlotError::TooSoon
        | SlotError::Past => Problem::invalid(vec![field_error]),
    }
}

/// 409: a guest or customer cannot see a service that is no longer bookable online.
pub fn service_unavailable() -> Problem {
    Problem::conflict(
        "service_unavailable",
        "The service is no longer offered online. Please contact the organization to move the appointment.",
    )
}

/// 409: the appointment is not part of a series.
pub fn no_series() -> Problem {
    Problem::conflict("no_series", "The appointment is not part of a series; nothing follows it.")
}
