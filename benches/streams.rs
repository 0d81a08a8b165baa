//! What 1,000 streams of events cost: memory and CPU of the server, and how long an event takes to all of them.
//!
//! `cargo bench --bench streams` does it all in a private cluster and throws that away. The listeners are in another
//! process, so that the memory is the server's alone: 20 for each of 50 organizations.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use appointd::{
    db::{
        Pass, WorkerDb,
        cluster::{self, Cluster},
        migrate,
    },
    dev,
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
    server::{Bounds, Capacity, Parts, Server, publisher},
    terminal::raise_open_files,
};
use chrono::Utc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};
use uuid::Uuid;

const TENANTS: usize = 50;
const LISTENERS_OF_EACH: usize = 20;
const ROUNDS: usize = 100;

/// Set in the process of the listeners: where the server is.
const ADDRESS: &str = "APPOINTD_BENCH_ADDRESS";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Ok(address) = env::var(ADDRESS) {
        return runtime.block_on(listen(address.parse()?));
    }
    let folder = env::temp_dir().join(format!("appointd-bench-{}", Uuid::new_v4().simple()));
    let cluster = Cluster::start(&folder, &[], &|_| ())?;
    let outcome = runtime.block_on(bench(&cluster));
    drop(cluster);
    cluster::remove(&folder)?;
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// Opens a stream for each token that it reads, and writes when all of them have got the next event.
async fn listen(address: SocketAddr) -> Outcome<()> {
    let tokens: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let (all, begun, got) = (tokens.len(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for token in tokens {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let (begun, got) = (begun.clone(), got.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..read]);
                if text.contains("retry: ") && begun.fetch_add(1, Ordering::Relaxed) + 1 == all {
                    println!("begun");
                }
                let events = text.matches("\ndata: ").count();
                let before = got.fetch_add(events, Ordering::Relaxed);
                if (before + events) / all > before / all {
                    println!("{}", now());
                }
            }
        });
    }
    std::future::pending().await
}

/// Microseconds since 1970.
fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()
}

/// Resident memory of this process in kB, and the CPU time that it has used in ms.
fn used() -> Outcome<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no memory")?;
    let memory = line.split_whitespace().next().ok_or("no number")?.parse()?;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    // In hundredths of a second.
    let cpu: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok((memory, cpu * 10))
}

async fn bench(cluster: &Cluster) -> Outcome<()> {
    dev::set_up(cluster).await?;
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    superuser
        .batch_execute(&format!(
            "select identity.register(
                 gen_random_uuid(), n || '@x.example', 'x', 'O', gen_random_uuid(), 'Org', 'org-' || n, 'UTC'
             )
             from generate_series(1, {TENANTS}) as n"
        ))
        .await?;
    let tokens = Arc::new(
        Tokens::new(&[SigningKey::from_bytes([7; 32])], &[SigningKey::from_bytes([8; 32])]).ok_or("a key")?,
    );
    let mut of_listeners = String::new();
    for owner in superuser.query("select tenant_id, account_id from tenancy.members", &[]).await? {
        let (tenant, account, session): (Uuid, Uuid, Uuid) = (owner.get(0), owner.get(1), Uuid::now_v7());
        let insert =
            "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
                      values ($1, $2, $3, 'token', sha256(uuid_send($2)), now() + interval '1 day')";
        superuser.execute(insert, &[&account, &session, &tenant]).await?;
        let subject =
            Subject { account, session, secret: Pass(*session.as_bytes()), organization: Some(tenant) };
        let token = tokens.issue(&subject, Utc::now()).map_err(|_| "a token")?;
        of_listeners.extend((0..LISTENERS_OF_EACH).map(|_| format!("{token}\n")));
    }
    let parts = Parts {
        database: cluster.url("appointd_api", "appointd").parse()?,
        door: Some(cluster.url("appointd_door", "appointd").parse()?),
        worker: None,
        places: 1,
        tokens,
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        mailer: Mailer::nowhere(),
        dns: None,
        captcha: Captcha::default(),
        network: Arc::<Network>::default(),
        limits: Arc::new(Limits::new(&Rates { address: None, anonymous: None, account: None, key: None })),
        threads: 2,
        connections: 16,
        tls: None,
        capacity: Capacity { total: 10_000, of_one_address: 10_000 },
        streams: Bounds { caller: LISTENERS_OF_EACH, ..Bounds::DEFAULT },
        webhook_keys: SecretKeys::new(&[]),
        webhook_reach: Reach::default(),
        demo: None,
    };
    let server = Server::start(parts, TcpListener::bind("127.0.0.1:0")?)?;
    let publisher = publisher(&WorkerDb::new(&cluster.url("appointd_worker", "appointd").parse()?, 1));
    // What was made is no news.
    publisher.publish_all().await?;
    let (memory, _) = used()?;
    let mut listeners = Command::new(env::current_exe()?)
        .env(ADDRESS, server.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    listeners.stdin.take().ok_or("no input")?.write_all(of_listeners.as_bytes())?;
    let outcome = measure(&mut listeners, &superuser, &publisher, memory).await;
    listeners.kill()?;
    listeners.wait()?;
    tokio::task::spawn_blocking(move || server.stop()).await?;
    outcome
}

async fn measure(
    listeners: &mut Child,
    superuser: &tokio_postgres::Client,
    publisher: &appointd::messaging::publisher::Publisher,
    before: u64,
) -> Outcome<()> {
    let mut lines = BufReader::new(listeners.stdout.take().ok_or("no output")?).lines();
    lines.next().ok_or("no listeners")??;
    let count = TENANTS * LISTENERS_OF_EACH;
    let (memory, idle) = used()?;
    println!("{count} streams: {} kB each", memory.saturating_sub(before) / count as u64);
    // Two beats.
    sleep(Duration::from_secs(30)).await;
    let (_, after) = used()?;
    println!("without events: {:.1} % of a core", (after - idle) as f64 / 300.0);

    let happen = "insert into messaging.outbox (tenant_id, actor_kind, type, subject_id, lowest_role, data)
                  select tenant_id, 'system', 'contact.created', gen_random_uuid(), 'viewer', '{\"first_name\": \"Ada\"}'
                  from messaging.turns";
    let (mut times, mut cpu) = (Vec::new(), used()?.1);
    for _ in 0..ROUNDS {
        superuser.batch_execute(happen).await?;
        let began = now();
        publisher.publish_all().await?;
        let arrived: u128 = lines.next().ok_or("no event")??.parse()?;
        times.push(arrived.saturating_sub(began) as f64 / 1000.0);
    }
    cpu = used()?.1 - cpu;
    times.sort_by(f64::total_cmp);
    println!(
        "an event of each organization to all {count}: median {:.0} ms, slowest {:.0} ms, CPU {:.1} ms with publishing",
        times[ROUNDS / 2],
        times[ROUNDS - 1],
        cpu as f64 / ROUNDS as f64
    );
    println!("{} kB afterwards", used()?.0.saturating_sub(before) / count as u64);
    Ok(())
}
