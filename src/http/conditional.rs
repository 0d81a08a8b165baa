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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_held_by_client_is_known_by_tag_or_date() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let now = at("2031-05-05T10:00:00Z");
        let version = Version::new("body", at("2031-05-05T09:00:00.5Z"), now);
        let other = Version::new("another", at("2031-05-05T09:00:00.5Z"), now);
        let list = format!("\"x\", W/{}", version.etag);
        assert_eq!(version.last_modified(), "Mon, 05 May 2031 09:00:00 GMT");
        for (none_match, since, held) in [
            (Some(version.etag.as_str()), None, true),
            (Some(list.as_str()), None, true),
            (Some("*"), None, true),
            (Some(other.etag.as_str()), None, false),
            // The tag decides.
            (Some(other.etag.as_str()), Some("Tue, 06 May 2031 09:00:00 GMT"), false),
            (None, Some("Mon, 05 May 2031 09:00:00 GMT"), true),
            (None, Some("Mon, 05 May 2031 08:59:59 GMT"), false),
            (None, Some("yesterday"), false),
            (None, None, false),
        ] {
            assert_eq!(version.is_held(none_match, since), held, "{none_match:?} {since:?}");
        }
    }

    #[test]
    fn last_modified_of_recent_change_leaves_room_for_open_transactions() {
        let now: DateTime<Utc> = "2031-05-05T10:00:00Z".parse().expect("an instant");
        let version = Version::new("body", now, now);
        assert_eq!(version.last_modified(), "Mon, 05 May 2031 09:59:00 GMT");
        assert!(!version.is_held(None, Some(&version.last_modified())));
    }
}
