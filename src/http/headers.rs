//! Reads the headers of requests. No other file does: a header that cannot be read must never count as absent, and the
//! first of two must never stand for both. [`check`] refuses such a request before anything looks at it.

use poem::http::HeaderMap;

use super::problem::{FieldError, Problem};

/// The headers that are read and may be sent once.
pub const SINGLE: &[&str] = &[
    "Access-Control-Request-Method",
    "Authorization",
    "Captcha-Token",
    "Content-Length",
    "Content-Type",
    "Host",
    "Idempotency-Key",
    "If-Modified-Since",
    "Origin",
    "User-Agent",
    "X-CSRF-Token",
    "X-Forwarded-Host",
    "X-Request-Id",
];

/// The headers that are read and whose lines together are one list.
pub const LISTS: &[&str] =
    &["Accept-Encoding", "Cookie", "Forwarded", "If-None-Match", "Transfer-Encoding", "X-Forwarded-For"];

/// Refuses a request with a header that is read here and cannot be, or that is sent twice. Headers that nothing reads may
/// be anything.
pub fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let mistakes: Vec<_> = SINGLE
        .iter()
        .filter_map(|name| one(headers, name).err())
        .chain(LISTS.iter().filter_map(|name| list(headers, name).err()))
        .flat_map(|problem| problem.errors)
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(refused(mistakes)) }
}

/// A header that may be sent once.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| unreadable(name)),
        (Some(_), Some(_)) => {
            Err(refused(vec![FieldError::new(name, "duplicate_header", "This header may be sent once.")]))
        }
    }
}

/// The lines of a header that is a list, in their order.
pub fn list<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, Problem> {
    headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| unreadable(name))).collect()
}

/// Whether a header was sent, whatever its value.
pub fn has(headers: &HeaderMap, name: &str) -> bool {
    headers.contains_key(name)
}

fn unreadable(name: &str) -> Problem {
    refused(vec![FieldError::new(
        name,
        "invalid_value",
        "expected visible ASCII characters, blanks and tabs; encode others",
    )])
}

/// 400 about a header that is well-formed text and still means nothing.
pub fn malformed(name: &str, expected: &str) -> Problem {
    refused(vec![FieldError::new(name, "invalid_value", format!("expected {expected}"))])
}

fn refused(mistakes: Vec<FieldError>) -> Problem {
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
    let detail = match names.as_slice() {
        [name] => format!("The header {name} cannot be read, or was sent twice; see errors."),
        names => format!("The headers {} cannot be read, or were sent twice; see errors.", names.join(", ")),
    };
    Problem::bad_request("invalid_header", detail).with_errors(mistakes)
}
