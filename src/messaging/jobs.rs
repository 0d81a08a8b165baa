//! The operations on jobs: what is done in the background, and what could not be done.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{Db, row},
    http::{
        caller::{Admin, Member},
        json::{AnyObject, Json, NoContent},
        page::{Cursor, Ids, Page, Paging, any_of},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading},
        values::{List, Text, named_enum},
    },
    sql,
};

named_enum! {
    /// The state of a job.
    JobState {
        /// It is due later, for example because an attempt failed.
        Scheduled = "scheduled",
        Ready = "ready",
        Running = "running",
        /// Its last attempt failed. It can be requeued or discarded.
        Dead = "dead",
    }
}

/// Work in the background that is not done yet. A job that is done is deleted.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct QueuedJob {
    pub id: Uuid,
    /// What is to be done: the module and a verb.
    pub kind: String,
    /// Key that distinguishes it from other jobs of its kind. Absent: several may exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The ids it is about.
    pub payload: AnyObject,
    pub state: JobState,
    /// When it is due.
    pub run_at: DateTime<Utc>,
    /// The number of attempts that were begun.
    pub attempt: i16,
    /// When as many attempts have failed, the job is dead.
    pub max_attempts: i16,
    /// Why the last attempt failed. Absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
}

row! {
    QueuedJob {
        id, kind, key, payload as json, state, run_at, attempt, max_attempts, last_error, created_at
    }
}

/// How many jobs of one kind are in one state.
#[derive(Debug, Object, Serialize)]
pub struct JobCount {
    pub kind: String,
    pub state: JobState,
    pub jobs: i64,
    /// When the oldest of them was or is due.
    pub oldest_run_at: DateTime<Utc>,
}

row! {
    JobCount { kind, state, jobs, oldest_run_at = oldest_at }
}

/// The number of jobs.
#[derive(Debug, Object, Serialize)]
pub struct JobSummary {
    /// By kind and state. A pair without jobs is left out.
    pub items: Vec<JobCount>,
}

/// A job that was to be changed; without it if it is not dead.
struct Changed {
    was_dead: bool,
    job: Option<QueuedJob>,
}

row! {
    Changed { was_dead, job: Option<QueuedJob> }
}

pub struct JobsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl JobsApi {
    /// List the jobs
    ///
    /// Work in the background that is not done yet, in the order of its ids.
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs")]
    async fn list(
        &self,
        caller: Member<Admin>,
        ids: Ids,
        /// Only jobs in one of these states. Can be repeated.
        state: Query<List<JobState, 0, 4>>,
        /// Only jobs of this kind.
        kind: Query<Option<Text<1, 100>>>,
        page: Paging,
    ) -> Result<Json<Page<QueuedJob>>, ApiError<Listing>> {
        let states: Option<Vec<&str>> = any_of(state.0.iter().map(|state| state.name()).collect());
        let sql = sql!("messaging/jobs_list.sql" as QueuedJob);
        let jobs = self
            .0
            .all(&caller, sql, &[&page.after_id(), &page.rows(), &states, &kind.0.as_deref(), &ids.0])
            .await?;
        Ok(Json(page.of(jobs, |last| Cursor::id(last.id))))
    }

    /// Count the jobs
    ///
    /// The number of jobs of each kind in each state, and when the oldest was due.
    #[oai(path = "/jobs/summary", method = "get", operation_id = "get_job_summary")]
    async fn summary(&self, caller: Member<Admin>) -> Result<Json<JobSummary>, ApiError<Reading>> {
        let items = self.0.all(&caller, sql!("messaging/jobs_summary.sql" as JobCount), &[]).await?;
        Ok(Json(JobSummary { items }))
    }

    /// Requeue a dead job
    ///
    /// It is tried again at once, with as many attempts as a new one. 409 `not_dead` if it is not dead. 409
    /// `job_waiting` if another job of its kind with its key waits or runs.
    #[oai(path = "/jobs/:job_id/requeue", method = "post", operation_id = "requeue_job")]
    async fn requeue(
        &self,
        caller: Member<Admin>,
        job_id: Path<Uuid>,
    ) -> Result<Json<QueuedJob>, ApiError<Deleting>> {
        let sql = sql!("messaging/jobs_requeue.sql" as Changed);
        let changed = self.0.optional(&caller, sql, &[&job_id.0]).await;
        let changed = changed.on_constraint("jobs_key", || {
            Problem::conflict("job_waiting", "Another job of this kind with the same key waits or runs.")
        })?;
        match changed {
            Some(Changed { job: Some(job), .. }) => Ok(Json(job)),
            Some(Changed { was_dead, .. }) => Err(not_dead(was_dead))?,
            None => Err(Problem::not_found())?,
        }
    }

    /// Discard a dead job
    ///
    /// What it was to do is never done. 409 `not_dead` if it is not dead.
    #[oai(path = "/jobs/:job_id", method = "delete", operation_id = "discard_job")]
    async fn discard(
        &self,
        caller: Member<Admin>,
        job_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let sql = sql!("messaging/jobs_discard.sql" as (bool,));
        match self.0.optional(&caller, sql, &[&job_id.0]).await? {
            Some((true,)) => Ok(NoContent),
            Some((false,)) => Err(not_dead(false))?,
            None => Err(Problem::not_found())?,
        }
    }
}

/// The job is not dead, or another request has just changed it.
fn not_dead(was_dead: bool) -> Failure {
    let detail = match was_dead {
        true => "Another request has just requeued or discarded the job.",
        false => "The job is not dead: it waits or runs.",
    };
    Problem::conflict("not_dead", detail).into()
}
