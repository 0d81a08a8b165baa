//! Transactions, batches of rows and errors of the tenant commands.

use std::error::Error;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Client, Row, Transaction, error::SqlState};
use uuid::Uuid;

use crate::db::migrate;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Serialize)]
pub struct Organization {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub status: String,
    /// When its data will be deleted, after its owner deleted it.
    pub purge_after: Option<DateTime<Utc>>,
}

impl Organization {
    pub fn nameless(id: Uuid) -> Self {
        let name = id.to_string();
        Self { id, slug: name.clone(), name, status: String::new(), purge_after: None }
    }
}

pub async fn organizations(client: &Client) -> Outcome<Vec<Organization>> {
    let rows = client.query(include_str!("../../sql/tenant/list.sql"), &[]).await.map_err(said)?;
    let organization = |row: &Row| {
        Ok(Organization {
            id: row.try_get("id")?,
            slug: row.try_get("slug")?,
            name: row.try_get("name")?,
            status: row.try_get("status")?,
            purge_after: row.try_get("purge_after")?,
        })
    };
    rows.iter().map(organization).collect::<Result<_, _>>().map_err(said)
}

/// The number of rows that are sent at a time.
const BATCH: usize = 1000;

/// Rows of one table with the same columns, each with its position in the input.
pub struct Batch {
    pub relation: String,
    pub columns: Vec<String>,
    pub rows: Vec<(String, Value)>,
}

impl Batch {
    /// Whether a row fits into this batch.
    pub fn takes(&self, relation: &str, row: &serde_json::Map<String, Value>) -> bool {
        self.relation == relation && self.rows.len() < BATCH && self.columns.iter().eq(row.keys())
    }

    /// Sends the rows. If that fails, sends them one by one to find the row at fault.
    pub async fn send(self, transaction: &Transaction<'_>, statement: &str, tenant: Uuid) -> Outcome<i64> {
        let statement = transaction.prepare(statement).await.map_err(said)?;
        let send = async |rows: Vec<&Value>| {
            let rows = serde_json::to_string(&rows).unwrap_or_default();
            transaction.query_one(&statement, &[&tenant, &self.relation, &rows]).await
        };
        transaction.batch_execute("savepoint batch").await.map_err(said)?;
        match send(self.rows.iter().map(|(_, row)| row).collect()).await {
            Ok(row) => {
                transaction.batch_execute("release savepoint batch").await.map_err(said)?;
                Ok(row.get(0))
            }
            Err(error) if migrate::is_locked(&error) => Err(said(error)),
            Err(error) => {
                transaction.batch_execute("rollback to savepoint batch").await.map_err(said)?;
                for (place, row) in &self.rows {
                    if let Err(error) = send(vec![row]).await {
                        return Err(format!("{place}: {}", said(error)).into());
                    }
                }
                // Each row works alone: two of them conflict with each other.
                Err(format!("{}: {}", self.relation, said(error)).into())
            }
        }
    }
}

/// Begins a transaction. Dropping it without a commit changes nothing.
pub async fn begin(client: &mut Client) -> Outcome<Transaction<'_>> {
    client.transaction().await.map_err(said)
}

/// Another session holds a lock that the command needs.
#[derive(Debug, thiserror::Error)]
#[error("another session holds a required lock; nothing was changed: run the command again")]
pub struct Locked;

/// The message of PostgreSQL, for the operator, who may read all data; or [`Locked`].
pub fn said(error: tokio_postgres::Error) -> Box<dyn Error> {
    match error.as_db_error() {
        Some(_) if migrate::is_locked(&error) => Locked.into(),
        Some(reported)
            if [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME]
                .contains(reported.code()) =>
        {
            "the database lacks migrations of this version; run `appointd migrate`".into()
        }
        Some(reported) => match reported.constraint() {
            Some(constraint) => format!("{} ({constraint})", reported.message()).into(),
            None => reported.message().into(),
        },
        None => error.to_string().into(),
    }
}
