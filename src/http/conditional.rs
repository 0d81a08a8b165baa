//! Conditional requests (RFC 9110 section 13): a client that sends the validators of an earlier answer gets 304 if the
//! answer has not changed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

/// The maximum duration of a transaction. A row carries the time at which its transaction began, so a row that is older
/// than the client's copy may still become visible within this time.
const LONGEST_TRANSACTION: TimeDelta = TimeDelta::seconds(60);

/// The validators of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// A strong entity tag, with its quotes.
    pub etag: String,
    changed_at: DateTime<Utc>,
    last_modified: DateTime<Utc>,
}

impl Version {
    /// The validators of this body, whose content last changed at `changed_at`.
    pub fn new(body: &str, changed_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let digest = Sha256::digest(body);
        Self {
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16])),
            changed_at,
            last_modified: changed_at.min(now - LONGEST_TRANSACTION),
        }
    }

    /// The value of `Last-Modified`.
    pub fn last_modified(&self) -> String {
        self.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Whether the client has this version. `If-None-Match` takes precedence over `If-Modified-Since`; an invalid date
    /// is ignored.
    pub fn is_held(&self, if_none_match: Option<&str>, if_modified_since: Option<&str>) -> bool {
        if let Some(tags) = if_none_match {
            return matches(tags, &self.etag);
        }
        if_modified_since
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
            // HTTP dates have a resolution of one second.
            .is_some_and(|date| self.changed_at.timestamp() <= date.timestamp())
    }
}

/// Whether one of the tags of an `If-None-Match` is this one, by the weak comparison (RFC 9110 section 8.8.3.2).
pub fn matches(if_none_match: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    if_none_match.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}
