//! Standard codes: colours, currencies and languages.

use std::ops::Deref;

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;

use super::{
    super::schema::{schema_type, serde_error},
    macros::{checked_text, from_string},
};

checked_text!(
    /// An sRGB colour, as `#rrggbb`.
    Color,
    "color",
    7,
    "#1f6feb",
    "expected a colour as # and six hexadecimal digits, such as #1f6feb",
    |text| {
        let digits = text.strip_prefix('#')?;
        (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_lowercase())
    }
);

checked_text!(
    /// An ISO 4217 currency code.
    Currency,
    "currency",
    3,
    "EUR",
    "expected an ISO 4217 code of three capital letters, such as EUR",
    |text| iso_currency::Currency::from_code(text).map(|currency| currency.code().to_owned())
);

checked_text!(
    /// A language: the first part of a BCP 47 tag.
    Language,
    "language",
    3,
    "de",
    "expected a language of two or three letters, such as de",
    |text| {
        let is_language = (2..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic());
        is_language.then(|| text.to_lowercase())
    }
);

checked_text!(
    /// A BCP 47 language tag: language, optionally script and region.
    LanguageTag,
    "language-tag",
    11,
    "de-CH",
    "expected a language tag (BCP 47) such as en, de-CH or zh-Hant-TW",
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
