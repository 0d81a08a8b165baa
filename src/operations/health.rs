//! Whether this server is alive, and whether it can serve.

use std::time::Duration;

use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    db::{Db, migrate},
    http::{
        Tag,
        json::Json,
        problem::{Open, Problem, Refused},
    },
    sql,
};

/// Shorter than the patience of whoever asks.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a server is.
#[derive(Debug, Object, Serialize)]
pub struct Health {
    /// Always `ok`: a server that is not well answers with a problem.
    pub status: String,
}

impl Health {
    fn ok() -> Json<Self> {
        Json(Self { status: "ok".to_owned() })
    }
}

pub struct HealthApi(pub Db);

#[OpenApi(prefix_path = "/health", tag = "Tag::Operations")]
impl HealthApi {
    /// Is the server alive?
    ///
    /// Asks nothing of the database. Where this does not answer, restart the server.
    #[oai(path = "/live", method = "get", operation_id = "get_liveness")]
    async fn live(&self) -> Result<Json<Health>, Refused<Open>> {
        Ok(Health::ok())
    }

    /// Can the server serve?
    ///
    /// Asks the database. 503 `database_unavailable` or `not_migrated`: send requests elsewhere for now.
    #[oai(path = "/ready", method = "get", operation_id = "get_readiness")]
    async fn ready(&self) -> Result<Json<Health>, Refused<Open>> {
        let asking = self.0.gate(sql!("operations/migrations_last.sql"), &[]);
        let row = tokio::time::timeout(PATIENCE, asking).await.map_err(|_elapsed| {
            Problem::unavailable("database_unavailable", "The database does not answer.")
        })??;
        if row.get::<_, Option<i32>>(0) < Some(migrate::newest()) {
            Err(Problem::unavailable("not_migrated", "The database lacks migrations of this server."))?;
        }
        Ok(Health::ok())
    }
}
