//! The secrets of endpoints, and signatures. No secret is stored: it follows from a key of the server, the
//! organization, the endpoint and the number of the secret. The keys are those of the links of guests, which last for
//! years.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::http::token::SigningKey;

/// HMAC-SHA256 of all parts, one after the other.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is a key");
    parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().into()
}

/// A key of the server.
struct Key {
    id: String,
    bytes: [u8; 32],
}

/// The keys that secrets follow from. New secrets follow from the first.
#[derive(Clone)]
pub struct SecretKeys(Arc<[Key]>);

impl SecretKeys {
    /// Takes the keys of links.
    pub fn new(link_keys: &[SigningKey]) -> Self {
        let keys = link_keys.iter().map(|key| {
            let bytes = key.derive("webhook secrets");
            let id = key.derive("the name of a key for webhook secrets");
            Key { id: Uuid::from_slice(&id[..16]).unwrap_or_default().simple().to_string(), bytes }
        });
        Self(keys.collect())
    }

    /// The name of the key that new secrets follow from.
    pub fn newest(&self) -> &str {
        self.0.first().map_or("", |key| &key.id)
    }

    /// A secret of an endpoint. `None` if the operator has removed the key it follows from.
    pub fn secret(&self, key: &str, tenant: Uuid, endpoint: Uuid, generation: i32) -> Option<EndpointSecret> {
        let key = self.0.iter().find(|known| known.id == key)?;
        let parts: [&[u8]; 3] = [tenant.as_bytes(), endpoint.as_bytes(), &generation.to_be_bytes()];
        Some(EndpointSecret(hmac(&key.bytes, &parts)))
    }
}

/// The secret of an endpoint.
pub struct EndpointSecret([u8; 32]);

impl EndpointSecret {
    /// The text that the receiver verifies with.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The signature of a request.
    pub fn sign(&self, id: Uuid, at: DateTime<Utc>, body: &str) -> String {
        let head = format!("{id}.{}.", at.timestamp());
        format!("v1,{}", STANDARD.encode(hmac(&self.0, &[head.as_bytes(), body.as_bytes()])))
    }
}
