//! The jobs that run in this process: claimed, with a lease that is extended, and ended in batches.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::sleep,
};
use uuid::Uuid;

use super::{
    counts::WorkCounts,
    queue::{Done, Failed, Handler, Job, LEASE, Lane, Queue},
};

/// A job that runs here.
struct Held {
    tenant: Uuid,
    token: Uuid,
    lane: Lane,
    kind: String,
    /// When the lease was last known to be ours.
    since: Instant,
    task: Option<AbortHandle>,
}

/// The jobs that run in this process.
#[derive(Clone)]
pub(super) struct Running {
    queue: Queue,
    held: Arc<Mutex<HashMap<Uuid, Held>>>,
    done: mpsc::UnboundedSender<Job>,
    counts: Arc<WorkCounts>,
    /// Told when a place is free.
    pub free: Arc<Notify>,
}

impl Running {
    /// The jobs, and the task that deletes those that are done.
    pub fn new(queue: Queue, counts: Arc<WorkCounts>) -> (Self, impl Future<Output = ()> + Send) {
        let (done, finished) = mpsc::unbounded_channel();
        let running = Self { queue, held: Arc::default(), done, counts, free: Arc::default() };
        let ending = running.clone();
        (running, ending.finish(finished))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs run: in all, and of one lane.
    pub fn count(&self, lane: Lane) -> (usize, usize) {
        let held = self.lock();
        (held.len(), held.values().filter(|job| job.lane == lane).count())
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Starts a job.
    pub fn start(&self, job: Job, handler: Arc<dyn Handler>) {
        let held = Held {
            tenant: job.tenant,
            token: job.token,
            lane: handler.kind().lane,
            kind: job.kind.clone(),
            since: Instant::now(),
            task: None,
        };
        self.lock().insert(job.id, held);
        self.counts.count(&job.kind, |attempts| attempts.started += 1);
        let (running, id) = (self.clone(), job.id);
        let task = tokio::spawn(async move {
            let started = Instant::now();
            let outcome = AssertUnwindSafe(handler.run(&job)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err(Failed("it panicked".to_owned())));
            running.counts.count(&job.kind, |attempts| attempts.took += started.elapsed());
            match outcome {
                Ok(Done::Finished) => {
                    // The receiver lives as long as the worker.
                    let _ = running.done.send(job);
                }
                Ok(Done::Later(pause)) => {
                    running.counts.count(&job.kind, |attempts| attempts.later += 1);
                    let released = running.queue.release(job.tenant, &[(job.id, job.token)], pause).await;
                    running.leave(&job, released.err());
                }
                Err(Failed(error)) => {
                    let failed = running.queue.fail(&job, &error).await;
                    let dead = matches!(failed, Ok(Some(true)));
                    tracing::warn!(
                        tenant = %job.tenant, kind = job.kind, attempt = job.attempt, dead, error, "a job failed"
                    );
                    running.counts.count(&job.kind, |attempts| match failed {
                        Ok(Some(true)) => attempts.dead += 1,
                        Ok(None) => attempts.leases_lost += 1,
                        _ => attempts.failed += 1,
                    });
                    running.leave(&job, failed.err());
                }
            }
        });
        if let Some(held) = self.lock().get_mut(&id) {
            held.task = Some(task.abort_handle());
        }
    }

    /// Frees the place of a job. One whose end could not be noted runs again when its lease has ended.
    fn leave(&self, job: &Job, error: Option<crate::db::Error>) {
        if let Some(error) = error {
            tracing::warn!(tenant = %job.tenant, kind = job.kind, %error, "the end of a job could not be noted");
        }
        self.forget(job.id, job.token);
        self.free.notify_one();
    }

    /// Deletes jobs that are done: as many in a transaction as are done by then.
    async fn finish(self, mut finished: mpsc::UnboundedReceiver<Job>) {
        let mut jobs = Vec::new();
        while finished.recv_many(&mut jobs, 100).await > 0 {
            for (tenant, jobs) in by_tenant(jobs.drain(..).map(|job| (job.tenant, job))) {
                let tokens: Vec<_> = jobs.iter().map(|job| (job.id, job.token)).collect();
                let ended = self.queue.finish(tenant, &tokens).await;
                if let Err(error) = &ended {
                    tracing::warn!(%tenant, %error, "jobs are done, and could not be deleted");
                }
                for job in &jobs {
                    self.counts.count(&job.kind, |attempts| attempts.finished += 1);
                    self.leave(job, None);
                }
            }
        }
    }

    /// Extends the leases, and stops the jobs whose lease is lost: another worker has them.
    pub async fn extend(&self) {
        let held = by_tenant(self.lock().iter().map(|(id, held)| (held.tenant, (*id, held.token))));
        for (tenant, jobs) in held {
            let asked = Instant::now();
            match self.queue.extend(tenant, &jobs).await {
                Ok(kept) => {
                    for (id, token) in jobs {
                        if kept.contains(&id) {
                            if let Some(held) = self.lock().get_mut(&id) {
                                held.since = asked;
                            }
                        } else {
                            self.stop(id, token);
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%tenant, %error, "leases could not be extended");
                    for (id, token) in jobs {
                        let over = self.lock().get(&id).is_some_and(|held| held.since.elapsed() >= LEASE);
                        if over {
                            self.stop(id, token);
                        }
                    }
                }
            }
        }
    }

    /// Frees the place of a job, unless it was given back and claimed again meanwhile.
    fn forget(&self, id: Uuid, token: Uuid) -> Option<Held> {
        let mut jobs = self.lock();
        jobs.get(&id).is_some_and(|held| held.token == token).then(|| jobs.remove(&id)).flatten()
    }

    /// Stops a job that is not ours any more.
    fn stop(&self, id: Uuid, token: Uuid) {
        let Some(held) = self.forget(id, token) else {
            return;
        };
        if let Some(task) = held.task {
            task.abort();
        }
        self.counts.count(&held.kind, |attempts| attempts.leases_lost += 1);
        tracing::warn!(tenant = %held.tenant, kind = held.kind, "the lease of a job was lost");
        self.free.notify_one();
    }

    /// Waits for the jobs that run, and gives those back that do not end in time.
    pub async fn drain(&self, patience: std::time::Duration) {
        let until = Instant::now() + patience;
        while !self.is_empty() && Instant::now() < until {
            tokio::select! {
                () = self.free.notified() => {}
                () = sleep(std::time::Duration::from_millis(50)) => {}
            }
        }
        let left: Vec<(Uuid, Held)> = self.lock().drain().collect();
        for task in left.iter().filter_map(|(_, held)| held.task.as_ref()) {
            task.abort();
        }
        let left = by_tenant(left.into_iter().map(|(id, held)| (held.tenant, (id, held.token))));
        for (tenant, jobs) in left {
            if let Err(error) = self.queue.release(tenant, &jobs, std::time::Duration::ZERO).await {
                tracing::warn!(%tenant, %error, "jobs could not be given back; they run again when their leases have ended");
            }
        }
    }
}

/// Items by organization: each statement is about one.
fn by_tenant<T>(items: impl Iterator<Item = (Uuid, T)>) -> BTreeMap<Uuid, Vec<T>> {
    let mut groups: BTreeMap<Uuid, Vec<T>> = BTreeMap::new();
    for (tenant, item) in items {
        groups.entry(tenant).or_default().push(item);
    }
    groups
}
