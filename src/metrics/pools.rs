//! The connection pools of the process, looked at when a scrape asks.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

/// How many connections a pool has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pooled {
    pub most: usize,
    pub open: usize,
    pub idle: usize,
    /// Transactions that wait for a connection.
    pub waiting: usize,
}

/// The name of a pool and a look at it; `None`: it is gone.
type Look = (String, Box<dyn Fn() -> Option<Pooled> + Send>);

static POOLS: Mutex<Vec<Look>> = Mutex::new(Vec::new());

/// Counts a pool from now on, until `look` returns `None`. Pools of one name are added up: a process has one for each
/// thread.
pub fn watch_pool(name: &str, look: impl Fn() -> Option<Pooled> + Send + 'static) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|(_, look)| look().is_some());
    pools.push((name.to_owned(), Box::new(look)));
}

fn by_name() -> BTreeMap<String, Pooled> {
    let mut sums: BTreeMap<String, Pooled> = BTreeMap::new();
    for (name, look) in POOLS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(pool) = look() {
            let sum = sums.entry(name.clone()).or_default();
            sum.most += pool.most;
            sum.open += pool.open;
            sum.idle += pool.idle;
            sum.waiting += pool.waiting;
        }
    }
    sums
}

#[derive(Debug)]
pub(super) struct Pools;

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        const POOL: &str = "db_client_connection_pool_name";
        let pools = by_name();
        let mut connections = encoder.encode_descriptor(
            "db_client_connection_count",
            "Connections to PostgreSQL by the role of their pool: used or idle",
            None,
            MetricType::Gauge,
        )?;
        for (name, pool) in &pools {
            for (state, count) in [("used", pool.open.saturating_sub(pool.idle)), ("idle", pool.idle)] {
                let labels = [(POOL, name.as_str()), ("db_client_connection_state", state)];
                ConstGauge::new(count as i64).encode(connections.encode_family(&labels)?)?;
            }
        }
        let mut one = |name, help, value: fn(&Pooled) -> usize| {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (name, pool) in &pools {
                let labels = [(POOL, name.as_str())];
                ConstGauge::new(value(pool) as i64).encode(gauge.encode_family(&labels)?)?;
            }
            Ok::<_, fmt::Error>(())
        };
        one("db_client_connection_max", "Connections that a pool may open", |pool| pool.most)?;
        one("db_client_connection_pending_requests", "Transactions that wait for a connection", |pool| {
            pool.waiting
        })
    }
}
