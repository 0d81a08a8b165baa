//! Whether this server is alive, and whether it can serve.

use std::time::{Duration, Instant};

use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::{
    db::{self, Db, migrate},
    http::{
        json::Json,
        problem::{ApiError, Open, Problem},
    },
    sql,
};

/// Shorter than the patience of whoever asks.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer about readiness is given again: however many ask, each thread asks the database once a second.
const KEPT: Duration = Duration::from_secs(1);

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

pub struct HealthApi {
    db: Db,
    /// When the database was last asked, and what came of it. Whoever comes while it is asked waits for that answer.
    last: Mutex<Option<(Instant, Result<(), Problem>)>>,
}

impl HealthApi {
    pub fn new(db: Db) -> Self {
        Self { db, last: Mutex::default() }
    }

    async fn ask(&self) -> Result<(), Problem> {
        let asking = self.db.gate(sql!("operations/migrations_last.sql"), &[]);
        let answer = tokio::time::timeout(PATIENCE, asking).await.map_err(|_elapsed| {
            Problem::unavailable("database_unavailable", "The database does not answer.")
        })?;
        let not_migrated =
            || Problem::unavailable("not_migrated", "The database lacks migrations of this server.");
        let row = match answer {
            // No such schema, no such table, or no right on them: another database than the server started on.
            Err(db::Error::Other { sqlstate, .. })
                if ["3F000", "42P01", "42501"].contains(&sqlstate.as_str()) =>
            {
                return Err(not_migrated());
            }
            answer => answer?,
        };
        if row.get::<_, Option<i32>>(0) < Some(migrate::newest()) {
            return Err(not_migrated());
        }
        if row.get(1) {
            return Err(Problem::unavailable(
                "database_read_only",
                "The database is a standby, or takes no writes for another reason.",
            ));
        }
        Ok(())
    }
}

#[OpenApi(prefix_path = "/health")]
impl HealthApi {
    /// Is the server alive?
    ///
    /// Asks nothing of the database. Where this does not answer, restart the server.
    #[oai(path = "/live", method = "get", operation_id = "get_liveness")]
    async fn live(&self) -> Result<Json<Health>, ApiError<Open>> {
        Ok(Health::ok())
    }

    /// Can the server serve?
    ///
    /// Asks the database, once a second at most. 503 `database_unavailable`, `database_read_only` (a standby), `pooler_detected` (a pooler of
    /// transactions) or `not_migrated`: send requests elsewhere for now.
    #[oai(path = "/ready", method = "get", operation_id = "get_readiness")]
    async fn ready(&self) -> Result<Json<Health>, ApiError<Open>> {
        let mut last = self.last.lock().await;
        let answer = match &*last {
            Some((asked_at, answer)) if asked_at.elapsed() < KEPT => answer.clone(),
            _ => {
                let answer = self.ask().await;
                *last = Some((Instant::now(), answer.clone()));
                answer
            }
        };
        answer?;
        Ok(Health::ok())
    }
}
