//! Bodies that are not JSON, or not sent as JSON: what is wrong, where, and what would be right. Of the body only the
//! punctuation is repeated, because it may contain a password.

use poem::http::StatusCode;
use serde_json::{Error, error::Category};

use super::problem::Problem;

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// How many bytes on each side of a mistake are shown.
const AROUND: usize = 20;

/// 400 for a body that is no JSON.
pub fn problem(body: &[u8], error: &Error) -> Problem {
    // What serde_json says of syntax is a word about it, and nothing of the text.
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let at = position(body, error);
    let hint = hint(body, at, what, error.classify()).map(|hint| format!(" {hint}")).unwrap_or_default();
    let near = match punctuation(body, at) {
        near if near.is_empty() => String::new(),
        near => format!(", near {near}"),
    };
    Problem::bad_request(
        "malformed_json",
        format!(
            "The body is not well-formed JSON: {what} at line {}, column {}{near}.{hint}",
            error.line(),
            error.column()
        ),
    )
}

/// Whether a body of another media type looks like JSON. A form does not: it writes a brace as `%7B`.
pub fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// 415 for a body of another media type than the operation takes. Clients have a default: curl says that it sends a
/// form.
pub fn media_type(expected: &str, body: &[u8]) -> Problem {
    let detail = match (looks_like_json(body), expected == JSON) {
        (true, true) => format!(
            "The body looks like JSON, but its media type is absent or another one: send `Content-Type: {JSON}` (with \
             curl: -H 'Content-Type: {JSON}')."
        ),
        (true, false) => format!(
            "The body looks like JSON, but this operation takes a form: send name=value&name=value with `Content-Type: \
             {expected}`."
        ),
        (false, true) => format!("This operation takes JSON: send it with `Content-Type: {expected}`."),
        (false, false) => format!("This operation takes a form: send it with `Content-Type: {expected}`."),
    };
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

/// The index of the byte that serde_json stopped at.
fn position(body: &[u8], error: &Error) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(body.len())
}

/// What would be right, where that can be told.
fn hint(body: &[u8], at: usize, what: &str, category: Category) -> Option<&'static str> {
    let found = body.get(at);
    if category == Category::Eof {
        return Some("It ends too early.");
    }
    match (what, found) {
        ("trailing comma", _) => Some("Remove the comma before } or ]."),
        ("trailing characters", _) => Some("Send one JSON value, and nothing after it."),
        (_, Some(b'\'')) => Some("Names and strings are in double quotes."),
        (_, Some(b'/' | b'#')) => Some("JSON has no comments."),
        ("key must be a string", _) => Some("Names are in double quotes."),
        ("expected value", _) if body.trim_ascii_start().first() == body.get(at) && at < AROUND => {
            Some("It begins with { or another JSON value.")
        }
        ("expected value" | "expected ident", Some(byte)) if byte.is_ascii_alphabetic() => {
            Some("Strings are in double quotes; other words are true, false and null.")
        }
        (what, _) if what.starts_with("control character") => {
            Some("In strings, write a new line as \\n and a tab as \\t.")
        }
        ("invalid escape", _) => Some("In strings, write a backslash as \\\\."),
        ("expected `,` or `}`" | "expected `,` or `]`", _) => {
            Some("A comma is missing, or a quote within a string is not written as \\\".")
        }
        _ => None,
    }
}

/// What stands around a mistake: punctuation and blanks as they are, everything else as `…`.
fn punctuation(body: &[u8], at: usize) -> String {
    let shown = &body[at.saturating_sub(AROUND)..body.len().min(at + AROUND)];
    let mut text = String::new();
    for byte in shown {
        match byte {
            b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"' | b'\'' => text.push(char::from(*byte)),
            byte if byte.is_ascii_whitespace() => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            _ if text.ends_with('…') => {}
            _ => text.push('…'),
        }
    }
    text.trim().to_owned()
}
