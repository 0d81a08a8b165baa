//! Access to the database as `appointd_door`: a type of its own, for the functions of the gate that work before the
//! caller is known and so believe what they are told (signing in, registering, refreshing a session). The role that
//! serves requests cannot call them, so no statement of a request can.

use super::{
    entry::Person,
    error::Error,
    row::FromRow,
    sql::{Params, Sql},
    tx::Db,
    url::DatabaseUrl,
};

/// Access to the database as `appointd_door`, which reaches no table and no tenant.
#[derive(Clone)]
pub struct FrontDoor(Db);

impl FrontDoor {
    /// A pool of at most `connections`, opened when needed.
    pub fn new(url: &DatabaseUrl, connections: usize) -> Self {
        Self(Db::new(url, connections))
    }

    /// Calls a function before the caller is known.
    pub async fn gate<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<R, Error> {
        self.0.gate(sql, params).await
    }

    /// Like [`gate`](Self::gate), but returns all rows.
    pub async fn gate_all<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<Vec<R>, Error> {
        self.0.gate_all(sql, params).await
    }

    /// Calls a function as a person who has signed in.
    pub async fn one<R: FromRow>(
        &self,
        person: impl Into<Person>,
        sql: Sql<R>,
        params: Params<'_>,
    ) -> Result<R, Error> {
        self.0.one(person.into(), sql, params).await
    }
}
