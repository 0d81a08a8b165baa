//! Removes expired holds and offers freed time to the waitlist: as a job, every few seconds, and when a booking meets
//! an expired hold.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    freed::{FreedTime, NotedTime},
    hold::HeldTime,
    offers::{MOST_NOTES, Queue, free_holds, tell},
    transaction::{Locks, decide},
};
use crate::{
    db::{self, Context, Db, Pass, Tx, Who, WorkerDb},
    http::problem::Failure,
    messaging::mail::Mailer,
    scheduling::slots::setback::Setback,
    sql,
};

/// The maximum number of expired holds that one transaction removes.
const MOST_HOLDS: i64 = 200;

/// How many transactions remove expired holds before a booking is tried.
const MOST_ROUNDS: usize = 100;

/// The context of the scheduler, which is the server itself, in one organization.
async fn scheduler(worker: &WorkerDb, tenant: Uuid) -> Result<Context, db::Error> {
    let sql = sql!("app/scheduler_proof.sql" as (Vec<u8>,));
    let (proof,) = worker.gate(sql, &[&tenant]).await?;
    let proof = Pass::read(&proof).ok_or_else(|| sql.unreadable("proof"))?;
    Ok(Context { tenant, who: Who::Scheduler { proof }, needs: "scheduler", feature: None })
}

/// The organizations with expired holds or freed time.
pub async fn due(db: &WorkerDb) -> Result<Vec<Uuid>, db::Error> {
    let due = db.gate_all(sql!("scheduling/tenants_due.sql" as (Uuid,)), &[]).await?;
    Ok(due.into_iter().map(|(tenant,)| tenant).collect())
}

/// Removes some expired holds of one organization, or offers some freed time. Returns whether it found any: more may be
/// left. What other transactions have locked is left to the next sweep.
pub async fn sweep(db: &Db, worker: &WorkerDb, mailer: &Mailer, tenant: Uuid) -> Result<bool, Failure> {
    let context = scheduler(worker, tenant).await?;
    Ok(expire_some(db, mailer, context).await? || offer_noted(db, mailer, context).await?)
}

/// Removes all expired holds of the organization of a request, and offers their time to the waitlist.
pub async fn expire(db: &Db, mailer: &Mailer, context: Context) -> Result<(), Failure> {
    for _ in 0..MOST_ROUNDS {
        if !expire_some(db, mailer, context).await? {
            break;
        }
    }
    Ok(())
}

/// Removes some expired holds. Returns whether it found any.
async fn expire_some(db: &Db, mailer: &Mailer, context: Context) -> Result<bool, Failure> {
    let notices = as_scheduler(db, context, async |mut tx: Tx, _| {
        become_scheduler(&mut tx).await?;
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
async fn offer_noted(db: &Db, mailer: &Mailer, context: Context) -> Result<bool, Failure> {
    let notices = as_scheduler(db, context, async |mut tx: Tx, _| {
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

/// Offers time that was freed while an entry joined: neither saw the other.
pub async fn offer_free(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    times: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Result<(), Failure> {
    let notices = as_scheduler(db, context, async |mut tx: Tx, _| {
        become_scheduler(&mut tx).await?;
        let queue = Queue::read(&mut tx, times).await?;
        queue.add_to(Locks::default()).take(&mut tx).await?;
        let freed: Vec<_> = times.iter().map(|(from, to)| FreedTime::unnoted(*from, *to)).collect();
        let notices = queue.offer_all(&mut tx, &freed, Utc::now()).await?;
        tx.commit().await?;
        Ok(notices)
    })
    .await?;
    tell(mailer, &notices);
    Ok(())
}

/// Continues as the scheduler in a transaction that has entered as the caller of a request.
async fn become_scheduler(tx: &mut Tx) -> Result<(), db::Error> {
    match tx.context() {
        Some(Context { who: Who::Scheduler { .. }, .. }) => Ok(()),
        _ => tx.all(sql!("app/become_scheduler.sql"), &[]).await.map(drop),
    }
}

async fn as_scheduler<T, F>(db: &Db, context: Context, run: impl Fn(Tx, usize) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Setback>>,
{
    // Nothing to remove here: if a hold has expired meanwhile, another transaction is confirming or ending it.
    decide(db, context, async || Ok(()), run).await
}
