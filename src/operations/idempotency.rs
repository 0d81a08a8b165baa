//! Asking twice and being served once: what was answered to a request with an `Idempotency-Key` is kept for 24 hours, in
//! the transaction that did what was asked. A request that was refused leaves nothing, so that its key can be used again.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    db::{Context, Tx},
    http::{
        problem::{Failure, Problem},
        text::IdempotencyKey,
    },
    sql,
};

/// A request with a key.
pub struct Once {
    actor: Uuid,
    operation: &'static str,
    key: String,
    hash: [u8; 32],
}

impl Once {
    /// None where the client sent no key.
    pub fn new(
        context: &Context,
        operation: &'static str,
        key: Option<IdempotencyKey>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, Problem> {
        let (Some(actor), Some(key)) = (context.actor(), key) else {
            return Ok(None);
        };
        let request = serde_json::to_vec(request).map_err(|_| Problem::internal())?;
        Ok(Some(Self { actor, operation, key: key.to_string(), hash: Sha256::digest(request).into() }))
    }

    /// What was answered, where this was asked before. Otherwise the key is taken until the transaction ends.
    pub async fn answered<T: DeserializeOwned>(&self, tx: &mut Tx) -> Result<Option<T>, Failure> {
        let fresh = tx
            .optional(
                sql!("operations/idempotency_keys_take.sql"),
                &[&self.actor, &self.operation, &self.key, &&self.hash[..]],
            )
            .await?;
        if fresh.is_some() {
            return Ok(None);
        }
        let row = tx
            .one(sql!("operations/idempotency_keys_get.sql"), &[&self.actor, &self.operation, &self.key])
            .await?;
        if row.get::<_, &[u8]>(0) != self.hash {
            Err(Problem::invalid_field(
                "Idempotency-Key",
                "used_before",
                "a key of its own for each request: this one was sent with another body",
            ))?;
        }
        let response: Option<serde_json::Value> = row.get(1);
        let answer = response.and_then(|response| serde_json::from_value(response).ok());
        answer.map(Some).ok_or_else(|| Problem::internal().into())
    }

    /// Keeps what is answered.
    pub async fn keep(&self, tx: &mut Tx, answer: &impl Serialize) -> Result<(), Failure> {
        let answer = serde_json::to_value(answer).map_err(|_| Problem::internal())?;
        tx.all(
            sql!("operations/idempotency_keys_keep.sql"),
            &[&self.actor, &self.operation, &self.key, &answer],
        )
        .await?;
        Ok(())
    }
}
