//! The public keys that access tokens are verified with.

use std::sync::Arc;

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use crate::http::{
    json::Json,
    problem::{ApiError, Open, Problem},
    token::Tokens,
};

/// A JSON Web Key Set (RFC 7517 section 5).
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct KeySet {
    pub keys: Vec<PublicKey>,
}

/// A public Ed25519 key (RFC 8037 section 2).
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct PublicKey {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The key, in base64url.
    pub x: String,
    /// Its name in the header of tokens: the SHA-256 thumbprint of RFC 7638.
    pub kid: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[oai(rename = "use")]
    pub usage: String,
}

pub struct KeySetApi(pub Arc<Tokens>);

#[OpenApi]
impl KeySetApi {
    /// The keys access tokens are signed with
    ///
    /// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). The first signs; the others are the next or the last ones.
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "get_key_set")]
    async fn key_set(&self) -> Result<Json<KeySet>, ApiError<Open>> {
        let keys = serde_json::to_value(self.0.key_set())
            .ok()
            .and_then(|set| serde_json::from_value(set).ok())
            .ok_or_else(Problem::internal)?;
        Ok(Json(keys))
    }
}
