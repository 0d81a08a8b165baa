//! Whole numbers within bounds.

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::super::schema::{schema_type, serde_error};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Number<const MIN: i32, const MAX: i32>(pub i32);

impl<'de, const MIN: i32, const MAX: i32> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = format_args!("expected a whole number from {MIN} to {MAX}");
        // JSON has one kind of number: 30.0 is accepted like 30.
        let number = serde_json::Value::deserialize(deserializer)?
            .as_f64()
            .ok_or_else(|| D::Error::custom(serde_error("invalid_type", expected)))?;
        if number.fract() == 0.0 && (f64::from(MIN)..=f64::from(MAX)).contains(&number) {
            Ok(Self(number as i32))
        } else {
            Err(D::Error::custom(serde_error("out_of_range", expected)))
        }
    }
}

/// JSON carries whole numbers exactly up to 2⁵³ - 1 (RFC 8259 section 6): a round number below that.
const MOST_EXACT: i64 = 9_000_000_000_000_000;

/// A whole number that is not negative, such as a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = format_args!("expected a whole number from 0 to {MOST_EXACT}");
        let number = serde_json::Value::deserialize(deserializer)?
            .as_i64()
            .ok_or_else(|| D::Error::custom(serde_error("invalid_type", expected)))?;
        if (0..=MOST_EXACT).contains(&number) {
            Ok(Self(number))
        } else {
            Err(D::Error::custom(serde_error("out_of_range", expected)))
        }
    }
}

schema_type!(
    Whole,
    "position",
    MetaSchema {
        minimum: Some(0.0),
        maximum: Some(MOST_EXACT as f64),
        ..MetaSchema::new_with_format("integer", "int64")
    }
);

schema_type!([const MIN: i32, const MAX: i32] Number<MIN, MAX>, "number", MetaSchema {
    minimum: Some(f64::from(MIN)),
    maximum: Some(f64::from(MAX)),
    ..MetaSchema::new_with_format("integer", "int32")
});
