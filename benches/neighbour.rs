//! What one organization can do to another: a neighbour that asks for slots that are as dear as the API lets it make
//! them, without pause and on four connections, and meanwhile another organization's ordinary requests and
//! `/health/live`.
//!
//! `cargo bench --bench neighbour` does it all in a private cluster and throws that away. Quiet and loud phases
//! alternate in one run, so that a machine that is slow for a while is slow for both; what counts is the ratio of the
//! two. A request is due every 5 ms, and what it waits for those before it counts. Rate limits are off: an attacker has
//! many addresses.

use std::{
    collections::BTreeMap,
    error::Error,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use appointd::{
    db::{DatabaseUrl, FrontDoor, Pass, cluster::Cluster, migrate},
    dev,
    http::{
        captcha::Captcha,
        client::Network,
        limit::{Limits, Rates},
        token::{SigningKey, Subject, Tokens},
    },
    identity::{
        accounts,
        passwords::{self, Passwords, Policy},
    },
    messaging::{
        mail::Mailer,
        webhooks::{addresses::Reach, secrets::SecretKeys},
    },
    server::{Bounds, Capacity, Parts, Server},
};
use chrono::{Days, NaiveDate, Utc};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

const PROVIDERS: usize = 90;
const DATES: u64 = 68;
const CLOSURES: usize = 6000;
const LOUD: usize = 4;
const PHASE: Duration = Duration::from_secs(6);
const REPETITIONS: usize = 3;
const EVERY: Duration = Duration::from_millis(5);

fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::temporary(&[])?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(bench(&cluster))
}

struct Organization {
    slug: String,
    token: String,
    client: Client,
    address: SocketAddr,
}

impl Organization {
    async fn send(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value), reqwest::Error> {
        let request = self
            .client
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
    }

    async fn create(&self, path: &str, body: Value) -> Result<String, Box<dyn Error>> {
        let (status, answer) = self.send(Method::POST, path, body).await?;
        Ok(answer["id"].as_str().ok_or_else(|| format!("{path}: {status} {answer}"))?.to_owned())
    }
}

async fn bench(cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    dev::set_up(cluster).await?;
    let url: DatabaseUrl = cluster.url("appointd_api", "appointd").parse()?;
    let door: DatabaseUrl = cluster.url("appointd_door", "appointd").parse()?;
    let tokens = Arc::new(
        Tokens::new(&[SigningKey::from_bytes([7; 32])], &[SigningKey::from_bytes([8; 32])]).ok_or("a key")?,
    );
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    let server = Server::start(
        Parts {
            database: url.clone(),
            door: Some(door.clone()),
            worker: None,
            places: 1,
            tokens: tokens.clone(),
            passwords: Arc::new(Passwords::new(Policy::Strict)),
            mailer: Mailer::new(
                None,
                "appointd <appointd@example.com>".parse()?,
                "https://example.com".into(),
            )
            .map_err(|_| "no mailer")?,
            dns: None,
            captcha: Captcha::default(),
            network: Arc::<Network>::default(),
            limits: Arc::new(Limits::new(&Rates::default())),
            webhook_keys: SecretKeys::new(&[]),
            webhook_reach: Reach::default(),
            threads: 2,
            connections: 16,
            tls: None,
            capacity: Capacity::DEFAULT,
            streams: Bounds::DEFAULT,
            demo: None,
        },
        TcpListener::bind("127.0.0.1:0")?,
    )?;
    let register = async |slug: &str| -> Result<Organization, Box<dyn Error>> {
        let registration = serde_json::from_value(json!({
            "email": format!("owner@{slug}.example"), "password": "three small brass kettles",
            "organization_name": slug, "organization_slug": slug,
        }))?;
        let hash = passwords::hash("three small brass kettles").ok_or("a hash")?;
        let (account, tenant) = accounts::register(&FrontDoor::new(&door, 1), &registration, &hash)
            .await
            .map_err(|_| "cannot register")?;
        let session = Uuid::now_v7();
        superuser
            .execute(
                "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
                 values ($1, $2, $3, 'token', sha256(uuid_send($2)), now() + interval '1 day')",
                &[&account, &session, &tenant],
            )
            .await?;
        superuser
            .execute(
                "update tenancy.subscriptions set plan_type = 'enterprise' where tenant_id = $1",
                &[&tenant],
            )
            .await?;
        let subject =
            Subject { account, session, secret: Pass(*session.as_bytes()), organization: Some(tenant) };
        let token = tokens.issue(&subject, Utc::now()).map_err(|_| "a token")?;
        let client = Client::builder().build()?;
        Ok(Organization { slug: slug.to_owned(), token, client, address: server.address() })
    };
    let hostile = register("hostile").await?;
    let path = hostility(&hostile).await?;
    let quiet = register("quiet").await?;
    let contact =
        quiet.create("/api/v1/contacts", json!({ "first_name": "Ada", "last_name": "Lovelace" })).await?;
    let ordinary = format!("/api/v1/contacts/{contact}");
    let measure = async |path: &str| -> Result<Vec<f64>, reqwest::Error> {
        let (mut times, mut due) = (Vec::new(), Instant::now());
        let until = due + PHASE;
        while due < until {
            tokio::time::sleep_until(due.into()).await;
            let (status, _) = quiet.send(Method::GET, path, Value::Null).await?;
            let took = due.elapsed().as_secs_f64() * 1e3;
            // A request that is refused has waited until its answer, too.
            if status != 200 {
                println!("{path}: {status} after {took:.0} ms");
            }
            times.push(took);
            due += EVERY;
        }
        Ok(times)
    };

    let mut times: BTreeMap<(&str, bool), Vec<f64>> = BTreeMap::new();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    // The first ones warm everything up.
    measure(&ordinary).await?;
    for _ in 0..REPETITIONS {
        for loud in [false, true] {
            let over = Arc::new(AtomicBool::new(false));
            let shouting: Vec<_> = (0..if loud { LOUD } else { 0 })
                .map(|_| {
                    let (over, url) = (over.clone(), format!("http://{}{path}", server.address()));
                    tokio::spawn(async move {
                        let client = Client::new();
                        let mut answers = Vec::new();
                        while !over.load(Ordering::Relaxed) {
                            let Ok(answer) = client.get(&url).send().await else {
                                continue;
                            };
                            let status = answer.status().as_u16();
                            let body = answer.bytes().await.unwrap_or_default();
                            let code = serde_json::from_slice::<Value>(&body)
                                .map_or(Value::Null, |body| body["code"].clone());
                            answers.push(format!("{status} {}", code.as_str().unwrap_or_default()));
                        }
                        answers
                    })
                })
                .collect();
            let (ordinary, live) =
                futures_util::future::join(measure(&ordinary), measure("/health/live")).await;
            times.entry(("an ordinary GET", loud)).or_default().extend(ordinary?);
            times.entry(("/health/live", loud)).or_default().extend(live?);
            over.store(true, Ordering::Relaxed);
            for shouting in shouting {
                for answer in shouting.await? {
                    *answers.entry(answer).or_default() += 1;
                }
            }
        }
    }
    println!("What the neighbour was answered: {answers:?}");
    println!("{:<18} {:>9} {:>9} {:>9} {:>9}", "", "p50 ms", "p99 ms", "max ms", "requests");
    for ((name, loud), times) in &mut times {
        times.sort_by(f64::total_cmp);
        let title = format!("{name}{}", if *loud { ", loud" } else { "" });
        println!(
            "{title:<22} {:>7.2} {:>9.2} {:>9.2} {:>9}",
            percentile(times, 50),
            percentile(times, 99),
            percentile(times, 100),
            times.len()
        );
    }
    for name in ["an ordinary GET", "/health/live"] {
        let (quiet, loud) = (&times[&(name, false)], &times[&(name, true)]);
        let ratio = |p| percentile(loud, p) / percentile(quiet, p);
        println!("{name}: p50 {:.2} ×, p99 {:.2} ×", ratio(50), ratio(99));
    }
    Ok(())
}

/// Makes an organization whose slots are as dear as the API allows; the path that lists them.
async fn hostility(hostile: &Organization) -> Result<String, Box<dyn Error>> {
    let first = Utc::now().date_naive() + Days::new(1);
    let day = |n: u64| -> NaiveDate { first + Days::new(n) };
    let schedule = |intervals: usize| {
        let width = 1440 / intervals;
        let time = |minute: usize| format!("{:02}:{:02}", minute / 60, minute % 60);
        let intervals: Vec<_> = (0..intervals)
            .map(|n| json!({ "from": time(n * width), "to": time(n * width + width / 2) }))
            .collect();
        let overrides: Vec<_> =
            (0..DATES).map(|n| json!({ "date": day(n), "intervals": intervals })).collect();
        json!({ "time_zone": "Europe/Berlin", "rules": [], "overrides": overrides })
    };
    let service = hostile
        .create("/api/v1/services", json!({ "name": "S", "duration_minutes": 5, "slot_step_minutes": 1 }))
        .await?;
    let mut intervals = 100;
    for _ in 0..PROVIDERS {
        let provider = hostile.create("/api/v1/providers", json!({ "name": "P" })).await?;
        loop {
            let path = format!("/api/v1/providers/{provider}/schedule");
            match hostile.send(Method::PUT, &path, schedule(intervals)).await? {
                (200, _) => break,
                (422, _) if intervals > 1 => intervals -= 1,
                (status, answer) => return Err(format!("{path}: {status} {answer}").into()),
            }
        }
    }
    let mut closures = 0;
    // All on one day, so that the others stay open.
    let closed = json!({ "starts_on": day(61), "ends_on": day(61), "name": "C" });
    while closures < CLOSURES {
        match hostile.send(Method::POST, "/api/v1/closures", closed.clone()).await? {
            (201, _) => closures += 1,
            _ => break,
        }
    }
    println!("{PROVIDERS} providers × {DATES} dates × {intervals} intervals, {closures} closures");
    Ok(format!(
        "/api/v1/guest/services/{service}/slots?organization_slug={}&from={}&to={}",
        hostile.slug,
        day(0),
        day(61)
    ))
}

/// Of values in order.
fn percentile(values: &[f64], percent: usize) -> f64 {
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
