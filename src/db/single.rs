//! Operations of one statement: entering, the statement and its commit are sent in one flight, and retried after a lost
//! race.

use tokio_postgres::Row;

use super::{
    entry::Entry,
    error::Error,
    sql::{Params, Sql},
    tx::{Db, Tx},
};

impl Db {
    /// Runs one statement and commits, in one flight. Returns all rows.
    pub async fn all(
        &self,
        entry: impl Into<Entry>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.alone(entry.into(), sql, params).await
    }

    /// Like [`all`](Self::all), for a statement that returns one row or none.
    pub async fn optional(
        &self,
        entry: impl Into<Entry>,
        sql: Sql,
        params: Params<'_>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.all(entry, sql, params).await?.pop())
    }

    /// Like [`all`](Self::all), for a statement that returns one row.
    pub async fn one(&self, entry: impl Into<Entry>, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        self.optional(entry, sql, params).await?.ok_or_else(|| Error::no_row(sql.name))
    }

    /// Runs one statement without a tenant: calls of gate functions, and health checks. No policy lets such a
    /// transaction see a tenant's rows.
    pub async fn gate(&self, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        self.alone(Entry::Stranger, sql, params).await?.pop().ok_or_else(|| Error::no_row(sql.name))
    }

    /// Like [`gate`](Self::gate), but returns all rows.
    pub async fn gate_all(&self, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.alone(Entry::Stranger, sql, params).await
    }

    /// Runs a single statement, and retries it after a conflict with another transaction.
    async fn alone(&self, entry: Entry, sql: Sql, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.attempt(entry, async |tx: Tx, _| tx.last(sql, params).await).await
    }
}
