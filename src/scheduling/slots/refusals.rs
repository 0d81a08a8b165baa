//! Why a start cannot be booked, as programs and people read it.

use poem_openapi::Enum;
use serde::{Deserialize, Serialize};

use super::availability::{Availability, LONGEST_CLAIM, Refusal};
use crate::http::problem::{FieldError, Problem};

/// Why a start cannot be booked.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Reason {
    /// Less notice than the service wants, or past.
    TooSoon,
    /// Later than it may be booked today, or on a date on which it is not given.
    TooFar,
    /// It does not fit into working hours.
    OutsideHours,
    /// Not a multiple of the step after the beginning of working hours. Never listed.
    OffGrid,
    /// The time is taken.
    Busy,
    /// The time of the buffers around it is taken.
    Buffer,
    /// There are as many that day or week as there may be.
    LimitReached,
    /// All seats are taken.
    Capacity,
    /// No room or piece of equipment that it needs is free.
    Resource,
    /// The contact of `contact_id` has another appointment then.
    ContactBusy,
}

impl Reason {
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

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooSoon => Self::TooSoon,
            Refusal::TooFar => Self::TooFar,
            Refusal::OutsideHours => Self::OutsideHours,
            Refusal::OffGrid => Self::OffGrid,
            Refusal::Busy => Self::Busy,
            Refusal::Buffer => Self::Buffer,
            Refusal::LimitReached => Self::LimitReached,
            Refusal::Capacity => Self::Capacity,
            Refusal::Resource => Self::Resource,
            Refusal::ContactBusy => Self::ContactBusy,
        }
    }
}

/// A visit lasts a day at most.
pub fn check_length(availability: &Availability) -> Result<(), Problem> {
    if availability.duration() > LONGEST_CLAIM {
        return Err(Problem::invalid_field("and_then", "too_long", "a visit of 24 hours at most"));
    }
    Ok(())
}

/// 422 for a provider who does not exist or cannot be booked.
pub fn unknown_provider() -> Problem {
    Problem::invalid_field("provider_id", "not_found", "the id of a provider of the organization")
}

pub fn unknown_service() -> Problem {
    Problem::invalid_field("service_id", "not_found", "the id of a service of the organization")
}

pub fn contact_busy() -> Problem {
    Problem::conflict("contact_busy", "The contact has another appointment at that time.")
}

/// What is said about a start that cannot be booked.
pub fn refused_start(field: &str, refusal: Refusal) -> Problem {
    let detail = match refusal {
        Refusal::Busy => "the time is taken",
        Refusal::Buffer => "the time around it, which the service needs too, is taken",
        Refusal::Capacity => "all seats are taken",
        Refusal::Resource => "no room or piece of equipment that it needs is free",
        Refusal::ContactBusy => "the contact has another appointment at that time",
        Refusal::LimitReached => "the daily or weekly limit is reached; choose another day",
        Refusal::OffGrid => "one of the starts that GET /services/{service_id}/slots lists",
        Refusal::OutsideHours => "a start from which the service fits into working hours",
        Refusal::TooFar => "a start that can be booked already, on a date on which the service is offered",
        Refusal::TooSoon => "a start in the future, with the notice the service asks for",
    };
    let error = FieldError::new(field, Reason::from(refusal).name(), detail);
    match refusal {
        Refusal::Busy | Refusal::Buffer | Refusal::Capacity | Refusal::Resource => {
            Problem::conflict("slot_unavailable", "The time is taken. Choose another slot.")
                .with_errors(vec![error])
        }
        Refusal::ContactBusy => contact_busy().with_errors(vec![error]),
        _ => Problem::invalid(vec![error]),
    }
}

/// 409: it stands for itself.
pub fn no_series() -> Problem {
    Problem::conflict("no_series", "The appointment is not part of a series; nothing follows it.")
}
