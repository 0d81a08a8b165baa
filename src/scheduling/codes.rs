//! What the codes of this module mean.

use crate::http::problem::{AnsweredBy, FieldCode, ProblemCode, field_codes, problem_codes};

pub const PROBLEMS: &[ProblemCode] = problem_codes! {
    409 Named {
        "slot_unavailable" = "The time is taken: `alternatives` are free.",
        "contact_busy" = "The contact has another appointment at this time: `alternatives` are free for it.",
        "already_booked" = "The contact already has a seat in this session.",
        "transition_not_allowed" = "The status of the appointment does not allow this action; `allowed` are the actions it allows.",
        "appointment_ended" = "The appointment has ended, so that its contact cannot be changed.",
        "too_early" = "The action is not possible before its time.",
        "too_late" = "The time in which customers may change the appointment has ended.",
        "no_series" = "The appointment belongs to no series.",
        "hold_expired" = "The hold has expired.",
        "too_many_holds" = "The limit of holds is reached.",
        "slots_available" = "Slots of the period are free: `alternatives` are some.",
        "already_waiting" = "The contact already waits for this service at this time.",
        "too_many_entries" = "The contact has reached the limit of waiting entries.",
        "not_waiting" = "The entry is no longer on the waitlist.",
        "nothing_offered" = "No time is offered to the entry.",
        "contact_missing" = "No contact of the organization belongs to the account.",
        "verification_required" = "The service verifies e-mail addresses of guests: book with `POST /api/v1/guest/appointments`.",
        "service_unavailable" = "The service can no longer be booked online.",
        "service_in_use" = "The service has appointments: set `active` to false instead.",
        "provider_in_use" = "The provider has appointments: set `active` to false instead.",
        "resource_in_use" = "The resource is used by a service or has appointments: set `active` to false instead.",
        "account_taken" = "The account is linked to another provider of the organization.",
        "person_busy" = "Another organization has booked the person within the same 15 minutes.",
        "too_many_closures" = "The organization has reached the limit of closures.",
        "too_much_time_off" = "The provider has reached the limit of time off.",
    }
    503 Named {
        "mail_unavailable" = "The server cannot send the e-mail that the booking needs.",
    }
};

pub const FIELDS: &[FieldCode] = field_codes! {
    "too_soon" = "The start is in the past, or gives less notice than the service requires.",
    "too_far" = "The start is later than the service can be booked now.",
    "outside_hours" = "The start does not fit into the hours of a provider.",
    "off_grid" = "The start is not a multiple of the step after the beginning of the hours.",
    "busy" = "The provider has another appointment at this time.",
    "buffer" = "The buffer before or after the appointment is taken.",
    "capacity" = "All seats of the session are taken.",
    "resource" = "No room or piece of equipment that the service needs is free.",
    "contact_busy" = "The contact has another appointment at this time.",
    "limit_reached" = "The limit of appointments of this day or week is reached.",
    "period_too_long" = "The period is longer than the maximum.",
    "not_eligible" = "The provider does not perform the service.",
    "inactive" = "The service or the provider is not active.",
    "overlapping" = "The period overlaps another one of the list.",
    "duplicate" = "The value occurs twice in the list.",
    "conflicting" = "The field cannot be combined with another one.",
    "not_supported" = "The service does not allow this.",
};
