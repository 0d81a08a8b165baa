//! The error statuses of an operation as a type, from which its description is generated.

use std::marker::PhantomData;

use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type as _,
};

use super::{
    details::{CONTENT_TYPE, Problem, ProblemDetails},
    failure::Failure,
};

/// The error statuses of an operation, besides those of every operation (`EVERYWHERE`).
pub trait Statuses: Send + Sync + 'static {
    const STATUSES: &'static [u16];
}

/// The error statuses of every operation.
const EVERYWHERE: &[u16] = &[429, 500, 503];

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = [$($status:literal),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl Statuses for $name {
                const STATUSES: &'static [u16] = &[$($status),*];
            }
        )*
    };
}

statuses! {
    /// No authentication and no input.
    Open = [400];
    /// No authentication; the object may not exist.
    OpenReading = [400, 404];
    /// No authentication, with a body.
    OpenWriting = [400, 408, 413, 415, 422];
    /// Reading one object, by its id or because the caller has exactly one.
    Reading = [400, 401, 403, 404];
    /// Reading what follows from parameters: a list, or slots.
    Listing = [400, 401, 403, 404, 422];
    /// Creating or changing an object, with a body.
    Writing = [400, 401, 403, 404, 408, 409, 413, 415, 422];
    /// Deleting or changing one object by its id, without a body.
    Deleting = [400, 401, 403, 404, 409];
    /// Reading as a guest.
    GuestReading = [400, 403, 404, 422];
    /// Signing in.
    SigningIn = [400, 401, 403, 408, 409, 413, 415, 422];
}

/// The error of an operation that answers with the statuses of `K`.
pub struct ApiError<K>(Problem, PhantomData<K>);

impl<K, E: Into<Failure>> From<E> for ApiError<K> {
    fn from(error: E) -> Self {
        Self(Problem::from(error.into()), PhantomData)
    }
}

impl<K> From<ApiError<K>> for poem::Error {
    fn from(refused: ApiError<K>) -> Self {
        refused.0.into()
    }
}

impl<K: Statuses> ApiResponse for ApiError<K> {
    fn meta() -> MetaResponses {
        let mut statuses: Vec<u16> = K::STATUSES.iter().chain(EVERYWHERE).copied().collect();
        statuses.sort_unstable();
        let response = |status| MetaResponse {
            description: describe(status),
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: MetaSchemaRef::Reference(ProblemDetails::name().into_owned()),
            }],
            headers: vec![],
        };
        MetaResponses { responses: statuses.into_iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemDetails::register(registry);
    }
}

/// What a status of an error means in every operation.
pub fn describe(status: u16) -> &'static str {
    match status {
        400 => {
            "The request is malformed: invalid JSON (`malformed_json`), an invalid or unknown parameter (`invalid_parameter`), or an invalid or repeated header (`invalid_header`)."
        }
        401 => {
            "No valid credentials: `credentials_missing`, `credentials_invalid`, `token_invalid`, `token_expired`, `api_key_invalid`, or `session_ended` if the session, membership or organization is no longer active."
        }
        403 => {
            "Not allowed: `role_too_low`, `feature_not_in_plan`, `plan_limit`, `scope_missing` (API keys), `person_required`, `organization_required`, `email_not_verified`, or `csrf_token_invalid` (cookies)."
        }
        404 => {
            "The object does not exist or is not visible to the caller: `not_found`. No active organization has the slug or host: `organization_not_found`."
        }
        408 => "The body did not arrive within 5 seconds: `body_timeout`.",
        409 => "The request conflicts with the current state; `code` says why.",
        412 => {
            "The object has another version than `If-Match` says: `precondition_failed`. The header `ETag` has the current version, if there is one."
        }
        413 => "The body is larger than 256 KiB: `body_too_large`.",
        415 => "The media type of the body is not supported: `unsupported_media_type`.",
        422 => "The request is well-formed but invalid; see `errors`.",
        429 => {
            "Too many requests (`rate_limited`), attempts to sign in (`too_many_attempts`, `too_many_requests`), e-mails (`mail_limit`) or bookings by guests (`guest_limit`). Try again after `Retry-After` seconds."
        }
        500 => "An error of the server: `internal`.",
        503 => {
            "Temporarily unavailable. `database_unavailable`, `database_read_only`, `pooler_detected`, `busy`, `organization_busy`, `try_again`, `computation_timeout`: nothing was changed; try again after `Retry-After` seconds. `timeout`, `outcome_unknown`: the request may have been executed; check before you try again."
        }
        _ => "",
    }
}
