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
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, PoolError, TimeoutType, Timeouts},
};
use futures_util::future::{OptionFuture, join4};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{
    Config, NoTls, Row, Statement,
    config::TargetSessionAttrs,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    Error, Sql,
    as_of::LastAsOf,
    connection::{Connection, Manager},
    sql::Binds,
};

type Pool = managed::Pool<Manager>;
type Object = managed::Object<Manager>;

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Who asks, for which tenant, and what the operation asks of them: the arguments of `app.enter`.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub tenant: Uuid,
    pub who: Who,
    /// The lowest role that may.
    pub needs: &'static str,
    /// The feature the plan has to include.
    pub feature: Option<&'static str>,
}

impl Context {
    /// The account or API key that acts; none where a guest does.
    pub fn actor(&self) -> Option<Uuid> {
        match self.who {
            Who::Session { account, .. } | Who::Customer { account, .. } => Some(account),
            Who::Key { id, .. } => Some(id),
            Who::Guest { .. } | Who::Scheduler => None,
        }
    }
}

/// Who enters a tenant.
#[derive(Clone, Copy)]
pub enum Who {
    /// A person who has signed in.
    Session { account: Uuid, session: Uuid },
    /// A program with an API key, and the SHA-256 of the secret it sent.
    Key { id: Uuid, secret_hash: [u8; 32] },
    /// A customer without an account, and the appointment they book or have the link of.
    Guest { appointment: Uuid },
    /// The server itself, when it offers freed time to the waitlist.
    Scheduler,
    /// A customer who has signed in, and the one thing they are about to make or change.
    Customer { account: Uuid, session: Uuid, subject: Uuid },
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { account, session } => write!(f, "Session({account}, {session})"),
            Self::Key { id, .. } => write!(f, "Key({id})"),
            Self::Guest { appointment } => write!(f, "Guest({appointment})"),
            Self::Scheduler => f.write_str("Scheduler"),
            Self::Customer { account, session, subject } => {
                write!(f, "Customer({account}, {session}, {subject})")
            }
        }
    }
}

/// A person who has signed in, without any tenant: what `app.enter_account` takes.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub account: Uuid,
    pub session: Uuid,
}

/// How a transaction begins: in a tenant, as a person, or as a stranger, who sees no row of any tenant.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Tenant(Context),
    Person(Person),
    /// Nobody in particular: sees nothing, and calls the functions of the gate.
    Stranger,
}

impl From<Context> for Entry {
    fn from(context: Context) -> Self {
        Self::Tenant(context)
    }
}

impl From<Person> for Entry {
    fn from(person: Person) -> Self {
        Self::Person(person)
    }
}

/// What the database is told about the request a transaction is part of. Set by the edge around a handler.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Goes into the audit log.
    pub id: String,
    /// The tenant's host that was asked; it has to lead to the tenant that is entered. None: a host of our own.
    pub host: Option<String>,
    /// What an API key has to be good for.
    pub scope: Option<String>,
    /// The connections it has at the moment.
    pub connections: Connections,
    /// What it has entered so far.
    pub entered: Arc<Entered>,
}

/// Counts the connections of one request. It may have one: a request that waits for a second while it keeps the first can
/// wait for others that do the same.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<AtomicUsize>);

impl Connections {
    /// Counts one connection of the request that is served; none outside a request.
    fn count() -> Option<Counted> {
        let connections = REQUEST.try_with(|request| request.connections.clone()).ok()?;
        let before = connections.0.fetch_add(1, Ordering::Relaxed);
        debug_assert_eq!(before, 0, "a request that has a connection asks for a second");
        Some(Counted(connections))
    }
}

struct Counted(Connections);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a request has entered. Until then whose it is is only what its credentials say.
#[derive(Debug)]
pub struct Entered {
    entry: OnceLock<Entry>,
    /// Is told who entered, as `tenant_id`, `account_id` and `key_id`.
    span: tracing::Span,
}

impl Default for Entered {
    fn default() -> Self {
        Self::new(tracing::Span::none())
    }
}

impl Entered {
    pub fn new(span: tracing::Span) -> Self {
        Self { entry: OnceLock::new(), span }
    }

    /// Whether it has entered a tenant, or as a person.
    pub fn anything(&self) -> bool {
        self.entry.get().is_some()
    }

    /// The tenant that was entered by a member of it or with a key of it.
    pub fn as_member(&self) -> Option<Uuid> {
        match self.entry.get()? {
            Entry::Tenant(Context { who: Who::Guest { .. } | Who::Scheduler, .. })
            | Entry::Person(_)
            | Entry::Stranger => None,
            Entry::Tenant(context) => Some(context.tenant),
        }
    }

    fn mark(&self, entry: Entry) {
        if matches!(entry, Entry::Stranger) || self.entry.set(entry).is_err() {
            return;
        }
        let record = |name, id: Uuid| {
            self.span.record(name, tracing::field::display(id));
        };
        match entry {
            Entry::Tenant(context) => {
                record("tenant_id", context.tenant);
                match context.who {
                    Who::Session { account, .. } | Who::Customer { account, .. } => {
                        record("account_id", account)
                    }
                    Who::Key { id, .. } => record("key_id", id),
                    Who::Guest { .. } | Who::Scheduler => {}
                }
            }
            Entry::Person(person) => record("account_id", person.account),
            Entry::Stranger => {}
        }
    }
}

tokio::task_local! {
    /// The request that is being served.
    pub static REQUEST: Request;
}

/// Access to the database as `appointd_api`.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    shares: Arc<Shares>,
    pub(super) last_as_of: LastAsOf,
}

/// No tenant takes all connections: each may use a share of the pool, and waits for its own while others go on.
struct Shares {
    each: usize,
    in_use: Mutex<HashMap<Uuid, Weak<Semaphore>>>,
}

impl Shares {
    fn of(&self, tenant: Uuid) -> Arc<Semaphore> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = in_use.get(&tenant).and_then(Weak::upgrade) {
            return share;
        }
        // Now and then, forget those nobody uses.
        if in_use.len() >= 1024 {
            in_use.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.each));
        in_use.insert(tenant, Arc::downgrade(&share));
        share
    }

    async fn permit(&self, tenant: Uuid) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(CHECKOUT, self.of(tenant).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::Crowded),
        }
    }
}

/// How long a request waits for a free connection before it is told to come back.
const CHECKOUT: Duration = Duration::from_secs(3);
/// How long cleaning up after a dropped transaction may take before its connection is closed instead.
const CLEAN_UP: Duration = Duration::from_secs(2);

const ENTER: Sql = crate::sql!("app/enter.sql");
const ENTER_BY_KEY: Sql = crate::sql!("app/enter_by_key.sql");
const ENTER_GUEST: Sql = crate::sql!("app/enter_guest.sql");
const ENTER_SCHEDULER: Sql = crate::sql!("app/enter_scheduler.sql");
const ENTER_CUSTOMER: Sql = crate::sql!("app/enter_customer.sql");
const BEGIN_REQUEST: Sql = crate::sql!("app/begin_request.sql");
const ENTER_ACCOUNT: Sql = crate::sql!("app/enter_account.sql");

impl Db {
    /// A pool of at most `connections`, opened when needed. Connections belong to the runtime that opened them.
    pub fn new(url: &Config, connections: usize) -> Self {
        let mut url = url.clone();
        // Of several hosts the primary; one host is asked by the check at the start and by its refusals (25006).
        if url.get_hosts().len() > 1 && url.get_target_session_attrs() == TargetSessionAttrs::Any {
            url.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let pool = Pool::builder(Manager::new(url))
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(CHECKOUT), create: Some(CHECKOUT), recycle: Some(CHECKOUT) })
            .build()
            .expect("a runtime is given, which is all a pool with timeouts needs");
        // Half, so that one that floods leaves as much to the others.
        let shares = Shares { each: connections.div_ceil(2), in_use: Mutex::default() };
        Self { pool, shares: Arc::new(shares), last_as_of: LastAsOf::default() }
    }

    /// A transaction of several statements. Sends nothing yet.
    pub fn begin(&self, entry: impl Into<Entry>) -> Tx {
        Tx { db: self.clone(), entry: entry.into(), guard: None, failed: false }
    }

    /// One statement and its commit, in one train. All rows.
    pub async fn all(
        &self,
        entry: impl Into<Entry>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.alone(entry.into(), sql, params).await
    }

    /// Like [`all`](Self::all), where there is one row or none.
    pub async fn optional(
        &self,
        entry: impl Into<Entry>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.all(entry, sql, params).await?.pop())
    }

    /// Like [`all`](Self::all), where there is one row.
    pub async fn one(&self, entry: impl Into<Entry>, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        expect_row(sql, self.optional(entry, sql, params).await?)
    }

    /// One statement without a tenant: the calls of functions that look before a tenant is known, and health checks.
    /// No policy lets such a transaction see a row of any tenant.
    pub async fn gate(&self, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        expect_row(sql, self.alone(Entry::Stranger, sql, params).await?.pop())
    }

    /// Like [`gate`](Self::gate), with all rows.
    pub async fn gate_all(&self, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.alone(Entry::Stranger, sql, params).await
    }

    /// Runs a statement alone, again where another transaction got in the way.
    async fn alone(&self, entry: Entry, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.attempt(entry, async |tx: Tx, _| tx.last(sql, params).await).await
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
    /// Who acts in which tenant; none where no tenant is entered.
    pub fn context(&self) -> Option<Context> {
        match self.entry {
            Entry::Tenant(context) => Some(context),
            Entry::Person(_) | Entry::Stranger => None,
        }
    }

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
    pub async fn commit_with(self, sql: Sql, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.last(sql, params).await?.pop())
    }

    /// Like [`commit_with`](Self::commit_with), with all rows.
    async fn last(mut self, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.run(sql, params, true).await
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
            None => self.guard.insert(Guard::check_out(&self.db, self.entry).await?),
        };
        // Should this be dropped half-way, nothing more may be done in the transaction.
        self.failed = true;
        let result = guard.train(begin, self.entry, sql, params, commit).await;
        self.failed = result.is_err();
        result
    }
}

/// A connection, and what has to happen to it before somebody else may have it.
struct Guard {
    client: Option<Object>,
    /// The tenant's share of the pool; given back with the connection.
    share: Option<OwnedSemaphorePermit>,
    /// A transaction is open, or may be.
    open: bool,
    /// A statement is running, or may be.
    running: bool,
    /// The connection leads to a database that takes no writes: nobody may have it next.
    unfit: bool,
    _counted: Option<Counted>,
}

impl Guard {
    async fn check_out(db: &Db, entry: Entry) -> Result<Self, Error> {
        let counted = Connections::count();
        let share = match entry {
            Entry::Tenant(context) => Some(db.shares.permit(context.tenant).await?),
            _ => None,
        };
        let client = db.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Error::Busy,
            PoolError::Backend(error) if super::error::is_pooler(&error) => {
                Error::from_postgres("connecting", &error)
            }
            PoolError::Backend(error) => {
                // Connecting touches no rows, so what is said about it quotes none.
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                super::error::log_unreachable(&error.to_string(), &reason);
                Error::Unavailable
            }
            error => {
                super::error::log_unreachable(&error.to_string(), "");
                Error::Unavailable
            }
        })?;
        Ok(Self { client: Some(client), share, open: false, running: false, unfit: false, _counted: counted })
    }

    /// `BEGIN`, entering, the statement and `COMMIT`, as far as asked for, in one flight.
    async fn train(
        &mut self,
        begin: bool,
        entry: Entry,
        sql: Sql,
        params: Params<'_>,
        commit: bool,
    ) -> Result<Vec<Row>, Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        let failed = |error| Error::from_postgres(sql.name, &error);
        let door = begin.then(|| entry.door());
        // What is not prepared yet is prepared inside the transaction, in the session it will be executed in.
        let unprepared = !client.has(sql) || door.is_some_and(|(door, _)| !client.has(door));
        let (statement, door, begin) = if unprepared {
            self.open = true;
            self.running = true;
            let preparing = async {
                if begin {
                    client.begin().await?;
                }
                let statement = client.prepare(sql, &[]).await?;
                let door = match door {
                    Some((door, types)) => Some(client.prepare(door, types).await?),
                    None => None,
                };
                Ok::<_, tokio_postgres::Error>((statement, door))
            };
            let prepared = preparing.await;
            self.running = false;
            let (statement, door) = match prepared.map_err(failed) {
                Ok(prepared) => prepared,
                Err(error) => return Err(self.judge(error)),
            };
            (statement, door, false)
        } else {
            let statement = client.prepare(sql, &[]).await.map_err(failed)?;
            let door = match door {
                Some((door, types)) => Some(client.prepare(door, types).await.map_err(failed)?),
                None => None,
            };
            (statement, door, begin)
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
        let entering = door.as_ref().map(|statement| entry.enter(client, statement));

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
            OptionFuture::from(begin.then(|| client.begin())),
            OptionFuture::from(entering),
            running,
            OptionFuture::from(commit.then_some(ending)),
        )
        .await;
        self.running = false;

        if matches!(entered, Some(Ok(()))) {
            // Outside a request nobody asks.
            let _ = REQUEST.try_with(|request| request.entered.mark(entry));
        }
        let ended = committed.is_some();
        // A commit behind a failed statement has rolled back. One that failed itself may have done neither.
        self.open = !matches!(committed, Some(Ok(())));
        let outcome = begun.unwrap_or(Ok(())).and(entered.unwrap_or(Ok(()))).and(rows);
        let outcome = match committed {
            Some(Err(error)) if outcome.is_ok() => Err(error),
            _ => outcome,
        };
        // An error that PostgreSQL reports (no room on the disk, shutting down) says that nothing was kept.
        let answered = outcome.as_ref().err().is_none_or(|error| error.as_db_error().is_some());
        match outcome.map_err(|error| entry.explain(Error::from_postgres(sql.name, &error))) {
            // It was sent, and nobody said what became of it.
            Err(Error::Unavailable) if ended && !answered => Err(Error::InDoubt),
            outcome => outcome.map_err(|error| self.judge(error)),
        }
    }

    /// What an error says about the connection it came by, and about the others of the pool.
    fn judge(&mut self, error: Error) -> Error {
        let pool = self.client.as_ref().and_then(Object::pool);
        match (&error, pool) {
            // The primary is elsewhere by now. Idle connections lead to the same place as this one.
            (Error::ReadOnly, Some(pool)) => {
                self.unfit = true;
                pool.retain(|_, _| false);
            }
            (Error::Pooler | Error::ReadOnly, _) => self.unfit = true,
            // Every connection has prepared for the schema as it was.
            (Error::OutOfDate, Some(pool)) => pool.manager().forget_statements(),
            _ => {}
        }
        error
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let client = self.client.as_ref().expect("a guard holds its connection until it is dropped");
        self.running = true;
        let result = client.batch_execute("commit").await;
        self.running = false;
        self.open = result.is_err();
        result.map_err(|error| {
            let answered = error.as_db_error().is_some();
            match Error::from_postgres("commit", &error) {
                Error::Unavailable if !answered => Error::InDoubt,
                error => error,
            }
        })
    }
}

impl Entry {
    /// The statement that enters, and the types of its parameters.
    fn door(&self) -> (Sql, &'static [Type]) {
        match self {
            Self::Tenant(Context { who: Who::Session { .. }, .. }) => {
                (ENTER, &[Type::UUID, Type::UUID, Type::UUID, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT])
            }
            Self::Tenant(Context { who: Who::Key { .. }, .. }) => (
                ENTER_BY_KEY,
                &[
                    Type::UUID,
                    Type::UUID,
                    Type::BYTEA,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                ],
            ),
            Self::Tenant(Context { who: Who::Guest { .. }, .. }) => {
                (ENTER_GUEST, &[Type::UUID, Type::UUID, Type::TEXT, Type::TEXT, Type::TEXT])
            }
            Self::Tenant(Context { who: Who::Scheduler, .. }) => (ENTER_SCHEDULER, &[Type::UUID, Type::TEXT]),
            Self::Tenant(Context { who: Who::Customer { .. }, .. }) => (
                ENTER_CUSTOMER,
                &[Type::UUID, Type::UUID, Type::UUID, Type::UUID, Type::TEXT, Type::TEXT, Type::TEXT],
            ),
            Self::Person(_) => (ENTER_ACCOUNT, &[Type::UUID, Type::UUID, Type::TEXT, Type::TEXT]),
            Self::Stranger => (BEGIN_REQUEST, &[Type::TEXT, Type::TEXT]),
        }
    }

    /// Says what was asked for where entering was refused for the lack of it.
    fn explain(&self, error: Error) -> Error {
        match (error, self) {
            (Error::RoleTooLow { held, .. }, Self::Tenant(context)) => {
                Error::RoleTooLow { needs: context.needs, held }
            }
            (Error::ScopeMissing { .. }, _) => Error::ScopeMissing {
                scope: REQUEST.try_with(|request| request.scope.clone()).ok().flatten().unwrap_or_default(),
            },
            (error, _) => error,
        }
    }

    async fn enter(&self, client: &Connection, statement: &Statement) -> Result<(), tokio_postgres::Error> {
        // Outside a request there is none: `dev` loading its data, tests.
        let Request { id, host, scope, .. } = REQUEST.try_with(Request::clone).unwrap_or_default();
        let entered = match self {
            Self::Tenant(Context { tenant, who: Who::Session { account, session }, needs, feature }) => {
                client.query(statement, &[tenant, account, session, needs, feature, &host, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Key { id: key, secret_hash }, needs, feature }) => {
                let hash = &secret_hash[..];
                client.query(statement, &[tenant, key, &hash, needs, &scope, feature, &host, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Guest { appointment }, feature, .. }) => {
                client.query(statement, &[tenant, appointment, feature, &host, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Scheduler, .. }) => {
                client.query(statement, &[tenant, &id]).await
            }
            Self::Tenant(Context {
                tenant,
                who: Who::Customer { account, session, subject },
                feature,
                ..
            }) => client.query(statement, &[tenant, account, session, subject, feature, &host, &id]).await,
            Self::Person(Person { account, session }) => {
                client.query(statement, &[account, session, &host, &id]).await
            }
            Self::Stranger => client.query(statement, &[&id, &host]).await,
        };
        entered.map(drop)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
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
            // The process ends; closing the connection ends the transaction.
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Ends what a dropped transaction left behind. A connection on which a statement had to be cancelled is closed: nobody
/// says when a cancellation has arrived, and it must not hit the statement of the next request.
async fn clean_up(client: Object, running: bool, _share: Option<OwnedSemaphorePermit>) {
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
