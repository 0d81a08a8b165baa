//! CORS (Fetch standard): pages on an organization's own hosts, and on its trusted origins, may read responses.
//! Requests across origins carry no cookies.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use super::headers;

/// How long a browser may cache the answer to a preflight, in seconds.
const MAX_AGE: &str = "600";

/// The headers that a page may send, besides those that are always allowed.
const ALLOWED: &str = "authorization, captcha-token, content-type, idempotency-key, if-match, if-modified-since, if-none-match, last-event-id, x-csrf-token, x-request-id";

/// The response headers that a page may read, besides those that are always readable.
pub const EXPOSED: &str = "allow, deprecation, etag, idempotency-replayed, last-modified, location, ratelimit, ratelimit-policy, retry-after, sunset, www-authenticate, x-request-id";

/// Whether the request is a CORS preflight.
pub fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && headers::has(request.headers(), "Origin")
        && headers::has(request.headers(), "Access-Control-Request-Method")
}

/// The answer to a preflight. The request is allowed only if the edge adds the origin to it.
pub fn preflight(request: &Request) -> Option<Response> {
    is_preflight(request).then(|| {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE")
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED)
            .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE)
            .header(header::VARY, "Origin")
            .finish()
    })
}

/// Lets pages of this origin read the response. Without credentials, so no cookies are sent.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
