//! How fast the server is, against the least that can be asked of PostgreSQL for the same: pgbench, which sends the
//! statements of the server by the same socket to the same data, and does nothing else.
//!
//! `cargo bench --bench load` does it all in a private cluster and throws that away. To change how: the number of
//! appointments of each of the 1,000 providers is `APPOINTD_BENCH_APPOINTMENTS` (1000), the length of a run in seconds
//! is `APPOINTD_BENCH_SECONDS` (5), and `APPOINTD_THREADS` and `APPOINTD_CONNECTIONS` are the server's own.
//!
//! Runs of the two alternate, so that a machine that is slow for a while is slow for both, and the median counts. All
//! share the machine's cores: the ratio says what the server costs where nothing is to spare. CPU times are read from
//! /proc, so only on Linux; those of pgbench include that its sessions begin and end.

use std::{
    env,
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    thread::{available_parallelism, sleep},
    time::{Duration, Instant},
};

use appointd::{
    db::{
        Pass,
        cluster::{self, Cluster},
        migrate,
    },
    dev,
    http::{
        secret,
        token::{SigningKey, Subject, Tokens},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Days, SecondsFormat, Utc};
use futures_util::{TryStreamExt as _, stream::FuturesUnordered};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Connections to the server, and clients of pgbench.
const CLIENTS: u64 = 16;
const REPETITIONS: usize = 3;
/// Each run books in a period of its own, with more slots (4,800,000) than it can book.
const PERIOD: i64 = 100 * 86_400;

/// Something to ask for. What ids are made of is told in data.sql.
struct Case {
    title: &'static str,
    /// What a response begins with.
    expected: &'static str,
    /// The n-th request of a run: of which organization, its first line, its body.
    request: fn(&Data, i64, u64) -> (u64, String, String),
    /// The same for pgbench. A line `@file parameters` stands for a statement of the server; see [`Case::script`].
    script: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        title: "get an appointment",
        expected: "HTTP/1.1 200 ",
        request: |data, period, n| {
            let number = scatter(n, period) % (data.hours * 1000);
            (number % 1000 / 10, format!("GET /api/v1/appointments/{}", id(number)), String::new())
        },
        script: r"
\set number random(0, :hours * 1000 - 1)
\set tenant 100000000000 + :number % 1000 / 10
\set appointment 100000000000 + :number
begin;
@app/enter.sql tenant.id tenant.id tenant.id tenant.secret viewer null null null
@scheduling/appointments_get.sql tenant.id appointment.id
commit;
",
    },
    Case {
        title: "list 50 appointments",
        expected: "HTTP/1.1 200 ",
        request: |data, period, n| {
            let random = scatter(n, period);
            let hour = random / 100 % data.hours.saturating_sub(6).max(1);
            let from = instant(data.first + hour.cast_signed() * 3600);
            (random % 100, format!("GET /api/v1/appointments?limit=50&from={from}"), String::new())
        },
        script: r"
\set tenant random(100000000000, 100000000099)
\set from :first + 3600 * random(0, greatest(:hours - 7, 0))
begin;
@app/enter.sql tenant.id tenant.id tenant.id tenant.secret viewer null null null
@scheduling/appointments_list.sql tenant.id null.texts from.at nil_id end_of_time.at nil_id limit false null.texts null.at
commit;
",
    },
    Case {
        title: "book an appointment",
        expected: "HTTP/1.1 201 ",
        // Neighbours in time are of different organizations, so that they meet as seldom as real ones.
        request: |_, period, n| {
            let (slot, provider) = (n / 1000, n * 617 % 1000);
            let tenant = provider / 10;
            let body = format!(
                r#"{{"service_id":"{}","provider_id":"{}","contact_id":"{}","starts_at":"{}"}}"#,
                id(tenant),
                id(provider),
                id(50_000_000 + tenant * 100 + (slot + provider) % 100),
                instant(period + slot.cast_signed() * 1800)
            );
            (tenant, "POST /api/v1/appointments".to_owned(), body)
        },
        script: r"
\set number :round * :clients + :client_id
\set round :round + 1
\set slot :number / 1000
\set p :number * 617 % 1000
\set tenant 100000000000 + :p / 10
\set provider 100000000000 + :p
\set contact 100050000000 + :p / 10 * 100 + (:slot + :p) % 100
\set booked 200000000000 + :period + :number
\set start :period + :slot * 1800
\set end :start + 1800
\set claim 300000000000 + :period + :number
\set since :start - 43200
\set reach :start + 86400
\set first_day :since / 86400 - 2
\set last_day :reach / 86400 + 1
begin;
@app/enter.sql tenant.id tenant.id tenant.id tenant.secret staff null null null
@scheduling/availability_get.sql tenant.id tenant.ids provider.ids since.at reach.at first_day.date last_day.date no.ids contact.ids true
@scheduling/appointments_create.sql tenant.id the.appointments the.claims
commit;
",
    },
    Case {
        title: "list the slots of a month",
        expected: "HTTP/1.1 200 ",
        // Of one organization with 20 providers and 5,000 appointments in that month.
        request: |data, _, _| {
            let (from, to) = (instant(data.first), instant(data.first + 31 * 86_400));
            (BUSY, format!("GET /api/v1/services/{}/slots?from={from}&to={to}", id(BUSY)), String::new())
        },
        script: r"
\set tenant 100000000000 + 100
\set since :first - 43200
\set reach :first + 32 * 86400
\set first_day :since / 86400 - 2
\set last_day :reach / 86400 + 1
begin;
@app/enter.sql tenant.id tenant.id tenant.id tenant.secret viewer null null null
@scheduling/slots_weigh.sql tenant.id
@scheduling/availability_get.sql tenant.id tenant.ids null.ids since.at reach.at first_day.date last_day.date no.ids no.ids false
commit;
",
    },
];

impl Case {
    /// The script with the statements filled in: `$1` with the first parameter, and so on.
    fn script(&self) -> Outcome<String> {
        let mut script = String::new();
        for line in self.script.lines() {
            let mut words = line.split(' ');
            let Some(file) = words.next().and_then(|word| word.strip_prefix('@')) else {
                writeln!(script, "{line}")?;
                continue;
            };
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/queries").join(file))?;
            let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
            let mut statement = code.collect::<Vec<_>>().join("\n");
            // From the last, because `$1` is also the beginning of `$10`.
            for (number, parameter) in (1..).zip(words).collect::<Vec<_>>().into_iter().rev() {
                let expression = match parameter.split_once('.') {
                    Some(("null", "ids")) => "nullif(:none, 'none')::uuid[]".to_owned(),
                    Some(("null", "texts")) => "nullif(:none, 'none')::text[]".to_owned(),
                    Some(("null", "at")) => "nullif(:none, 'none')::timestamptz".to_owned(),
                    Some(("no", "ids")) => "'{}'::uuid[]".to_owned(),
                    Some(("the", "appointments")) => appointments(),
                    Some(("the", "claims")) => claims(),
                    Some((name, "ids")) => format!("array[(:{name} || '70008000000000000000')::uuid]"),
                    Some((name, "id")) => format!("(:{name} || '70008000000000000000')::uuid"),
                    // Sessions of the benchmark have their id as the secret.
                    Some((name, "secret")) => {
                        format!("uuid_send((:{name} || '70008000000000000000')::uuid)")
                    }
                    Some((name, "at")) => format!("to_timestamp(:{name})"),
                    Some((name, _)) => format!("(date '1970-01-01' + :{name}::integer)"),
                    // Like the server's, a parameter that happens to be null.
                    None if matches!(parameter, "true" | "false") => parameter.to_owned(),
                    None if parameter == "null" => "nullif(:none, 'none')".to_owned(),
                    None => format!(":{parameter}"),
                };
                statement = statement.replace(&format!("${number}"), &expression);
            }
            writeln!(script, "{statement};")?;
        }
        Ok(script)
    }
}

/// The appointment a run of pgbench books, as the server hands it over.
fn appointments() -> String {
    let id = |name| format!("(:{name} || '70008000000000000000')::uuid");
    format!(
        "jsonb_build_array(jsonb_build_object('id', {}, 'service_id', {}, 'provider_id', {}, 'contact_id', {}, \
         'starts_at', to_timestamp(:start), 'ends_at', to_timestamp(:end), 'status', 'confirmed', 'overridden', false, \
         'visit', false))",
        id("booked"),
        id("tenant"),
        id("provider"),
        id("contact")
    )
}

/// Its claims: the provider's time and the contact's.
fn claims() -> String {
    let id = |name| format!("(:{name} || '70008000000000000000')::uuid");
    let claim = |claim, resource, more: String| {
        format!(
            "jsonb_build_object('id', {}, 'owner_id', {}, 'resource_id', {}, 'starts_at', to_timestamp(:start), \
             'ends_at', to_timestamp(:end), 'seat', 1, 'capacity', 1{more})",
            id(claim),
            id("booked"),
            id(resource)
        )
    };
    let served = format!(
        ", 'service_id', {}, 'service_starts_at', to_timestamp(:start), 'service_ends_at', to_timestamp(:end), \
         'of_contact', false",
        id("tenant")
    );
    format!(
        "jsonb_build_array({}, {})",
        claim("booked", "provider", served),
        claim("claim", "contact", ", 'of_contact', true".to_owned())
    )
}

/// The number of the organization whose month is listed.
const BUSY: u64 = 100;

fn id(number: u64) -> String {
    let digits = (100_000_000_000 + number).to_string();
    format!("{}-{}-7000-8000-000000000000", &digits[..8], &digits[8..])
}

fn instant(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// SplitMix64: as random as it has to be here.
fn scatter(n: u64, period: i64) -> u64 {
    let mixed = (n + (period.cast_unsigned() << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where the data lies in time.
struct Data {
    /// How many appointments each provider has, one an hour.
    hours: u64,
    /// When the first of them begins, in seconds since 1970.
    first: i64,
}

impl Data {
    async fn load(&self, superuser: &tokio_postgres::Client) -> Outcome<()> {
        let settings = format!("set bench.appointments = {}; set bench.first = {}", self.hours, self.first);
        superuser.batch_execute(&settings).await?;
        for statement in include_str!("data.sql").split("\n\n").skip(1) {
            let started = Instant::now();
            superuser.batch_execute(statement).await?;
            let title = statement.lines().next().unwrap_or_default().trim_start_matches("-- ");
            say(&format!("{:6.1} s  {title}", started.elapsed().as_secs_f64()));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benchmarks too, without the flag.
    if !env::args().any(|argument| argument == "--bench") {
        say("to measure: cargo bench --bench load");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    println!("{text}");
}

fn setting(name: &str, default: u64) -> Outcome<u64> {
    let text = env::var(name).unwrap_or_else(|_| default.to_string());
    let number = text.parse().ok().filter(|number| *number > 0);
    Ok(number.ok_or_else(|| format!("{name} is {text:?}; it must be a whole number above 0"))?)
}

async fn bench() -> Outcome<()> {
    let hours = setting("APPOINTD_BENCH_APPOINTMENTS", 1000)?;
    let seconds = setting("APPOINTD_BENCH_SECONDS", 5)?;

    let folder = Folder(env::temp_dir().join(format!("appointd-bench-{}", std::process::id())));
    let settings = ["shared_buffers=1GB", "max_connections=200", "max_wal_size=8GB", "checkpoint_timeout=1h"];
    let cluster = Cluster::start(&folder.0, &settings, &say)?;
    dev::set_up(&cluster).await.map_err(|error| error.to_string())?;
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    let today = Utc::now().date_naive().and_hms_opt(0, 0, 0).unwrap_or_default().and_utc();
    let data = Data { hours, first: (today + Days::new(10)).timestamp() - hours.cast_signed() * 3600 };
    data.load(&superuser).await?;

    let mut bench = Bench::start(&folder, &cluster, data).await?;

    let version: String = superuser.query_one("show server_version", &[]).await?.get(0);
    let mut report = format!(
        "\nPostgreSQL {version}, {} cores, {} appointments, {CLIENTS} clients, medians of {REPETITIONS} runs of \
         {seconds} s; CPU in µs for each request or transaction.\n\n\
         | case | pgbench tps | server req/s | ratio | p50 ms | p99 ms | server CPU | PostgreSQL CPU, server \
         | PostgreSQL CPU, pgbench | client CPU, server | client CPU, pgbench |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        available_parallelism()?,
        hours * 1000
    );
    let mut period = (today + Days::new(30)).timestamp();
    // Those of data.sql.
    let mut claims = hours * 1000 + 5000;
    for case in &CASES {
        let (mut yardstick, mut served) = (Vec::new(), Vec::new());
        for repetition in 0..=REPETITIONS {
            // The first is to warm up.
            let seconds = if repetition == 0 { 1 } else { seconds };
            let asked = bench.ask_postgres(case, period, seconds)?;
            let answered = bench.ask_server(case, period + PERIOD, seconds).await?;
            period += 2 * PERIOD;
            say(&format!("{}: pgbench {:.0}, server {:.0}", case.title, asked.rate, answered.rate));
            if case.expected.contains("201") {
                // Of the provider's time, and of the contact's.
                claims += 2 * (asked.count + answered.count);
            }
            if repetition > 0 {
                yardstick.push(asked);
                served.push(answered);
            }
        }
        report += &row(case, &yardstick, &served);
    }
    say(&report);
    bench.stop()?;

    let counted = superuser.query_one(include_str!("overlaps.sql"), &[]).await?;
    let (found, overlaps): (i64, i64) = (counted.get(0), counted.get(1));
    say(&format!("{claims} claims were made, {found} found, {overlaps} of them overlap an earlier one"));
    if overlaps != 0 || found.cast_unsigned() != claims {
        Err("the database does not hold what was booked")?;
    }
    Ok(())
}

fn row(case: &Case, yardstick: &[Run], served: &[Run]) -> String {
    let (tps, rate) = (median(yardstick, |run| run.rate), median(served, |run| run.rate));
    let [p50, p99] = [0, 1].map(|of| median(served, |run| run.latencies[of]));
    let mut row =
        format!("| {} | {tps:.0} | {rate:.0} | {:.2} | {p50:.2} | {p99:.2} |", case.title, rate / tps);
    for (runs, of) in [(served, 0), (served, 1), (yardstick, 1), (served, 2), (yardstick, 2)] {
        row += &format!(" {:.0} |", median(runs, |run| run.cpu[of] / run.count as f64));
    }
    row.replace("NaN", "–") + "\n"
}

fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The folder of it all. Goes when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in a temporary folder.
        let _ = cluster::remove(&self.0);
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run came to.
struct Run {
    count: u64,
    /// Per second.
    rate: f64,
    /// The median and the 99th percentile, in milliseconds.
    latencies: [f64; 2],
    /// See [`Bench::cpu`].
    cpu: [f64; 3],
}

/// The server, which stops when this is dropped, and what else runs need.
struct Bench {
    data: Data,
    server: Child,
    address: SocketAddr,
    tokens: Tokens,
    postmaster: u32,
    pgbench: PathBuf,
    url: String,
    script: PathBuf,
}

impl Bench {
    async fn start(folder: &Folder, cluster: &Cluster, data: Data) -> Outcome<Self> {
        let home = folder.0.join("cluster/data");
        let postmaster = fs::read_to_string(home.join("postmaster.pid"))?;
        let postmaster = postmaster.lines().next().unwrap_or_default().parse()?;
        let pgbench = pgbench_beside(&fs::read_to_string(home.join("postmaster.opts"))?);
        let url = cluster.url("appointd_api", "appointd");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let key = secret::random();
        let server = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .arg("serve")
            .env("APPOINTD_DATABASE_URL", &url)
            .env("APPOINTD_DOOR_DATABASE_URL", cluster.url("appointd_door", "appointd"))
            .env("APPOINTD_WORKER_DATABASE_URL", cluster.url("appointd_worker", "appointd"))
            .env("APPOINTD_TOKEN_KEYS", STANDARD.encode(key))
            .env("APPOINTD_LINK_KEYS", STANDARD.encode(key.map(|byte: u8| byte ^ 1)))
            .env("APPOINTD_RATE_LIMITS", "address=0,anonymous=0,account=0,key=0")
            .env("APPOINTD_LISTEN", address.to_string())
            .env("APPOINTD_LOG", "warn")
            .spawn()?;
        let tokens =
            Tokens::new(&[SigningKey::from_bytes(key)], &[SigningKey::from_bytes(key)]).ok_or("no key")?;
        let script = folder.0.join("script.sql");
        let mut bench = Self { data, server, address, tokens, postmaster, pgbench, url, script };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !bench.is_ready().await.unwrap_or_default() {
            if bench.server.try_wait()?.is_some() || Instant::now() > deadline {
                Err("the server did not start")?;
            }
            sleep(Duration::from_millis(20));
        }
        Ok(bench)
    }

    async fn is_ready(&self) -> Outcome<bool> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n";
        Ok(exchange(&mut stream, request, &mut [0; 4096]).await?.starts_with(b"HTTP/1.1 200 "))
    }

    fn stop(&mut self) -> Outcome<()> {
        if self.server.try_wait()?.is_none() {
            kill(Pid::from_raw(self.server.id().cast_signed()), Signal::SIGTERM)?;
        }
        let status = self.server.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}"))? }
    }

    fn ask_postgres(&self, case: &Case, period: i64, seconds: u64) -> Outcome<Run> {
        fs::write(&self.script, case.script()?)?;
        let variables = format!(
            "hours={} first={} period={period} clients={CLIENTS} round=0 viewer=viewer staff=staff none=none \
             end_of_time=253402300800 nil_id=00000000-0000-0000-0000-000000000000 limit=51",
            self.data.hours, self.data.first
        );
        let before = self.cpu([0.0; 3]);
        let output = Command::new(&self.pgbench)
            .args(format!("-n -M prepared -j 2 -c {CLIENTS} -T {seconds}").split(' '))
            .args(variables.split(' ').flat_map(|variable| ["-D", variable]))
            .arg("-f")
            .args([self.script.as_os_str(), self.url.as_ref()])
            .output()
            .map_err(|error| format!("cannot run {}: {error}", self.pgbench.display()))?;
        // Its sessions end a little after it.
        sleep(Duration::from_millis(200));
        let cpu = self.cpu(before);
        let text = String::from_utf8_lossy(&output.stdout);
        let figure = |title: &str| text.lines().find_map(|line| line.strip_prefix(title)?.split(' ').next());
        let count = figure("number of transactions actually processed: ");
        let (Some(count), Some(tps), Some("0"), true) =
            (count, figure("tps = "), figure("number of failed transactions: "), output.status.success())
        else {
            return Err(format!("pgbench failed:\n{text}\n{}", String::from_utf8_lossy(&output.stderr)))?;
        };
        Ok(Run { count: count.parse()?, rate: tps.parse()?, latencies: [f64::NAN; 2], cpu })
    }

    /// All connections on one thread, which takes less from the cores it shares than a thread for each.
    async fn ask_server(&self, case: &Case, period: i64, seconds: u64) -> Outcome<Run> {
        let now = Utc::now();
        let mut tokens = Vec::new();
        for id in (0..=BUSY).map(id) {
            // Organization, owner and session have one id.
            let id: uuid::Uuid = id.parse()?;
            let subject =
                Subject { account: id, session: id, secret: Pass(*id.as_bytes()), organization: Some(id) };
            let token = self.tokens.issue(&subject, now);
            tokens.push(token.map_err(|problem| problem.code)?);
        }
        let before = self.cpu([0.0; 3]);
        let started = Instant::now();
        let client = async |number: u64| -> Outcome<Vec<f64>> {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (mut request, mut buffer) = (String::new(), vec![0; 2 * 1024 * 1024]);
            let mut latencies = Vec::new();
            for n in (number..).step_by(CLIENTS as usize) {
                let (tenant, line, body) = (case.request)(&self.data, period, n);
                let token = &tokens[tenant as usize];
                request.clear();
                write!(request, "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n")?;
                if !body.is_empty() {
                    write!(request, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())?;
                }
                write!(request, "\r\n{body}")?;
                let sent = Instant::now();
                if sent - started >= Duration::from_secs(seconds) {
                    break;
                }
                let response = exchange(&mut stream, request.as_bytes(), &mut buffer).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
                if !response.starts_with(case.expected.as_bytes()) {
                    Err(format!("{request}\nwas answered:\n{}", String::from_utf8_lossy(response)))?;
                }
            }
            Ok(latencies)
        };
        let clients: FuturesUnordered<_> = (0..CLIENTS).map(client).collect();
        let mut latencies: Vec<f64> = clients.try_concat().await?;
        let (elapsed, cpu) = (started.elapsed(), self.cpu(before));
        latencies.sort_by(f64::total_cmp);
        let count = latencies.len() as u64;
        let latencies = [0.5, 0.99].map(|part| latencies[(count as f64 * part) as usize]);
        Ok(Run { count, rate: count as f64 / elapsed.as_secs_f64(), latencies, cpu })
    }

    /// The CPU time, in microseconds, that the server, PostgreSQL and the client (this process or pgbench) have used
    /// since an earlier moment; not a number where the system does not say.
    fn cpu(&self, before: [f64; 3]) -> [f64; 3] {
        let me = std::process::id();
        let client = live(me).zip(ended(me)).map(|(live, ended)| live + ended);
        let now = [live(self.server.id()), family(self.postmaster), client];
        [0, 1, 2].map(|of| now[of].unwrap_or(f64::NAN) - before[of])
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Where it matters how the server ended, that has been asked before.
        let _ = self.stop();
    }
}

/// One request and its response, which is all the server sends until it is asked again.
async fn exchange<'a>(stream: &mut TcpStream, request: &[u8], buffer: &'a mut [u8]) -> Outcome<&'a [u8]> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => Err("the server closed the connection, or sent more than expected")?,
            more => filled += more,
        }
        let Some(head) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let mut lines = str::from_utf8(&buffer[..head])?.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        if filled >= head + 4 + length.ok_or("a response without content-length")?.parse::<usize>()? {
            return Ok(&buffer[..filled]);
        }
    }
}

/// The one of the same installation: Debian's /usr/bin/pgbench is a script that has to find it first.
fn pgbench_beside(postmaster_opts: &str) -> PathBuf {
    let postgres = postmaster_opts.split(" \"").next().unwrap_or_default();
    let beside = Path::new(postgres).with_file_name("pgbench");
    if beside.is_file() { beside } else { "pgbench".into() }
}

/// The CPU time of the threads a process has.
fn live(pid: u32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    Some(nanoseconds.sum::<f64>() / 1000.0)
}

/// The CPU time of the children of a process that have ended; Linux counts it in hundredths of a second.
fn ended(pid: u32) -> Option<f64> {
    let (cutime, cstime) = (stat(pid, 16)?, stat(pid, 17)?);
    Some((cutime + cstime) as f64 * 10_000.0)
}

/// The CPU time of a process and its children. One that ends meanwhile is missed, rather than counted twice.
fn family(pid: u32) -> Option<f64> {
    let ended = ended(pid)?;
    let children = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let child = entry.file_name().to_str()?.parse().ok()?;
        (stat(child, 4)? == u64::from(pid)).then(|| live(child)).flatten()
    });
    Some(ended + live(pid)? + children.sum::<f64>())
}

/// A field of /proc/<pid>/stat, numbered as in proc(5). The second is a name and may hold anything.
fn stat(pid: u32, field: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}
