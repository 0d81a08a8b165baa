//! A connection of the pool: a session of PostgreSQL and the statements prepared in it.
//!
//! The driver numbers prepared statements per process, so two servers use the same names for different statements. This
//! is harmless if each connection has its own session, but not behind a pooler that gives each transaction another
//! session: there a name may refer to a statement of another server. Therefore each session is marked by a prepared
//! statement with a unique name when the connection is opened, and every transaction begins by executing it. In any
//! other session it fails, and with it everything that follows. Statements are prepared inside such a transaction, so
//! that all of them are in the marked session.
//!
//! What one caller could leave behind in the session must not reach the next. Statements of the server cannot leave
//! anything; the SQL of an attacker who finds a way to bring it in could. Therefore every transaction begins by
//! resetting the settings of the session, closing its cursors and, in the mark, giving up its advisory locks.
//! Statements that SQL has prepared cannot be told from the server's own by their names, and looking through them takes
//! as long as a short request: one transaction in [`LOOKS_ONCE_IN`] does it, and refuses. Only this file, and `listen`
//! with a constant, send anything but prepared statements, so that SQL in a part of a statement cannot become a second
//! one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio_postgres::{Client, Error, Row, Statement, types::Type};
use uuid::Uuid;

use super::{
    sql::{Params, Sql},
    url::DatabaseUrl,
};

/// Opens the connections of a pool.
pub(super) struct Manager {
    url: DatabaseUrl,
    /// Incremented when all statements must be prepared again.
    epoch: Arc<AtomicU64>,
}

impl Manager {
    pub(super) fn new(url: DatabaseUrl) -> Self {
        Self { url, epoch: Arc::default() }
    }

    /// Why a connection could not be opened.
    pub(super) fn explain(&self, error: &Error) -> String {
        self.url.explain(error)
    }

    /// Makes every connection prepare its statements again, after the schema has changed.
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
        // Connections are cleaned up before they return to the pool.
        match connection.client.is_closed() {
            true => Err(RecycleError::message("closed")),
            false => Ok(()),
        }
    }
}

/// A connection, its mark, and its prepared statements.
pub(super) struct Connection {
    client: Client,
    /// How it was opened, to cancel its statements in the same way.
    url: DatabaseUrl,
    /// The commands that begin a transaction in the marked session, or fail: as a rule, and looking for statements that
    /// SQL has prepared.
    begin: [String; 2],
    /// How many transactions were begun.
    begun: AtomicU32,
    prepared: Mutex<Prepared>,
    epoch: Arc<AtomicU64>,
}

#[derive(Default)]
struct Prepared {
    epoch: u64,
    /// By file name.
    statements: HashMap<&'static str, Statement>,
}

impl Connection {
    async fn open(url: &DatabaseUrl, epoch: Arc<AtomicU64>) -> Result<Self, Error> {
        let (client, connection) = url.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        let mark = format!("appointd_{}", Uuid::new_v4().simple());
        // app.refuse_leftovers knows this text.
        let prepare = format!("prepare {mark} as select pg_catalog.pg_advisory_unlock_all()");
        client.batch_execute(&prepare).await?;
        let clean = "begin isolation level read committed; reset all; close all";
        let begin = [
            format!("{clean}; execute {mark}"),
            format!("{clean}; select app.refuse_leftovers(); execute {mark}"),
        ];
        Ok(Self {
            client,
            url: url.clone(),
            begin,
            begun: AtomicU32::new(0),
            prepared: Mutex::default(),
            epoch,
        })
    }

    /// Begins a transaction, in the marked session.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let looks = number % LOOKS_ONCE_IN == LOOKS_ONCE_IN - 1;
        self.client.batch_execute(&self.begin[usize::from(looks)]).await
    }

    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.client.batch_execute("commit").await
    }

    pub(super) async fn rollback(&self) -> Result<(), Error> {
        self.client.batch_execute("rollback").await
    }

    /// Executes a prepared statement.
    pub(super) async fn query(&self, statement: &Statement, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.client.query(statement, params).await
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Cancels the running statement.
    pub(super) async fn cancel(&self) -> Result<(), Error> {
        self.url.cancel(&self.client).await
    }

    /// Whether a statement is already prepared.
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

    /// The prepared statement. Prepares it if necessary; call it inside a transaction that [`begin`](Self::begin) has
    /// begun. Without `types`, PostgreSQL infers them.
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

/// Looking for statements that SQL has prepared takes half a microsecond for each that the server has.
const LOOKS_ONCE_IN: u32 = 32;

/// How often the mark is checked, and the timeout of each check: a pooler with a single session would wait forever.
const LOOKS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the connection to PostgreSQL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unsuited {
    #[error("{0}")]
    Unreachable(String),
    #[error(
        "a pooler between this server and PostgreSQL gives each transaction another session (PgBouncer: pool_mode = \
         transaction or statement), or one session to several clients; statements of one server would be taken for those of \
         another. Connect to PostgreSQL itself, or through a pool of sessions (PgBouncer: pool_mode = session)"
    )]
    Pooler,
}

/// Checks that each connection has its own session. A transaction pooler gives the marked session to another connection
/// that begins a transaction, or gives the next transaction another session; in both cases the mark is missing.
pub async fn check_session(url: &DatabaseUrl) -> Result<(), Unsuited> {
    let first = patiently(url, Connection::open(url, Arc::default())).await?;
    let second = patiently(url, Connection::open(url, Arc::default())).await?;
    patiently(url, second.begin()).await?;
    for _ in 0..LOOKS {
        patiently(url, first.begin()).await?;
        patiently(url, first.commit()).await?;
    }
    patiently(url, second.commit()).await
}

async fn patiently<T>(
    url: &DatabaseUrl,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Unsuited> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if !super::error::is_pooler(&error) => Err(Unsuited::Unreachable(url.explain(&error))),
        _ => Err(Unsuited::Pooler),
    }
}
