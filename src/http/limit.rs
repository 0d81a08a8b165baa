//! Rate limits (GCRA, by the `governor` crate) per server: requests per minute of an address, an account, an API key
//! and an organization. An expensive request counts as several: see [`charge`]. Wrong passwords are counted in the
//! database, for all servers together: `identity.count_attempt`.

use std::{
    collections::HashMap,
    fmt::Write as _,
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::{allowance::Allowances, problem::Problem};

/// Requests per minute; `None`: unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// From one address, for all operations.
    pub address: Option<NonZeroU32>,
    /// From one address without credentials, for operations that write: registering, signing in, resetting passwords.
    pub anonymous: Option<NonZeroU32>,
    /// From one account.
    pub account: Option<NonZeroU32>,
    /// With one API key.
    pub key: Option<NonZeroU32>,
}

impl Rates {
    /// The defaults of `appointd serve`.
    pub const DEFAULT: Self = Self {
        address: NonZeroU32::new(3000),
        anonymous: NonZeroU32::new(60),
        account: NonZeroU32::new(600),
        key: NonZeroU32::new(1200),
    };
}

/// The window of the limits, in seconds.
const WINDOW: u32 = 60;
/// Above this number of clients, those that were idle for a while are removed.
const MANY: usize = 100_000;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    quota: NonZeroU32,
    limiter: Keyed<K>,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Limit<K> {
    fn new(name: &'static str, quota: NonZeroU32) -> Self {
        let limiter =
            RateLimiter::dashmap(Quota::per_minute(quota)).with_middleware::<StateInformationMiddleware>();
        Self { name, quota, limiter }
    }

    /// Counts a request. Its further cost is counted later towards the same limit: see [`charge`].
    fn check(self: &Arc<Self>, key: &K, rate_limit: &mut RateLimit) -> Result<(), Problem> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        let counted = self.count(key, NonZeroU32::MIN);
        rate_limit.record(self.name, self.quota, counted);
        let (limit, key) = (self.clone(), key.clone());
        rate_limit.counted.push(Box::new(move |more, rate_limit| {
            let counted = limit.count(&key, more);
            rate_limit.record(limit.name, limit.quota, counted);
            limit.check_wait(counted)
        }));
        self.check_wait(counted)
    }

    fn count(&self, key: &K, cost: NonZeroU32) -> Counted {
        // A cost above the limit counts as the whole limit.
        let counted = self.limiter.check_key_n(key, cost.min(self.quota));
        match counted {
            Ok(Ok(state)) => Counted { remaining: state.remaining_burst_capacity(), wait: 0 },
            Ok(Err(refusal)) => {
                let wait = refusal.wait_time_from(DefaultClock::default().now());
                Counted { remaining: 0, wait: wait.as_secs() + 1 }
            }
            Err(_insufficient_capacity) => Counted { remaining: 0, wait: WINDOW.into() },
        }
    }

    fn check_wait(&self, counted: Counted) -> Result<(), Problem> {
        let seconds = counted.wait;
        if seconds == 0 {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!(
                "The rate limit \"{}\" of {} requests a minute is exceeded. Try again after {seconds} s.",
                self.name, self.quota
            ),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds)))
    }
}

/// The result of counting.
#[derive(Clone, Copy)]
struct Counted {
    remaining: u32,
    /// Seconds to wait; 0 if the request was counted.
    wait: u64,
}

tokio::task_local! {
    /// The limits that the current request counted towards.
    static COUNTED: Arc<Mutex<RateLimit>>;
}

/// Runs a handler that may [`charge`]; updates `rate_limit` with the resulting state of the limits.
pub async fn charging<T>(rate_limit: &mut RateLimit, handler: impl Future<Output = T>) -> T {
    let counted = Arc::new(Mutex::new(std::mem::take(rate_limit)));
    let output = COUNTED.scope(counted.clone(), handler).await;
    *rate_limit = std::mem::take(&mut *counted.lock().unwrap_or_else(PoisonError::into_inner));
    output
}

/// Counts the current request as this many requests, towards every limit that it counted towards as one. Call it before
/// the expensive work. Does nothing outside a request.
pub fn charge(cost: u32) -> Result<(), Problem> {
    let Some(more) = NonZeroU32::new(cost.saturating_sub(1)) else {
        return Ok(());
    };
    let charged = COUNTED.try_with(|rate_limit| {
        let mut rate_limit = rate_limit.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = std::mem::take(&mut rate_limit.counted);
        let result = counted.iter().try_for_each(|count| count(more, &mut rate_limit));
        rate_limit.counted = counted;
        result
    });
    charged.unwrap_or(Ok(()))
}

/// The limits of a server, shared by its threads.
pub struct Limits {
    address: Option<Arc<Limit<IpAddr>>>,
    anonymous: Option<Arc<Limit<IpAddr>>>,
    account: Option<Arc<Limit<Uuid>>>,
    key: Option<Arc<Limit<[u8; 32]>>>,
    /// By the limit of the organization's plan.
    organizations: Mutex<HashMap<NonZeroU32, Arc<Limit<Uuid>>>>,
    /// The limits of the plans.
    pub allowances: Allowances,
    /// Sessions with a valid token that were refused entry: they do not count towards the organization's limit.
    outside: Cache<Uuid, ()>,
}

impl Limits {
    pub fn new(rates: &Rates) -> Self {
        Self {
            address: rates.address.map(|quota| Arc::new(Limit::new("address", quota))),
            anonymous: rates.anonymous.map(|quota| Arc::new(Limit::new("anonymous", quota))),
            account: rates.account.map(|quota| Arc::new(Limit::new("account", quota))),
            key: rates.key.map(|quota| Arc::new(Limit::new("key", quota))),
            organizations: Mutex::default(),
            allowances: Allowances::default(),
            outside: Cache::new(MANY),
        }
    }

    /// Whether the session was refused entry the last time.
    pub fn is_outside(&self, session: Uuid) -> bool {
        self.outside.peek(&session).is_some()
    }

    /// Remembers whether the session was refused entry.
    pub fn remember(&self, session: Uuid, ended: bool, entered: bool) {
        if ended {
            self.outside.insert(session, ());
        } else if entered && self.is_outside(session) {
            self.outside.remove(&session);
        }
    }

    pub fn address(&self, address: IpAddr, rate_limit: &mut RateLimit) -> Result<(), Problem> {
        self.address.as_ref().map_or(Ok(()), |limit| limit.check(&subscriber(address), rate_limit))
    }

    pub fn anonymous(&self, address: IpAddr, rate_limit: &mut RateLimit) -> Result<(), Problem> {
        self.anonymous.as_ref().map_or(Ok(()), |limit| limit.check(&subscriber(address), rate_limit))
    }

    pub fn account(&self, account: Uuid, rate_limit: &mut RateLimit) -> Result<(), Problem> {
        self.account.as_ref().map_or(Ok(()), |limit| limit.check(&account, rate_limit))
    }

    /// `key` is the hash of its secret.
    pub fn key(&self, key: [u8; 32], rate_limit: &mut RateLimit) -> Result<(), Problem> {
        self.key.as_ref().map_or(Ok(()), |limit| limit.check(&key, rate_limit))
    }

    pub fn organization(
        &self,
        organization: Uuid,
        per_minute: NonZeroU32,
        rate_limit: &mut RateLimit,
    ) -> Result<(), Problem> {
        let limit = {
            let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
            // One for each distinct limit of a plan.
            organizations
                .entry(per_minute)
                .or_insert_with(|| Arc::new(Limit::new("organization", per_minute)))
                .clone()
        };
        limit.check(&organization, rate_limit)
    }
}

/// The address that limits count: for IPv6 the /64 network, which one subscriber usually has.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        },
    }
}

/// Counts additional cost of a request.
type CountMore = Box<dyn Fn(NonZeroU32, &mut RateLimit) -> Result<(), Problem> + Send + Sync>;

/// The content of `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Default)]
pub struct RateLimit {
    /// Name, quota and state of each limit.
    lines: Vec<(&'static str, NonZeroU32, Counted)>,
    counted: Vec<CountMore>,
}

impl RateLimit {
    /// Sets the state of a limit.
    fn record(&mut self, name: &'static str, quota: NonZeroU32, counted: Counted) {
        match self.lines.iter_mut().find(|(said, ..)| *said == name) {
            Some(line) => *line = (name, quota, counted),
            None => self.lines.push((name, quota, counted)),
        }
    }

    pub fn write(&self, headers: &mut HeaderMap) {
        let (mut policies, mut states) = (String::new(), String::new());
        for (name, quota, Counted { remaining, wait }) in &self.lines {
            let separator = if policies.is_empty() { "" } else { ", " };
            // Writing into a String does not fail.
            let _ = write!(policies, "{separator}\"{name}\";q={quota};w={WINDOW}");
            let _ = write!(states, "{separator}\"{name}\";r={remaining};t={wait}");
        }
        for (name, value) in [("ratelimit-policy", policies), ("ratelimit", states)] {
            if let Ok(value) = HeaderValue::from_str(&value)
                && !value.is_empty()
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
