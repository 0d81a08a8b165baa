use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use appointd::{
    api,
    db::{DatabaseUrl, Db, FrontDoor, WorkerDb, cluster::Cluster},
    http::{
        captcha::Captcha,
        client::Network,
        limit::{Limits, Rates},
        token::{SigningKey, Tokens},
    },
    identity::passwords::{Passwords, Policy},
    messaging::{
        mail::Mailer,
        notices::SEND,
        queue::{Done, Failed, Handler as _, Lane, Queue},
        sending::SendMessages,
        webhooks::{addresses::Reach, secrets::SecretKeys},
    },
    scheduling::booking::expiry,
    server::{Bounds, Capacity, Parts, Server, publisher},
};
use tokio::task::spawn_blocking;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{clusters::migrated_cluster, connect, eventually};

/// A PostgreSQL and a server on it, shared by all tests of the process.
pub struct System {
    pub cluster: Cluster,
    pub address: SocketAddr,
    pub tokens: Arc<Tokens>,
    /// Where its e-mails go.
    pub mails: PathBuf,
    /// What its server was made of, to make others of.
    pub parts: Parts,
    /// Serves until the process ends.
    _server: Server,
}

tokio::task_local! {
    static OWN: &'static System;
}

/// The system: the one the task is [`within`], or the one all share. The first test that asks starts that.
pub fn system() -> &'static System {
    static SHARED: OnceLock<System> = OnceLock::new();
    OWN.try_with(|own| *own).unwrap_or_else(|_| {
        SHARED.get_or_init(|| {
            // Of its own: the thread that asks may be in a runtime already.
            std::thread::spawn(|| start(&["max_connections=300"])).join().expect("the system starts")
        })
    })
}

/// A whole system of a test's own, to take apart. Lives until the process ends.
pub async fn private_system(settings: &'static [&'static str]) -> &'static System {
    let system = spawn_blocking(|| start(settings));
    Box::leak(Box::new(system.await.expect("no panic")))
}

/// Everything in `task` that asks for the system gets this one.
pub async fn within<T>(system: &'static System, task: impl Future<Output = T>) -> T {
    OWN.scope(system, task).await
}

fn start(settings: &[&str]) -> System {
    let cluster = migrated_cluster(settings);
    let tokens = Tokens::new(&[SigningKey::from_bytes(KEY)], &[SigningKey::from_bytes(LINK_KEY)]);
    let tokens = Arc::new(tokens.expect("keys"));
    let mails = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("appointd-mail-{}", Uuid::new_v4()));
    std::fs::create_dir_all(&mails).expect("a folder");
    let parts = Parts {
        database: cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"),
        door: Some(cluster.url("appointd_door", "appointd").parse().expect("a URL of ours")),
        // Tests publish by themselves, so that no answer changes between two requests.
        worker: None,
        tokens: tokens.clone(),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        mailer: mailer(&mails),
        dns: None,
        captcha: Captcha::default(),
        network: Arc::default(),
        limits: Arc::new(Limits::new(&Rates::default())),
        webhook_keys: SecretKeys::new(&[SigningKey::from_bytes(LINK_KEY)]),
        webhook_reach: Reach::default(),
        places: 8,
        threads: 2,
        connections: 32,
        tls: None,
        capacity: Capacity::DEFAULT,
        streams: Bounds::DEFAULT,
        demo: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let server_parts = parts.clone();
    let server = Server::start(parts, listener).expect("the server starts");
    System { address: server.address(), cluster, tokens, mails, parts: server_parts, _server: server }
}

/// What the server of the tests signs with.
pub const KEY: [u8; 32] = *b"the key of the tests, 32 bytes..";
/// What it signs the links of guests with.
pub const LINK_KEY: [u8; 32] = *b"another key of the tests, for li";

fn mailer(folder: &Path) -> Mailer {
    let from = "appointd <appointd@example.com>".parse().expect("an address");
    let url = format!("file://{}", folder.display());
    Mailer::new(Some(&url), from, "https://pages.example.com".into()).expect("a folder")
}

impl System {
    /// A connection as `role`, for what a test does behind the server's back.
    pub async fn connect(&self, role: &str) -> Client {
        connect(&self.cluster, role, "appointd").await
    }

    /// A connection that no policy holds.
    pub async fn superuser(&self) -> Client {
        self.connect("postgres").await
    }

    /// Another server on the same database, made of somewhat different parts. Serves until it is dropped or the process
    /// ends.
    pub async fn another_server(&self, change: impl FnOnce(&mut Parts)) -> Server {
        let mut parts = self.parts.clone();
        parts.threads = 1;
        parts.connections = 8;
        change(&mut parts);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let starting = spawn_blocking(move || Server::start(parts, listener).expect("the server starts"));
        starting.await.expect("no panic")
    }

    /// Another server, with these rate limits and in this network.
    pub async fn server_with(&self, rates: Rates, network: Network) -> Server {
        self.another_server(|parts| {
            parts.limits = Arc::new(Limits::new(&rates));
            parts.network = Arc::new(network);
        })
        .await
    }

    /// Removes expired holds and offers freed time, as the worker does every few seconds.
    pub async fn sweep(&self) {
        let (db, worker) = (self.db(1), self.worker());
        for _ in 0..100 {
            let mut more = false;
            for tenant in expiry::due(&worker).await.expect("organizations") {
                // Of other tests, some are suspended meanwhile.
                more |= expiry::sweep(&db, &worker, &self.parts.mailer, tenant).await.unwrap_or_default();
            }
            if !more {
                break;
            }
        }
    }

    /// Publishes the events of an organization, as the worker does twice a second.
    pub async fn publish(&self, tenant: Uuid) {
        let publisher = publisher(&self.worker());
        // None are left, or the organization is suspended.
        while publisher.publish(tenant).await.is_ok_and(|events| events > 0) {}
    }

    /// The database as the worker has it, with a pool of the test's own.
    pub fn worker(&self) -> WorkerDb {
        WorkerDb::new(&self.worker_url(), 1)
    }

    /// Publishes the events of an organization and sends the messages about them, as the worker does. One that is to be
    /// sent later waits.
    pub async fn tell(&self, tenant: Uuid) {
        self.tell_by(tenant, &self.parts.mailer).await;
    }

    /// The same, with another mailer. Workers of other tests may have the turn of the organization for a moment.
    pub async fn tell_by(&self, tenant: Uuid, mailer: &Mailer) {
        let (worker, mailer) =
            (WorkerDb::new(&self.worker_url(), 2), mailer.clone().signing(self.tokens.clone()));
        let sending = SendMessages { worker: worker.clone(), book: api::notices(&mailer), mailer };
        let (queue, superuser) = (Queue(worker), self.superuser().await);
        let left = "select not exists (select from messaging.outbox where tenant_id = $1) and not exists (
                        select from messaging.jobs where tenant_id = $1 and kind = $2 and state = 'ready'
                    )";
        eventually(async || {
            self.publish(tenant).await;
            for job in queue.claim(tenant, Lane::Live, &[SEND], 10).await.expect("jobs") {
                let held = [(job.id, job.token)];
                match sending.run(&job).await {
                    Ok(Done::Finished) => drop(queue.finish(tenant, &held).await.expect("an end")),
                    Ok(Done::Later(pause)) => queue.release(tenant, &held, pause).await.expect("an end"),
                    Err(Failed(error)) => drop(queue.fail(&job, &error).await.expect("an end")),
                }
            }
            let done = superuser.query_one(left, &[&tenant, &SEND.name]).await.expect("an answer");
            done.get::<_, bool>(0).then_some(())
        })
        .await;
    }

    /// Where the worker of a test connects to.
    pub fn worker_url(&self) -> DatabaseUrl {
        self.cluster.url("appointd_worker", "appointd").parse().expect("a URL of ours")
    }

    /// Deadlocks in the database since its statistics began.
    pub async fn deadlocks(&self) -> i64 {
        let count = "select deadlocks from pg_stat_database where datname = current_database()";
        self.superuser().await.query_one(count, &[]).await.expect("statistics").get(0)
    }

    /// The latest e-mail to an address, once there is one.
    pub async fn mail_to(&self, address: &str) -> String {
        self.mails_to(address, 1).await.pop().expect("a mail")
    }

    /// All e-mails to an address, the oldest first, once there are so many.
    pub async fn mails_to(&self, address: &str, at_least: usize) -> Vec<String> {
        let mut mails =
            eventually(async || Some(self.mails_now(address)).filter(|mails| mails.len() >= at_least)).await;
        mails.sort();
        mails.into_iter().map(|(_, text)| text.replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    /// The e-mails that were sent to an address so far, and when.
    fn mails_now(&self, address: &str) -> Vec<(SystemTime, String)> {
        std::fs::read_dir(&self.mails)
            .expect("a folder")
            .filter_map(|entry| {
                let path = entry.expect("an entry").path();
                let text = std::fs::read_to_string(&path).ok()?;
                let written = std::fs::metadata(&path).ok()?.modified().ok()?;
                let head = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
                let is_to = |line: &str| line.starts_with("To: ") && line.contains(address);
                head.lines().any(is_to).then_some((written, text))
            })
            .collect()
    }

    /// The token of the latest e-mail to an address.
    pub async fn token_mailed_to(&self, address: &str) -> String {
        let mail = self.mail_to(address).await;
        let (_, rest) = mail.rsplit_once("token: ").expect("a token");
        rest.lines().next().expect("a line").trim().to_owned()
    }

    /// The database as requests have it, with a pool of the test's own.
    pub fn db(&self, connections: usize) -> Db {
        Db::new(&self.cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), connections)
    }

    /// The database as it is before the caller is known, with a pool of the test's own.
    pub fn door(&self) -> FrontDoor {
        FrontDoor::new(&self.cluster.url("appointd_door", "appointd").parse().expect("a URL of ours"), 1)
    }
}
