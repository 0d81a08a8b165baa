//! The rate limits that plans set. Read from the database and cached for ten seconds, so that few requests need a query
//! and a change of plan applies soon, also to existing tokens.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::caller::{Credentials, Presented};
use crate::{db::FrontDoor, sql};

/// How long an answer is cached.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Above this number of entries, expired ones are removed.
const MANY: usize = 100_000;

/// The key of the cache: the organization, and for an API key its id and hash, because its claims may be forged.
type Asker = (Uuid, Option<(Uuid, [u8; 32])>);

/// The cache of rate limits.
#[derive(Default)]
pub struct Allowances(Mutex<HashMap<Asker, (NonZeroU32, Instant)>>);

impl Allowances {
    /// The organization that a request counts towards, and the requests per minute that its plan allows. `None` if the
    /// credentials name no organization, or are an API key that the organization does not have.
    pub async fn of(&self, door: &FrontDoor, presented: &Presented) -> Option<(Uuid, NonZeroU32)> {
        let asker: Asker = match &presented.0 {
            Ok(Credentials::Person(claims)) => (claims.tenant_id?, None),
            Ok(Credentials::Program(key)) => (key.first, Some((key.second, key.hash()))),
            Err(_) => return None,
        };
        if let Some(rate) = self.remembered(&asker) {
            return Some((asker.0, rate));
        }
        let (key, hash) = (asker.1.map(|(key, _)| key), asker.1.as_ref().map(|(_, hash)| &hash[..]));
        let params: [&(dyn ToSql + Sync); 3] = [&asker.0, &key, &hash];
        // If the database does not answer, the request itself will report that.
        let asked = door.gate(sql!("app/subscriptions_allowance.sql" as (Option<i32>,)), &params).await;
        // A check constraint keeps it above zero.
        let rate = NonZeroU32::new(asked.ok()?.0?.unsigned_abs())?;
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MANY {
            answers.retain(|_, (_, asked)| asked.elapsed() < REMEMBERED);
        }
        answers.insert(asker, (rate, Instant::now()));
        Some((asker.0, rate))
    }

    fn remembered(&self, asker: &Asker) -> Option<NonZeroU32> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(asker).filter(|(_, asked)| asked.elapsed() < REMEMBERED).map(|(rate, _)| *rate)
    }
}
