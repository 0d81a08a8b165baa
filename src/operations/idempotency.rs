//! Idempotency keys: the answer to a request with an `Idempotency-Key` is stored for 24 hours, in the same transaction
//! as its changes. A failed request stores nothing, so its key can be used again.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use poem_openapi::types::ParseFromJSON;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, FromRow, Params, Sql, Tx, Who, WorkerDb},
    http::{
        json::{Created, Replayable},
        problem::{Failure, Problem},
        values::IdempotencyKey,
    },
    sql,
};

/// The hash of a request, and its answer.
const GET: Sql<(Vec<u8>, Option<Value>)> =
    sql!("operations/idempotency_keys_get.sql" as (Vec<u8>, Option<Value>));

/// A request that is carried out only once if it has an `Idempotency-Key`.
pub struct Once {
    key: Option<Key>,
    replayed: AtomicBool,
}

struct Key {
    actor: Uuid,
    operation: &'static str,
    key: String,
    hash: [u8; 32],
}

impl Once {
    /// `request` is everything that identifies the request: the body and ids of the path.
    ///
    /// Each account and API key has its own keys. Guests have no identity: their keys are stored for the organization
    /// and bound to the request, so that two guests who send the same key do not get each other's answers.
    pub fn new(
        context: &Context,
        operation: &'static str,
        key: Option<IdempotencyKey>,
        request: &impl Serialize,
    ) -> Result<Self, Problem> {
        let Some(key) = key else {
            return Ok(Self::without_key());
        };
        let request = serde_json::to_vec(request).map_err(|_| Problem::internal())?;
        let hash: [u8; 32] = Sha256::digest(request).into();
        let (actor, key) = match context.who {
            Who::Guest { .. } => (context.tenant, bound(&key, &hash)),
            Who::Session { account: id, .. } | Who::Customer { account: id, .. } | Who::Key { id, .. } => {
                (id, key.to_string())
            }
            // Sends no requests.
            Who::Scheduler { .. } | Who::Worker => return Ok(Self::without_key()),
        };
        Ok(Self { key: Some(Key { actor, operation, key, hash }), replayed: AtomicBool::new(false) })
    }

    /// A request that is carried out each time it is sent.
    pub fn without_key() -> Self {
        Self { key: None, replayed: AtomicBool::new(false) }
    }

    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the answer is the stored one of an earlier request.
    pub fn is_replay(&self) -> bool {
        self.replayed.load(Ordering::Relaxed)
    }

    /// The answer to a request that created something.
    pub fn created<T>(&self, location: String, body: T) -> Created<T> {
        Created { location, body, replayed: self.is_replay() }
    }

    /// The answer to a request that changed something.
    pub fn replayable<T>(&self, body: T) -> Replayable<T> {
        Replayable { body, replayed: self.is_replay() }
    }

    /// The stored answer to the same request.
    pub async fn kept(&self, db: &Db, context: Context) -> Result<Option<Value>, Failure> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let row = db.optional(context, GET, &[&key.actor, &key.operation, &key.key]).await?;
        Ok(row.filter(|(hash, _)| *hash == key.hash).and_then(|(_, answer)| answer))
    }

    /// Does `work` in a transaction and commits it, or returns the stored answer.
    pub async fn run<T: Serialize + ParseFromJSON>(
        &self,
        mut tx: Tx,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let answer = match self.answered(&mut tx).await? {
            Some(answer) => answer,
            None => {
                let answer = work(&mut tx).await?;
                self.keep(&mut tx, &answer).await?;
                answer
            }
        };
        tx.commit().await?;
        Ok(answer)
    }

    /// Creates an object with one statement, or returns the stored answer.
    pub async fn create<R: FromRow + Into<T>, T: Serialize + ParseFromJSON>(
        &self,
        db: &Db,
        context: Context,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<T, Failure> {
        if self.key.is_none() {
            // All in one flight.
            return Ok(db.one(context, sql, params).await?.into());
        }
        db.attempt(context, async |tx: Tx, _| {
            self.run(tx, async |tx| Ok(tx.one(sql, params).await?.into())).await
        })
        .await
    }

    /// The stored answer, if the request was answered before. Otherwise the key is reserved until the transaction ends.
    pub async fn answered<T: ParseFromJSON>(&self, tx: &mut Tx) -> Result<Option<T>, Failure> {
        let Some(Key { actor, operation, key, hash }) = &self.key else {
            return Ok(None);
        };
        let take = sql!("operations/idempotency_keys_take.sql");
        if tx.optional(take, &[actor, operation, key, &&hash[..]]).await?.is_some() {
            return Ok(None);
        }
        let (kept, answer) = tx.one(GET, &[actor, operation, key]).await?;
        if kept != hash {
            Err(Problem::invalid_field(
                "Idempotency-Key",
                "used_before",
                "expected a new key for each request; this one was sent with another body",
            ))?;
        }
        self.replayed.store(true, Ordering::Relaxed);
        read(answer).map(Some)
    }

    /// Stores the answer. Call it before the transaction continues as the scheduler, who sees no keys.
    pub async fn keep(&self, tx: &mut Tx, answer: &impl Serialize) -> Result<(), Failure> {
        let Some(Key { actor, operation, key, .. }) = &self.key else {
            return Ok(());
        };
        let answer = serde_json::to_value(answer).map_err(|_| Problem::internal())?;
        let sql = sql!("operations/idempotency_keys_keep.sql");
        tx.optional(sql, &[actor, operation, key, &answer]).await?.ok_or_else(Problem::internal)?;
        Ok(())
    }
}

/// Reads a stored answer. An error if a server of a later version stored it and this one cannot read it.
pub fn read<T: ParseFromJSON>(answer: Option<Value>) -> Result<T, Failure> {
    T::parse_from_json(answer).map_err(|_| GET.unreadable("response").into())
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

/// Deletes the answers of an organization that are not kept any more.
pub async fn forget(db: &WorkerDb, tenant: Uuid) -> Result<(), db::Error> {
    db.begin(tenant).commit_with_all(sql!("operations/idempotency_keys_forget.sql"), &[]).await?;
    Ok(())
}
