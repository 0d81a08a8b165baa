//! What waits for workers, and what the worker of this process has done, for the operator's metrics.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::Utc;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use tokio::time::sleep;

use super::{
    counts::WorkCounts,
    queue::{Queue, WaitingWork},
};
use crate::db::WorkerDb;

/// How often the database is asked what waits, by each process.
const ASKING: Duration = Duration::from_secs(15);

/// The kind under which the database counts events that are not published.
const OUTBOX: &str = "outbox";

/// The metrics of a worker.
#[derive(Clone, Debug)]
pub struct WorkMetrics {
    counts: Arc<WorkCounts>,
    /// The last answer; none before the first and while the database does not answer.
    waiting: Arc<Mutex<Option<Vec<WaitingWork>>>>,
}

impl WorkMetrics {
    pub fn new(counts: Arc<WorkCounts>) -> Self {
        Self { counts, waiting: Arc::default() }
    }

    /// Asks the database from time to time, without end.
    pub async fn watch(self, db: WorkerDb) {
        let queue = Queue(db);
        loop {
            let answer = queue.waiting().await;
            // An old figure would look as if nothing changed.
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = answer.ok();
            sleep(ASKING).await;
        }
    }
}

impl Collector for WorkMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let attempts = self.counts.attempts();
        let mut ended = encoder.encode_descriptor(
            "appointd_job_attempts",
            "Attempts of jobs that ended here, by kind and outcome: finished, failed (to be tried again), dead (given up), \
             later (put off) or lease_lost",
            None,
            MetricType::Counter,
        )?;
        for (kind, attempts) in &attempts {
            for (outcome, count) in [
                ("finished", attempts.finished),
                ("failed", attempts.failed),
                ("dead", attempts.dead),
                ("later", attempts.later),
                ("lease_lost", attempts.leases_lost),
            ] {
                let labels = [("kind", kind.as_str()), ("outcome", outcome)];
                ConstCounter::new(count).encode(ended.encode_family(&labels)?)?;
            }
        }
        let mut busy = encoder.encode_descriptor(
            "appointd_job_busy_seconds",
            "Time that attempts of jobs took, by kind",
            None,
            MetricType::Counter,
        )?;
        for (kind, attempts) in &attempts {
            let labels = [("kind", kind.as_str())];
            ConstCounter::new(attempts.took.as_secs_f64()).encode(busy.encode_family(&labels)?)?;
        }
        for (name, help, count) in [
            ("appointd_events_published", "Events that were published here", self.counts.published()),
            (
                "appointd_jobs_vanished",
                "Jobs that were taken from workers that had vanished",
                self.counts.vanished(),
            ),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        match &*self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => encode_waiting(waiting, encoder),
            None => Ok(()),
        }
    }
}

/// The same in every process: these are of the database.
fn encode_waiting(waiting: &[WaitingWork], mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let now = Utc::now();
    let age = |work: &WaitingWork| {
        work.oldest_at.map_or(0.0, |at| ((now - at).num_milliseconds() as f64 / 1000.0).max(0.0))
    };
    let outbox = waiting.iter().find(|work| work.kind == OUTBOX);
    let (events, oldest) = outbox.map_or((0, 0.0), |work| (work.jobs, age(work)));
    ConstGauge::new(events).encode(encoder.encode_descriptor(
        "appointd_outbox_events",
        "Events that are not published yet",
        None,
        MetricType::Gauge,
    )?)?;
    ConstGauge::new(oldest).encode(encoder.encode_descriptor(
        "appointd_outbox_oldest_seconds",
        "Age of the oldest event that is not published yet",
        None,
        MetricType::Gauge,
    )?)?;
    let jobs = || waiting.iter().filter(|work| work.kind != OUTBOX);
    let mut count = encoder.encode_descriptor(
        "appointd_jobs",
        "Jobs of all organizations, by kind and state: scheduled, ready, running or dead",
        None,
        MetricType::Gauge,
    )?;
    for work in jobs() {
        let labels = [("kind", work.kind.as_str()), ("state", work.state.as_str())];
        ConstGauge::new(work.jobs).encode(count.encode_family(&labels)?)?;
    }
    let mut oldest: BTreeMap<&str, f64> = BTreeMap::new();
    for work in jobs().filter(|work| work.state == "ready") {
        oldest.insert(&work.kind, age(work));
    }
    let mut gauge = encoder.encode_descriptor(
        "appointd_jobs_oldest_ready_seconds",
        "For how long the oldest job that is ready has been due, by kind",
        None,
        MetricType::Gauge,
    )?;
    for (kind, age) in oldest {
        ConstGauge::new(age).encode(gauge.encode_family(&[("kind", kind)])?)?;
    }
    Ok(())
}
