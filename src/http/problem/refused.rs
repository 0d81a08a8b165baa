//! The statuses an operation can refuse with, as a type: the description is generated from it.

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

/// The refusals an operation can answer with, beside those any operation can (`EVERYWHERE`).
pub trait Statuses: Send + Sync + 'static {
    const STATUSES: &'static [u16];
}

/// The refusals of every operation.
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
    /// Open to everybody, nothing to get wrong.
    Open = [400];
    /// Open to everybody, and may not be there.
    OpenReading = [400, 404];
    /// Open to everybody, with a body that may be wrong.
    OpenWriting = [400, 408, 413, 415, 422];
    /// Reading one thing: by its id, or of the caller's own; 404 of the latter for a host that leads elsewhere.
    Reading = [400, 401, 403, 404];
    /// Reading what follows from parameters: a list, or slots.
    Listing = [400, 401, 403, 404, 422];
    /// Creating or changing something, with a body.
    Writing = [400, 401, 403, 404, 408, 409, 413, 415, 422];
    /// Deleting one thing by its id, or moving it on without a body.
    Deleting = [400, 401, 403, 404, 409];
    /// What a guest reads.
    GuestReading = [400, 403, 404, 422];
    /// Signing in.
    SigningIn = [400, 401, 403, 408, 409, 413, 415, 422];
}

/// The failure of an operation that can refuse with the statuses of `K`.
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

fn describe(status: u16) -> &'static str {
    match status {
        400 => {
            "The request cannot be understood: malformed JSON, a parameter that is not of its type or not known, a header that cannot be read or was sent twice (`invalid_header`)."
        }
        401 => {
            "No valid credentials: `credentials_missing`, `credentials_invalid`, `token_invalid`, `token_expired`, `api_key_invalid`, or `session_ended` where session, membership or organization is not active any more."
        }
        403 => {
            "Not allowed: `role_too_low`, `feature_not_in_plan`, `plan_limit`, `scope_missing` (API keys), `person_required`, `organization_required`, `email_not_verified`, or `csrf_token_invalid` (cookies)."
        }
        404 => "There is no such resource, or none the caller may know of: `not_found`.",
        408 => "The body did not arrive in time: `body_timeout`.",
        409 => "Cannot be done in the present state; `code` says why.",
        413 => "The body is larger than 256 KiB: `body_too_large`.",
        415 => "The body is of another media type than the description says: `unsupported_media_type`.",
        422 => "Understood, but wrong in the fields listed in `errors`.",
        429 => {
            "Too many requests, or too many attempts to sign in: `rate_limited`, `too_many_attempts`, `too_many_requests`, or more mails than may be sent: `mail_limit`, or too many bookings by guests: `guest_limit`. Try again after `Retry-After` seconds."
        }
        500 => "A mistake of ours: `internal`.",
        503 => {
            "Not at the moment. `database_unavailable`, `database_read_only`, `pooler_detected`, `busy`, `organization_busy`, `try_again`, `computation_timeout`: nothing was done; try again after `Retry-After` seconds. `timeout`, `outcome_unknown`: look what was done before you try again."
        }
        _ => "",
    }
}
