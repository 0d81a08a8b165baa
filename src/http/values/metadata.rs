//! What other programs note about an object.

use std::collections::BTreeMap;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::super::schema::{schema_type, serde_error};

const MOST_PAIRS: usize = 20;
const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 500;

/// At most 20 pairs of strings that other programs attach to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
        let is_key = |key: &String| {
            (1..=LONGEST_KEY).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        if pairs.len() > MOST_PAIRS {
            Err(D::Error::custom(serde_error("too_many", format_args!("expected at most {MOST_PAIRS} keys"))))
        } else if !pairs.keys().all(is_key) {
            let expected = "expected keys of 1 to 40 letters, digits, underscores, points and hyphens";
            Err(D::Error::custom(serde_error("invalid_value", expected)))
        } else if pairs.values().any(|value| value.chars().count() > LONGEST_VALUE) {
            let expected = format_args!("expected values of at most {LONGEST_VALUE} characters");
            Err(D::Error::custom(serde_error("too_long", expected)))
        } else {
            Ok(Self(pairs))
        }
    }
}

schema_type!(
    Metadata,
    "metadata",
    MetaSchema {
        additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema {
            max_length: Some(LONGEST_VALUE),
            ..MetaSchema::new("string")
        })))),
        max_properties: Some(MOST_PAIRS),
        ..MetaSchema::new("object")
    }
);
