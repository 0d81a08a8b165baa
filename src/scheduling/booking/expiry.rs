//! Removes expired holds and offers freed time to the waitlist: every few seconds, and when a booking meets an expired
//! hold.

use std::collections::BTreeSet;

use chrono::Utc;
use uuid::Uuid;

use super::{
    freed::{FreedTime, NotedTime},
    hold::HeldTime,
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

/// The maximum number of expired holds that one transaction removes.
const MOST_HOLDS: i64 = 200;

/// How often one sweep queries the organizations that are due.
const MOST_ROUNDS: usize = 100;

/// The context of the scheduler, which is the server itself, in one organization.
fn scheduler(tenant: Uuid) -> Context {
    Context { tenant, who: Who::Scheduler, needs: "scheduler", feature: None }
}

/// Removes expired holds of all organizations, and offers freed time. Servers call it every few seconds. The
/// organizations take turns, so that a busy one does not delay others.
pub async fn sweep(db: &Db, mailer: &Mailer) -> Result<(), db::Error> {
    // Organizations that are locked or cannot be entered; the next sweep tries again.
    let mut left: BTreeSet<Uuid> = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let due = db.gate_all(sql!("scheduling/tenants_due.sql" as (Uuid,)), &[]).await?;
        let due: Vec<Uuid> = due.into_iter().map(|(id,)| id).filter(|id| !left.contains(id)).collect();
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

/// Removes all expired holds of one organization, and offers their time to the waitlist.
pub async fn expire(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<(), Failure> {
    for _ in 0..MOST_ROUNDS {
        if !expire_some(db, mailer, tenant).await? {
            break;
        }
    }
    Ok(())
}

/// Removes some expired holds. Returns whether it found any.
async fn expire_some(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<bool, Failure> {
    let notices = as_scheduler(db, tenant, async |mut tx: Tx, _| {
        let expired = tx.all(sql!("scheduling/holds_lock_expired.sql" as HeldTime), &[&MOST_HOLDS]).await?;
        if expired.is_empty() {
            tx.commit().await?;
            return Ok(None);
        }
        let notices = free_holds(&mut tx, &expired, "expired", Utc::now()).await?;
        tx.commit().await?;
        Ok(Some(notices))
    })
    .await?;
    tell(mailer, notices.as_deref().unwrap_or_default());
    Ok(notices.is_some())
}

/// Offers some of the recorded freed time. Returns whether it found any.
async fn offer_noted(db: &Db, mailer: &Mailer, tenant: Uuid) -> Result<bool, Failure> {
    let notices = as_scheduler(db, tenant, async |mut tx: Tx, _| {
        let sql = sql!("scheduling/freed_time_take.sql" as NotedTime);
        let noted = tx.all(sql, &[&false, &MOST_NOTES]).await?;
        let Some(first) = noted.first() else {
            tx.commit().await?;
            return Ok(None);
        };
        let (after, after_id) =
            first.after.as_ref().map_or_else(Default::default, |last| (last.created_at, last.entry));
        let freed: Vec<_> = noted.into_iter().map(FreedTime::from).collect();
        let times: Vec<_> = freed.iter().map(|freed| (freed.from, freed.to)).collect();
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
    // Nothing to remove here: if a hold has expired meanwhile, another transaction is confirming or ending it.
    decide(db, scheduler(tenant), async || Ok(()), run).await
}
