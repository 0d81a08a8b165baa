//! What the codes of this module mean.

use crate::http::problem::{AnsweredBy, FieldCode, ProblemCode, field_codes, problem_codes};

pub const PROBLEMS: &[ProblemCode] = problem_codes! {
    403 Named {
        "role_above_own" = "The role is higher than the caller's, or only admins may give it.",
    }
    404 Named {
        "organization_not_found" = "No active organization has this slug or host.",
    }
    409 Named {
        "slug_taken" = "Another organization has this slug.",
        "subdomain_taken" = "Another organization has this subdomain.",
        "exclusive_membership" = "An organization of the account sets `exclusive_members`: its members may belong to no other.",
        "last_owner" = "The organization needs at least one active owner.",
        "member_suspended" = "The member is suspended.",
        "already_member" = "An account with this e-mail address is already a member.",
        "already_invited" = "This e-mail address is already invited.",
        "invitation_sent" = "The invitation was sent less than a minute ago.",
        "invitation_for_another" = "The invitation is for another e-mail address.",
        "contact_has_account" = "The contact already has another account.",
        "domain_exists" = "The organization already has this domain.",
        "domain_taken" = "Another organization has verified this domain.",
        "domain_not_verified" = "The DNS record of the domain was not found.",
    }
    503 Named {
        "dns_unavailable" = "The DNS record cannot be looked up at the moment.",
    }
};

pub const FIELDS: &[FieldCode] = field_codes! {
    "reserved" = "The name is reserved.",
    "in_the_past" = "The time is in the past.",
};
