//! Access tokens: JSON Web Tokens (RFC 7519), signed with HMAC-SHA-256 and nothing else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::problem::Problem;

/// How long a token is good for. Whether its bearer is still a member is asked on every request.
pub const LIFETIME: Duration = Duration::from_secs(3600);
const ISSUER: &str = "appointd";
const AUDIENCE: &str = "appointd-api";
/// How far the clocks of two servers may differ, in seconds.
const LEEWAY: u64 = 5;
/// No token of ours is as long; a longer one is not looked at.
const LONGEST: usize = 2048;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: Uuid,
    /// The one organization the token is for.
    pub tenant_id: Uuid,
    iss: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    r#type: String,
}

/// Issues and verifies tokens with one key.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    header: Header,
    validation: Validation,
}

impl Tokens {
    pub fn new(secret: &[u8]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        // Tells keys apart, and tells no more about this one than any signature made with it.
        header.kid = Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, secret).simple().to_string());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["sub", "iss", "aud", "nbf", "exp"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            header,
            validation,
        }
    }

    pub fn issue(&self, account: Uuid, tenant: Uuid, now: DateTime<Utc>) -> Result<String, Problem> {
        let now = now.timestamp();
        let claims = Claims {
            sub: account,
            tenant_id: tenant,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            nbf: now,
            exp: now + LIFETIME.as_secs() as i64,
            r#type: "access".to_owned(),
        };
        encode(&self.header, &claims, &self.encoding).map_err(|error| {
            tracing::error!(%error, "a token could not be signed");
            Problem::internal()
        })
    }

    pub fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let invalid = || {
            Problem::unauthorized("token_invalid", "The access token is not valid. Sign in for a new one.")
        };
        if token.len() > LONGEST {
            return Err(invalid());
        }
        match decode::<Claims>(token, &self.decoding, &self.validation) {
            Ok(token) if token.header.kid == self.header.kid && token.claims.r#type == "access" => {
                Ok(token.claims)
            }
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(Problem::unauthorized(
                "token_expired",
                "The access token has expired. Sign in for a new one.",
            )),
            _ => Err(invalid()),
        }
    }
}
