//! Names of organizations and people. They appear in e-mails and on pages, so they must not contain links.

use std::ops::Deref;

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    schema::{schema_type, serde_error},
    values::{Text, from_column},
};

/// The name of an organization or a person: 1 to `MAX` characters, at least one of them visible, without web or e-mail
/// addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name<const MAX: usize>(Text<1, MAX>);

impl<const MAX: usize> Name<MAX> {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = Text::parse(text)?;
        match has_link(&text) {
            true => Err(serde_error("invalid_value", "expected no web or e-mail address")),
            false => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> Deref for Name<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Name<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

from_column!(Name<MAX>, |name| Self::parse(name).ok(), [const MAX: usize]);
schema_type!([const MAX: usize] Name<MAX>, "name", MetaSchema {
    min_length: Some(1),
    max_length: Some(MAX),
    pattern: Some(Text::<1, MAX>::pattern()),
    ..MetaSchema::new("string")
});

/// Top-level domains that mail programs turn into links even without a scheme. Those that end usual names ("Dr.No") are
/// left out.
const ENDS: [&str; 71] = [
    "ai", "app", "at", "au", "be", "biz", "br", "buzz", "ca", "cc", "cf", "ch", "click", "club", "cn", "co",
    "com", "cz", "de", "dev", "dk", "edu", "es", "eu", "fi", "fr", "fun", "ga", "gg", "gl", "gov", "gq",
    "icu", "in", "info", "io", "it", "jp", "kr", "link", "live", "ly", "me", "ml", "mobi", "mx", "net", "nl",
    "nz", "online", "org", "pl", "pro", "pt", "ru", "se", "shop", "site", "space", "store", "tech", "tk",
    "to", "top", "tv", "ua", "uk", "us", "vip", "website", "xyz",
];

/// Whether mail programs would turn a part of the text into a link.
fn has_link(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("://")
        || text.split(|c: char| c.is_whitespace() || "()<>[]{}\"'`,;|".contains(c)).any(is_link)
}

fn is_link(word: &str) -> bool {
    let host = word.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches(['.', '!']);
    let Some((label, end)) = host.rsplit_once('.') else {
        return false;
    };
    let named = label.chars().next_back().is_some_and(char::is_alphanumeric);
    named
        && (host.starts_with("www.")
            || ENDS.contains(&end)
            || (word.contains('@') && end.chars().count() > 1))
}
