//! Migrations: the files of `sql/migrations`, compiled in and applied in order by the owner of the database.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, error::SqlState};

pub use super::error::explain;
use super::{
    connection::check_session,
    error::{self, error_chain},
    row::{Columns, FromRow},
    sql::Sql,
    url::DatabaseUrl,
};

mod embedded {
    refinery::embed_migrations!("sql/migrations");
}

const HISTORY: &str = "app.migrations";

/// How long the owner's commands try to get a lock by default.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts, in which transactions that waited behind the last attempt can continue.
const BREATH: Duration = Duration::from_secs(1);

/// Why migrating failed, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Connect(String),
    #[error("{0}")]
    Migration(String),
    #[error(
        "another session holds a required lock; tried for {patience} s. Migrations are applied completely or not at all. \
         Run `appointd migrate` again when they have ended: {holders}"
    )]
    Locked { patience: u64, holders: String },
}

/// Applies the missing migrations and returns their names. Concurrent runs wait for each other.
pub async fn run(url: &DatabaseUrl) -> Result<Vec<String>, Error> {
    run_within(url, PATIENCE).await
}

/// Like [`run`], but gives up if a lock is not free within `patience`. No attempt makes other sessions wait for longer
/// than 2 seconds.
pub async fn run_within(url: &DatabaseUrl, patience: Duration) -> Result<Vec<String>, Error> {
    let mut client = connect(url).await.map_err(Error::Connect)?;
    // The lock that serializes concurrent runs belongs to a session.
    check_session(url).await.map_err(|error| Error::Connect(error.to_string()))?;
    client
        .batch_execute(include_str!("../../sql/setup/before_migrating.sql"))
        .await
        .map_err(|error| Error::Migration(explain(&error)))?;
    let mut applied = Vec::new();
    let is_locked = |failed: &Attempt| matches!(failed, Attempt::Locked);
    let trying = async || attempt(&mut client, &mut applied).await;
    match with_patience(patience, is_locked, trying).await {
        Ok(()) => Ok(applied),
        Err(Attempt::Failed(reason)) => Err(Error::Migration(reason)),
        Err(Attempt::Locked) => {
            let holders = lock_holders(&client).await.map_err(|error| Error::Migration(explain(&error)))?;
            Err(Error::Locked { patience: patience.as_secs(), holders })
        }
    }
}

/// Repeats what another session's lock made fail, until `patience` has passed.
pub async fn with_patience<T, E>(
    patience: Duration,
    is_locked: impl Fn(&E) -> bool,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let until = Instant::now() + patience;
    loop {
        match attempt().await {
            Err(error) if is_locked(&error) && Instant::now() < until => tokio::time::sleep(BREATH).await,
            done => return done,
        }
    }
}

/// The sessions that hold locks, for the operator.
pub async fn lock_holders(client: &Client) -> Result<String, tokio_postgres::Error> {
    let holders = client.query(include_str!("../../sql/setup/lock_holders.sql"), &[]).await?;
    let holders: Vec<String> = holders.iter().map(|row| row.get(0)).collect();
    Ok(holders.join(", "))
}

enum Attempt {
    Locked,
    Failed(String),
}

impl Attempt {
    fn new(error: &(dyn std::error::Error + 'static), text: String) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.downcast_ref::<tokio_postgres::Error>().is_some_and(is_locked) {
                return Self::Locked;
            }
            cause = error.source();
        }
        Self::Failed(text)
    }
}

/// Whether a statement failed because another session holds a lock.
pub fn is_locked(error: &tokio_postgres::Error) -> bool {
    let code = error.code();
    code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}

/// Runs the migrations. Each is a transaction, so that the next attempt continues where this one ended.
async fn attempt(client: &mut Client, applied: &mut Vec<String>) -> Result<(), Attempt> {
    let result = embedded::migrations::runner().set_migration_table_name(HISTORY).run_async(client).await;
    let report = match &result {
        Ok(report) => Some(report),
        Err(error) => error.report(),
    };
    let migrations = report.into_iter().flat_map(|report| report.applied_migrations());
    applied.extend(migrations.map(ToString::to_string));
    result.map_err(|error| Attempt::new(&error, error_chain(&error)))?;
    client
        .batch_execute(include_str!("../../sql/setup/after_migrating.sql"))
        .await
        .map_err(|error| Attempt::new(&error, explain(&error)))
}

/// The migration version that this program requires.
pub fn newest() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| migration.version())
        .max()
        .unwrap_or_default()
}

/// Opens a single connection, outside any pool.
pub async fn connect(url: &DatabaseUrl) -> Result<Client, String> {
    let failed = |reason: &str| format!("cannot connect to {}: {reason}", url.destination());
    let connecting = tokio::time::timeout(Duration::from_secs(10), url.connect());
    let (client, connection) = match connecting.await {
        Err(_) => return Err(failed("no answer within 10 seconds")),
        Ok(Err(error)) => return Err(failed(&url.explain(&error))),
        Ok(Ok(connected)) => connected,
    };
    tokio::spawn(connection);
    Ok(client)
}

/// The one row of a statement without parameters, in a database that may lack the functions that enter.
pub async fn ask<R: FromRow>(client: &Client, sql: Sql<R>) -> Result<R, error::Error> {
    let asked = client.query_one(sql.text, &[]).await;
    let row = asked.map_err(|error| error::Error::from_postgres(sql.name, &error))?;
    R::from_row(&Columns::new(sql.name, &row))
}
