//! A connection of the pool: its session of PostgreSQL, and the statements that are prepared there.
//!
//! The driver names prepared statements by a number that counts in each process alone, so two servers have the same names
//! for different statements. That is harmless where each connection is a session of its own, and is not behind a pooler
//! that gives each transaction another session: there a name may lead to a statement of another server's. So each session
//! is marked when the connection is made, by a prepared statement with a name that nobody else has, and every transaction
//! begins by executing it: in any other session it fails, and everything behind it with it. What is prepared is prepared
//! inside such a transaction, so that every statement of the connection is in the marked session.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio_postgres::{Client, Config, Error, NoTls, Statement, types::Type};
use uuid::Uuid;

use super::sql::Sql;

/// Makes the connections of a pool.
pub(super) struct Manager {
    url: Config,
    /// Rises when statements that are prepared have to be prepared again.
    epoch: Arc<AtomicU64>,
}

impl Manager {
    pub(super) fn new(url: Config) -> Self {
        Self { url, epoch: Arc::default() }
    }

    /// Has every connection prepare its statements again: those it has are for the schema as it was.
    pub(super) fn forget_statements(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        Connection::open(&self.url, self.epoch.clone()).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        // What is left to clean is cleaned before a connection comes back to the pool.
        match connection.client.is_closed() {
            true => Err(RecycleError::message("closed")),
            false => Ok(()),
        }
    }
}

/// A connection, its mark, and what is prepared on it.
pub(super) struct Connection {
    client: Client,
    /// Begins a transaction in the session that is marked, or fails.
    begin: String,
    prepared: Mutex<Prepared>,
    epoch: Arc<AtomicU64>,
}

#[derive(Default)]
struct Prepared {
    epoch: u64,
    /// By the name of the file.
    statements: HashMap<&'static str, Statement>,
}

impl Connection {
    async fn open(url: &Config, epoch: Arc<AtomicU64>) -> Result<Self, Error> {
        let (client, connection) = url.connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        let mark = format!("appointd_{}", Uuid::new_v4().simple());
        client.batch_execute(&format!("prepare {mark} as select where false")).await?;
        Ok(Self { client, begin: format!("begin; execute {mark}"), prepared: Mutex::default(), epoch })
    }

    /// Begins a transaction, in the marked session.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.client.batch_execute(&self.begin).await
    }

    /// Whether a statement need not be prepared any more.
    pub(super) fn has(&self, sql: Sql) -> bool {
        self.find(sql).is_some()
    }

    fn find(&self, sql: Sql) -> Option<Statement> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.epoch.load(Ordering::Relaxed);
        if prepared.epoch != epoch {
            *prepared = Prepared { epoch, statements: HashMap::new() };
        }
        prepared.statements.get(sql.name).cloned()
    }

    /// The statement, prepared where it was not: inside a transaction that [`begin`](Self::begin) began. No types: as
    /// PostgreSQL infers them.
    pub(super) async fn prepare(&self, sql: Sql, types: &[Type]) -> Result<Statement, Error> {
        if let Some(statement) = self.find(sql) {
            return Ok(statement);
        }
        let statement = self.client.prepare_typed(sql.text, types).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.statements.insert(sql.name, statement.clone());
        Ok(statement)
    }
}

impl std::ops::Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// How often the mark is looked for, and how long for each time: where a pooler has one session for all, for ever.
const LOOKS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(3);

/// Why it cannot be worked through what is between us and PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum Unsuited {
    #[error("{0}")]
    Unreachable(String),
    #[error(
        "between here and PostgreSQL is a pooler that gives each transaction another session (PgBouncer: pool_mode = \
         transaction or statement), or one session to several clients; statements of one server would be taken for those of \
         another. Connect to PostgreSQL itself, or through a pool of sessions (PgBouncer: pool_mode = session)"
    )]
    Pooler,
}

/// Whether a connection is a session of its own. A pooler of transactions gives another connection that begins a
/// transaction the session that was marked, or the next session in turn to the next transaction: either way the mark is
/// missed.
pub async fn check_session(url: &Config) -> Result<(), Unsuited> {
    let first = patiently(Connection::open(url, Arc::default())).await?;
    let second = patiently(Connection::open(url, Arc::default())).await?;
    patiently(second.begin()).await?;
    for _ in 0..LOOKS {
        patiently(first.begin()).await?;
        patiently(first.batch_execute("commit")).await?;
    }
    patiently(second.batch_execute("commit")).await
}

async fn patiently<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Unsuited> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if !super::error::is_pooler(&error) => {
            Err(Unsuited::Unreachable(super::error::explain(&error)))
        }
        _ => Err(Unsuited::Pooler),
    }
}
