//! Reads the headers of requests. No other file does: an unreadable header must never count as absent, and a repeated
//! header must never be read as its first value. [`check`] rejects such requests first.

use poem::http::HeaderMap;

use super::problem::{FieldError, Problem};

/// The headers that the server reads and that may be sent once.
pub const SINGLE: &[&str] = &[
    "Access-Control-Request-Method",
    "Authorization",
    "Captcha-Token",
    "Content-Length",
    "Content-Type",
    "Host",
    "Idempotency-Key",
    "If-Modified-Since",
    "Last-Event-ID",
    "Origin",
    "Sec-Fetch-Site",
    "User-Agent",
    "X-CSRF-Token",
    "X-Forwarded-Host",
    "X-Request-Id",
];

/// The headers that the server reads and whose lines together form one list.
pub const LISTS: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cookie",
    "Forwarded",
    "If-Match",
    "If-None-Match",
    "Transfer-Encoding",
    "X-Forwarded-For",
];

/// Rejects a request if a header that the server reads is unreadable or repeated. Other headers are not checked.
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
        (Some(_), Some(_)) => Err(refused(vec![FieldError::new(
            name,
            "duplicate_header",
            "This header must be sent only once.",
        )])),
    }
}

/// The lines of a header that is a list, in their order.
pub fn list<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, Problem> {
    headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| unreadable(name))).collect()
}

/// Whether a header was sent, with any value.
pub fn has(headers: &HeaderMap, name: &str) -> bool {
    headers.contains_key(name)
}

fn unreadable(name: &str) -> Problem {
    refused(vec![FieldError::new(
        name,
        "invalid_value",
        "expected visible ASCII characters, spaces and tabs; encode other characters",
    )])
}

/// 400 for a header that is readable but not valid.
pub fn malformed(name: &str, expected: &str) -> Problem {
    refused(vec![FieldError::new(name, "invalid_value", format!("expected {expected}"))])
}

fn refused(mistakes: Vec<FieldError>) -> Problem {
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
    let detail = match names.as_slice() {
        [name] => format!("The header {name} is invalid or was sent twice; see `errors`."),
        names => format!("The headers {} are invalid or were sent twice; see `errors`.", names.join(", ")),
    };
    Problem::bad_request("invalid_header", detail).with_errors(mistakes)
}
