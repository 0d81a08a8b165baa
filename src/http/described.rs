//! Names that follow from the modules and their operations, so that no list of them is kept: the description has the
//! list, and what it does not list is invalid.

use std::{borrow::Cow, sync::LazyLock};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{
    description::{DOCUMENT, SCOPE},
    schema::serde_error,
    values::from_column,
};

macro_rules! described {
    ($(#[$doc:meta])* $name:ident = $schema:expr, $about:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Those of the description.
            fn all() -> &'static [String] {
                static ALL: LazyLock<Vec<String>> = LazyLock::new(|| {
                    let listed = DOCUMENT["components"]["schemas"][$schema]["enum"].clone();
                    serde_json::from_value(listed).unwrap_or_default()
                });
                &ALL
            }

            pub fn name(&self) -> &str {
                &self.0
            }
        }

        from_column!($name, |name| Self::all().iter().find(|known| *known == name).cloned().map(Self));

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                if Self::all().contains(&name) {
                    return Ok(Self(name));
                }
                let known: Vec<_> = Self::all().iter().map(|known| format!("`{known}`")).collect();
                let detail = format!("expected one of {}", known.join(", "));
                Err(D::Error::custom(serde_error("invalid_value", detail)))
            }
        }

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $schema.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Reference($schema.to_owned())
            }

            fn register(registry: &mut Registry) {
                registry.create_schema::<Self, _>($schema.to_owned(), |_| MetaSchema {
                    description: Some($about),
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

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
            }
        }

        impl ParseFromParameter for $name {
            fn parse_from_parameter(value: &str) -> ParseResult<Self> {
                Self::parse_from_json(Some(value.into()))
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(self.0.clone().into())
            }
        }
    };
}

described! {
    /// `<module>:read` or `<module>:write`: the scopes that operations require.
    Scope = SCOPE,
    "What an API key may do: read or write the operations of one tag of this description. Writing includes reading."
}

impl Scope {
    /// For examples: the name is not checked.
    pub fn known(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

/// The name of the schema of the kinds of deleted objects.
const DELETED_KIND: &str = "DeletedKind";

described! {
    /// The kind of a deleted object: those that modules name in [`Module::DELETED`](super::module::Module::DELETED).
    DeletedKind = DELETED_KIND,
    "The kind of a deleted object. A `resource` is a room or a piece of equipment; a `member` has left or was removed. \
     Later versions may add kinds."
}

impl DeletedKind {
    /// Adds the kinds of a module to the description.
    pub fn document(registry: &mut Registry, kinds: &[&str]) {
        Self::register(registry);
        if let Some(schema) = registry.schemas.get_mut(DELETED_KIND) {
            schema.enum_items.extend(kinds.iter().map(|kind| Value::from(*kind)));
        }
    }
}
