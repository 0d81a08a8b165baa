//! Health checks: whether the server is alive, has started, and is ready to serve requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

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

/// The timeout of the database query, shorter than the usual timeout of a probe.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer is reused: each thread queries the database at most once a second.
const KEPT: Duration = Duration::from_secs(1);

/// The health of the server.
#[derive(Debug, Object, Serialize)]
pub struct Health {
    /// Always `ok`. An unhealthy server answers with a problem.
    pub status: String,
}

impl Health {
    fn ok() -> Json<Self> {
        Json(Self { status: "ok".to_owned() })
    }
}

/// Whether a server is about to stop; shared by its threads.
#[derive(Clone, Debug, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on the server is not ready, so that no load balancer sends it requests; it still answers.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct HealthApi {
    db: Db,
    stopping: Stopping,
    /// Whether it was ready once.
    started: AtomicBool,
    /// When the database was last queried, and the result. Concurrent requests wait for a query that is under way.
    last: Mutex<Option<(Instant, Result<(), Problem>)>>,
}

impl HealthApi {
    pub fn new(db: Db, stopping: Stopping) -> Self {
        Self { db, stopping, started: AtomicBool::default(), last: Mutex::default() }
    }

    /// The answer of the database, at most a second old.
    async fn check(&self) -> Result<(), Problem> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((asked_at, answer)) if asked_at.elapsed() < KEPT => answer.clone(),
            _ => {
                let answer = self.ask().await;
                *last = Some((Instant::now(), answer.clone()));
                answer
            }
        }
    }

    async fn ask(&self) -> Result<(), Problem> {
        let asking = self.db.gate(sql!("operations/migrations_last.sql" as (Option<i32>, bool)), &[]);
        let answer = tokio::time::timeout(PATIENCE, asking).await.map_err(|_elapsed| {
            Problem::unavailable("database_unavailable", "The database does not answer.")
        })?;
        let not_migrated =
            || Problem::unavailable("not_migrated", "The database lacks migrations that this server needs.");
        let (version, read_only) = match answer {
            // The schema or the table is missing, or access is denied: not the database that the server started on.
            Err(db::Error::Other { sqlstate, .. })
                if ["3F000", "42P01", "42501"].contains(&sqlstate.as_str()) =>
            {
                return Err(not_migrated());
            }
            answer => answer?,
        };
        if version < Some(migrate::newest()) {
            return Err(not_migrated());
        }
        if read_only {
            return Err(Problem::unavailable(
                "database_read_only",
                "The database is read-only, such as a standby.",
            ));
        }
        Ok(())
    }
}

#[OpenApi(prefix_path = "/health")]
impl HealthApi {
    /// Check whether the server is ready, under the shortest path
    ///
    /// The same answer as `GET /health/ready`, with the same codes, such as `not_migrated` and `server_stopping`.
    #[oai(path = "/", method = "get", operation_id = "get_health")]
    async fn health(&self) -> Result<Json<Health>, ApiError<Open>> {
        self.ready().await
    }

    /// Check whether the server is alive
    ///
    /// Does not query the database. If this does not answer, restart the server.
    #[oai(path = "/live", method = "get", operation_id = "get_liveness")]
    async fn live(&self) -> Result<Json<Health>, ApiError<Open>> {
        Ok(Health::ok())
    }

    /// Check whether the server has started
    ///
    /// 503, such as `not_migrated`, until the server has been ready once; then always 200.
    #[oai(path = "/startup", method = "get", operation_id = "get_startup")]
    async fn startup(&self) -> Result<Json<Health>, ApiError<Open>> {
        if !self.started.load(Ordering::Relaxed) {
            self.check().await?;
            self.started.store(true, Ordering::Relaxed);
        }
        Ok(Health::ok())
    }

    /// Check whether the server is ready
    ///
    /// Queries the database at most once a second. 503 if the server cannot serve requests: `database_unavailable`,
    /// `database_read_only` (such as a standby), `pooler_detected` (a transaction pooler), `not_migrated` or
    /// `server_stopping` (it still answers, but is about to stop). Send requests to another server meanwhile.
    #[oai(path = "/ready", method = "get", operation_id = "get_readiness")]
    async fn ready(&self) -> Result<Json<Health>, ApiError<Open>> {
        if self.stopping.has_begun() {
            return Err(Problem::unavailable("server_stopping", "The server is about to stop."))?;
        }
        self.check().await?;
        Ok(Health::ok())
    }
}
