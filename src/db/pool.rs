//! The connection pool. One tenant may use at most half of it. Only transactions (`tx`) take connections from it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{self, PoolError, TimeoutType, Timeouts},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{connection::Manager, error::Error, url::DatabaseUrl};
use crate::metrics::{self, Pooled};

/// A connection that returns to its pool when it is dropped.
pub(super) type Object = managed::Object<Manager>;

/// How long a request waits for a free connection before it is answered with 503.
const CHECKOUT: Duration = Duration::from_secs(3);

/// Connections, opened when needed. They belong to the runtime that opened them.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Manager>,
    shares: Arc<Shares>,
}

impl Pool {
    pub(super) fn new(url: &DatabaseUrl, connections: usize) -> Self {
        // Half, so that one tenant with many requests leaves as many connections to the others.
        let shares = Shares { each: connections.div_ceil(2), in_use: Mutex::default() };
        let connections = managed::Pool::builder(Manager::new(url.primary()))
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(CHECKOUT), create: Some(CHECKOUT), recycle: Some(CHECKOUT) })
            .build()
            .expect("a runtime is given, which is all a pool with timeouts needs");
        let weak = connections.weak();
        metrics::watch_pool(url.role(), move || {
            let status = weak.upgrade()?.status();
            Some(Pooled {
                most: status.max_size,
                open: status.size,
                idle: status.available,
                waiting: status.waiting,
            })
        });
        Self { connections, shares: Arc::new(shares) }
    }

    /// A tenant's share of the pool. Waits for at most 3 seconds.
    pub(super) async fn share(&self, tenant: Uuid) -> Result<OwnedSemaphorePermit, Error> {
        self.shares.permit(tenant).await
    }

    /// A connection. Waits for at most 3 seconds.
    pub(super) async fn connection(&self) -> Result<Object, Error> {
        let began = Instant::now();
        let connection = self.connections.get().await;
        metrics::count_connection_wait(began.elapsed());
        connection.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                metrics::count_connection_timeout();
                Error::Busy
            }
            PoolError::Backend(error) if super::error::is_pooler(&error) => {
                Error::from_postgres("connecting", &error)
            }
            PoolError::Backend(error) => {
                // Connecting reads no rows, so its error texts quote none.
                let reason = self.connections.manager().explain(&error);
                super::error::log_unreachable(&error.to_string(), &reason);
                Error::Unavailable
            }
            error => {
                super::error::log_unreachable(&error.to_string(), "");
                Error::Unavailable
            }
        })
    }
}

/// The tenants' shares of the pool. A tenant that has used up its share waits while others continue.
struct Shares {
    each: usize,
    in_use: Mutex<HashMap<Uuid, Weak<Semaphore>>>,
}

impl Shares {
    fn of(&self, tenant: Uuid) -> Arc<Semaphore> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = in_use.get(&tenant).and_then(Weak::upgrade) {
            return share;
        }
        // From time to time, remove unused shares.
        if in_use.len() >= 1024 {
            in_use.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.each));
        in_use.insert(tenant, Arc::downgrade(&share));
        share
    }

    async fn permit(&self, tenant: Uuid) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(CHECKOUT, self.of(tenant).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                metrics::count_tenant_share_timeout();
                Err(Error::Crowded)
            }
        }
    }
}
