//! The public keys for verifying access tokens, as a JSON Web Key Set.

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
    /// The key id in the header of tokens: the SHA-256 thumbprint of RFC 7638.
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
    /// Get the public keys for verifying access tokens
    ///
    /// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). The first key signs new tokens. The others are
    /// upcoming or previous keys.
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "get_key_set")]
    async fn key_set(&self) -> Result<Json<KeySet>, ApiError<Open>> {
        let keys = serde_json::to_value(self.0.key_set())
            .ok()
            .and_then(|set| serde_json::from_value(set).ok())
            .ok_or_else(Problem::internal)?;
        Ok(Json(keys))
    }
}
