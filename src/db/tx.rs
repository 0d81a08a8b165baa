//! The wall's door. The pool is private to this file, and every way through it either enters a tenant first or can
//! reach no tenant's rows. To believe that no request sees another tenant, read this file and `sql/migrations`.
//!
//! * Nothing is sent before the first statement; `BEGIN`, `app.enter` and the statement then travel together. An
//!   operation of one statement sends its `COMMIT` in the same train.
//! * The order on the wire is the order in which the futures are first polled; [`join4`] polls its arguments in order.
//! * If entering fails the statement behind it fails too, and the policies would have shown it nothing anyway.
//! * Whoever drops a transaction (an error, a panic, a client that went away) has it rolled back before the connection
//!   goes back to the pool; where a statement was still running it is cancelled, and the connection closed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use futures_util::future::{OptionFuture, join4};
use tokio_postgres::{
    Config, NoTls, Row, Statement,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{Error, Sql};

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Who asks, for which tenant, and the lowest role the operation asks of them: the arguments of `app.enter`.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub tenant: Uuid,
    pub account: Uuid,
    pub needs: &'static str,
}

/// Access to the database as `appointd_api`.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
}

/// How long a request waits for a free connection before it is told to come back.
const CHECKOUT: Duration = Duration::from_secs(3);
/// How long cleaning up after a dropped transaction may take before its connection is closed instead.
const CLEAN_UP: Duration = Duration::from_secs(2);

const ENTER: Sql = crate::sql!("app/enter.sql");

impl Db {
    /// A pool of at most `connections`, opened when needed. Connections belong to the runtime that opened them.
    pub fn new(url: &Config, connections: usize) -> Self {
        let manager = Manager::from_config(
            url.clone(),
            NoTls,
            ManagerConfig {
                // What is left to clean is cleaned in `Guard`, before a connection comes back here.
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(CHECKOUT), create: Some(CHECKOUT), recycle: Some(CHECKOUT) })
            .build()
            .expect("a runtime is given, which is all a pool with timeouts needs");
        Self { pool }
    }

    /// A transaction of several statements. Sends nothing yet.
    pub fn begin(&self, context: impl Into<Context>) -> Tx {
        Tx { pool: self.pool.clone(), context: context.into(), guard: None, failed: false }
    }

    /// One statement and its commit, in one train. All rows.
    pub async fn all(
        &self,
        context: impl Into<Context>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let context = context.into();
        self.alone(Some(&context), sql, params).await
    }

    /// Like [`all`](Self::all), where there is one row or none.
    pub async fn optional(
        &self,
        context: impl Into<Context>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.all(context, sql, params).await?.pop())
    }

    /// Like [`all`](Self::all), where there is one row.
    pub async fn one(&self, context: impl Into<Context>, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        expect_row(sql, self.optional(context, sql, params).await?)
    }

    /// One statement without a tenant: the calls of functions that look before a tenant is known, and health checks.
    /// No policy lets such a transaction see a row of any tenant.
    pub async fn gate(&self, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        expect_row(sql, self.alone(None, sql, params).await?.pop())
    }

    /// Runs a statement alone; a second time where another transaction got in the way of the first.
    async fn alone(
        &self,
        context: Option<&Context>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let mut retried = false;
        loop {
            let mut guard = Guard::check_out(&self.pool).await?;
            let result = guard.train(true, context, sql, context, params, true).await;
            match result {
                Err(error) if error.is_transient() && !retried => retried = true,
                result => return result,
            }
        }
    }
}

/// A transaction that has entered, or is about to enter, a tenant.
pub struct Tx {
    pool: Pool,
    context: Context,
    guard: Option<Guard>,
    failed: bool,
}

impl Tx {
    /// All rows.
    pub async fn all(&mut self, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.run(sql, params, false).await
    }

    /// One row or none.
    pub async fn optional(&mut self, sql: Sql, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.all(sql, params).await?.pop())
    }

    /// One row.
    pub async fn one(&mut self, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        expect_row(sql, self.optional(sql, params).await?)
    }

    /// The last statement, one row or none, with the commit behind it in the same train. Whatever the rows, what was
    /// done is kept.
    pub async fn commit_with(mut self, sql: Sql, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.run(sql, params, true).await?.pop())
    }

    /// Keeps what was done. Refused after a failed statement, where PostgreSQL would roll back and call it success.
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
            None => self.guard.insert(Guard::check_out(&self.pool).await?),
        };
        let enter = begin.then_some(&self.context);
        // Should this be dropped half-way, nothing more may be done in the transaction.
        self.failed = true;
        let result = guard.train(begin, enter, sql, Some(&self.context), params, commit).await;
        self.failed = result.is_err();
        result
    }
}

/// A connection, and what has to happen to it before somebody else may have it.
struct Guard {
    client: Option<Object>,
    /// A transaction is open, or may be.
    open: bool,
    /// A statement is running, or may be.
    running: bool,
}

impl Guard {
    async fn check_out(pool: &Pool) -> Result<Self, Error> {
        let client = pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Error::Busy,
            PoolError::Backend(error) => {
                // Connecting touches no rows, so what is said about it quotes none.
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, reason, "cannot connect to the database");
                Error::Unavailable
            }
            error => {
                tracing::warn!(%error, "cannot connect to the database");
                Error::Unavailable
            }
        })?;
        Ok(Self { client: Some(client), open: false, running: false })
    }

    /// `BEGIN`, `app.enter`, the statement and `COMMIT`, as far as asked for, in one flight.
    async fn train(
        &mut self,
        begin: bool,
        enter: Option<&Context>,
        sql: Sql,
        context: Option<&Context>,
        params: Params<'_>,
        commit: bool,
    ) -> Result<Vec<Row>, Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        let failed = |error| Error::from_postgres(sql.name, &error);
        let statement = client.prepare_cached(sql.text).await.map_err(failed)?;
        let enter_statement = match enter {
            Some(_) => Some(
                client
                    .prepare_typed_cached(ENTER.text, &[Type::UUID, Type::UUID, Type::TEXT])
                    .await
                    .map_err(failed)?,
            ),
            None => None,
        };
        let bound: Vec<&(dyn ToSql + Sync)>;
        let params = match context {
            Some(context) if sql.binds_tenant => {
                bound = std::iter::once(&context.tenant as &(dyn ToSql + Sync))
                    .chain(params.iter().copied())
                    .collect();
                &bound[..]
            }
            _ => params,
        };
        let entering = enter
            .zip(enter_statement.as_ref())
            .map(|(context, statement)| enter_tenant(client, statement, context));

        self.open = true;
        self.running = true;
        // A statement that cannot even be sent, because a parameter is not of its type, must not be followed by a
        // commit of those before it. It is polled first, so that is known when the commit's turn comes.
        let unsent = AtomicBool::new(false);
        let running = async {
            let rows = client.query(&statement, params).await;
            unsent.store(rows.as_ref().is_err_and(|error| error.as_db_error().is_none()), Ordering::Relaxed);
            rows
        };
        let ending = async {
            let unsent = unsent.load(Ordering::Relaxed);
            client.batch_execute(if unsent { "rollback" } else { "commit" }).await
        };
        let (begun, entered, rows, committed) = join4(
            OptionFuture::from(begin.then(|| client.batch_execute("begin"))),
            OptionFuture::from(entering),
            running,
            OptionFuture::from(commit.then_some(ending)),
        )
        .await;
        self.running = false;

        let ended = committed.is_some();
        // A commit behind a failed statement has rolled back. One that failed itself may have done neither.
        self.open = !matches!(committed, Some(Ok(())));
        let outcome = begun.unwrap_or(Ok(())).and(entered.unwrap_or(Ok(()))).and(rows);
        let outcome = match committed {
            Some(Err(error)) if outcome.is_ok() => Err(error),
            _ => outcome,
        };
        match outcome.map_err(|error| Error::from_postgres(sql.name, &error)) {
            // It was sent, and nobody said what became of it.
            Err(Error::Unavailable) if ended => Err(Error::InDoubt),
            Err(Error::OutOfDate) => {
                // Every connection has prepared for the schema as it was.
                if let Some(pool) = Object::pool(client) {
                    pool.manager().statement_caches.clear();
                }
                Err(Error::OutOfDate)
            }
            outcome => outcome,
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        self.running = true;
        let result = client.batch_execute("commit").await;
        self.running = false;
        self.open = result.is_err();
        result.map_err(|error| match Error::from_postgres("commit", &error) {
            Error::Unavailable => Error::InDoubt,
            error => error,
        })
    }
}

async fn enter_tenant(
    client: &Object,
    statement: &Statement,
    context: &Context,
) -> Result<(), tokio_postgres::Error> {
    client.query(statement, &[&context.tenant, &context.account, &context.needs]).await.map(drop)
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if !self.open || client.is_closed() {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(clean_up(client, self.running));
            }
            // The process ends; closing the connection ends the transaction.
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Ends what a dropped transaction left behind. A connection on which a statement had to be cancelled is closed: nobody
/// says when a cancellation has arrived, and it must not hit the statement of the next request.
async fn clean_up(client: Object, running: bool) {
    let clean = async {
        match running {
            true => client.cancel_token().cancel_query(NoTls).await,
            false => client.batch_execute("rollback").await,
        }
    };
    let cleaned = tokio::time::timeout(CLEAN_UP, clean).await;
    if running || !matches!(cleaned, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}

fn expect_row(sql: Sql, row: Option<Row>) -> Result<Row, Error> {
    row.ok_or_else(|| Error::Other {
        statement: sql.name,
        sqlstate: "none (no row where one was due)".to_owned(),
    })
}
