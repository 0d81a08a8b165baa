//! Operations of one statement: entering, the statement and its commit are sent in one flight, and retried after a lost
//! race.

use super::{
    entry::Entry,
    error::Error,
    row::FromRow,
    sql::{Params, Sql},
    tx::{Db, Tx},
};

impl Db {
    /// Runs one statement and commits, in one flight. Returns all rows.
    pub async fn all<R: FromRow>(
        &self,
        entry: impl Into<Entry>,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<Vec<R>, Error> {
        self.alone(entry.into(), sql, params).await
    }

    /// Like [`all`](Self::all), for a statement that returns one row or none.
    pub async fn optional<R: FromRow>(
        &self,
        entry: impl Into<Entry>,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<Option<R>, Error> {
        Ok(self.all(entry, sql, params).await?.pop())
    }

    /// Like [`all`](Self::all), for a statement that returns one row.
    pub async fn one<R: FromRow>(
        &self,
        entry: impl Into<Entry>,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<R, Error> {
        self.optional(entry, sql, params).await?.ok_or_else(|| Error::no_row(sql.name))
    }

    /// Runs one statement without a tenant: calls of gate functions, and health checks. No policy lets such a
    /// transaction see a tenant's rows.
    pub async fn gate<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<R, Error> {
        self.alone(Entry::Stranger, sql, params).await?.pop().ok_or_else(|| Error::no_row(sql.name))
    }

    /// Like [`gate`](Self::gate), but returns all rows.
    pub async fn gate_all<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<Vec<R>, Error> {
        self.alone(Entry::Stranger, sql, params).await
    }

    /// Runs a single statement, and retries it after a conflict with another transaction.
    async fn alone<R: FromRow>(
        &self,
        entry: Entry,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<Vec<R>, Error> {
        self.attempt(entry, async |tx: Tx, _| tx.commit_with_all(sql, params).await).await
    }
}
