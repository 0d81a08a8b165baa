//! Migrations: the files of `sql/migrations`, compiled in, applied in order by the owner.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

mod embedded {
    refinery::embed_migrations!("sql/migrations");
}

const HISTORY: &str = "app.migrations";

/// Why migrating failed. Meant for the person who runs it, who is the owner of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot connect to the database as its owner: {0}")]
    Connect(String),
    #[error("{0}")]
    Migration(String),
}

/// Applies what is missing and says what it applied. Two that run at once wait for each other.
pub async fn run(url: &Config) -> Result<Vec<String>, Error> {
    let mut client = connect(url).await.map_err(Error::Connect)?;
    client
        .batch_execute(include_str!("../../sql/setup/before_migrating.sql"))
        .await
        .map_err(|error| Error::Migration(explain(&error)))?;
    let mut runner = embedded::migrations::runner();
    let report = runner
        .set_migration_table_name(HISTORY)
        .run_async(&mut client)
        .await
        .map_err(|error| Error::Migration(error_chain(&error)))?;
    client
        .batch_execute(include_str!("../../sql/setup/after_migrating.sql"))
        .await
        .map_err(|error| Error::Migration(explain(&error)))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// The version a database must have for this program.
pub fn newest() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| migration.version())
        .max()
        .unwrap_or_default()
}

/// One connection of its own, outside any pool.
pub async fn connect(url: &Config) -> Result<Client, String> {
    let connecting = tokio::time::timeout(Duration::from_secs(10), url.connect(NoTls));
    let (client, connection) = match connecting.await {
        Err(_) => return Err("no answer within 10 seconds".to_owned()),
        Ok(Err(error)) => return Err(explain(&error)),
        Ok(Ok(connected)) => connected,
    };
    tokio::spawn(connection);
    Ok(client)
}

/// What PostgreSQL said, for the person at the terminal.
pub fn explain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => refusal.message().to_owned(),
        None => error_chain(error),
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
