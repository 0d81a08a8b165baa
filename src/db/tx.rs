//! The door: transactions of a tenant. Only transactions take connections from the pool, and a transaction either
//! enters a tenant first or can reach no tenant's rows. To verify that no request sees another tenant's rows, read this
//! file, `guard`, `entering` and `sql/migrations`.
//!
//! * Nothing is sent before the first statement; `BEGIN`, `app.enter` and the statement are then sent in one flight. An
//!   operation of one statement sends its `COMMIT` in the same flight.
//! * The order on the wire is the order in which the futures are first polled;
//!   [`join4`](futures_util::future::join4) polls its arguments in order.
//! * If entering fails, the statement after it fails too; even without that, the policies would show it no rows.
//! * A transaction that is dropped (an error, a panic, a client that disconnects) is rolled back before its connection
//!   returns to the pool. If a statement was still running, it is cancelled and the connection is closed.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tokio_postgres::Row;

use super::{
    entry::{Context, Entry},
    error::Error,
    guard::Guard,
    pool::Pool,
    row::{FromRow, Unread},
    sql::{Params, Sql},
    url::DatabaseUrl,
};
use crate::metrics;

type LastAsOf = Arc<Mutex<Option<(Instant, DateTime<Utc>)>>>;

/// Access to the database as `appointd_api`.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    /// The last answer of [`as_of`](Self::as_of), and when it was queried.
    pub(super) last_as_of: LastAsOf,
}

impl Db {
    /// A pool of at most `connections`, opened when needed. Connections belong to the runtime that opened them.
    pub fn new(url: &DatabaseUrl, connections: usize) -> Self {
        Self { pool: Pool::new(url, connections), last_as_of: Arc::default() }
    }

    /// A transaction of several statements. Sends nothing yet.
    pub fn begin(&self, entry: impl Into<Entry>) -> Tx {
        Tx { db: self.clone(), entry: entry.into(), guard: None, failed: false }
    }
}

/// A transaction that has entered, or is about to enter, a tenant.
pub struct Tx {
    db: Db,
    entry: Entry,
    guard: Option<Guard>,
    failed: bool,
}

impl Tx {
    /// The tenant and the caller; `None` if no tenant is entered.
    pub fn context(&self) -> Option<Context> {
        match self.entry {
            Entry::Tenant(context) => Some(context),
            Entry::Person(_) | Entry::Stranger => None,
        }
    }

    /// Runs a statement and returns all rows.
    pub async fn all<R: FromRow>(&mut self, sql: Sql<R>, params: Params<'_>) -> Result<Vec<R>, Error> {
        self.unread(sql, params).await?.read().collect()
    }

    /// Runs a statement and returns all rows unread, to be read when the connection has been given back.
    pub async fn unread<R: FromRow>(&mut self, sql: Sql<R>, params: Params<'_>) -> Result<Unread<R>, Error> {
        Ok(Unread::new(sql.name, self.run(sql.unread(), params, false).await?))
    }

    /// Runs a statement that returns one row or none.
    pub async fn optional<R: FromRow>(
        &mut self,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<Option<R>, Error> {
        Ok(self.all(sql, params).await?.pop())
    }

    /// Runs a statement that returns one row.
    pub async fn one<R: FromRow>(&mut self, sql: Sql<R>, params: Params<'_>) -> Result<R, Error> {
        self.optional(sql, params).await?.ok_or_else(|| Error::no_row(sql.name))
    }

    /// Runs the last statement, which returns one row or none, and commits in the same flight, also if it returns no
    /// row.
    pub async fn commit_with<R: FromRow>(self, sql: Sql<R>, params: Params<'_>) -> Result<Option<R>, Error> {
        Ok(self.commit_with_all(sql, params).await?.pop())
    }

    /// Like [`commit_with`](Self::commit_with), but returns all rows.
    pub async fn commit_with_all<R: FromRow>(
        mut self,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<Vec<R>, Error> {
        let rows = self.run(sql.unread(), params, true).await?;
        Unread::new(sql.name, rows).read().collect()
    }

    /// Commits. Fails after a failed statement, because PostgreSQL would roll back and report success.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        match self.guard.as_mut() {
            Some(guard) => guard.commit().await,
            None => Ok(()),
        }
    }

    async fn run(&mut self, sql: Sql, params: Params<'_>, commit: bool) -> Result<Vec<Row>, Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        let begin = self.guard.is_none();
        let guard = match &mut self.guard {
            Some(guard) => guard,
            None => self.guard.insert(Guard::check_out(&self.db.pool, self.entry).await?),
        };
        // If this future is dropped before it completes, the transaction must not be used again.
        self.failed = true;
        let started = Instant::now();
        let result = guard.train(begin, self.entry, sql, params, commit).await;
        metrics::count_statement(sql.name, started.elapsed());
        self.failed = result.is_err();
        result
    }
}
