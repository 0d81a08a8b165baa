//! The scopes of API keys.

use std::{borrow::Cow, sync::LazyLock};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{
    description::{DOCUMENT, SCOPE},
    schema::serde_error,
    values::from_column,
};

/// `<module>:read` or `<module>:write`. The operations determine which of them exist: the description lists those
/// that an operation asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Scope(String);

/// Those of the description.
static SCOPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    serde_json::from_value(DOCUMENT["components"]["schemas"][SCOPE]["enum"].clone()).unwrap_or_default()
});

impl Scope {
    /// For examples: the name is not checked.
    pub fn known(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

from_column!(Scope, |name| SCOPES.iter().find(|scope| *scope == name).cloned().map(Self));

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if SCOPES.contains(&name) {
            return Ok(Self(name));
        }
        let scopes: Vec<_> = SCOPES.iter().map(|scope| format!("`{scope}`")).collect();
        Err(D::Error::custom(serde_error("invalid_value", format!("expected one of {}", scopes.join(", ")))))
    }
}

impl Type for Scope {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        SCOPE.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(SCOPE.to_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(SCOPE.to_owned(), |_| MetaSchema {
            description: Some(
                "What an API key may do: read or write the operations of one tag of this description. Writing includes reading.",
            ),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Scope {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
    }
}

impl ToJSON for Scope {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone().into())
    }
}
