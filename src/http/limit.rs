//! Rate limits (GCRA, by the `governor` crate), each server for itself: an address, an account, an API key and an
//! organization may send so many requests a minute. What several servers have to agree on, wrong passwords, is counted
//! in the database: `identity.count_attempt`.

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

/// How many requests a minute; none: as many as they like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// From one address, whatever they ask.
    pub address: Option<NonZeroU32>,
    /// From one address without credentials where something is written: registering, signing in, resetting passwords.
    pub anonymous: Option<NonZeroU32>,
    /// Of one account.
    pub account: Option<NonZeroU32>,
    /// With one API key.
    pub key: Option<NonZeroU32>,
}

impl Rates {
    /// What `appointd serve` starts with.
    pub const DEFAULT: Self = Self {
        address: NonZeroU32::new(3000),
        anonymous: NonZeroU32::new(60),
        account: NonZeroU32::new(600),
        key: NonZeroU32::new(1200),
    };
}

/// Seconds of the window the figures are for.
const WINDOW: u32 = 60;
/// Beyond this many, those that have not asked for a while are forgotten.
const MANY: usize = 100_000;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    quota: NonZeroU32,
    limiter: Keyed<K>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, quota: NonZeroU32) -> Self {
        let limiter =
            RateLimiter::dashmap(Quota::per_minute(quota)).with_middleware::<StateInformationMiddleware>();
        Self { name, quota, limiter }
    }

    fn check(&self, key: &K, told: &mut Told) -> Result<(), Problem> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(key) {
            Ok(state) => {
                told.say(self.name, self.quota, state.remaining_burst_capacity(), 0);
                Ok(())
            }
            Err(refusal) => {
                let wait = refusal.wait_time_from(DefaultClock::default().now());
                let seconds = wait.as_secs() + 1;
                told.say(self.name, self.quota, 0, seconds);
                Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    format!(
                        "More requests than the limit \"{}\" allows: {} a minute. Try again after {seconds} s.",
                        self.name, self.quota
                    ),
                )
                .with_header(header::RETRY_AFTER, HeaderValue::from(seconds)))
            }
        }
    }
}

/// The limits of a server, shared by its threads.
pub struct Limits {
    address: Option<Limit<IpAddr>>,
    anonymous: Option<Limit<IpAddr>>,
    account: Option<Limit<Uuid>>,
    key: Option<Limit<[u8; 32]>>,
    /// By what their plans allow.
    organizations: Mutex<HashMap<NonZeroU32, Arc<Limit<Uuid>>>>,
    /// What that is.
    pub allowances: Allowances,
    /// Sessions whose tokens are good and that were not let in: they use up nothing of their organization's.
    outside: Cache<Uuid, ()>,
}

impl Limits {
    pub fn new(rates: &Rates) -> Self {
        Self {
            address: rates.address.map(|quota| Limit::new("address", quota)),
            anonymous: rates.anonymous.map(|quota| Limit::new("anonymous", quota)),
            account: rates.account.map(|quota| Limit::new("account", quota)),
            key: rates.key.map(|quota| Limit::new("key", quota)),
            organizations: Mutex::default(),
            allowances: Allowances::default(),
            outside: Cache::new(MANY),
        }
    }

    /// Whether the session was not let in when it was last tried.
    pub fn is_outside(&self, session: Uuid) -> bool {
        self.outside.peek(&session).is_some()
    }

    /// Keeps in mind how entering ended.
    pub fn remember(&self, session: Uuid, ended: bool, entered: bool) {
        if ended {
            self.outside.insert(session, ());
        } else if entered && self.is_outside(session) {
            self.outside.remove(&session);
        }
    }

    pub fn address(&self, address: IpAddr, told: &mut Told) -> Result<(), Problem> {
        self.address.as_ref().map_or(Ok(()), |limit| limit.check(&subscriber(address), told))
    }

    pub fn anonymous(&self, address: IpAddr, told: &mut Told) -> Result<(), Problem> {
        self.anonymous.as_ref().map_or(Ok(()), |limit| limit.check(&subscriber(address), told))
    }

    pub fn account(&self, account: Uuid, told: &mut Told) -> Result<(), Problem> {
        self.account.as_ref().map_or(Ok(()), |limit| limit.check(&account, told))
    }

    /// `key` is the hash of its secret.
    pub fn key(&self, key: [u8; 32], told: &mut Told) -> Result<(), Problem> {
        self.key.as_ref().map_or(Ok(()), |limit| limit.check(&key, told))
    }

    pub fn organization(
        &self,
        organization: Uuid,
        per_minute: NonZeroU32,
        told: &mut Told,
    ) -> Result<(), Problem> {
        let limit = {
            let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
            // As many as there are plans.
            organizations
                .entry(per_minute)
                .or_insert_with(|| Arc::new(Limit::new("organization", per_minute)))
                .clone()
        };
        limit.check(&organization, told)
    }
}

/// One subscriber has a whole /64 of IPv6.
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

/// What a client is told about the limits its request counted towards: `RateLimit-Policy` and `RateLimit`
/// (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Debug, Default)]
pub struct Told {
    policies: String,
    states: String,
}

impl Told {
    fn say(&mut self, name: &str, quota: NonZeroU32, remaining: u32, reset: u64) {
        let separator = if self.policies.is_empty() { "" } else { ", " };
        // Writing into a String does not fail.
        let _ = write!(self.policies, "{separator}\"{name}\";q={quota};w={WINDOW}");
        let _ = write!(self.states, "{separator}\"{name}\";r={remaining};t={reset}");
    }

    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in [("ratelimit-policy", &self.policies), ("ratelimit", &self.states)] {
            if let Ok(value) = HeaderValue::from_str(value)
                && !value.is_empty()
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
