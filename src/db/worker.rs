//! Access to the database as `appointd_worker`: a type of its own, so that no request uses its pool and no work in the
//! background that of the requests.

use uuid::Uuid;

use super::{
    entry::{Context, Who},
    error::Error,
    row::FromRow,
    sql::{Params, Sql},
    tx::{Db, Tx},
    url::DatabaseUrl,
};

/// Access to the database as `appointd_worker`.
#[derive(Clone)]
pub struct WorkerDb(Db);

impl WorkerDb {
    /// A pool of at most `connections`, opened when needed.
    pub fn new(url: &DatabaseUrl, connections: usize) -> Self {
        Self(Db::new(url, connections))
    }

    /// A transaction in one organization. Sends nothing yet.
    pub fn begin(&self, tenant: Uuid) -> Tx {
        self.0.begin(Context { tenant, who: Who::Worker, needs: "worker", feature: None })
    }

    /// Runs one statement without a tenant: calls of gate functions, which say where work waits.
    pub async fn gate_all<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<Vec<R>, Error> {
        self.0.gate_all(sql, params).await
    }

    /// Like [`gate_all`](Self::gate_all), for a statement that returns one row.
    pub async fn gate<R: FromRow>(&self, sql: Sql<R>, params: Params<'_>) -> Result<R, Error> {
        self.0.gate(sql, params).await
    }
}
