//! Regular work: once for each time it is due, whoever does it, late rather than never, and not when it is too late.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use appointd::{
    db::WorkerDb,
    messaging::{
        cron::{Cron, Doing, Task, Tenants, Work, latest_tick},
        queue::{Failed, Kind, Lane},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::{Europe::Berlin, Tz};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::harness::{Tenant, system};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn db() -> WorkerDb {
    WorkerDb::new(&system().worker_url(), 4)
}

#[derive(Default)]
struct Counter {
    runs: AtomicUsize,
    fails: bool,
}

impl Task for Counter {
    fn run(&self) -> Doing<'_, ()> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::Relaxed);
            if self.fails { Err(Failed("it failed".to_owned())) } else { Ok(()) }
        })
    }
}

/// With a name of its own.
fn cron(pattern: &'static str, max_lateness: Duration, work: Work) -> Cron {
    let name = Box::leak(format!("test.{}", Uuid::new_v4().simple()).into_boxed_str());
    Cron { name, pattern, zone: Tz::UTC, max_lateness, work }
}

async fn outcomes(cron: &Cron) -> Vec<(String, String)> {
    let sql = "select tick, outcome from messaging.cron_runs where name = $1 order by due_at";
    let rows = system().superuser().await.query(sql, &[&cron.name]).await.expect("runs");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn four_workers_do_what_is_due_every_minute_once_a_minute() {
    let task = Arc::new(Counter::default());
    let cron = cron("* * * * *", HOUR, Work::Once(task.clone()));
    let start = Utc::now() - TimeDelta::minutes(5);
    let db = db();
    for minute in 0..5 {
        let now = start + TimeDelta::minutes(minute);
        join_all((0..4).map(|_| cron.look(&db, now, None))).await.into_iter().for_each(|looked| {
            looked.expect("a look");
        });
    }
    assert_eq!(task.runs.load(Ordering::Relaxed), 5);
    let outcomes = outcomes(&cron).await;
    assert_eq!(outcomes.len(), 5);
    assert!(outcomes.iter().all(|(_, outcome)| outcome == "done"), "{outcomes:?}");
}

#[tokio::test]
async fn what_was_missed_is_done_late_once_or_noted_when_it_is_too_late() {
    let task = Arc::new(Counter::default());
    let daily = cron("0 9 * * *", HOUR, Work::Once(task.clone()));
    let db = db();
    daily.look(&db, at("2031-03-03T09:10:00Z"), None).await.expect("a look");
    daily.look(&db, at("2031-03-03T09:30:00Z"), None).await.expect("a look");
    assert_eq!(task.runs.load(Ordering::Relaxed), 1);
    daily.look(&db, at("2031-03-04T12:00:00Z"), None).await.expect("a look");
    assert_eq!(task.runs.load(Ordering::Relaxed), 1);
    let expected = [("2031-03-03T09:00:00", "done"), ("2031-03-04T09:00:00", "missed")];
    assert_eq!(outcomes(&daily).await, expected.map(|(tick, outcome)| (tick.to_owned(), outcome.to_owned())));
    // One that fails has failed, and is due again the next time.
    let failing = Arc::new(Counter { fails: true, ..Counter::default() });
    let failing_daily = cron("0 9 * * *", HOUR, Work::Once(failing.clone()));
    for now in ["2031-03-03T09:10:00Z", "2031-03-03T09:11:00Z"] {
        failing_daily.look(&db, at(now), None).await.expect("a look");
    }
    assert_eq!(failing.runs.load(Ordering::Relaxed), 1);
    assert_eq!(outcomes(&failing_daily).await[0].1, "failed");
}

#[tokio::test]
async fn tick_whose_worker_has_vanished_is_done_by_another() {
    let task = Arc::new(Counter::default());
    let cron = cron("0 9 * * *", HOUR, Work::Once(task.clone()));
    let superuser = system().superuser().await;
    let begun = "insert into messaging.cron_runs (name, tick, due_at, outcome, lease_until)
                 values ($1, '2031-03-03T09:00:00', '2031-03-03T09:00Z', 'started', now() + $2::text::interval)";
    superuser.execute(begun, &[&cron.name, &"1 minute"]).await.expect("a run");
    let look = async || cron.look(&db(), at("2031-03-03T09:10:00Z"), None).await.expect("a look");
    look().await;
    assert_eq!(task.runs.load(Ordering::Relaxed), 0, "it may still run");
    let over = "update messaging.cron_runs set lease_until = now() where name = $1";
    superuser.execute(over, &[&cron.name]).await.expect("a run");
    look().await;
    look().await;
    assert_eq!(task.runs.load(Ordering::Relaxed), 1);
}

struct These(Vec<Uuid>);

impl Tenants for These {
    fn due(&self) -> Doing<'_, Vec<Uuid>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }
}

#[tokio::test]
async fn organizations_get_a_job_each_unless_they_have_it() {
    let (first, second, suspended) = (Tenant::new().await, Tenant::new().await, Tenant::new().await);
    suspended.suspend().await;
    let name = Box::leak(format!("test.{}", Uuid::new_v4().simple()).into_boxed_str());
    let tenants = Arc::new(These(vec![first.id, suspended.id, second.id]));
    let cron = cron("* * * * *", HOUR, Work::Each(Kind::new(name, Lane::Bulk), tenants));
    let start = Utc::now() - TimeDelta::minutes(5);
    for minute in 0..2 {
        cron.look(&db(), start + TimeDelta::minutes(minute), None).await.expect("a look");
    }
    let sql = "select tenant_id from messaging.jobs where kind = $1 order by created_at";
    let rows = system().superuser().await.query(sql, &[&&*name]).await.expect("jobs");
    let tenants: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(tenants, [first.id, second.id]);
}

#[test]
fn time_that_a_clock_change_skips_or_repeats_is_one_tick() {
    let tick = |now: &str| latest_tick("30 2 * * *", Berlin, at(now)).expect("a tick");
    // The 29th of March has no half past two.
    let before = tick("2026-03-29T00:59:00Z");
    assert_eq!(before.name, "2026-03-28T02:30:00");
    let skipped = tick("2026-03-29T01:00:00Z");
    assert_eq!(skipped.due_at, at("2026-03-29T01:00:00Z"));
    assert_eq!(tick("2026-03-29T12:00:00Z"), skipped);
    assert_eq!(tick("2026-03-30T00:30:00Z").name, "2026-03-30T02:30:00");
    // The 25th of October has two.
    let first = tick("2026-10-25T00:30:00Z");
    assert_eq!((first.name.as_str(), first.due_at), ("2026-10-25T02:30:00", at("2026-10-25T00:30:00Z")));
    assert_eq!(tick("2026-10-25T01:30:00Z"), first);
    assert_eq!(tick("2026-10-25T12:00:00Z"), first);
    // Seconds, and no pattern.
    assert_eq!(
        latest_tick("*/5 * * * * *", Tz::UTC, at("2026-01-01T00:00:07Z")).expect("a tick").due_at,
        at("2026-01-01T00:00:05Z")
    );
    assert_eq!(latest_tick("every day", Tz::UTC, at("2026-01-01T00:00:07Z")), None);
}
