//! E-mail addresses, slugs, URLs, origins and domain names.

use std::{cell::Cell, ops::Deref};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use url::Url;

use super::{
    super::{
        client::canonical,
        schema::{schema_type, serde_error},
    },
    macros::{checked_text, from_column, from_string},
};

/// An e-mail address (RFC 5321), in lower case and with an ASCII domain (IDNA): `Ada@bücher.example` becomes
/// `ada@xn--bcher-kva.example`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let ascii = text.rsplit_once('@').and_then(|(local, domain)| {
            let domain = canonical(domain).filter(|_| !domain.contains([':', '[']))?;
            Some(format!("{local}@{domain}"))
        });
        let text = ascii.unwrap_or(text);
        if text.len() <= 254
            && email_address::EmailAddress::is_valid(&text)
            && text.parse::<lettre::Address>().is_ok()
            && !text.contains(['<', '"', '['])
        {
            Ok(Self(text))
        } else {
            Err(serde_error(
                "invalid_value",
                "expected an e-mail address, such as ada@example.com, of at most 254 bytes",
            ))
        }
    }
}

impl EmailAddress {
    /// The normalized form of an address typed to sign in; lower case if it is not a valid address.
    pub fn typed(text: &str) -> String {
        Self::parse(text).map_or_else(|_| text.trim().to_lowercase(), |address| address.0)
    }
}

impl Deref for EmailAddress {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

from_string!(EmailAddress);
from_column!(EmailAddress, |address| Self::parse(address).ok());
schema_type!(
    EmailAddress,
    "email",
    MetaSchema {
        max_length: Some(254),
        example: Some(json!("ada@example.com")),
        ..MetaSchema::new_with_format("string", "email")
    }
);

/// One DNS label (RFC 1123 section 2.1) in lower case. Labels with hyphens in third and fourth place are excluded:
/// browsers show them as names in other scripts (RFC 5891 section 4.2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.as_bytes().get(2..4) != Some(b"--");
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(serde_error(
                "invalid_value",
                "expected 1 to 63 lower-case letters, digits and hyphens; not a hyphen at either end, nor `--` in third and fourth place",
            ))
        }
    }
}

impl Deref for Slug {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

from_string!(Slug);
schema_type!(
    Slug,
    "slug",
    MetaSchema {
        min_length: Some(1),
        max_length: Some(63),
        pattern: Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$".into()),
        example: Some(json!("acme-salon")),
        ..MetaSchema::new_with_format("string", "slug")
    }
);

/// A URL that is written as one (WHATWG URL): what browsers put right, such as blanks and backslashes, is refused.
fn strict_url(text: &str) -> Option<Url> {
    let violated = Cell::new(false);
    let note = |_| violated.set(true);
    let url = Url::options().syntax_violation_callback(Some(&note)).parse(text).ok()?;
    (!violated.get()).then_some(url)
}

checked_text!(
    /// A URL whose scheme is https.
    HttpsUrl,
    "uri",
    2000,
    "https://cdn.example.com/logo.svg",
    "expected an https URL of at most 2,000 characters",
    |text| {
        let url = strict_url(text)?;
        let fits = url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.as_str().len() <= 2000;
        fits.then(|| url.into())
    }
);

checked_text!(
    /// A URL whose scheme is http or https, without user, password and fragment.
    WebUrl,
    "uri",
    2000,
    "https://hooks.example.com/appointd",
    "expected an http or https URL of at most 2,000 characters, without user, password and fragment",
    |text| {
        let url = strict_url(text)?;
        let fits = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.as_str().len() <= 2000;
        fits.then(|| url.into())
    }
);

checked_text!(
    /// The origin of a web page (RFC 6454) as browsers send it: scheme https, host, and the port if it is not 443.
    WebOrigin,
    "web-origin",
    300,
    "https://www.salon.example",
    "expected an origin such as https://www.salon.example: https, the host in lower case, a port unless it is 443, no path",
    |text| {
        let url = strict_url(text).filter(|url| url.scheme() == "https")?;
        let name = url.domain()?;
        // Origins are compared as text, so only the form that browsers send can match.
        let fits = text.len() <= 300
            && name.contains('.')
            && !name.ends_with('.')
            && url.origin().ascii_serialization() == text;
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// A domain name with at least one dot, stored in its ASCII form (IDNA).
    DomainName,
    "hostname",
    253,
    "appointments.example.com",
    "expected a domain name with a dot, without port or path, such as appointments.example.com",
    |text| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let name = canonical(text).filter(|_| !text.contains([':', '/', '@']))?;
        let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (name.contains('.') && !number && name.split('.').all(label)).then_some(name)
    }
);
