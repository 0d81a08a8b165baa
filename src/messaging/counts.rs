//! What a worker has counted since it started: for metrics of the operator. No organization is named.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How attempts ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub started: u64,
    pub finished: u64,
    /// To be tried again.
    pub failed: u64,
    /// Failed for the last time.
    pub dead: u64,
    /// Put off by the handler.
    pub later: u64,
    /// Another worker took over, or the organization was suspended.
    pub leases_lost: u64,
    /// The time that ended attempts took, in all.
    pub took: Duration,
}

/// Counts of a worker.
#[derive(Debug, Default)]
pub struct WorkCounts {
    kinds: Mutex<BTreeMap<String, Attempts>>,
    published: AtomicU64,
    vanished: AtomicU64,
}

impl WorkCounts {
    pub(super) fn count(&self, kind: &str, count: impl FnOnce(&mut Attempts)) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some(attempts) => count(attempts),
            None => count(kinds.entry(kind.to_owned()).or_default()),
        }
    }

    pub(super) fn publish(&self, events: usize) {
        self.published.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(super) fn vanish(&self, jobs: usize) {
        self.vanished.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// Attempts by the kind of their jobs.
    pub fn attempts(&self) -> BTreeMap<String, Attempts> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events that this worker has published.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Jobs that this worker took from workers that have vanished.
    pub fn vanished(&self) -> u64 {
        self.vanished.load(Ordering::Relaxed)
    }
}
