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

// Descriptions have no status of which the operation answers with no code: a set is the most that its operations need.
statuses! {
    /// No authentication and no input.
    Open = [400];
    /// No authentication; the object may not exist.
    OpenReading = [400, 404];
    /// No authentication, with a body, such as signing in.
    OpenWriting = [400, 401, 403, 408, 409, 413, 415, 422];
    /// Reading one object, by its id or because the caller has exactly one.
    Reading = [400, 401, 403, 404];
    /// Reading what follows from parameters: a list, or slots.
    Listing = [400, 401, 403, 404, 422];
    /// Reading what follows a position.
    Following = [400, 401, 403, 404, 410, 422];
    /// Creating or changing an object, with a body.
    Writing = [400, 401, 403, 404, 408, 409, 413, 415, 422];
    /// Deleting or changing one object by its id, without a body.
    Deleting = [400, 401, 403, 404, 409];
    /// Reading as a guest, also the object of a link.
    GuestReading = [400, 401, 403, 404, 409, 422];
    /// Creating or changing an object as a guest.
    GuestWriting = [400, 401, 403, 404, 408, 409, 413, 415, 422];
}

/// The error of an operation that answers with the statuses of `K`.
pub struct ApiError<K>(Problem, PhantomData<K>);

impl<K, E: Into<Failure>> From<E> for ApiError<K> {
    fn from(error: E) -> Self {
        Self(Problem::from(error.into()), PhantomData)
    }
}

/// For pages, which show the problem in HTML.
impl<K> From<ApiError<K>> for Problem {
    fn from(refused: ApiError<K>) -> Self {
        refused.0
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
            // Written from the codes of the operation.
            description: "",
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
