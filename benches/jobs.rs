//! How many jobs and events per second four workers get done, for 50 organizations.
//!
//! `cargo bench --bench jobs` does it all in a private cluster that survives crashes, as in production, and throws that
//! away. The jobs are empty: what counts is claiming and ending them. The floor is the least that a queue needs: four
//! connections claim and delete rows of one table, in batches of ten, without tenants and policies.

use std::{
    env,
    error::Error,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use appointd::{
    db::{
        UrlError, WorkerDb,
        cluster::{self, Cluster},
        migrate,
    },
    dev,
    messaging::{
        queue::{Done, Handler, Job, Kind, Lane, Working},
        worker::{PATIENCE, Worker},
    },
    server::publisher,
};
use futures_util::future::try_join_all;
use tokio::{sync::watch, time::sleep};
use tokio_postgres::Client;
use uuid::Uuid;

const TENANTS: i64 = 50;
const WORKERS: usize = 4;
const KIND: Kind = Kind { at_once: 100, ..Kind::new("bench.nothing", Lane::Live) };

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Nothing;

impl Handler for Nothing {
    fn kind(&self) -> Kind {
        KIND
    }

    fn run<'a>(&'a self, _: &'a Job) -> Working<'a> {
        Box::pin(async { Ok(Done::Finished) })
    }
}

fn main() -> Outcome<()> {
    let folder = env::temp_dir().join(format!("appointd-bench-{}", Uuid::new_v4().simple()));
    let cluster = Cluster::start(&folder, &[], &|_| ())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(bench(&cluster));
    drop(cluster);
    cluster::remove(&folder)?;
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// What the tables take on disk, with their indexes.
const SIZES: &str =
    "select string_agg(name || ' ' || pg_size_pretty(pg_total_relation_size(name)), ', ' order by name)
     from unnest('{messaging.jobs,messaging.turns}'::regclass[]) as name";

async fn bench(cluster: &Cluster) -> Outcome<()> {
    let jobs: i64 = env::var("APPOINTD_BENCH_JOBS").map_or(Ok(10_000), |jobs| jobs.parse())?;
    let rounds: i64 = env::var("APPOINTD_BENCH_ROUNDS").map_or(Ok(1), |rounds| rounds.parse())?;
    dev::set_up(cluster).await?;
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    superuser
        .batch_execute(&format!(
            "select identity.register(
                 gen_random_uuid(), n || '@x.example', 'x', 'O', gen_random_uuid(), 'Org', 'org-' || n, 'UTC'
             )
             from generate_series(1, {TENANTS}) as n;
             update messaging.turns set job_cap = 100"
        ))
        .await?;
    let db = || Ok::<_, UrlError>(WorkerDb::new(&cluster.url("appointd_worker", "appointd").parse()?, 4));

    let (stop, stopping) = watch::channel(false);
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let db = db()?;
        let worker = Worker {
            publisher: publisher(&db),
            db,
            handlers: vec![Arc::new(Nothing)],
            crons: Vec::new(),
            places: 40,
            patience: PATIENCE,
            counts: Arc::default(),
        };
        workers.push(tokio::spawn(worker.run(stopping.clone())));
    }
    let began = Instant::now();
    for round in 1..=rounds {
        superuser
            .execute(
                "insert into messaging.jobs (tenant_id, kind)
                 select t.tenant_id, $1 from messaging.turns as t, generate_series(1, $2::bigint / $3) as n",
                &[&KIND.name, &jobs, &TENANTS],
            )
            .await?;
        while superuser.query_opt("select from messaging.jobs limit 1", &[]).await?.is_some() {
            sleep(Duration::from_millis(20)).await;
        }
        if round == 1 || round == rounds {
            let size: String = superuser.query_one(SIZES, &[]).await?.get(0);
            println!("after {} jobs: {size}", round * jobs);
        }
    }
    say("jobs", rounds * jobs, began);
    stop.send_replace(true);
    for worker in workers {
        worker.await?;
    }
    superuser
        .execute(
            "insert into messaging.outbox (tenant_id, actor_kind, type, subject_id, lowest_role, data)
             select t.tenant_id, 'system', 'contact.created', gen_random_uuid(), 'viewer', '{\"first_name\": \"Ada\"}'
             from messaging.turns as t, generate_series(1, $1::bigint / $2) as n",
            &[&jobs, &TENANTS],
        )
        .await?;
    let began = Instant::now();
    let db = db()?;
    try_join_all((0..WORKERS).map(|_| {
        let publisher = publisher(&db);
        async move { publisher.publish_all().await }
    }))
    .await?;
    say("events", jobs, began);

    superuser
        .batch_execute(&format!(
            "create table public.floor (id uuid primary key default gen_random_uuid(), run_at timestamptz default now(),
                 state text default 'ready');
             create index on public.floor (run_at) where state = 'ready';
             insert into public.floor select from generate_series(1, {jobs})"
        ))
        .await?;
    let mut clients = Vec::new();
    for _ in 0..WORKERS {
        clients.push(migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?);
    }
    let began = Instant::now();
    try_join_all(clients.iter().map(floor)).await?;
    say("floor", jobs, began);
    Ok(())
}

async fn floor(client: &Client) -> Result<(), tokio_postgres::Error> {
    let claim = client
        .prepare(
            "with c as (
                 select id from public.floor where state = 'ready' order by run_at limit 10 for update skip locked
             )
             update public.floor as f set state = 'running' from c where f.id = c.id returning f.id",
        )
        .await?;
    let end = client.prepare("delete from public.floor where id = any ($1)").await?;
    loop {
        let claimed = client.query(&claim, &[]).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = claimed.iter().map(|row| row.get(0)).collect();
        client.execute(&end, &[&ids]).await?;
    }
}

fn say(what: &str, count: i64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    println!("{what:<7} {count} in {seconds:.2} s: {:.0} per second", count as f64 / seconds);
}
