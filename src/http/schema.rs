//! Implements poem-openapi's traits for types that are validated by their serde implementations.

/// Separates code and text in a serde error, which can carry text only; see [`split_serde_error`].
const SEPARATOR: char = '\u{1f}';

/// The text of a serde error that carries a stable code and an explanation.
pub fn serde_error(code: &str, detail: impl std::fmt::Display) -> String {
    format!("{code}{SEPARATOR}{detail}")
}

/// Code and explanation of an error made with [`serde_error`].
pub fn split_serde_error(message: &str) -> Option<(&str, &str)> {
    let (code, detail) = message.split_once(SEPARATOR)?;
    // serde may have written text in front of the code.
    let code = code.rsplit(|c: char| !c.is_ascii_lowercase() && c != '_').next()?;
    Some((code, detail))
}

/// Implements poem-openapi's traits for a type that is a string or a number on the wire and has serde implementations.
macro_rules! schema_type {
    ([$($generics:tt)*] $ty:ty, $name:literal, $schema:expr) => {
        impl<$($generics)*> poem_openapi::types::Type for $ty {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl<$($generics)*> poem_openapi::types::ParseFromJSON for $ty {
            fn parse_from_json(
                value: Option<serde_json::Value>,
            ) -> poem_openapi::types::ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default())
                    .map_err(poem_openapi::types::ParseError::custom)
            }
        }

        impl<$($generics)*> poem_openapi::types::ToJSON for $ty {
            fn to_json(&self) -> Option<serde_json::Value> {
                serde_json::to_value(self).ok()
            }
        }

        impl<$($generics)*> poem_openapi::types::ParseFromParameter for $ty {
            fn parse_from_parameter(value: &str) -> poem_openapi::types::ParseResult<Self> {
                // A number is a number in a parameter too; anything else is a string.
                let value = match <$ty as poem_openapi::types::Type>::schema_ref() {
                    poem_openapi::registry::MetaSchemaRef::Inline(schema) if schema.ty == "integer" => {
                        value.parse::<i64>().map_or_else(|_| value.into(), Into::into)
                    }
                    _ => serde_json::Value::from(value),
                };
                serde_json::from_value(value).map_err(poem_openapi::types::ParseError::custom)
            }
        }
    };
    ($ty:ty, $name:literal, $schema:expr) => {
        $crate::http::schema::schema_type!([] $ty, $name, $schema);
    };
}
pub(crate) use schema_type;
