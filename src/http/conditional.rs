//! The validators of conditional requests (RFC 9110 section 13): a client that sends those of an earlier answer gets
//! 304 if the answer has not changed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

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
        Self {
            etag: etag(body.as_bytes()),
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

/// The strong entity tag of a body, with its quotes.
pub fn etag(body: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..16]))
}

/// The tag of an answer whose body is this value as JSON.
pub fn etag_of(shown: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_vec(shown).map(|body| etag(&body)).map_err(|_| Problem::internal())
}

/// The tag of an object that a request asks for in another form, such as with names beside ids: its version, and the
/// digest of the form. For `If-Match` the version counts, for `If-None-Match` the whole.
pub fn of_form(version: &str, body: &[u8]) -> String {
    let of_body = etag(body);
    if version == of_body {
        return of_body;
    }
    format!("{}{FORM}{}", version.trim_end_matches('"'), of_body.trim_start_matches('"'))
}

/// What stands between the version of an object and the digest of its form. No digest has it.
const FORM: char = '.';

/// What the tag of a compressed answer ends with. No digest ends so: the last of its letters stands for two bits.
const COMPRESSED: &str = "-gzip\"";

/// The tag of an answer after compression: other bytes of the same version (RFC 9110 section 8.8.3.3).
pub fn compressed(etag: &str) -> String {
    format!("{}{COMPRESSED}", etag.trim_end_matches('"'))
}

/// An entity tag that a client sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag {
    pub is_weak: bool,
    /// The tag of the uncompressed answer, with its quotes.
    pub opaque: String,
}

impl Tag {
    /// The tag of the object in the form in which changes answer with it, with its quotes.
    pub fn version(&self) -> String {
        match self.opaque.split_once(FORM) {
            Some((version, _)) => format!("{version}\""),
            None => self.opaque.clone(),
        }
    }
}

/// The tags of an `If-Match` or `If-None-Match`; `None` if it is not a list of tags.
pub fn tags(text: &str) -> Option<Vec<Tag>> {
    const BETWEEN: [char; 3] = [' ', '\t', ','];
    let mut tags = Vec::new();
    let mut rest = text.trim_matches(BETWEEN);
    while !rest.is_empty() {
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (inner, after) = quoted.strip_prefix('"')?.split_once('"')?;
        let after = after.trim_start_matches([' ', '\t']);
        if inner.contains([' ', '\t']) || !(after.is_empty() || after.starts_with(',')) {
            return None;
        }
        let tag = format!("\"{inner}\"");
        let opaque = tag.strip_suffix(COMPRESSED).map_or(tag.clone(), |digest| format!("{digest}\""));
        tags.push(Tag { is_weak, opaque });
        rest = after.trim_start_matches(BETWEEN);
    }
    Some(tags)
}

/// Whether one of the tags of an `If-None-Match` is this one, by the weak comparison (RFC 9110 section 8.8.3.2). A
/// header that is not a list of tags matches nothing.
pub fn matches(if_none_match: &str, etag: &str) -> bool {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    if_none_match.trim() == "*"
        || tags(if_none_match).is_some_and(|tags| tags.iter().any(|tag| tag.opaque == etag))
}
