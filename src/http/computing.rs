//! Heavy computing, off the threads that serve requests.
//!
//! A thread that serves requests runs one task at a time: while a handler computes, every connection of that thread
//! waits. What may take longer than a millisecond is computed here instead: on other threads, as many at once as the
//! machine has cores, half of them for one organization at most. It ends when its deadline passes or when the request is
//! dropped, because it asks [`Deadline::check`] as it goes.
//!
//! An organization also has a bounded weight of such requests under way, from before the database is asked until the
//! answer is written: what one organization loads costs the database and memory, and a queue in front of the threads
//! would only collect it. No connection to the database is held while a request waits or computes.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::problem::{Failure, Problem};
use crate::db;

/// How long one computation may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a request waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(3);
/// The weight one organization may have under way at once, on all threads of the server together.
pub const MOST_WEIGHT: u32 = 2000;

/// Until when a computation may go on.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    dropped: Arc<AtomicBool>,
}

impl Deadline {
    /// One that is so far away that it does not count: for tests, and for what is small by its nature.
    pub fn never() -> Self {
        Self { at: Instant::now() + Duration::from_secs(3600), dropped: Arc::default() }
    }

    /// One that is so far away.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, dropped: Arc::default() }
    }

    /// Fails once the time is over, or once the client no longer waits for the answer.
    pub fn check(&self) -> Result<(), Problem> {
        if self.dropped.load(Ordering::Relaxed) || Instant::now() >= self.at {
            return Err(Problem::unavailable(
                "computation_timeout",
                "Computing the answer took too long and was given up. Ask for a shorter period, or for one provider.",
            ));
        }
        Ok(())
    }
}

/// The threads that compute, and the organizations' shares of them.
pub struct Computing {
    threads: Arc<Semaphore>,
    /// How many of the threads one organization may have.
    each: usize,
    limit: Duration,
    patience: Duration,
    shares: Mutex<HashMap<Uuid, Weak<Share>>>,
}

/// What one organization may have at once.
struct Share {
    weight: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

/// All threads of the process share the cores, and so they share this.
static SHARED: LazyLock<Computing> =
    LazyLock::new(|| Computing::new(available_parallelism().map_or(2, usize::from), LIMIT, PATIENCE));

impl Computing {
    /// At least two threads, so that no organization has all of them. A computation may take `limit`, and wait for a
    /// thread for `patience`.
    pub fn new(threads: usize, limit: Duration, patience: Duration) -> Self {
        let threads = threads.max(2);
        Self {
            threads: Arc::new(Semaphore::new(threads)),
            each: threads / 2,
            limit,
            patience,
            shares: Mutex::default(),
        }
    }

    /// How many threads compute nothing at the moment.
    pub fn idle(&self) -> usize {
        self.threads.available_permits()
    }

    fn share(&self, organization: Uuid) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&organization).and_then(Weak::upgrade) {
            return share;
        }
        // Now and then, forget those that compute nothing.
        if shares.len() >= 1024 {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Share {
            weight: Arc::new(Semaphore::new(MOST_WEIGHT as usize)),
            threads: Arc::new(Semaphore::new(self.each)),
        });
        shares.insert(organization, Arc::downgrade(&share));
        share
    }

    /// See [`place`].
    pub async fn place(&'static self, organization: Uuid, weight: u32) -> Result<Place, Failure> {
        let share = self.share(organization);
        let weight = weight.clamp(1, MOST_WEIGHT);
        let permit =
            tokio::time::timeout(self.patience, share.weight.clone().acquire_many_owned(weight)).await;
        let Ok(Ok(weight)) = permit else {
            return Err(db::Error::Crowded.into());
        };
        Ok(Place { computing: self, share, _weight: Some(weight) })
    }
}

/// Has the threads that serve requests, and PostgreSQL, go first where cores are scarce: a thread that computes for a whole
/// time slice would make them wait for it.
fn lower_priority() {
    // Only Linux has priorities of single threads.
    #[cfg(target_os = "linux")]
    {
        thread_local!(static LOWERED: () = {
            // Without it only latency suffers.
            let _ = rustix::process::nice(10);
        });
        LOWERED.with(|()| ());
    }
}

/// The right of a request to load what it computes with, and then to compute.
pub struct Place {
    computing: &'static Computing,
    share: Arc<Share>,
    /// Held until the place is given back. None: of what was loaded without asking.
    _weight: Option<OwnedSemaphorePermit>,
}

/// Waits until an organization may have so much more under way. Ask before the database is asked, and hold no connection
/// meanwhile.
pub async fn place(organization: Uuid, weight: u32) -> Result<Place, Failure> {
    SHARED.place(organization, weight).await
}

/// A place for what is loaded already, in a transaction that goes on afterwards.
pub fn place_inside(organization: Uuid) -> Place {
    Place { computing: &SHARED, share: SHARED.share(organization), _weight: None }
}

impl Place {
    /// Computes on a thread of its own. Give connections to the database back first, where the transaction is at its end.
    pub async fn compute<T: Send + 'static>(
        self,
        work: impl FnOnce(&Deadline) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        /// Tells the computation that nobody waits for it any more.
        struct Waiting(Arc<AtomicBool>);
        impl Drop for Waiting {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let patience = self.computing.patience;
        let own = tokio::time::timeout(patience, self.share.threads.clone().acquire_owned()).await;
        let Ok(Ok(own)) = own else {
            return Err(db::Error::Crowded.into());
        };
        let thread = tokio::time::timeout(patience, self.computing.threads.clone().acquire_owned()).await;
        let Ok(Ok(thread)) = thread else {
            return Err(
                Problem::unavailable("busy", "All threads that compute are in use; try again.").into()
            );
        };
        let deadline = Deadline::after(self.computing.limit);
        let waiting = Waiting(deadline.dropped.clone());
        let done = tokio::task::spawn_blocking(move || {
            lower_priority();
            let result = work(&deadline);
            // Held until it has really ended, whether or not the request still waits for it.
            drop((own, thread, self));
            result
        })
        .await;
        drop(waiting);
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "a computation panicked");
            Err(Problem::internal().into())
        })
    }
}
