//! Secrets that the server issues: refresh tokens, API keys, and tokens in links of e-mails. Each has a prefix that
//! names its purpose, two ids that locate its row, and 256 random bits, of which only the SHA-256 is stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::schema::{schema_type, serde_error};
use crate::db::Pass;

/// The purpose of a secret: its prefix, by which people and secret scanners recognize it.
pub trait Purpose: Send + Sync + 'static {
    const PREFIX: &'static str;
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Purpose for $name {
            const PREFIX: &'static str = $prefix;
        }
    )*};
}

purposes! {
    /// The refresh token of a session. Ids: account and session.
    Refresh = "appointd_refresh_";
    /// An API key. Ids: organization and key.
    ApiKey = "appointd_key_";
    /// A token in an e-mail about an account. Ids: the account, twice.
    OneTime = "appointd_once_";
    /// A token in an invitation. Ids: organization and invitation.
    Invitation = "appointd_invite_";
    /// A token in the URL of a calendar feed. Ids: organization and feed.
    CalendarFeed = "appointd_calendar_";
}

/// A secret, with the two ids that locate its row.
#[derive(Clone)]
pub struct Secret<P> {
    pub first: Uuid,
    pub second: Uuid,
    random: [u8; 32],
    purpose: std::marker::PhantomData<P>,
}

impl<P: Purpose> Secret<P> {
    /// Draws a new secret.
    pub fn draw(first: Uuid, second: Uuid) -> Self {
        Self { first, second, random: random(), purpose: std::marker::PhantomData }
    }

    /// The same secret with other ids, for ids that are known only after it was drawn.
    pub fn about(self, first: Uuid, second: Uuid) -> Self {
        Self { first, second, ..self }
    }

    /// The random bits.
    pub fn bits(&self) -> [u8; 32] {
        self.random
    }

    /// The hash that is stored.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.random).into()
    }

    /// The text that the client gets.
    pub fn reveal(&self) -> String {
        let bytes = [self.first.as_bytes(), self.second.as_bytes(), &self.random[..]].concat();
        format!("{}{}", P::PREFIX, URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            serde_error(
                "invalid_value",
                format_args!("expected the complete text that begins with {}", P::PREFIX),
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let bytes: [u8; 64] = URL_SAFE_NO_PAD.decode(text.strip_prefix(P::PREFIX)?).ok()?.try_into().ok()?;
        Some(Self {
            first: Uuid::from_slice(&bytes[..16]).ok()?,
            second: Uuid::from_slice(&bytes[16..32]).ok()?,
            random: bytes[32..].try_into().ok()?,
            purpose: std::marker::PhantomData,
        })
    }
}

impl Secret<Refresh> {
    /// A new refresh token of a session that exists.
    pub fn draw_for(account: Uuid, session: Uuid, secret: Pass) -> Self {
        let drawn = Self::draw(account, session);
        drawn.with(secret, drawn.random[HALF..].try_into().expect("half of it"))
    }

    /// The secret of the session: the half that all its refresh tokens have in common.
    pub fn of_session(&self) -> Pass {
        Pass(self.random[..HALF].try_into().expect("half of it"))
    }

    /// The token that replaces this one. Depends only on this token and the salt, so it can be computed again.
    pub fn successor(&self, salt: &[u8]) -> Self {
        let derived = Sha256::new()
            .chain_update(b"appointd successor")
            .chain_update(self.random)
            .chain_update(salt)
            .finalize();
        self.with(self.of_session(), derived[..HALF].try_into().expect("half of it"))
    }

    fn with(&self, Pass(common): Pass, own: [u8; HALF]) -> Self {
        let mut random = [0; 32];
        random[..HALF].copy_from_slice(&common);
        random[HALF..].copy_from_slice(&own);
        Self { random, ..self.clone() }
    }
}

/// Of a refresh token, the first half is the secret of the session, and the second is its own.
const HALF: usize = 16;

/// 256 random bits.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

impl<P: Purpose> std::fmt::Debug for Secret<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…", P::PREFIX)
    }
}

/// For examples only: responses contain secrets as text.
impl<P: Purpose> Serialize for Secret<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reveal())
    }
}

impl<'de, P: Purpose> Deserialize<'de> for Secret<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl<P: Purpose> Secret<P> {
    /// A constant example that is valid nowhere.
    pub fn example() -> Self {
        Self { first: Uuid::nil(), second: Uuid::nil(), random: [0; 32], purpose: std::marker::PhantomData }
    }
}

schema_type!([P: Purpose] Secret<P>, "secret", MetaSchema {
    example: Some(Self::example().reveal().into()),
    max_length: Some(P::PREFIX.len() + 86),
    // 64 bytes in base64url: four bits of the last character are always 0.
    pattern: Some(format!("^{}[A-Za-z0-9_-]{{85}}[AQgw]$", P::PREFIX)),
    ..MetaSchema::new("string")
});
