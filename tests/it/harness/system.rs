use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
};

use appointd::{
    db::{Db, cluster::Cluster, migrate},
    dev,
    http::token::Tokens,
    identity::passwords::{Passwords, Policy},
    server::{Parts, Server},
};
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

/// A PostgreSQL and a server on it, shared by all tests of the process.
pub struct System {
    pub cluster: Cluster,
    pub address: SocketAddr,
    pub tokens: Arc<Tokens>,
    /// Serves until the process ends.
    _server: Server,
}

/// The system. The first test that asks starts it.
pub fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        // Of its own: the thread that asks may be in a runtime already.
        std::thread::spawn(start).join().expect("the system starts")
    })
}

fn start() -> System {
    let cluster = Cluster::temporary(&["max_connections=300"]).expect("PostgreSQL starts");
    tokio::runtime::Runtime::new()
        .expect("a runtime starts")
        .block_on(dev::set_up(&cluster))
        .expect("the database is set up");
    let tokens = Arc::new(Tokens::new(b"the key of the tests, forty bytes of it.."));
    let parts = Parts {
        database: cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"),
        tokens: tokens.clone(),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        threads: 2,
        connections: 32,
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let server = Server::start(parts, listener).expect("the server starts");
    System { address: server.address(), cluster, tokens, _server: server }
}

impl System {
    /// A connection as `role`, for what a test does behind the server's back.
    pub async fn connect(&self, role: &str) -> Client {
        let url = self.cluster.url(role, "appointd").parse().expect("a URL of ours");
        migrate::connect(&url).await.expect("the database answers")
    }

    /// A connection that no policy holds.
    pub async fn superuser(&self) -> Client {
        self.connect("postgres").await
    }

    /// The wall's door, with a pool of the test's own.
    pub fn db(&self, connections: usize) -> Db {
        Db::new(&self.cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), connections)
    }
}

/// A migrated database of a test's own, to take apart, and a connection to it that no policy holds.
pub async fn private_database() -> (Cluster, Client) {
    let cluster =
        spawn_blocking(|| Cluster::temporary(&[]).expect("PostgreSQL starts")).await.expect("no panic");
    dev::set_up(&cluster).await.expect("the database is set up");
    let url = cluster.url("postgres", "appointd").parse().expect("a URL of ours");
    let superuser = migrate::connect(&url).await.expect("the database answers");
    (cluster, superuser)
}
