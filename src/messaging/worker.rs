//! The worker: publishes events, runs jobs, and does what is due regularly. Any number of workers can run at once.
//!
//! Organizations take turns: a worker claims a few jobs of one and goes on with the next, so that one with many jobs
//! does not delay others. It asks twice a second whether any work waits. Nothing here depends on being told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{
    counts::WorkCounts,
    cron::{Cron, Tick},
    publisher::Publisher,
    queue::{Handler, Kind, LEASE, Lane, Queue},
    running::Running,
};
use crate::{
    db::{self, WorkerDb},
    sql,
};

/// How often work is looked for.
const LOOKING: Duration = Duration::from_millis(500);

/// How often it is looked for what is due regularly. The look itself asks the database nothing.
const TICKING: Duration = Duration::from_millis(500);

/// How often a tick is looked at again: the worker that had it may have vanished.
const AGAIN: Duration = Duration::from_secs(60);

/// How often the clock of the database is asked for.
const SETTING: Duration = Duration::from_secs(60);

/// How long running jobs have to end when the worker stops, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// How many organizations are found at once.
const MOST_TENANTS: i32 = 32;

/// How many jobs of one organization are claimed at once, before it is the turn of the next.
const MOST_JOBS: usize = 10;

/// How many jobs run at once in a process, unless the operator says otherwise.
pub const DEFAULT_PLACES: usize = 8;

/// What a worker is made of.
#[derive(Clone)]
pub struct Worker {
    pub db: WorkerDb,
    pub publisher: Publisher,
    pub handlers: Vec<Arc<dyn Handler>>,
    pub crons: Vec<Cron>,
    /// How many jobs run at once.
    pub places: usize,
    /// How long running jobs have to end when it stops.
    pub patience: Duration,
    pub counts: Arc<WorkCounts>,
}

/// What the tasks of a worker tell each other.
#[derive(Clone, Default)]
struct Bells {
    publish: Arc<Notify>,
    wake: Arc<Notify>,
    /// Also told when a place becomes free.
    claim: Arc<Notify>,
}

impl Worker {
    /// Works until `stopping` says so. Then it claims nothing more, and running jobs have some time to end; those that
    /// do not are given back.
    pub async fn run(self, stopping: watch::Receiver<bool>) {
        let queue = Queue(self.db.clone());
        let (running, finishing) = Running::new(queue.clone(), self.counts.clone());
        let bells = Bells { claim: running.free.clone(), ..Bells::default() };
        let finishing = tokio::spawn(finishing);
        let extending = tokio::spawn({
            let running = running.clone();
            async move {
                loop {
                    sleep(LEASE / 3).await;
                    running.extend().await;
                }
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(until(stopping.clone(), look(queue.clone(), bells.clone())));
        tasks.spawn(until(stopping.clone(), self.clone().publish(bells.clone())));
        tasks.spawn(until(stopping.clone(), wake(queue.clone(), self.counts.clone(), bells.clone())));
        tasks.spawn(until(stopping.clone(), self.clone().tick(bells.clone())));
        let patience = self.patience;
        let claiming = self.claim(queue, running.clone(), bells, stopping);
        join(claiming, async { while tasks.join_next().await.is_some() {} }).await;
        running.drain(patience).await;
        extending.abort();
        finishing.abort();
    }

    async fn publish(self, bells: Bells) {
        loop {
            bells.publish.notified().await;
            match self.publisher.publish_all().await {
                Ok(events) => self.counts.publish(events),
                Err(error) => tracing::warn!(%error, "events could not be published"),
            }
        }
    }

    /// Does what is due regularly, each beside the others.
    async fn tick(self, bells: Bells) {
        let clock = Arc::new(tokio::sync::Mutex::new(Clock::default()));
        let mut crons = JoinSet::new();
        for cron in self.crons.clone() {
            let (db, clock, bells) = (self.db.clone(), clock.clone(), bells.clone());
            crons.spawn(async move {
                let mut seen: Option<(Tick, Instant)> = None;
                loop {
                    let looked = async {
                        let now = clock.lock().await.now(&db).await?;
                        let known =
                            seen.as_ref().filter(|(_, at)| at.elapsed() < AGAIN).map(|(tick, _)| tick);
                        cron.look(&db, now, known).await
                    };
                    match looked.await {
                        Ok(Some(tick)) => {
                            seen = Some((tick, Instant::now()));
                            bells.claim.notify_one();
                        }
                        Ok(None) => {}
                        // The log says that the database failed. The tick is looked at again.
                        Err(error) => {
                            tracing::debug!(name = cron.name, %error, "regular work was not looked at")
                        }
                    }
                    sleep(TICKING).await;
                }
            });
        }
        while crons.join_next().await.is_some() {}
    }

    /// Claims jobs when it is told to: of each lane one round of the organizations. A claim that has begun is not
    /// broken off, so that no job is claimed and not run.
    async fn claim(self, queue: Queue, running: Running, bells: Bells, mut stopping: watch::Receiver<bool>) {
        let mut rounds = [Lane::Live, Lane::Bulk].map(|lane| Round {
            lane,
            handlers: self.handlers.iter().filter(|handler| handler.kind().lane == lane).cloned().collect(),
            most: match lane {
                Lane::Live => (self.places * 3).div_ceil(4),
                Lane::Bulk => self.places.div_ceil(2),
            },
            places: self.places,
            last: None,
        });
        loop {
            tokio::select! {
                () = bells.claim.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            for round in &mut rounds {
                match round.go(&queue, &running, &stopping).await {
                    // There may be more.
                    Ok(claimed) if claimed => bells.claim.notify_one(),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "jobs could not be claimed"),
                }
            }
        }
    }
}

/// The jobs of one lane: the organizations take turns.
struct Round {
    lane: Lane,
    handlers: Vec<Arc<dyn Handler>>,
    /// The places of the lane, and those of all lanes together.
    most: usize,
    places: usize,
    /// The organization that was served last.
    last: Option<Uuid>,
}

impl Round {
    fn free(&self, running: &Running) -> usize {
        let (all, here) = running.count(self.lane);
        self.places.saturating_sub(all).min(self.most.saturating_sub(here))
    }

    /// Serves the organizations once, beginning after the one that was served last, as long as places are free.
    /// Returns whether it claimed any job.
    async fn go(
        &mut self,
        queue: &Queue,
        running: &Running,
        stopping: &watch::Receiver<bool>,
    ) -> Result<bool, db::Error> {
        let kinds: Vec<Kind> = self.handlers.iter().map(|handler| handler.kind()).collect();
        let (first, mut claimed, mut again) = (self.last, false, false);
        while !kinds.is_empty() && self.free(running) > 0 {
            let tenants = queue.tenants(self.lane, self.last, MOST_TENANTS).await?;
            if tenants.is_empty() {
                if again || first.is_none() {
                    break;
                }
                // From the beginning.
                (self.last, again) = (None, true);
                continue;
            }
            for tenant in tenants {
                let free = self.free(running);
                if free == 0 || *stopping.borrow() || (again && Some(tenant) > first) {
                    return Ok(claimed);
                }
                self.last = Some(tenant);
                let most = free.min(MOST_JOBS) as i64;
                let jobs = match queue.claim(tenant, self.lane, &kinds, most).await {
                    // Suspended meanwhile.
                    Err(db::Error::WrongHost) => Vec::new(),
                    jobs => jobs?,
                };
                for job in jobs {
                    let handler = self.handlers.iter().find(|handler| handler.kind().name == job.kind);
                    if let Some(handler) = handler {
                        claimed = true;
                        running.start(job, handler.clone());
                    }
                }
            }
        }
        Ok(claimed)
    }
}

/// Asks whether any work waits, and tells the tasks that do it.
async fn look(queue: Queue, bells: Bells) {
    let mut looking = interval(LOOKING);
    looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed_before = false;
    loop {
        looking.tick().await;
        let due = queue.due().await;
        match &due {
            Ok(due) => {
                for (is_due, bell) in [
                    (due.publish, &bells.publish),
                    (due.wake, &bells.wake),
                    (due.live || due.bulk, &bells.claim),
                ] {
                    if is_due {
                        bell.notify_one();
                    }
                }
            }
            Err(error) if !failed_before => tracing::warn!(%error, "work could not be looked for"),
            Err(_) => {}
        }
        failed_before = due.is_err();
    }
}

/// Makes jobs that are due ready, and takes jobs from workers that have vanished.
async fn wake(queue: Queue, counts: Arc<WorkCounts>, bells: Bells) {
    loop {
        bells.wake.notified().await;
        match queue.wake().await {
            Ok(vanished) => counts.vanish(vanished),
            Err(error) => tracing::warn!(%error, "jobs that are due could not be woken"),
        }
        bells.claim.notify_one();
    }
}

/// Runs a task until the worker stops. What it does at that moment is dropped: a transaction is rolled back.
async fn until(mut stopping: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}

/// The clock of the database, asked for once a minute.
#[derive(Default)]
struct Clock {
    /// When it was asked, and what it said.
    set: Option<(Instant, DateTime<Utc>)>,
}

impl Clock {
    async fn now(&mut self, db: &WorkerDb) -> Result<DateTime<Utc>, db::Error> {
        if let Some((asked, said)) = self.set.filter(|(asked, _)| asked.elapsed() < SETTING) {
            return Ok(said + TimeDelta::from_std(asked.elapsed()).unwrap_or_default());
        }
        let asked = Instant::now();
        let (said,) = db.gate(sql!("messaging/clock.sql" as (DateTime<Utc>,)), &[]).await?;
        self.set = Some((asked, said));
        Ok(said)
    }
}
