//! Text that people write, passwords, and keys and tokens of programs.

use std::ops::Deref;

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::{
    super::schema::{schema_type, serde_error},
    macros::{checked_text, from_column, from_string},
};

/// Text of `MIN` to `MAX` characters without control characters. Long text (`MAX` of 500 or more) may contain line
/// breaks and tabs. White space at both ends is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// Invisible characters that can change how text reads (Unicode TR 36). Joiners are allowed: some scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether a character is visible. Invisible are white space, what controls other characters, marks without a character
/// to stand on, and characters without a glyph: the Hangul fillers, the blank Braille pattern, the null note head.
fn is_visible(c: char) -> bool {
    let group = c.general_category_group();
    !matches!(
        group,
        GeneralCategoryGroup::Mark | GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator
    ) && !matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{1d159}')
}

/// From this maximum length on, text may have several lines.
const LONG: usize = 500;

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// What the description says of the characters. It leaves out those that are invisible without being control
    /// characters: programs send them by mistake only, and the pattern would be long.
    pub fn pattern() -> String {
        let control = r"\x00-\x1f\x7f-\x9f";
        let refused = if MAX >= LONG { r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f" } else { control };
        let first = if MIN > 0 { format!(r"[^\s{control}]") } else { String::new() };
        format!(r"^\s*{first}[^{refused}]*\s*$")
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let length = text.chars().count();
        let bounds = format_args!("expected {MIN} to {MAX} characters");
        let layout = |c: char| MAX >= LONG && "\n\r\t".contains(c);
        if length < MIN {
            Err(serde_error("too_short", bounds))
        } else if length > MAX {
            Err(serde_error("too_long", bounds))
        } else if text.chars().any(|c| (c.is_control() && !layout(c)) || is_invisible(c)) {
            Err(serde_error(
                "invalid_value",
                "expected no control characters, and none that are invisible or change the text direction",
            ))
        } else if MIN > 0 && !text.chars().any(is_visible) {
            Err(serde_error("invalid_value", "expected at least one visible character"))
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
from_column!(Text<MIN, MAX>, |text| Self::parse(text).ok(), [const MIN: usize, const MAX: usize]);
schema_type!([const MIN: usize, const MAX: usize] Text<MIN, MAX>, "text", MetaSchema {
    min_length: Some(MIN),
    max_length: Some(MAX),
    pattern: Some(Self::pattern()),
    ..MetaSchema::new("string")
});

/// Longer than any typed password, and short enough that its length does not matter for the cost of hashing.
const LONGEST_PASSWORD: usize = 256;

/// A typed password; a new one has at least `MIN` characters, which the API description says and hashing
/// checks. No response contains one; `Serialize` is for examples, and `Debug` hides it.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Password<const MIN: usize = 0>(String);

impl<const MIN: usize> Password<MIN> {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST_PASSWORD {
            let expected = format_args!("expected at most {LONGEST_PASSWORD} characters");
            return Err(serde_error("too_long", expected));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize> std::fmt::Debug for Password<MIN> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

from_string!([const MIN: usize] Password<MIN>);
schema_type!(
    [const MIN: usize] Password<MIN>,
    "password",
    MetaSchema {
        min_length: (MIN > 0).then_some(MIN),
        max_length: Some(LONGEST_PASSWORD),
        write_only: true,
        example: Some(json!("three small brass kettles")),
        ..MetaSchema::new_with_format("string", "password")
    }
);

checked_text!(
    /// A unique key of a request, so that it is executed once (draft-ietf-httpapi-idempotency-key-header).
    IdempotencyKey,
    "idempotency-key",
    255,
    "8e03978e-40d5-43dd-bc93-6894a57f9324",
    "expected 1 to 255 visible ASCII characters, such as a UUID",
    |text| {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| text.to_owned())
    }
);

checked_text!(
    /// The token that a captcha gave to a guest's browser.
    CaptchaToken,
    "captcha-token",
    2048,
    "0.mF74FV8wEufAWxyRvR8kCQ",
    "expected 1 to 2048 visible ASCII characters",
    |text| {
        let fits = (1..=2048).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| text.to_owned())
    }
);
