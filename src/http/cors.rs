//! Which web pages may read our answers (Fetch standard, CORS protocol): those of an organization's own hosts, and those it
//! trusts. Cookies stay with their own host.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use super::headers;

/// How long a browser may remember what a preflight said, in seconds.
const MAX_AGE: &str = "600";

/// The headers a page may send. Those that any page may send anyway are left out.
const ALLOWED: &str = "authorization, captcha-token, content-type, idempotency-key, if-modified-since, if-none-match, x-csrf-token, x-request-id";

/// The headers of an answer that a page may read, beside those that any page may read anyway.
pub const EXPOSED: &str = "allow, etag, idempotency-replayed, last-modified, location, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";

/// Whether a browser asks if a page may ask.
pub fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && headers::has(request.headers(), "Origin")
        && headers::has(request.headers(), "Access-Control-Request-Method")
}

/// The answer to a preflight. Whether the origin is named in it decides.
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

/// Lets pages of this origin read the response. Without cookies: those stay with their own host.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
