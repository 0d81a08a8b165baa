//! Long computations, on separate threads instead of the threads that serve requests.
//!
//! A thread that serves requests runs one task at a time: while a handler computes, every connection of that thread
//! waits. Computations that may take longer than a millisecond run here instead, on other threads: as many at once as
//! the machine has cores, at most half of them for one organization. A computation ends when its deadline passes or the
//! request is dropped, because it calls [`Deadline::check`] regularly.
//!
//! The total weight of such requests per organization is limited, from before the database is queried until the answer
//! is written: the rows they load cost memory and database time, and a queue in front of the threads would only collect
//! them. No database connection is held while a request waits or computes.

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
use crate::db::{self, Tx};

/// How long one computation may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a request waits for a thread before it is answered with 503.
const PATIENCE: Duration = Duration::from_secs(3);
/// The maximum weight of one organization's concurrent requests, on all threads of the server together.
pub const MOST_WEIGHT: u32 = 2000;

/// The deadline of a computation.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    dropped: Arc<AtomicBool>,
}

impl Deadline {
    /// A deadline in an hour: for tests and for short computations.
    pub fn never() -> Self {
        Self { at: Instant::now() + Duration::from_secs(3600), dropped: Arc::default() }
    }

    /// A deadline after this time.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, dropped: Arc::default() }
    }

    /// Fails if the deadline has passed or the client no longer waits for the answer.
    pub fn check(&self) -> Result<(), Problem> {
        if self.dropped.load(Ordering::Relaxed) || Instant::now() >= self.at {
            return Err(Problem::unavailable(
                "computation_timeout",
                "Computing the answer took too long. Request a shorter period, or a single provider.",
            ));
        }
        Ok(())
    }
}

/// The computing threads, and the organizations' shares of them.
pub struct Computing {
    threads: Arc<Semaphore>,
    /// The maximum number of threads that one organization may use.
    each: usize,
    limit: Duration,
    patience: Duration,
    shares: Mutex<HashMap<Uuid, Weak<Share>>>,
}

/// The share of one organization.
struct Share {
    weight: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

/// One for the process, because all threads share the cores.
static SHARED: LazyLock<Computing> =
    LazyLock::new(|| Computing::new(available_parallelism().map_or(2, usize::from), LIMIT, PATIENCE));

impl Computing {
    /// Uses at least two threads, so that no organization can take all of them. A computation may take `limit`, and
    /// wait `patience` for a thread.
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

    /// The number of idle threads.
    pub fn idle(&self) -> usize {
        self.threads.available_permits()
    }

    fn share(&self, organization: Uuid) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&organization).and_then(Weak::upgrade) {
            return share;
        }
        // From time to time, remove unused shares.
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

/// Lowers the priority of this thread below the threads that serve requests and PostgreSQL, which would otherwise wait
/// a whole time slice for a computation.
fn lower_priority() {
    // Only Linux has priorities per thread.
    #[cfg(target_os = "linux")]
    {
        thread_local!(static LOWERED: () = {
            // A failure only costs latency.
            let _ = rustix::process::nice(10);
        });
        LOWERED.with(|()| ());
    }
}

/// The permission of a request to load its input and then to compute.
pub struct Place {
    computing: &'static Computing,
    share: Arc<Share>,
    /// Held until the place is dropped. `None` for input that was loaded without a place.
    _weight: Option<OwnedSemaphorePermit>,
}

/// Waits until the organization may start a request of this weight. Call it before querying the database, and hold no
/// connection meanwhile.
pub async fn place(organization: Uuid, weight: u32) -> Result<Place, Failure> {
    SHARED.place(organization, weight).await
}

/// A place for input that is already loaded, in a transaction that continues afterwards.
pub fn place_inside(organization: Uuid) -> Place {
    Place { computing: &SHARED, share: SHARED.share(organization), _weight: None }
}

/// Computes inside a transaction, which continues afterwards: on a separate thread if the computation may be `long`.
pub async fn inside<T: Send + 'static>(
    tx: &Tx,
    long: bool,
    work: impl FnOnce(&Deadline) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tx.context() {
        Some(context) if long => place_inside(context.tenant).compute(work).await,
        _ => work(&Deadline::never()),
    }
}

impl Place {
    /// Computes on a separate thread. Return the database connection first, if the transaction is finished.
    pub async fn compute<T: Send + 'static>(
        self,
        work: impl FnOnce(&Deadline) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        /// Tells the computation that the client no longer waits for it.
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
            return Err(Problem::unavailable("busy", "All computing threads are in use; try again.").into());
        };
        let deadline = Deadline::after(self.computing.limit);
        let waiting = Waiting(deadline.dropped.clone());
        let done = tokio::task::spawn_blocking(move || {
            lower_priority();
            let result = work(&deadline);
            // Held until the computation has ended, even if the request no longer waits for it.
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
