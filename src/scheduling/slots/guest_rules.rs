//! What services require of guests.

use std::collections::BTreeMap;

use crate::{
    crm::contacts::NewContact,
    http::{
        problem::{FieldError, Problem},
        values::named_enum,
    },
};

named_enum! {
    /// Contact details that guests can be required to give.
    GuestDetail {
        Email = "email",
        Phone = "phone",
    }
}

named_enum! {
    /// How a guest is verified before a booking takes effect.
    GuestVerification {
        None = "none",
        /// By e-mail: the time is held until the guest opens a link sent to their address.
        Email = "email",
    }
}

/// What one service requires of guests.
#[derive(Clone, Copy, Debug)]
pub struct GuestRules<'a> {
    pub requires: &'a [GuestDetail],
    pub verification: GuestVerification,
}

impl GuestRules<'_> {
    pub fn verifies(&self) -> bool {
        self.verification == GuestVerification::Email
    }
}

/// Checks that the guest gave the details that the services require; 422 if not. Returns whether a service verifies
/// e-mail addresses.
pub fn check<'a>(
    services: impl IntoIterator<Item = GuestRules<'a>>,
    contact: &NewContact,
) -> Result<bool, Problem> {
    let mut verifies = false;
    let mut missing = BTreeMap::new();
    for rules in services {
        verifies |= rules.verifies();
        for detail in rules.requires {
            match detail {
                GuestDetail::Email if contact.email.is_none() => {
                    missing.insert("contact.email", "your e-mail address: the service requires it");
                }
                GuestDetail::Phone if contact.phone.is_none() => {
                    missing.insert("contact.phone", "your telephone number: the service requires it");
                }
                GuestDetail::Email | GuestDetail::Phone => {}
            }
        }
    }
    if verifies && contact.email.is_none() {
        missing.insert("contact.email", "your e-mail address: the service verifies it");
    }
    let missing: Vec<_> = missing
        .into_iter()
        .map(|(field, detail)| FieldError::new(field, "required", format!("expected {detail}")))
        .collect();
    if missing.is_empty() { Ok(verifies) } else { Err(Problem::invalid(missing)) }
}

/// 409: the service verifies e-mail addresses, which holds and waitlist entries of guests do not.
pub fn verified_only() -> Problem {
    let detail =
        "The service verifies e-mail addresses: guests must book it with POST /api/v1/guest/appointments.";
    Problem::conflict("verification_required", detail)
}
