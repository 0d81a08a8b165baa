//! Which web pages may read our answers (Fetch standard, CORS protocol): those of an organization's own hosts.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

/// How long a browser may remember what a preflight said, in seconds.
const MAX_AGE: &str = "600";

/// The answer to a preflight. Whether the origin is named in it decides.
pub fn preflight(request: &Request) -> Option<Response> {
    let asks = *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE")
            .header(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, x-request-id, x-csrf-token",
            )
            .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE)
            .header(header::VARY, "Origin")
            .finish()
    })
}

/// Lets pages of this origin read the response. Without cookies: those stay with their own host.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("location, retry-after, ratelimit, ratelimit-policy, x-request-id"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
