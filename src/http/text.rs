//! Values with rules: parsed once, where they come in, and right from then on. Each says its rule in the description.

use std::ops::{Deref, RangeInclusive};

use chrono::{DateTime, Datelike as _, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;
use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;

use super::schema::{refusal, schema_type};

/// A type read from a JSON string by `fn parse(&str) -> Result<Self, String>`, the error made by [`refusal`].
macro_rules! from_string {
    ([$($generics:tt)*] $ty:ty) => {
        impl<'de, $($generics)*> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
    ($ty:ty) => { from_string!([] $ty); };
}

/// Text of `MIN` to `MAX` characters, without control characters; in text that may be long, line breaks and tabs are
/// none. Blanks at both ends are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// Characters that show as nothing and make text read as something else (Unicode TR 36). Joiners stay: some scripts are
/// written with them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether anything of a character shows. Those that do not are Unicode's Default_Ignorable_Code_Point, the fillers of
/// Hangul and the empty pattern of Braille among them.
fn is_visible(c: char) -> bool {
    !(c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        ))
}

/// From here on text is more than a line.
const LONG: usize = 500;

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let length = text.chars().count();
        let bounds = format_args!("{MIN} to {MAX} characters");
        let layout = |c: char| MAX >= LONG && "\n\r\t".contains(c);
        if length < MIN {
            Err(refusal("too_short", bounds))
        } else if length > MAX {
            Err(refusal("too_long", bounds))
        } else if text.chars().any(|c| (c.is_control() && !layout(c)) || is_invisible(c)) {
            Err(refusal("invalid_value", "no control characters, and none that turn text around"))
        } else if MIN > 0 && !text.chars().any(is_visible) {
            Err(refusal("invalid_value", "at least one character that can be seen"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl<const MIN: usize, const MAX: usize> Deref for Text<MIN, MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

from_string!([const MIN: usize, const MAX: usize] Text<MIN, MAX>);
schema_type!([const MIN: usize, const MAX: usize] Text<MIN, MAX>, "text", MetaSchema {
    min_length: Some(MIN),
    max_length: Some(MAX),
    ..MetaSchema::new("string")
});

/// An e-mail address (RFC 5321), kept in lower case, its domain in ASCII (IDNA): people do not tell `Ada@` from `ada@`, and
/// `ada@bücher.example` is `ada@xn--bcher-kva.example`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let ascii = text.rsplit_once('@').and_then(|(local, domain)| {
            let domain = super::client::canonical(domain).filter(|_| !domain.contains([':', '[']))?;
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
            Err(refusal("invalid_value", "an e-mail address, such as ada@example.com, of at most 254 bytes"))
        }
    }
}

impl EmailAddress {
    /// What somebody typed to sign in, as the address of an account is kept; in lower case if it is no address.
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
schema_type!(
    EmailAddress,
    "email",
    MetaSchema {
        max_length: Some(254),
        example: Some(json!("ada@example.com")),
        ..MetaSchema::new_with_format("string", "email")
    }
);

/// One DNS label (RFC 1123 section 2.1), lower case, and none that browsers show as another: those with hyphens in third
/// and fourth place stand for names in other scripts (RFC 5891 section 4.2.3.1).
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
            Err(refusal(
                "invalid_value",
                "1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end and no two after the first two characters",
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

/// A password somebody types. No answer has one; `Serialize` is for examples, and `Debug` does not tell.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Longer than anybody types, short enough that hashing it costs nothing beside the hash.
    const LONGEST: usize = 256;

    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > Self::LONGEST {
            return Err(refusal("too_long", format_args!("at most {} characters", Self::LONGEST)));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

from_string!(Password);
schema_type!(
    Password,
    "password",
    MetaSchema {
        max_length: Some(Password::LONGEST),
        write_only: true,
        example: Some(json!("three small brass kettles")),
        ..MetaSchema::new_with_format("string", "password")
    }
);

/// An IANA time zone by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(pub Tz);

impl TimeZone {
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            refusal(
                "unknown_time_zone",
                "the name of a zone of the IANA time zone database, such as Europe/Berlin",
            )
        })
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

from_string!(TimeZone);
schema_type!(
    TimeZone,
    "time-zone",
    MetaSchema {
        example: Some(json!("Europe/Berlin")),
        ..MetaSchema::new_with_format("string", "time-zone")
    }
);

/// The years of instants and dates. Whatever lies beyond is a slip of the finger.
const YEARS: RangeInclusive<i32> = 1970..=2999;

/// An instant: RFC 3339 with an offset. Between 1970 and 2999, whole microseconds, which is what PostgreSQL keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub DateTime<Utc>);

impl Instant {
    pub fn parse(text: &str) -> Result<Self, String> {
        // In a query a plus that is not encoded is a blank. It can only have been that of an offset.
        let text = match text.split_once('T') {
            Some((date, time)) => format!("{date}T{}", time.replace(' ', "+")),
            None => text.to_owned(),
        };
        DateTime::parse_from_rfc3339(&text)
            // ISO 8601 also has offsets without a colon, and some clients write them.
            .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| instant.to_utc())
            .filter(|instant| YEARS.contains(&instant.year()))
            .and_then(|instant| DateTime::from_timestamp_micros(instant.timestamp_micros()))
            .map(Self)
            .ok_or_else(|| {
                refusal(
                    "invalid_value",
                    "an RFC 3339 date-time with an offset, such as 2026-11-20T09:00:00+01:00, between 1970 and 2999",
                )
            })
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

from_string!(Instant);
schema_type!(
    Instant,
    "date-time",
    MetaSchema {
        example: Some(json!("2026-11-20T09:00:00Z")),
        ..MetaSchema::new_with_format("string", "date-time")
    }
);

/// An instant, or a calendar date for whoever reads it to take in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstantOrDate {
    Instant(DateTime<Utc>),
    Date(NaiveDate),
}

impl InstantOrDate {
    pub fn parse(text: &str) -> Result<Self, String> {
        let date =
            text.parse::<NaiveDate>().ok().filter(|date| text.len() == 10 && YEARS.contains(&date.year()));
        match date {
            Some(date) => Ok(Self::Date(date)),
            None => Instant::parse(text).map(|instant| Self::Instant(instant.0)).map_err(|_| {
                refusal(
                    "invalid_value",
                    "a date, such as 2026-11-20, or an RFC 3339 date-time with an offset, such as \
                     2026-11-20T09:00:00+01:00, between 1970 and 2999",
                )
            }),
        }
    }
}

impl Serialize for InstantOrDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Instant(instant) => Instant(*instant).serialize(serializer),
            Self::Date(date) => date.serialize(serializer),
        }
    }
}

from_string!(InstantOrDate);
schema_type!(
    InstantOrDate,
    "date-time or date",
    MetaSchema {
        example: Some(json!("2026-11-20")),
        ..MetaSchema::new_with_format("string", "date-time-or-date")
    }
);

/// A calendar date (RFC 3339 full-date).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Date(pub NaiveDate);

impl Date {
    pub fn parse(text: &str) -> Result<Self, String> {
        match InstantOrDate::parse(text) {
            Ok(InstantOrDate::Date(date)) => Ok(Self(date)),
            _ => Err(refusal("invalid_value", "a date, such as 2026-11-20")),
        }
    }
}

from_string!(Date);
schema_type!(
    Date,
    "date",
    MetaSchema { example: Some(json!("2026-12-24")), ..MetaSchema::new_with_format("string", "date") }
);

/// A time of day to the minute, `00:00` to `23:59`, and to `24:00` where it is an `END`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay<const END: bool> {
    /// Minutes after midnight, 0 to 1440.
    pub minute: i16,
}

impl<const END: bool> TimeOfDay<END> {
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<i16>().ok())
                .flatten()
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)))
            .filter(|&(hour, minute)| (hour < 24 && minute < 60) || (END && (hour, minute) == (24, 0)))
            .map(|(hour, minute)| Self { minute: hour * 60 + minute })
            .ok_or_else(|| {
                let latest = if END { "24:00" } else { "23:59" };
                refusal(
                    "invalid_value",
                    format_args!("a time of day to the minute, 00:00 to {latest}, such as 09:30"),
                )
            })
    }
}

impl<const END: bool> Serialize for TimeOfDay<END> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", self.minute / 60, self.minute % 60))
    }
}

from_string!([const END: bool] TimeOfDay<END>);
schema_type!(
    [const END: bool] TimeOfDay<END>,
    "time-of-day",
    MetaSchema {
        pattern: Some(match END {
            true => "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$".into(),
            false => "^([01][0-9]|2[0-3]):[0-5][0-9]$".into(),
        }),
        example: Some(json!("09:30")),
        ..MetaSchema::new("string")
    }
);

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Number<const MIN: i32, const MAX: i32>(pub i32);

impl<'de, const MIN: i32, const MAX: i32> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = format_args!("a whole number from {MIN} to {MAX}");
        // JSON knows one kind of number: 30.0 is as whole as 30.
        let number = serde_json::Value::deserialize(deserializer)?
            .as_f64()
            .ok_or_else(|| D::Error::custom(refusal("invalid_type", expected)))?;
        if number.fract() == 0.0 && (f64::from(MIN)..=f64::from(MAX)).contains(&number) {
            Ok(Self(number as i32))
        } else {
            Err(D::Error::custom(refusal("out_of_range", expected)))
        }
    }
}

schema_type!([const MIN: i32, const MAX: i32] Number<MIN, MAX>, "number", MetaSchema {
    minimum: Some(f64::from(MIN)),
    maximum: Some(f64::from(MAX)),
    ..MetaSchema::new_with_format("integer", "int32")
});

/// A type that is text on the wire, checked by one function.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $format:literal, $longest:literal, $example:literal, $rule:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, String> {
                let read: fn(&str) -> Option<String> = $read;
                read(text.trim()).map(Self).ok_or_else(|| refusal("invalid_value", $rule))
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        from_string!($name);
        schema_type!($name, $format, MetaSchema {
            max_length: Some($longest),
            example: Some(json!($example)),
            ..MetaSchema::new_with_format("string", $format)
        });
    };
}

checked_text!(
    /// A URL whose scheme is https.
    HttpsUrl,
    "uri",
    2000,
    "https://cdn.example.com/logo.svg",
    "an https URL of at most 2,000 characters",
    |text| {
        let rest = text.strip_prefix("https://")?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let fits = text.len() <= 2000
            && text.is_ascii()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"\\^`{|}".contains(c))
            && !host.contains('@')
            && super::client::canonical(host).is_some();
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// The origin of a web page (RFC 6454) as browsers send it: scheme https, host, port where it is not 443.
    WebOrigin,
    "web-origin",
    300,
    "https://www.salon.example",
    "an origin such as https://www.salon.example: https, the host in lower case, a port unless it is 443, no path",
    |text| {
        let host = text.strip_prefix("https://")?;
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let port_fits =
            port.is_none_or(|port| port != "443" && port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
        let fits = text.len() <= 300
            && port_fits
            && name.contains('.')
            && !name.ends_with('.')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
            && super::client::canonical(name).as_deref() == Some(name);
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// A colour, sRGB: `#rrggbb`.
    Color,
    "color",
    7,
    "#1f6feb",
    "a colour as # and six hexadecimal digits, such as #1f6feb",
    |text| {
        let digits = text.strip_prefix('#')?;
        (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_lowercase())
    }
);

checked_text!(
    /// Names a request, so that it is carried out once however often it is sent (draft-ietf-httpapi-idempotency-key-header).
    IdempotencyKey,
    "idempotency-key",
    255,
    "8e03978e-40d5-43dd-bc93-6894a57f9324",
    "1 to 255 visible ASCII characters, such as a UUID",
    |text| {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// What a captcha gave the browser of a guest.
    CaptchaToken,
    "captcha-token",
    2048,
    "0.mF74FV8wEufAWxyRvR8kCQ",
    "1 to 2048 visible ASCII characters",
    |text| {
        let fits = (1..=2048).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// A currency by its ISO 4217 code.
    Currency,
    "currency",
    3,
    "EUR",
    "an ISO 4217 code of three capital letters, such as EUR",
    |text| (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| text.to_owned())
);

checked_text!(
    /// A language as BCP 47 has it: language, optionally script and region.
    LanguageTag,
    "language-tag",
    11,
    "de-CH",
    "a language tag (BCP 47) such as en, de-CH or zh-Hant-TW",
    |text| {
        let mut parts = text.split('-');
        let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
        let language = parts.next().filter(|part| (2..=3).contains(&part.len()) && letters(part))?;
        let mut tag = language.to_lowercase();
        let mut part = parts.next();
        if let Some(script) = part.filter(|part| part.len() == 4 && letters(part)) {
            let (first, rest) = script.split_at(1);
            tag = format!("{tag}-{}{}", first.to_uppercase(), rest.to_lowercase());
            part = parts.next();
        }
        if let Some(region) = part {
            let is_region = (region.len() == 2 && letters(region))
                || (region.len() == 3 && region.bytes().all(|b| b.is_ascii_digit()));
            tag = is_region.then(|| format!("{tag}-{}", region.to_uppercase()))?;
        }
        parts.next().is_none().then_some(tag)
    }
);

checked_text!(
    /// A domain name with at least one dot. International ones are kept in their ASCII form (IDNA).
    DomainName,
    "hostname",
    253,
    "appointments.example.com",
    "a domain name with a dot, without port or path, such as appointments.example.com",
    |text| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let name = super::client::canonical(text).filter(|_| !text.contains([':', '/', '@']))?;
        let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (name.contains('.') && !number && name.split('.').all(label)).then_some(name)
    }
);

/// An enumeration whose values have the same names in JSON, in the description and in the database, where a check
/// constraint holds them. A name that only a later version knows reads as the last.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, serde::Deserialize, poem_openapi::Enum, Eq, PartialEq, serde::Serialize)]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $text)] #[oai(rename = $text)] $variant,)*
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            pub fn from_name(name: &str) -> Self {
                let known = Self::ALL.iter().find(|value| value.name() == name).or(Self::ALL.last());
                *known.expect("an enumeration has values")
            }
        }
    };
}
pub(crate) use named_enum;
