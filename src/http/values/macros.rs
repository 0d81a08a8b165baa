//! Macros that define the types of values.

/// A type read from a JSON string by `fn parse(&str) -> Result<Self, String>`, with an error made by `serde_error`.
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

/// A type that is a string in JSON, validated by one function.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $format:literal, $longest:literal, $example:literal, $rule:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, String> {
                let read: fn(&str) -> Option<String> = $read;
                read(text.trim()).map(Self).ok_or_else(|| serde_error("invalid_value", $rule))
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

/// An enumeration whose values have the same names in JSON, in the API description and in the database, where a check
/// constraint lists them. An unknown name, written by a later version, is read as the last value.
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
pub(super) use {checked_text, from_string};
