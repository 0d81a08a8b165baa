//! Whether a foreign id can be told from a missing one by the time the answer takes: for every kind of object, ids of
//! another organization and ids that do not exist are requested in turn, on one connection, and the medians are
//! compared.
//!
//! `cargo bench --bench foreign` does it all in a private cluster and throws that away. A ratio of 1 says nothing can
//! be told; what the spread between two halves of the *missing* ones is, says how much of it is noise.

use std::{error::Error, net::TcpListener, sync::Arc, time::Instant};

use appointd::{
    db::{Db, FrontDoor, Pass, cluster::Cluster, migrate},
    demo, dev,
    http::{
        captcha::Captcha,
        client::Network,
        limit::{Limits, Rates},
        token::{SigningKey, Subject, Tokens},
    },
    identity::passwords::{Passwords, Policy},
    messaging::{
        mail::Mailer,
        webhooks::{addresses::Reach, secrets::SecretKeys},
    },
    server::{Bounds, Capacity, Parts, Server},
};
use chrono::Utc;
use uuid::Uuid;

const PAIRS: usize = 3000;

fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::temporary(&[])?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(bench(&cluster))
}

async fn bench(cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    dev::set_up(cluster).await?;
    let (api, door) = (cluster.url("appointd_api", "appointd"), cluster.url("appointd_door", "appointd"));
    demo::load(&Db::new(&api.parse()?, 4), &FrontDoor::new(&door.parse()?, 1), Utc::now()).await?;
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    let owner = superuser
        .query_one(
            "select m.tenant_id, m.account_id from tenancy.members m join tenancy.organizations o on o.id = m.tenant_id
             where o.slug = 'acme' and m.role = 'owner'",
            &[],
        )
        .await?;
    let (tenant, account, session): (Uuid, Uuid, Uuid) = (owner.get(0), owner.get(1), Uuid::now_v7());
    superuser
        .execute(
            "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
             values ($1, $2, $3, 'token', sha256(uuid_send($2)), now() + interval '1 day')",
            &[&account, &session, &tenant],
        )
        .await?;
    let tokens = Arc::new(
        Tokens::new(&[SigningKey::from_bytes([7; 32])], &[SigningKey::from_bytes([8; 32])]).ok_or("a key")?,
    );
    let subject = Subject { account, session, secret: Pass(*session.as_bytes()), organization: Some(tenant) };
    let token = tokens.issue(&subject, Utc::now()).map_err(|_| "a token")?;
    let server = Server::start(
        Parts {
            database: api.parse()?,
            door: Some(door.parse()?),
            worker: None,
            places: 1,
            tokens,
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
            limits: Arc::new(Limits::new(&Rates {
                address: None,
                anonymous: None,
                account: None,
                key: None,
            })),
            webhook_keys: SecretKeys::new(&[]),
            webhook_reach: Reach::default(),
            threads: 1,
            connections: 2,
            tls: None,
            capacity: Capacity::DEFAULT,
            streams: Bounds::DEFAULT,
            demo: None,
        },
        TcpListener::bind("127.0.0.1:0")?,
    )?;
    let address = server.address();
    let client = reqwest::Client::builder().pool_max_idle_per_host(1).build()?;
    let get = async |path: String| -> Result<f64, reqwest::Error> {
        let started = Instant::now();
        let answer = client.get(format!("http://{address}{path}")).bearer_auth(&token).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        assert_eq!(status, 404, "{path}");
        Ok(started.elapsed().as_secs_f64() * 1e6)
    };
    println!("{:<14} {:>9} {:>9} {:>14} {:>14}", "", "missing", "foreign", "foreign/", "missing/");
    println!("{:<14} {:>9} {:>9} {:>14} {:>14}", "", "µs", "µs", "missing", "missing");
    for (name, table) in [
        ("contacts", "crm.contacts"),
        ("services", "scheduling.services"),
        ("providers", "scheduling.providers"),
        ("appointments", "scheduling.appointments"),
    ] {
        let sql = format!("select id from {table} where tenant_id <> $1");
        let theirs: Vec<Uuid> =
            superuser.query(&sql, &[&tenant]).await?.iter().map(|row| row.get(0)).collect();
        let (mut foreign, mut missing) = (Vec::new(), Vec::new());
        for n in 0..PAIRS + 200 {
            let id = theirs[n % theirs.len()];
            let (a, b) = (
                get(format!("/api/v1/{name}/{id}")).await?,
                get(format!("/api/v1/{name}/{}", Uuid::now_v7())).await?,
            );
            // The first ones warm everything up.
            if n >= 200 {
                foreign.push(a);
                missing.push(b);
            }
        }
        let noise = median(missing[..PAIRS / 2].to_vec()) / median(missing[PAIRS / 2..].to_vec());
        let (foreign, missing) = (median(foreign), median(missing));
        println!("{name:<14} {missing:>9.1} {foreign:>9.1} {:>14.3} {noise:>14.3}", foreign / missing);
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
