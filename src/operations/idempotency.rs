//! Idempotency keys: the answer to a request with an `Idempotency-Key` is stored for 24 hours, in the same transaction
//! as its changes. A failed request stores nothing, so its key can be used again.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use poem_openapi::types::ParseFromJSON;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{Context, Db, Params, Sql, Tx, Who},
    http::{
        problem::{Failure, Problem},
        values::IdempotencyKey,
    },
    sql,
};

/// A request with an `Idempotency-Key`.
pub struct Once {
    actor: Uuid,
    operation: &'static str,
    key: String,
    hash: [u8; 32],
    replayed: AtomicBool,
}

impl Once {
    /// `None` if the client sent no key. `request` is everything that identifies the request: the body and ids of the
    /// path.
    ///
    /// Each account and API key has its own keys. Guests have no identity: their keys are stored for the organization
    /// and bound to the request, so that two guests who send the same key do not get each other's answers.
    pub fn new(
        context: &Context,
        operation: &'static str,
        key: Option<IdempotencyKey>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, Problem> {
        let Some(key) = key else {
            return Ok(None);
        };
        let request = serde_json::to_vec(request).map_err(|_| Problem::internal())?;
        let hash: [u8; 32] = Sha256::digest(request).into();
        let (actor, key) = match context.who {
            Who::Guest { .. } => (context.tenant, bound(&key, &hash)),
            Who::Session { account: id, .. } | Who::Customer { account: id, .. } | Who::Key { id, .. } => {
                (id, key.to_string())
            }
            // // Sends no requests.
            Who::Scheduler => return Ok(None),
        };
        Ok(Some(Self { actor, operation, key, hash, replayed: AtomicBool::new(false) }))
    }

    /// Whether the answer is the stored one of an earlier request.
    pub fn is_replay(once: Option<&Self>) -> bool {
        once.is_some_and(|once| once.replayed.load(Ordering::Relaxed))
    }

    /// The stored answer to the same request.
    pub async fn kept(
        once: Option<&Self>,
        db: &Db,
        context: Context,
    ) -> Result<Option<serde_json::Value>, Failure> {
        let Some(once) = once else {
            return Ok(None);
        };
        let row = db
            .optional(
                context,
                sql!("operations/idempotency_keys_get.sql"),
                &[&once.actor, &once.operation, &once.key],
            )
            .await?;
        Ok(row.filter(|row| row.get::<_, &[u8]>(0) == once.hash).and_then(|row| row.get(1)))
    }

    /// Does `work` in a transaction, or returns the stored answer. The caller commits.
    pub async fn run<T: Serialize + ParseFromJSON>(
        once: Option<&Self>,
        tx: &mut Tx,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(once) = once else {
            return work(tx).await;
        };
        if let Some(answer) = once.answered(tx).await? {
            return Ok(answer);
        }
        let answer = work(tx).await?;
        once.keep(tx, &answer).await?;
        Ok(answer)
    }

    /// Creates an object with one statement, or returns the stored answer.
    pub async fn create<T: From<Row> + Serialize + ParseFromJSON>(
        once: Option<&Self>,
        db: &Db,
        context: Context,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<T, Failure> {
        if once.is_none() {
            // All in one flight.
            return Ok(db.one(context, sql, params).await?.into());
        }
        let mut tx = db.begin(context);
        let answer = Self::run(once, &mut tx, async |tx| Ok(tx.one(sql, params).await?.into())).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// The stored answer, if the request was answered before. Otherwise the key is reserved until the transaction ends.
    pub async fn answered<T: ParseFromJSON>(&self, tx: &mut Tx) -> Result<Option<T>, Failure> {
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
                "expected a new key for each request; this one was sent with another body",
            ))?;
        }
        let response: Option<serde_json::Value> = row.get(1);
        let answer = response.and_then(|response| T::parse_from_json(Some(response)).ok());
        self.replayed.store(true, Ordering::Relaxed);
        answer.map(Some).ok_or_else(|| Problem::internal().into())
    }

    /// Stores the answer.
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

/// The digest of a key and the request it was sent with, as one key.
fn bound(key: &str, hash: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(hash).chain_update(key).finalize();
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
