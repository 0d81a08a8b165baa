//! Limits the number of client connections, in total and per address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::limit::subscriber;

/// How many connections a server keeps at once.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// The maximum number in total. Further connections wait in the kernel's queue.
    pub total: usize,
    /// The maximum number from one address (for IPv6, one /64 network). Further connections are closed at once. Trusted
    /// proxies are not limited.
    pub of_one_address: usize,
}

impl Capacity {
    /// The defaults of `appointd serve`.
    pub const DEFAULT: Self = Self { total: 10_000, of_one_address: 500 };
}

/// The places of a server, one per connection.
pub struct Places {
    capacity: Capacity,
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A taken place. Dropping it frees it.
pub struct Place {
    places: Arc<Places>,
    /// `None` for a trusted proxy.
    address: Option<IpAddr>,
    is_scarce: bool,
    _one: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(capacity: Capacity) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(capacity.total));
        Arc::new(Self { capacity, free, taken: Mutex::default() })
    }

    /// Waits until a place is free.
    pub async fn free(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only if the semaphore is closed, which never happens.
        self.free.clone().acquire_owned().await.ok()
    }

    /// Takes a free place for a peer; `None` if its address has reached its maximum.
    pub fn take(
        self: &Arc<Self>,
        one: OwnedSemaphorePermit,
        peer: IpAddr,
        is_trusted: bool,
    ) -> Option<Place> {
        let address = (!is_trusted).then(|| subscriber(peer));
        if let Some(address) = address {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let of_address = taken.entry(address).or_default();
            if *of_address >= self.capacity.of_one_address {
                return None;
            }
            *of_address += 1;
        }
        let is_scarce = self.free.available_permits() < self.capacity.total.div_ceil(2);
        Some(Place { places: self.clone(), address, is_scarce, _one: one })
    }
}

impl Place {
    /// Whether fewer than half of the places were free when it was taken.
    pub fn is_scarce(&self) -> bool {
        self.is_scarce
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else {
            return;
        };
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_address) = taken.get_mut(&address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.remove(&address);
            }
        }
    }
}
