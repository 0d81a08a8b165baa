//! What the codes of problems and of invalid fields mean, and which operations answer with them. The description is
//! made from these lists, so that its readers find each code where it can occur.

use poem_openapi::{
    registry::{MetaSchemaRef, Registry},
    types::Type as _,
};
use serde::Serialize;
use serde_json::json;

use super::details::{FieldError, ProblemDetails, Requirement, document};

/// A code of problems.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProblemCode {
    pub code: &'static str,
    pub status: u16,
    /// When it is the answer, for people.
    pub meaning: &'static str,
    pub answered_by: AnsweredBy,
}

/// The operations that can answer with a code.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    All,
    /// Those with a body.
    Body,
    /// Those that need credentials.
    SignedIn,
    /// Those that need credentials of an organization.
    Organization,
    /// Those that need credentials and change something.
    Changing,
    /// Those that accept API keys.
    ApiKeys,
    /// Those that need credentials and do not accept API keys.
    People,
    /// Those that need a feature of the plan.
    Feature,
    /// Those that need a guest's `manage_token`.
    Link,
    /// Those that take `If-Match`.
    IfMatch,
    /// Those whose documentation names the code.
    Named,
}

/// A code of invalid fields.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FieldCode {
    pub code: &'static str,
    /// What is wrong with the field, for people.
    pub meaning: &'static str,
}

/// Adds codes to the description. [`super::super::description`] makes named schemas of them and writes them into the
/// operations.
pub fn document_codes(registry: &mut Registry, problems: &[ProblemCode], fields: &[FieldCode]) {
    document::<Requirement>(registry);
    add(registry, &ProblemDetails::name(), problems);
    add(registry, &FieldError::name(), fields);
}

fn add(registry: &mut Registry, schema: &str, codes: &[impl Serialize]) {
    let properties = registry.schemas.get_mut(schema).map(|schema| &mut schema.properties);
    for (name, property) in properties.into_iter().flatten() {
        if let (&mut "code", MetaSchemaRef::Inline(property)) = (name, property) {
            property.enum_items.extend(codes.iter().map(|code| json!(code)));
        }
    }
}

/// The caller imports [`ProblemCode`] and [`AnsweredBy`].
macro_rules! problem_codes {
    ($($status:literal $answered_by:ident { $($code:literal = $meaning:literal,)* })*) => {
        &[$($(ProblemCode {
            code: $code,
            status: $status,
            meaning: $meaning,
            answered_by: AnsweredBy::$answered_by,
        },)*)*]
    };
}
pub(crate) use problem_codes;

/// The caller imports [`FieldCode`].
macro_rules! field_codes {
    ($($code:literal = $meaning:literal,)*) => {
        &[$(FieldCode { code: $code, meaning: $meaning },)*]
    };
}
pub(crate) use field_codes;

/// The codes that every module can answer with.
pub const PROBLEMS: &[ProblemCode] = problem_codes! {
    400 All {
        "invalid_parameter" = "A parameter is invalid, unknown, missing or repeated; see `errors`.",
        "invalid_header" = "A header is invalid or repeated, or is an `If-Match` that the operation does not take; see `errors`.",
        "invalid_text" = "The request contains a character that cannot be stored, such as NUL.",
        "host_missing" = "The request names no host.",
        "bad_request" = "The request is malformed in another way.",
    }
    400 Body {
        "malformed_json" = "The body is not JSON, or is empty.",
        "body_unreadable" = "The body could not be read to its end.",
    }
    401 SignedIn {
        "credentials_missing" = "The operation needs an access token, an API key or a session cookie.",
        "token_invalid" = "The access token is not one of this server.",
        "token_expired" = "The access token has expired: refresh it.",
        "session_ended" = "The session, the membership or the organization is no longer active.",
        "api_key_invalid" = "The API key is unknown, was revoked or has expired, or the organization is not active.",
    }
    401 Link {
        "credentials_missing" = "The operation needs the `manage_token`.",
        "token_invalid" = "The `manage_token` is not one of this server.",
        "token_expired" = "The link has expired: its appointment or waitlist entry ended more than 30 days ago.",
    }
    403 Organization {
        "role_too_low" = "The operation needs `required_role`; the caller has `role`.",
        "customer_required" = "The operation is for customers of the organization; the caller has `role`.",
        "organization_required" = "The token is for no organization.",
    }
    403 ApiKeys {
        "feature_not_in_plan" = "The plan of the organization does not include `required_feature`; `plans` include it.",
        "scope_missing" = "The API key lacks `required_scope`.",
    }
    403 People {
        "person_required" = "The operation is for people who have signed in, not for API keys.",
    }
    403 Feature {
        "feature_not_in_plan" = "The plan of the organization does not include `required_feature`; `plans` include it.",
    }
    403 Changing {
        "csrf_token_invalid" = "The session cookie was sent without its `csrf_token` in `X-CSRF-Token`.",
    }
    403 Named {
        "plan_limit" = "The plan of the organization allows no more of these.",
        "email_not_verified" = "The e-mail address of the account, or of an owner of the organization, is not verified.",
    }
    404 All {
        "not_found" = "The object does not exist, or the caller has no access to it.",
    }
    408 Body {
        "body_timeout" = "The body did not arrive within 5 seconds.",
    }
    409 Named {
        "external_id_taken" = "Another object of the organization has this `external_id`.",
    }
    412 IfMatch {
        "precondition_failed" = "The object has another version than `If-Match` says.",
    }
    413 Body {
        "body_too_large" = "The body is larger than 256 KiB.",
    }
    415 Body {
        "unsupported_media_type" = "The operation does not accept this media type.",
    }
    422 All {
        "invalid" = "Fields are invalid; see `errors`.",
    }
    429 All {
        "rate_limited" = "A rate limit is reached: wait `Retry-After` seconds.",
    }
    429 Named {
        "too_many_attempts" = "Too many wrong passwords or codes: wait `Retry-After` seconds.",
        "mail_limit" = "The limit of e-mails is reached: wait `Retry-After` seconds.",
        "guest_limit" = "The limit of guest bookings is reached: wait `Retry-After` seconds.",
    }
    500 All {
        "internal" = "An error of the server. Quote `request_id` when you report it.",
    }
    503 All {
        "database_unavailable" = "The database cannot be reached or is full. Nothing was changed.",
        "database_read_only" = "The database is read-only at the moment. Nothing was changed.",
        "pooler_detected" = "A transaction pooler is between the server and the database. Nothing was changed.",
        "busy" = "All connections to the database or all computing threads are in use. Nothing was changed.",
        "organization_busy" = "The organization has reached its limit of concurrent requests. Nothing was changed.",
        "try_again" = "Concurrent requests prevented this one. Nothing was changed.",
        "timeout" = "The server took too long. The request may have been executed: check before you try again.",
        "outcome_unknown" = "The connection to the database broke. The request may have been executed: check before you try again.",
    }
    503 Named {
        "computation_timeout" = "Computing the answer took longer than 2 seconds: request a shorter period or one provider.",
        "captcha_unavailable" = "The captcha service cannot be reached. Nothing was changed.",
    }
};

/// The field codes that every module can answer with.
pub const FIELDS: &[FieldCode] = field_codes! {
    "required" = "The field is missing or null.",
    "unknown_field" = "The body has no field of this name.",
    "duplicate_field" = "The body has the field twice.",
    "unknown_parameter" = "The operation has no parameter of this name.",
    "duplicate_parameter" = "The parameter can be sent once only.",
    "duplicate_header" = "The header can be sent once only.",
    "invalid_type" = "The value has another JSON type.",
    "invalid_value" = "The value is none of those that the description allows.",
    "too_short" = "The text has fewer characters than the minimum.",
    "too_long" = "The text has more characters than the maximum.",
    "too_many" = "The list has more items than the maximum.",
    "out_of_range" = "The number is less than the minimum or greater than the maximum.",
    "unknown_time_zone" = "The text is not the name of an IANA time zone.",
    "captcha_failed" = "The captcha service did not accept the token.",
    "used_before" = "The key was sent with another request.",
    "feature_not_in_plan" = "The plan of the organization does not include the feature.",
    "not_found" = "No object of the organization has this id.",
};
