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

/// A type read from a text column by a function that returns `None` if the text is no value of the type. The row then
/// fails with [`Error::Unreadable`](crate::db::Error::Unreadable).
macro_rules! from_column {
    ($ty:ty, $read:expr $(, [$($generics:tt)*])?) => {
        impl<'a $(, $($generics)*)?> tokio_postgres::types::FromSql<'a> for $ty {
            fn from_sql(
                ty: &tokio_postgres::types::Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                let read: fn(&str) -> Option<Self> = $read;
                read(tokio_postgres::types::FromSql::from_sql(ty, raw)?)
                    .ok_or_else(|| "this version does not know the value".into())
            }

            fn accepts(ty: &tokio_postgres::types::Type) -> bool {
                <&str as tokio_postgres::types::FromSql>::accepts(ty)
            }
        }
    };
}
pub(crate) use from_column;

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
/// constraint lists them.
///
/// While servers are replaced one by one, a server of a later version may write a name that this one does not know.
/// This one then answers requests that read such a row with 500. Any other value in its place would be worse: clients
/// would act on it, and some would write it back.
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
        }

        $crate::http::values::macros::from_column!($name, |name| {
            Self::ALL.iter().find(|value| value.name() == name).copied()
        });
    };
}
pub(crate) use named_enum;
pub(super) use {checked_text, from_string};
