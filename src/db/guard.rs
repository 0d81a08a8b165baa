//! A connection in use: sends statements in one flight, and cleans up the connection when it is returned.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::{OptionFuture, join4};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::{Row, types::ToSql};

use super::{
    entry::{Context, Entry, Who},
    error::Error,
    pool::{Object, Pool},
    request::{Connections, Counted, REQUEST},
    sql::{Binds, Params, Sql},
};
use crate::metrics;

/// The timeout of cleaning up after a dropped transaction; after it the connection is closed instead.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// A connection, and what is to be cleaned up before it returns to the pool.
pub(super) struct Guard {
    client: Option<Object>,
    /// The tenant's share of the pool; returned with the connection.
    share: Option<OwnedSemaphorePermit>,
    /// A transaction is open, or may be.
    open: bool,
    /// A statement is running, or may be.
    running: bool,
    /// The connection is unusable (a read-only database, a pooler, or no transaction begins on it) and must not return
    /// to the pool.
    unfit: bool,
    /// How the transaction ended.
    outcome: &'static str,
    _counted: Option<Counted>,
}

impl Guard {
    pub(super) async fn check_out(pool: &Pool, entry: Entry) -> Result<Self, Error> {
        let counted = Connections::count();
        let share = match entry {
            Entry::Tenant(context) => Some(pool.share(context.tenant).await?),
            _ => None,
        };
        let client = pool.connection().await?;
        Ok(Self {
            client: Some(client),
            share,
            open: false,
            running: false,
            unfit: false,
            outcome: "rolled_back",
            _counted: counted,
        })
    }

    /// Sends `BEGIN`, entering, the statement and `COMMIT` in one flight, each as far as required.
    pub(super) async fn train(
        &mut self,
        begin: bool,
        entry: Entry,
        sql: Sql,
        params: Params<'_>,
        commit: bool,
    ) -> Result<Vec<Row>, Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        let failed = |error| Error::from_postgres(sql.name, &error);
        let enter = begin.then(|| entry.statement());
        // Statements that are not prepared yet are prepared inside the transaction, in the session that executes them.
        let unprepared = !client.has(sql) || enter.is_some_and(|(enter, _)| !client.has(enter));
        let (statement, enter, begin) = if unprepared {
            self.open = true;
            self.running = true;
            let mut unbegun = false;
            let preparing = async {
                if begin {
                    client.begin().await.inspect_err(|_| unbegun = true)?;
                }
                let statement = client.prepare(sql, &[]).await?;
                let enter = match enter {
                    Some((enter, types)) => Some(client.prepare(enter, types).await?),
                    None => None,
                };
                Ok::<_, tokio_postgres::Error>((statement, enter))
            };
            let prepared = preparing.await;
            self.running = false;
            self.unfit = unbegun;
            let (statement, enter) = match prepared.map_err(failed) {
                Ok(prepared) => prepared,
                Err(error) => return Err(self.judge(error)),
            };
            (statement, enter, false)
        } else {
            let statement = client.prepare(sql, &[]).await.map_err(failed)?;
            let enter = match enter {
                Some((enter, types)) => Some(client.prepare(enter, types).await.map_err(failed)?),
                None => None,
            };
            (statement, enter, begin)
        };
        let first = match (sql.binds, entry) {
            (Binds::Tenant, Entry::Tenant(context)) => Some(context.tenant),
            (Binds::Account, Entry::Person(person)) => Some(person.account),
            (
                Binds::Account,
                Entry::Tenant(Context {
                    who: Who::Session { account, .. } | Who::Customer { account, .. },
                    ..
                }),
            ) => Some(account),
            _ => None,
        };
        let bound: Vec<&(dyn ToSql + Sync)>;
        let params = match &first {
            Some(first) => {
                bound = std::iter::once(first as &(dyn ToSql + Sync)).chain(params.iter().copied()).collect();
                &bound[..]
            }
            None => params,
        };
        let entering = enter.as_ref().map(|statement| entry.enter(client, statement));

        self.open = true;
        self.running = true;
        // If a statement cannot be sent, because a parameter has the wrong type, the statements before it must not be
        // committed. The statement is polled before the commit, so its failure is known by then.
        let unsent = AtomicBool::new(false);
        let running = async {
            let rows = client.query(&statement, params).await;
            unsent.store(rows.as_ref().is_err_and(|error| error.as_db_error().is_none()), Ordering::Relaxed);
            rows
        };
        let ending = async {
            let unsent = unsent.load(Ordering::Relaxed);
            if unsent { client.rollback().await } else { client.commit().await }
        };
        let (begun, entered, rows, committed) = join4(
            OptionFuture::from(begin.then(|| client.begin())),
            OptionFuture::from(entering),
            running,
            OptionFuture::from(commit.then_some(ending)),
        )
        .await;
        self.running = false;
        self.unfit |= matches!(begun, Some(Err(_)));

        if matches!(entered, Some(Ok(()))) {
            // Fails outside a request, where the entry is not recorded.
            let _ = REQUEST.try_with(|request| request.entered.mark(entry));
        }
        let ended = committed.is_some();
        // A commit after a failed statement rolls back. A commit that failed itself may have done neither.
        self.open = !matches!(committed, Some(Ok(())));
        let outcome = begun.unwrap_or(Ok(())).and(entered.unwrap_or(Ok(()))).and(rows);
        let outcome = match committed {
            Some(Err(error)) if outcome.is_ok() => Err(error),
            _ => outcome,
        };
        // An error that PostgreSQL reports (disk full, shutting down) means that nothing was committed.
        let answered = outcome.as_ref().err().is_none_or(|error| error.as_db_error().is_some());
        let outcome = match outcome.map_err(|error| entry.explain(Error::from_postgres(sql.name, &error))) {
            // The commit was sent, and its outcome is unknown.
            Err(Error::Unavailable) if ended && !answered => Err(Error::InDoubt),
            outcome => outcome.map_err(|error| self.judge(error)),
        };
        if ended {
            self.note(&outcome);
        }
        outcome
    }

    /// Notes how the transaction ended.
    fn note<T>(&mut self, ended: &Result<T, Error>) {
        self.outcome = match ended {
            Ok(_) => "committed",
            Err(Error::InDoubt) => "in_doubt",
            Err(_) => "rolled_back",
        };
    }

    /// Reacts to what an error reveals about this connection and the others of the pool.
    fn judge(&mut self, error: Error) -> Error {
        let pool = self.client.as_ref().and_then(Object::pool);
        match (&error, pool) {
            // The primary has moved. Idle connections lead to the same server as this one.
            (Error::ReadOnly, Some(pool)) => {
                self.unfit = true;
                pool.retain(|_, _| false);
            }
            (Error::Pooler | Error::ReadOnly, _) => self.unfit = true,
            (Error::Unclean, _) => {
                tracing::error!(
                    "SQL has prepared a statement on a connection, which is closed: someone brought it in"
                );
                self.unfit = true;
            }
            // The schema has changed; the statements of every connection are outdated.
            (Error::OutOfDate, Some(pool)) => pool.manager().forget_statements(),
            _ => {}
        }
        error
    }

    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        self.running = true;
        let result = client.commit().await;
        self.running = false;
        self.open = result.is_err();
        let ended = result.map_err(|error| {
            let answered = error.as_db_error().is_some();
            match Error::from_postgres("commit", &error) {
                Error::Unavailable if !answered => Error::InDoubt,
                error => error,
            }
        });
        self.note(&ended);
        ended
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        metrics::count_transaction(self.outcome);
        let Some(client) = self.client.take() else {
            return;
        };
        if self.unfit {
            drop(Object::take(client));
            return;
        }
        if !self.open || client.is_closed() {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(clean_up(client, self.running, self.share.take()));
            }
            // The process is ending; closing the connection ends the transaction.
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Ends a dropped transaction. If a statement had to be cancelled, the connection is closed: a cancellation may arrive
/// late and must not hit the statement of the next request.
async fn clean_up(client: Object, running: bool, _share: Option<OwnedSemaphorePermit>) {
    let clean = async {
        match running {
            true => client.cancel().await,
            false => client.rollback().await,
        }
    };
    let cleaned = tokio::time::timeout(CLEAN_UP, clean).await;
    if running || !matches!(cleaned, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}
