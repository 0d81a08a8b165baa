//! Jobs: what handlers do, and the statements of the queue. Each change of a claimed job names the token of its lease,
//! so a worker that has lost it changes nothing. What a job does is done at least once; what it writes in the
//! transaction that deletes it ([`Job::finish_in`]), once.

use std::{pin::Pin, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    db::{self, Tx, WorkerDb, row},
    http::{secret, values::named_enum},
    sql,
};

/// How long a claimed job belongs to its worker. It extends the lease three times as often.
pub const LEASE: Duration = Duration::from_secs(60);

/// The first pause before another attempt; each further one is three times as long.
const FIRST_PAUSE: f64 = 5.0;

/// The longest pause before another attempt.
const LONGEST_PAUSE: f64 = 6.0 * 3600.0;

named_enum! {
    /// The lane of a job: which places of a process it gets.
    Lane {
        /// People wait for it.
        Live = "live",
        /// Exports and upkeep: at most half of the places.
        Bulk = "bulk",
    }
}

/// A kind of jobs.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The module and a verb: `scheduling.sweep`.
    pub name: &'static str,
    pub lane: Lane,
    /// How many of one organization may run at once.
    pub at_once: i32,
    /// When as many attempts have failed, the job is dead.
    pub attempts: i16,
}

impl Kind {
    pub const fn new(name: &'static str, lane: Lane) -> Self {
        Self { name, lane, at_once: 1, attempts: 12 }
    }
}

/// A job that was claimed.
#[derive(Clone, Debug)]
pub struct Job {
    pub tenant: Uuid,
    pub id: Uuid,
    pub kind: String,
    pub key: Option<String>,
    pub payload: Map<String, Value>,
    /// From 1.
    pub attempt: i16,
    pub max_attempts: i16,
    /// Of its lease.
    pub token: Uuid,
}

row! {
    Job {
        id, kind, key, payload as json, attempt, max_attempts, token = lease_token;
        tenant: Uuid::nil()
    }
}

impl Job {
    /// Ends the job in the transaction of its effects, which must not be committed if the lease is lost: false.
    pub async fn finish_in(&self, tx: &mut Tx) -> Result<bool, db::Error> {
        let ended = tx
            .optional(sql!("messaging/jobs_finish.sql" as (Uuid,)), &[&vec![self.id], &vec![self.token]])
            .await?;
        Ok(ended.is_some())
    }

    /// Locks the job: what adds to its work does so before the next statement, or after this transaction. False if the
    /// lease is lost.
    pub async fn hold_in(&self, tx: &mut Tx) -> Result<bool, db::Error> {
        let held = tx.optional(sql!("messaging/jobs_hold.sql" as (Uuid,)), &[&self.id, &self.token]).await?;
        Ok(held.is_some())
    }

    /// Gives the job back in a transaction, to be due later; this was no attempt. The handler then returns
    /// [`Done::Finished`].
    pub async fn release_in(&self, tx: &mut Tx, after: Duration) -> Result<(), db::Error> {
        let sql = sql!("messaging/jobs_release.sql" as (Uuid,));
        tx.all(sql, &[&vec![self.id], &vec![self.token], &after.as_secs_f64()]).await?;
        Ok(())
    }
}

/// What became of an attempt that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The job is to be deleted, or [`Job::finish_in`] or [`Job::release_in`] has ended the attempt.
    Finished,
    /// It could not be done yet, and this was no attempt.
    Later(Duration),
}

/// Why an attempt failed, in at most 500 characters, for admins of the organization: no secrets, no addresses.
#[derive(Debug)]
pub struct Failed(pub String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub type Working<'a> = Pin<Box<dyn Future<Output = Result<Done, Failed>> + Send + 'a>>;

impl Job {
    /// An id in the payload. A job without it fails, so that it is seen.
    pub fn named(&self, name: &str) -> Result<Uuid, Failed> {
        let id = self.payload.get(name).and_then(Value::as_str).and_then(|id| id.parse().ok());
        id.ok_or_else(|| Failed(format!("the payload has no id {name}")))
    }
}

/// What is done for jobs of one kind. No transaction may be open while it waits for anything but the database. It is
/// dropped when its lease is lost.
pub trait Handler: Send + Sync {
    fn kind(&self) -> Kind;
    fn run<'a>(&'a self, job: &'a Job) -> Working<'a>;
}

/// The pause before the next attempt: 5 s, 15 s, 45 s, … up to six hours, and up to a fifth more or less, so that what
/// failed together is not tried together again.
pub fn pause_after(attempt: i16) -> Duration {
    spread((FIRST_PAUSE * 3_f64.powi(i32::from(attempt.max(1)) - 1)).min(LONGEST_PAUSE))
}

/// So many seconds, and up to a fifth more or less.
pub(super) fn spread(seconds: f64) -> Duration {
    let [a, b, ..] = secret::random();
    let part = f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX);
    Duration::from_secs_f64(seconds * (0.8 + 0.4 * part))
}

/// A job to be added.
#[derive(Debug)]
pub struct NewJob<'a> {
    pub kind: Kind,
    /// Of the jobs of one kind that are not dead, one has this key.
    pub key: Option<&'a str>,
    pub payload: Value,
    /// None: now.
    pub run_at: Option<DateTime<Utc>>,
}

impl NewJob<'_> {
    /// Adds it in a transaction of the worker; `None` if another has the key.
    pub async fn add(&self, tx: &mut Tx) -> Result<Option<Uuid>, db::Error> {
        let Self { kind, key, payload, run_at } = self;
        let sql = sql!("messaging/jobs_add.sql" as (Uuid,));
        let added =
            tx.optional(sql, &[&kind.name, &kind.lane.name(), key, payload, run_at, &kind.attempts]).await?;
        Ok(added.map(|(id,)| id))
    }
}

/// The number of jobs of all organizations together.
#[derive(Debug)]
pub struct WaitingWork {
    pub kind: String,
    pub state: String,
    pub jobs: i64,
    /// Since when the oldest is due; none without a job.
    pub oldest_at: Option<DateTime<Utc>>,
}

row! {
    WaitingWork { kind, state, jobs, oldest_at }
}

/// Whether any organization has work.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub publish: bool,
    pub live: bool,
    pub bulk: bool,
    pub wake: bool,
}

row! {
    Due { publish, live, bulk, wake }
}

/// The queue, for a worker.
#[derive(Clone)]
pub struct Queue(pub WorkerDb);

impl Queue {
    /// Whether anything is to be done.
    pub async fn due(&self) -> Result<Due, db::Error> {
        self.0.gate(sql!("messaging/work_due.sql" as Due), &[]).await
    }

    /// Jobs by kind and state, and events that are not published as kind `outbox`: for metrics.
    pub async fn waiting(&self) -> Result<Vec<WaitingWork>, db::Error> {
        self.0.gate_all(sql!("messaging/work_waiting.sql" as WaitingWork), &[]).await
    }

    /// Organizations with jobs that are ready, after one of them.
    pub async fn tenants(&self, lane: Lane, after: Option<Uuid>, most: i32) -> Result<Vec<Uuid>, db::Error> {
        let sql = sql!("messaging/tenants_with_jobs.sql" as (Uuid,));
        let tenants = self.0.gate_all(sql, &[&lane.name(), &after, &most]).await?;
        Ok(tenants.into_iter().map(|(tenant,)| tenant).collect())
    }

    /// Claims jobs of one organization; none if another worker is claiming there.
    pub async fn claim(
        &self,
        tenant: Uuid,
        lane: Lane,
        kinds: &[Kind],
        most: i64,
    ) -> Result<Vec<Job>, db::Error> {
        let mut tx = self.0.begin(tenant);
        if tx.optional(sql!("messaging/turns_lock.sql" as (i64,)), &[]).await?.is_none() {
            tx.commit().await?;
            return Ok(Vec::new());
        }
        let (names, at_once): (Vec<_>, Vec<_>) = kinds.iter().map(|kind| (kind.name, kind.at_once)).unzip();
        let sql = sql!("messaging/jobs_claim.sql" as Job);
        let lease = LEASE.as_secs_f64();
        let claimed = tx
            .commit_with_all(sql, &[&lane.name(), &names, &at_once, &most, &Uuid::new_v4(), &lease])
            .await?;
        Ok(claimed.into_iter().map(|job| Job { tenant, ..job }).collect())
    }

    /// Extends the leases of jobs of one organization; returns those that are still held.
    pub async fn extend(&self, tenant: Uuid, jobs: &[(Uuid, Uuid)]) -> Result<Vec<Uuid>, db::Error> {
        let (ids, tokens): (Vec<_>, Vec<_>) = jobs.iter().copied().unzip();
        let sql = sql!("messaging/jobs_extend.sql" as (Uuid,));
        let held = self.0.begin(tenant).commit_with_all(sql, &[&ids, &tokens, &LEASE.as_secs_f64()]).await?;
        Ok(held.into_iter().map(|(id,)| id).collect())
    }

    /// Deletes jobs that are done; returns how many were still held.
    pub async fn finish(&self, tenant: Uuid, jobs: &[(Uuid, Uuid)]) -> Result<usize, db::Error> {
        let (ids, tokens): (Vec<_>, Vec<_>) = jobs.iter().copied().unzip();
        let sql = sql!("messaging/jobs_finish.sql" as (Uuid,));
        Ok(self.0.begin(tenant).commit_with_all(sql, &[&ids, &tokens]).await?.len())
    }

    /// Notes that an attempt failed; whether the job is dead now. `None` if the lease was lost.
    pub async fn fail(&self, job: &Job, error: &str) -> Result<Option<bool>, db::Error> {
        let sql = sql!("messaging/jobs_fail.sql" as (String,));
        let pause = pause_after(job.attempt).as_secs_f64();
        let state = self.0.begin(job.tenant).commit_with(sql, &[&job.id, &job.token, &pause, &error]).await?;
        Ok(state.map(|(state,)| state == "dead"))
    }

    /// Gives jobs of one organization back; this was no attempt.
    pub async fn release(
        &self,
        tenant: Uuid,
        jobs: &[(Uuid, Uuid)],
        after: Duration,
    ) -> Result<(), db::Error> {
        let (ids, tokens): (Vec<_>, Vec<_>) = jobs.iter().copied().unzip();
        let sql = sql!("messaging/jobs_release.sql" as (Uuid,));
        self.0.begin(tenant).commit_with_all(sql, &[&ids, &tokens, &after.as_secs_f64()]).await?;
        Ok(())
    }

    /// Makes jobs that are due ready, and takes jobs from workers that have vanished. Returns how many of the latter.
    pub async fn wake(&self) -> Result<usize, db::Error> {
        let sql = sql!("messaging/tenants_to_wake.sql" as (Uuid,));
        let mut vanished = 0;
        for (tenant,) in self.0.gate_all(sql, &[&64_i32]).await? {
            let sql = sql!("messaging/jobs_wake.sql" as (bool,));
            match self.0.begin(tenant).commit_with_all(sql, &[&1000_i64]).await {
                Ok(woken) => vanished += woken.into_iter().filter(|(vanished,)| *vanished).count(),
                // Suspended meanwhile.
                Err(db::Error::WrongHost) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(vanished)
    }
}
