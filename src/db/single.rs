//! Operations of one statement: entering, the statement and its commit travel in one flight, again after a lost race.

use tokio_postgres::Row;

use super::{
    entry::Entry,
    error::Error,
    sql::{Params, Sql},
    tx::{Db, Tx},
};

impl Db {
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
        self.optional(entry, sql, params).await?.ok_or_else(|| Error::no_row(sql.name))
    }

    /// One statement without a tenant: the calls of functions that look before a tenant is known, and health checks.
    /// No policy lets such a transaction see a row of any tenant.
    pub async fn gate(&self, sql: Sql, params: Params<'_>) -> Result<Row, Error> {
        self.alone(Entry::Stranger, sql, params).await?.pop().ok_or_else(|| Error::no_row(sql.name))
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
