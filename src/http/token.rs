//! Tokens that identify the caller: JSON Web Tokens (RFC 7519), signed with Ed25519 (RFC 8037) only.
//!
//! Verifying a signature takes about fifty microseconds, so verified tokens are cached until they expire. Whether the
//! session of a token is still active is checked in the database on every request and never cached.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::ErrorKind,
    jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash},
};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use crate::db::Pass;

/// The lifetime of an access token.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The lifetime of a browser session, regardless of use.
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// The lifetime of a guest's link: a year longer than the longest booking horizon. Whether its object still exists is
/// checked in the database.
const LINK_LIFETIME: Duration = Duration::from_secs(11 * 366 * 24 * 60 * 60);
/// The lifetime of the name of a hold in addresses of pages: a hold, and some time to look at the confirmation.
const HOLDING_LIFETIME: Duration = Duration::from_secs(30 * 60);
const ISSUER: &str = "appointd";
const AUDIENCE: &str = "appointd-api";
/// How far the clocks of two servers may differ, in seconds.
const LEEWAY: u64 = 5;
/// The maximum length of a token; a longer one is rejected unread.
const LONGEST: usize = 2048;
/// The number of verified tokens that are cached.
const REMEMBERED: usize = 10_000;

/// The private half of an Ed25519 key: 32 random bytes.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a key from the settings: 32 bytes in base64. `None` if it is malformed or obviously not random.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = STANDARD.decode(text.trim()).ok()?.try_into().ok()?;
        let mut different = bytes.to_vec();
        different.sort_unstable();
        different.dedup();
        (different.len() >= FEWEST_BYTES).then_some(Self(bytes))
    }

    /// A key for another purpose, which follows from this one and does not reveal it.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length is a key");
        mac.chain_update("appointd ").chain_update(purpose).finalize().into_bytes().into()
    }

    /// The key as PKCS #8 (RFC 8410 section 7), the format of the library.
    fn pkcs8(&self) -> Vec<u8> {
        const PREFIX: [u8; 16] =
            [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        [&PREFIX[..], &self.0].concat()
    }
}

/// 32 random bytes practically never contain fewer distinct values than this.
const FEWEST_BYTES: usize = 16;

/// The claims of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The account.
    pub sub: Uuid,
    /// Its session.
    pub sid: Uuid,
    /// The one organization that the token is for; `None` if the account belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Uuid>,
    /// For a cookie: the CSRF token that requests must repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
    /// The secret of the session, or the proof of a guest's object. Zeros in tokens of versions that had none.
    #[serde(default, with = "pass_as_text", skip_serializing_if = "is_absent")]
    pub key: Pass,
    pub r#type: Kind,
    iss: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl TokenClaims {
    /// When the token expires.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.exp, 0)
    }
}

fn is_absent(secret: &Pass) -> bool {
    *secret == Pass::default()
}

/// A [`Pass`] as base64url.
mod pass_as_text {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::db::Pass;

    pub fn serialize<S: Serializer>(secret: &Pass, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(secret.0))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pass, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Pass).ok_or_else(|| D::Error::custom("expected 16 bytes in base64url"))
    }
}

/// The kind of a token. A token is accepted as its own kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sent in the header `Authorization`.
    Access,
    /// Kept by a browser.
    Cookie,
    /// In the link of a guest: `sub` is the appointment, hold or waitlist entry that it gives access to.
    Managing,
    /// In the address of the pages between choosing a time and the confirmation: `sub` is the hold, later the
    /// appointment. An address is kept in histories and logs, so it expires soon.
    Holding,
}

/// The subject of a token.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub account: Uuid,
    pub session: Uuid,
    pub secret: Pass,
    pub organization: Option<Uuid>,
}

struct Key {
    decoding: DecodingKey,
    jwk: Jwk,
}

/// A set of keys. The first signs and all verify, so that keys can be rotated without an interruption: add the new key
/// at the end and restart every server; move it to the front and restart; remove the old key when its last token has
/// expired.
struct Ring {
    encoding: EncodingKey,
    header: Header,
    keys: HashMap<String, Key>,
    /// The key ids, in the order of the settings.
    key_ids: Vec<String>,
}

impl Ring {
    /// `None` if `signing_keys` is empty.
    fn new(signing_keys: &[SigningKey]) -> Option<Self> {
        let mut keys = HashMap::new();
        let mut key_ids = Vec::new();
        for signing_key in signing_keys {
            let encoding = EncodingKey::from_ed_der(&signing_key.pkcs8());
            let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA).ok()?;
            let id = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
            jwk.common.key_id = Some(id.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            jwk.common.key_algorithm = Some(KeyAlgorithm::EdDSA);
            let decoding = DecodingKey::from_jwk(&jwk).ok()?;
            keys.insert(id.clone(), Key { decoding, jwk });
            key_ids.push(id);
        }
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key_ids.first()?.clone());
        let encoding = EncodingKey::from_ed_der(&signing_keys.first()?.pkcs8());
        Some(Self { encoding, header, keys, key_ids })
    }
}

/// Issues and verifies tokens. Tokens of sessions expire within hours; links of guests are valid for as long as
/// appointments are booked ahead, so they have separate keys, which are rotated less often.
pub struct Tokens {
    sessions: Ring,
    links: Ring,
    validation: Validation,
    verified: Cache<[u8; 32], TokenClaims>,
}

impl Tokens {
    /// Takes the keys for sessions and those for links. `None` if one list is empty.
    pub fn new(session_keys: &[SigningKey], link_keys: &[SigningKey]) -> Option<Self> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["sub", "iss", "aud", "nbf", "exp"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Some(Self {
            sessions: Ring::new(session_keys)?,
            links: Ring::new(link_keys)?,
            validation,
            verified: Cache::new(REMEMBERED),
        })
    }

    fn ring(&self, kind: Kind) -> &Ring {
        match kind {
            Kind::Access | Kind::Cookie => &self.sessions,
            Kind::Managing | Kind::Holding => &self.links,
        }
    }

    /// The public keys for verifying tokens of sessions (RFC 7517).
    pub fn key_set(&self) -> JwkSet {
        let Ring { keys, key_ids, .. } = &self.sessions;
        JwkSet { keys: key_ids.iter().map(|id| keys[id].jwk.clone()).collect() }
    }

    /// Issues an access token.
    pub fn issue(&self, subject: &Subject, now: DateTime<Utc>) -> Result<String, Problem> {
        self.sign(subject, Kind::Access, None, LIFETIME, now)
    }

    /// Issues the token for a browser's cookie.
    pub fn issue_cookie(
        &self,
        subject: &Subject,
        csrf: String,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        self.sign(subject, Kind::Cookie, Some(csrf), COOKIE_LIFETIME, now)
    }

    /// Issues the token for a guest's link to one appointment, hold or waitlist entry. Issued when the id was made, so
    /// that the link is the same each time: it is part of what the guest reads, and its `ETag` must not change by
    /// itself.
    pub fn link_to(&self, organization: Uuid, id: Uuid, proof: Pass) -> Result<String, Problem> {
        let subject =
            Subject { account: id, session: Uuid::nil(), secret: proof, organization: Some(organization) };
        let made_at =
            id.get_timestamp().and_then(|made| DateTime::from_timestamp(made.to_unix().0.cast_signed(), 0));
        self.sign(&subject, Kind::Managing, None, LINK_LIFETIME, made_at.unwrap_or_else(Utc::now))
    }

    /// The organization and the object of a guest's link, and the proof of it.
    pub fn managed(&self, token: &str) -> Result<(Uuid, Uuid, Pass), Problem> {
        let claims = self.verify(token, Kind::Managing).map_err(|_| {
            let detail =
                "The link is incomplete, invalid or has expired. Open the latest link that you have.";
            Problem::unauthorized("token_invalid", detail)
        })?;
        let organization = claims.tenant_id.ok_or_else(Problem::not_found)?;
        Ok((organization, claims.sub, claims.key))
    }

    /// Names a hold, or what it has become, in the address of a page.
    pub fn name_hold(
        &self,
        organization: Uuid,
        id: Uuid,
        proof: Pass,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let subject =
            Subject { account: id, session: Uuid::nil(), secret: proof, organization: Some(organization) };
        self.sign(&subject, Kind::Holding, None, HOLDING_LIFETIME, now)
    }

    /// The organization and the hold in the address of a page, and the proof of it.
    pub fn named_hold(&self, token: &str) -> Result<(Uuid, Uuid, Pass), Problem> {
        let claims = self.verify(token, Kind::Holding)?;
        let organization = claims.tenant_id.ok_or_else(Problem::not_found)?;
        Ok((organization, claims.sub, claims.key))
    }

    fn sign(
        &self,
        subject: &Subject,
        kind: Kind,
        csrf: Option<String>,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let now = now.timestamp();
        let claims = TokenClaims {
            sub: subject.account,
            sid: subject.session,
            tenant_id: subject.organization,
            csrf,
            key: subject.secret,
            r#type: kind,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            nbf: now,
            exp: now + lifetime.as_secs().cast_signed(),
        };
        let Ring { header, encoding, .. } = self.ring(kind);
        encode(header, &claims, encoding).map_err(|error| {
            tracing::error!(%error, "a token could not be signed");
            Problem::internal()
        })
    }

    /// The claims of a token of this kind. Fails if the token is invalid or has expired.
    pub fn verify(&self, token: &str, kind: Kind) -> Result<TokenClaims, Problem> {
        let invalid = || {
            Problem::unauthorized("token_invalid", "The access token is not valid. Sign in for a new one.")
        };
        let expired = || {
            Problem::unauthorized(
                "token_expired",
                "The access token has expired. Get a new one with the refresh token, or sign in.",
            )
        };
        if token.len() > LONGEST {
            return Err(invalid());
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = self.verified.get(&digest) {
            return if claims.exp + LEEWAY.cast_signed() < Utc::now().timestamp() {
                self.verified.remove(&digest);
                Err(expired())
            } else if claims.r#type == kind {
                Ok(claims)
            } else {
                Err(invalid())
            };
        }
        // The header names the key. Key and algorithm are checked before the signature is computed.
        let key = decode_header(token)
            .ok()
            .filter(|header| header.alg == Algorithm::EdDSA)
            .and_then(|header| self.ring(kind).keys.get(&header.kid?))
            .ok_or_else(invalid)?;
        match decode::<TokenClaims>(token, &key.decoding, &self.validation) {
            Ok(token) if is_absent(&token.claims.key) => Err(expired()),
            Ok(token) if token.claims.r#type == kind => {
                self.verified.insert(digest, token.claims.clone());
                Ok(token.claims)
            }
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(expired()),
            _ => Err(invalid()),
        }
    }
}
