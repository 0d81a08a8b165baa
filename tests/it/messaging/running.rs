//! What workers do with jobs: each once, in turn, and again when a worker has vanished.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use appointd::{
    db::WorkerDb,
    messaging::{
        queue::{Done, Failed, Handler, Job, Kind, Lane, NewJob, Queue, Working, pause_after},
        worker::Worker,
    },
    server::publisher,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::harness::{Tenant, eventually, system};

type Act = Box<dyn Fn(&Job) -> Result<Done, Failed> + Send + Sync>;

/// A handler that notes what it does.
pub(super) struct Recorder {
    kind: Kind,
    takes: Duration,
    act: Act,
    pub seen: Mutex<Vec<(Uuid, Uuid, i16)>>,
    running: Mutex<HashMap<Uuid, usize>>,
    pub most: AtomicUsize,
}

impl Recorder {
    pub(super) fn new(takes: Duration, at_once: i32, act: Act) -> Arc<Self> {
        // Workers of other tests do not know it.
        let name = Box::leak(format!("test.{}", Uuid::new_v4().simple()).into_boxed_str());
        let kind = Kind { at_once, attempts: 3, ..Kind::new(name, Lane::Live) };
        Arc::new(Self {
            kind,
            takes,
            act,
            seen: Mutex::default(),
            running: Mutex::default(),
            most: AtomicUsize::default(),
        })
    }

    pub(super) fn finishing(takes: Duration, at_once: i32) -> Arc<Self> {
        Self::new(takes, at_once, Box::new(|_| Ok(Done::Finished)))
    }

    pub(super) fn seen(&self) -> Vec<(Uuid, Uuid, i16)> {
        self.seen.lock().expect("no panic").clone()
    }

    fn begin(&self, tenant: Uuid) {
        let mut running = self.running.lock().expect("no panic");
        let here = running.entry(tenant).or_default();
        *here += 1;
        self.most.fetch_max(*here, Ordering::Relaxed);
    }
}

impl Handler for Recorder {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            self.begin(job.tenant);
            self.seen.lock().expect("no panic").push((job.tenant, job.id, job.attempt));
            sleep(self.takes).await;
            *self.running.lock().expect("no panic").get_mut(&job.tenant).expect("it runs") -= 1;
            (self.act)(job)
        })
    }
}

/// A worker of this process, until it is stopped.
pub(super) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    pub worker: Worker,
}

impl Running {
    pub(super) fn start(handlers: Vec<Arc<dyn Handler>>, places: usize) -> Self {
        let db = WorkerDb::new(&system().worker_url(), 3);
        let worker = Worker {
            publisher: publisher(&db),
            db,
            handlers,
            crons: Vec::new(),
            places,
            patience: Duration::from_millis(300),
            counts: Arc::default(),
        };
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(worker.clone().run(stopping));
        Self { stop, task, worker }
    }

    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.expect("no panic");
    }
}

pub(super) async fn add(tenant: Uuid, kind: Kind, jobs: i32) {
    let sql = "insert into messaging.jobs (tenant_id, kind, run_at, max_attempts)
               select $1, $2, now() + n * interval '1 microsecond', $4 from generate_series(1, $3) as n";
    let attempts = kind.attempts;
    system().superuser().await.execute(sql, &[&tenant, &kind.name, &jobs, &attempts]).await.expect("jobs");
}

/// How many jobs of a kind are in each state.
pub(super) async fn states(kind: Kind) -> BTreeMap<String, i64> {
    let sql = "select state, count(*) from messaging.jobs where kind = $1 group by state";
    let rows = system().superuser().await.query(sql, &[&kind.name]).await.expect("a count");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn once_done(kind: Kind) {
    eventually(async || states(kind).await.is_empty().then_some(())).await;
}

fn queue() -> Queue {
    Queue(WorkerDb::new(&system().worker_url(), 2))
}

async fn change(sql: &str, kind: Kind) {
    system().superuser().await.execute(sql, &[&kind.name]).await.expect("a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_do_each_job_once_and_no_more_at_once_than_the_organization_may_run() {
    let tenants = join_all((0..3).map(async |_| Tenant::new().await)).await;
    let recorder = Recorder::finishing(Duration::from_millis(2), 100);
    for tenant in &tenants {
        add(tenant.id, recorder.kind, 100).await;
    }
    let workers: Vec<_> = (0..4).map(|_| Running::start(vec![recorder.clone()], 8)).collect();
    once_done(recorder.kind).await;
    let seen = recorder.seen();
    let distinct: BTreeSet<_> = seen.iter().map(|(_, id, _)| *id).collect();
    assert_eq!((seen.len(), distinct.len()), (300, 300));
    let most = recorder.most.load(Ordering::Relaxed);
    assert!((2..=4).contains(&most), "{most}");
    let mut finished = 0;
    for worker in workers {
        let counts = worker.worker.counts.clone();
        worker.stop().await;
        finished += counts.attempts().get(recorder.kind.name).map_or(0, |attempts| attempts.finished);
    }
    assert_eq!(finished, 300);
}

#[tokio::test]
async fn one_job_of_an_organization_is_not_behind_all_of_another() {
    let (many, few) = (Tenant::new().await, Tenant::new().await);
    let recorder = Recorder::finishing(Duration::from_millis(1), 100);
    add(many.id, recorder.kind, 200).await;
    add(few.id, recorder.kind, 1).await;
    let worker = Running::start(vec![recorder.clone()], 8);
    once_done(recorder.kind).await;
    let seen = recorder.seen();
    let place = seen.iter().position(|(tenant, ..)| *tenant == few.id).expect("it ran");
    assert!(place < 100, "{place} of {}", seen.len());
    worker.stop().await;
}

#[tokio::test]
async fn kind_runs_as_often_at_once_as_it_says() {
    let tenant = Tenant::new().await;
    let (alone, beside) =
        (Recorder::finishing(Duration::from_millis(5), 1), Recorder::finishing(Duration::from_millis(5), 3));
    add(tenant.id, alone.kind, 10).await;
    add(tenant.id, beside.kind, 10).await;
    let worker = Running::start(vec![alone.clone(), beside.clone()], 8);
    once_done(alone.kind).await;
    once_done(beside.kind).await;
    assert_eq!(alone.most.load(Ordering::Relaxed), 1);
    assert!(beside.most.load(Ordering::Relaxed) <= 3);
    worker.stop().await;
}

#[tokio::test]
async fn job_that_fails_is_tried_again_later_and_then_dead() {
    let tenant = Tenant::new().await;
    let failing = Recorder::new(Duration::ZERO, 1, Box::new(|_| Err(Failed("no answer".to_owned()))));
    let panicking = Recorder::new(Duration::ZERO, 1, Box::new(|_| panic!("a bug")));
    add(tenant.id, failing.kind, 1).await;
    add(tenant.id, panicking.kind, 1).await;
    let worker = Running::start(vec![failing.clone(), panicking.clone()], 8);
    for recorder in [&failing, &panicking] {
        for attempt in 1..=3_i64 {
            let state = if attempt == 3 { "dead" } else { "scheduled" };
            eventually(async || {
                let seen = recorder.seen().len() as i64 == attempt;
                (seen && states(recorder.kind).await.contains_key(state)).then_some(())
            })
            .await;
            // As only waiting could.
            change(
                "update messaging.jobs set run_at = now() where kind = $1 and state = 'scheduled'",
                recorder.kind,
            )
            .await;
        }
        let attempts: Vec<_> = recorder.seen().iter().map(|(_, _, attempt)| *attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
    }
    let listed = tenant.admin.get("/api/v1/jobs?state=dead").await.expect(200);
    let errors: BTreeSet<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["last_error"].as_str()).collect();
    assert_eq!(errors, BTreeSet::from([Some("it panicked"), Some("no answer")]));
    let counts = worker.worker.counts.attempts()[failing.kind.name];
    assert_eq!((counts.started, counts.failed, counts.dead), (3, 2, 1));
    worker.stop().await;
}

#[test]
fn pauses_grow_by_three_and_differ() {
    for (attempt, seconds) in [(1, 5.0), (2, 15.0), (3, 45.0), (11, 21_600.0), (12, 21_600.0)] {
        let pauses: Vec<_> = (0..50).map(|_| pause_after(attempt).as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (0.8 * seconds..=1.2 * seconds).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| (pause - pauses[0]).abs() > 0.001), "{pauses:?}");
    }
}

#[tokio::test]
async fn job_for_later_waits_and_putting_off_is_no_attempt() {
    let tenant = Tenant::new().await;
    let first = AtomicUsize::default();
    let recorder = Recorder::new(
        Duration::ZERO,
        1,
        Box::new(move |_| match first.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(Done::Later(Duration::from_secs(3600))),
            _ => Ok(Done::Finished),
        }),
    );
    let later = Recorder::finishing(Duration::ZERO, 1);
    add(tenant.id, recorder.kind, 1).await;
    add(tenant.id, later.kind, 1).await;
    change(
        "update messaging.jobs set state = 'scheduled', run_at = now() + interval '1 hour' where kind = $1",
        later.kind,
    )
    .await;
    let worker = Running::start(vec![recorder.clone(), later.clone()], 8);
    eventually(async || states(recorder.kind).await.contains_key("scheduled").then_some(())).await;
    change("update messaging.jobs set run_at = now() where kind = $1", recorder.kind).await;
    once_done(recorder.kind).await;
    let attempts: Vec<_> = recorder.seen().iter().map(|(_, _, attempt)| *attempt).collect();
    assert_eq!(attempts, [1, 1]);
    assert_eq!(later.seen().len(), 0);
    change("update messaging.jobs set run_at = now() where kind = $1", later.kind).await;
    once_done(later.kind).await;
    worker.stop().await;
}

#[tokio::test]
async fn worker_that_lost_its_lease_changes_nothing() {
    let tenant = Tenant::new().await;
    let recorder = Recorder::finishing(Duration::ZERO, 1);
    add(tenant.id, recorder.kind, 1).await;
    let (slow, quick) = (queue(), queue());
    let claim = async |queue: &Queue| {
        queue.claim(tenant.id, Lane::Live, &[recorder.kind], 10).await.expect("a claim").pop()
    };
    let late = claim(&slow).await.expect("a job");
    assert!(claim(&quick).await.is_none(), "one lease at a time");
    change(
        "update messaging.jobs set lease_until = now() - interval '1 second' where kind = $1",
        recorder.kind,
    )
    .await;
    quick.wake().await.expect("jobs of vanished workers");
    let again = claim(&quick).await.expect("the same job");
    assert_eq!((again.id, again.attempt), (late.id, 2));
    // What the late one does is not kept: not its effects in the database, and not that it is done.
    let effect =
        NewJob { kind: Kind::new("test.effect", Lane::Live), key: None, payload: json!({}), run_at: None };
    let mut tx = slow.0.begin(tenant.id);
    effect.add(&mut tx).await.expect("an effect");
    assert!(!late.finish_in(&mut tx).await.expect("an answer"));
    drop(tx);
    let token = |job: &Job| (job.id, job.token);
    assert_eq!(slow.finish(tenant.id, &[token(&late)]).await.expect("an answer"), 0);
    assert_eq!(slow.fail(&late, "late").await.expect("an answer"), None);
    assert_eq!(slow.extend(tenant.id, &[token(&late)]).await.expect("an answer"), Vec::<Uuid>::new());
    assert_eq!(quick.extend(tenant.id, &[token(&again)]).await.expect("an answer"), [again.id]);
    let mut tx = quick.0.begin(tenant.id);
    effect.add(&mut tx).await.expect("an effect");
    assert!(again.finish_in(&mut tx).await.expect("an answer"));
    tx.commit().await.expect("a commit");
    assert!(states(recorder.kind).await.is_empty());
    let effects = "select count(*) from messaging.jobs where tenant_id = $1 and kind = 'test.effect'";
    let row = system().superuser().await.query_one(effects, &[&tenant.id]).await.expect("a count");
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn job_over_which_three_workers_vanish_is_dead() {
    let tenant = Tenant::new().await;
    let recorder = Recorder::finishing(Duration::ZERO, 1);
    let kind = Kind { attempts: 12, ..recorder.kind };
    add(tenant.id, kind, 1).await;
    let queue = queue();
    for _ in 0..3 {
        queue.claim(tenant.id, Lane::Live, &[kind], 10).await.expect("a claim").pop().expect("a job");
        change("update messaging.jobs set lease_until = now() - interval '1 second' where kind = $1", kind)
            .await;
        queue.wake().await.expect("jobs of vanished workers");
    }
    assert_eq!(states(kind).await, BTreeMap::from([("dead".to_owned(), 1)]));
}

#[tokio::test]
async fn worker_that_stops_gives_back_what_it_has_not_done() {
    let tenant = Tenant::new().await;
    let (endless, short) = (
        Recorder::finishing(Duration::from_secs(3600), 2),
        Recorder::finishing(Duration::from_millis(50), 2),
    );
    add(tenant.id, endless.kind, 3).await;
    add(tenant.id, short.kind, 2).await;
    let worker = Running::start(vec![endless.clone(), short.clone()], 8);
    eventually(async || (endless.seen().len() == 2 && short.seen().len() == 2).then_some(())).await;
    worker.stop().await;
    assert!(states(short.kind).await.is_empty(), "what was about to end has ended");
    let sql = "select count(*) from messaging.jobs where kind = $1 and state = 'ready' and attempt = 0";
    let row = system().superuser().await.query_one(sql, &[&endless.kind.name]).await.expect("a count");
    assert_eq!(row.get::<_, i64>(0), 3);
    assert_eq!(endless.seen().len(), 2, "nothing was claimed after that");
}

#[tokio::test]
async fn jobs_of_a_suspended_organization_and_of_unknown_kinds_wait() {
    let (tenant, suspended) = (Tenant::new().await, Tenant::new().await);
    let (known, unknown) = (Recorder::finishing(Duration::ZERO, 1), Recorder::finishing(Duration::ZERO, 1));
    add(suspended.id, known.kind, 1).await;
    add(tenant.id, unknown.kind, 1).await;
    suspended.suspend().await;
    add(tenant.id, known.kind, 1).await;
    let worker = Running::start(vec![known.clone()], 8);
    eventually(async || (known.seen().len() == 1).then_some(())).await;
    assert_eq!(known.seen()[0].0, tenant.id);
    let restore = "update tenancy.organizations set status = 'active' where id = $1";
    system().superuser().await.execute(restore, &[&suspended.id]).await.expect("an active organization");
    once_done(known.kind).await;
    assert_eq!(known.seen().len(), 2);
    assert_eq!(states(unknown.kind).await, BTreeMap::from([("ready".to_owned(), 1)]));
    worker.stop().await;
}

#[tokio::test]
async fn job_with_a_key_is_added_once_until_it_is_done() {
    let tenant = Tenant::new().await;
    let recorder = Recorder::finishing(Duration::ZERO, 1);
    let queue = queue();
    let add = async || {
        let mut tx = queue.0.begin(tenant.id);
        let job = NewJob { kind: recorder.kind, key: Some("daily"), payload: json!({}), run_at: None };
        let added = job.add(&mut tx).await.expect("an answer");
        tx.commit().await.expect("a commit");
        added.is_some()
    };
    assert_eq!((add().await, add().await), (true, false));
    let worker = Running::start(vec![recorder.clone()], 8);
    once_done(recorder.kind).await;
    worker.stop().await;
    assert!(add().await);
}
