//! Removing expired holds and offering freed time, every few seconds and where a booking meets an expired hold.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    freed::FreedTime,
    offers::{MOST_NOTES, Queue, free_holds, tell},
    transaction::{Locks, decide},
};
use crate::{
    db::{self, Context, Db, Tx, Who},
    http::problem::{Failure, Problem},
    messaging::mail::Mailer,
    scheduling::slots::setback::Setback,
    sql,
};

/// Expired holds that one transaction removes.
const MOST_HOLDS: i64 = 200;

/// How often the sweep asks for the organizations that are due, in one call.
const MOST_ROUNDS: usize = 100;

/// The server itself, in one organization.
fn scheduler(tenant: Uuid) -> Context {
    Context { tenant, who: Who::Scheduler, needs: "scheduler", feature: None }
}

/// Removes expired holds of all organizations, and offers freed time. What servers do every few seconds. The organizations
/// take turns, so that one with much to do does not make others wait.
pub async fn sweep(db: &Db, mailer: &Mailer) -> Result<(), db::Error> {
    // Locked by others, or not to be entered: the next sweep looks again.
    let mut left: BTreeSet<Uuid> = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let rows = db.gate_all(sql!("scheduling/tenants_due.sql"), &[]).await?;
        let due: Vec<Uuid> = rows.iter().map(|row| row.get(0)).filter(|id| !left.contains(id)).collect();
        if due.is_empty() {
            break;
        }
        for tenant in due {
            let swept = match expire_some(db, mailer, tenant).await {
                Ok(false) => offer_noted(db, mailer, tenant).await,
                swept => swept,
            };
            let swept = swept.unwrap_or_else(|failure| {
                tracing::warn!(%tenant, error = %Problem::from(failure), "freed time could not be offered");
                false
            });
            if !swept {
                left.insert(tenant);
            }
        }
    }
    Ok(())
}

/// Removes all expired holds of one organization, and offers their time to the waitlist first.
pub async fn expire(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<(), Failure> {
    for _ in 0..MOST_ROUNDS {
        if !expire_some(db, mailer, tenant).await? {
            break;
        }
    }
    Ok(())
}

/// Removes some expired holds; whether any were.
async fn expire_some(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<bool, Failure> {
    let notices = as_scheduler(db, tenant, async |mut tx: Tx, _| {
        let expired = tx.all(sql!("scheduling/holds_due.sql"), &[&MOST_HOLDS]).await?;
        if expired.is_empty() {
            tx.commit().await?;
            return Ok(None);
        }
        let ids: Vec<Uuid> = expired.iter().map(|row| row.get("id")).collect();
        let times: Vec<_> = expired.iter().map(|row| (row.get("starts_at"), row.get("ends_at"))).collect();
        let notices = free_holds(&mut tx, ids, &times, "expired", Utc::now()).await?;
        tx.commit().await?;
        Ok(Some(notices))
    })
    .await?;
    tell(mailer, notices.as_deref().unwrap_or_default());
    Ok(notices.is_some())
}

/// Offers some of the freed time that was noted; whether any was.
async fn offer_noted(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<bool, Failure> {
    let notices = as_scheduler(db, tenant, async |mut tx: Tx, _| {
        let rows = tx.all(sql!("scheduling/freed_time_take.sql"), &[&false, &MOST_NOTES]).await?;
        let Some(first) = rows.first() else {
            tx.commit().await?;
            return Ok(None);
        };
        let freed: Vec<_> = rows.iter().map(FreedTime::from).collect();
        let times: Vec<_> = freed.iter().map(|freed| (freed.from, freed.to)).collect();
        let after = first.get::<_, Option<DateTime<Utc>>>("after_created_at").unwrap_or_default();
        let after_id = first.get::<_, Option<Uuid>>("after_entry_id").unwrap_or_default();
        let queue = Queue::after(&mut tx, &times, after, after_id).await?;
        queue.add_to(Locks::default()).take(&mut tx).await?;
        let notices = queue.offer_all(&mut tx, &freed, Utc::now()).await?;
        tx.commit().await?;
        Ok(Some(notices))
    })
    .await?;
    tell(mailer, notices.as_deref().unwrap_or_default());
    Ok(notices.is_some())
}

async fn as_scheduler<T, F>(db: &Db, tenant: Uuid, run: impl Fn(Tx, usize) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Setback>>,
{
    // Those that have expired are held by a transaction that confirms or ends them.
    decide(db, scheduler(tenant), async || Ok(()), run).await
}
