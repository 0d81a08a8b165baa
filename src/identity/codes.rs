//! What the codes of this module mean.

use crate::http::problem::{AnsweredBy, FieldCode, ProblemCode, field_codes, problem_codes};

pub const PROBLEMS: &[ProblemCode] = problem_codes! {
    401 Named {
        "credentials_invalid" = "The e-mail address or the password is wrong.",
        "second_factor_required" = "The account has a second factor: send `code` too.",
        "second_factor_invalid" = "The code of the second factor is wrong, or was used before.",
        "refresh_token_invalid" = "The refresh token is unknown or has expired: sign in again.",
        "refresh_token_reused" = "The refresh token was used before. The session has ended: sign in again.",
    }
    403 Named {
        "not_a_member" = "The account is no active member of this organization.",
    }
    409 Named {
        "organization_ambiguous" = "The account belongs to several organizations: send `organization_slug`, the `slug` of one of `organizations`.",
        "email_taken" = "Another account has this e-mail address.",
        "email_verified" = "The e-mail address is already verified.",
        "email_requested" = "An e-mail was sent less than a minute ago.",
        "second_factor_active" = "The account already has a second factor.",
        "second_factor_absent" = "The account has no second factor, or none that waits to be confirmed.",
        "cookie_session" = "The session uses a cookie: use the operations of web sessions.",
        "token_session" = "The session uses tokens: use the operations of tokens.",
    }
    429 Named {
        "too_many_requests" = "The server is comparing as many passwords as it can: wait `Retry-After` seconds.",
    }
};

pub const FIELDS: &[FieldCode] = field_codes! {
    "too_guessable" = "The password is too easy to guess.",
    "wrong_password" = "The current password is wrong.",
};
