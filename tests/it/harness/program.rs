//! The program, as an operator runs it.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use appointd::db::cluster::Cluster;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{PASSWORD, Tenant, eventually};

pub const TOKEN_KEYS: &str = "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=";
pub const LINK_KEYS: &str = "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ=";

/// Runs the program to its end.
pub async fn appointd(arguments: &[&str], environment: &[(&'static str, String)]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let environment = environment.to_vec();
    spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_appointd"))
            .args(arguments)
            .env("APPOINTD_TOKEN_KEYS", TOKEN_KEYS)
            .env("APPOINTD_LINK_KEYS", LINK_KEYS)
            .envs(door_of(&environment))
            .envs(environment)
            .output()
            .expect("the program runs")
    })
    .await
    .expect("no panic")
}

/// The setting for the front door, at the same database as the server.
fn door_of(environment: &[(&'static str, String)]) -> Option<(&'static str, String)> {
    let (_, url) = environment.iter().find(|(name, _)| *name == "APPOINTD_DATABASE_URL")?;
    Some(("APPOINTD_DOOR_DATABASE_URL", url.replace("appointd_api", "appointd_door")))
}

/// Runs a command of the owner of a database.
pub async fn as_owner(cluster: &Cluster, arguments: &[&str]) -> Output {
    let url = cluster.url("appointd_owner", "appointd");
    appointd(arguments, &[("APPOINTD_OWNER_DATABASE_URL", url)]).await
}

pub async fn expect_serve_to_refuse(url: String, reason: &str) {
    let output =
        appointd(&["serve", "--no-worker", "--listen", "127.0.0.1:0"], &[("APPOINTD_DATABASE_URL", url)])
            .await;
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

pub fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// A path that is used by no other test, in the folder for temporary files.
pub fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", uuid::Uuid::new_v4()))
}

/// A running `appointd serve`, and the lines it has logged.
pub struct Serve {
    pub child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub address: String,
}

impl Serve {
    /// Without a worker.
    pub fn start(database: &str) -> Self {
        Self::launch(database, &["--no-worker"], "")
    }

    /// Without a worker, with these flags.
    pub fn start_with(database: &str, arguments: &[&str]) -> Self {
        Self::launch(database, &[&["--no-worker"], arguments].concat(), "")
    }

    /// With a worker.
    pub fn working(cluster: &Cluster) -> Self {
        let worker = cluster.url("appointd_worker", "appointd");
        Self::launch(&cluster.url("appointd_api", "appointd"), &[], &worker)
    }

    /// With a worker, each at its own URL.
    pub fn reaching(database: &str, worker: &str) -> Self {
        Self::launch(database, &[], worker)
    }

    /// With a worker, and a listener for the operator: also its address.
    pub async fn observed(cluster: &Cluster) -> (Self, String) {
        let worker = cluster.url("appointd_worker", "appointd");
        let arguments = ["--operations-listen", "127.0.0.1:0"];
        let serve = Self::launch(&cluster.url("appointd_api", "appointd"), &arguments, &worker);
        let address = eventually(async || {
            let line = serve.logged("health for the operator").pop()?;
            Some(line["address"].as_str().expect("an address").to_owned())
        });
        let address = address.await;
        (serve, address)
    }

    fn launch(database: &str, arguments: &[&str], worker: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .args(["serve", "--listen", "127.0.0.1:0", "--threads", "2"])
            .args(arguments)
            .env("APPOINTD_DATABASE_URL", database)
            .envs(door_of(&[("APPOINTD_DATABASE_URL", database.to_owned())]))
            .env("APPOINTD_WORKER_DATABASE_URL", worker)
            .env("APPOINTD_TOKEN_KEYS", TOKEN_KEYS)
            .env("APPOINTD_LINK_KEYS", LINK_KEYS)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        std::thread::spawn({
            let log = log.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    log.lock().expect("no panic").push(line);
                }
            }
        });
        let started = Instant::now();
        let address = loop {
            let first = log.lock().expect("no panic").first().cloned();
            if let Some(line) = first {
                let line: Value = serde_json::from_str(&line).expect("a log of JSON");
                break line["address"].as_str().expect("an address").to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{:?}", child.try_wait());
            std::thread::sleep(Duration::from_millis(10));
        };
        Self { child, log, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn terminate(&self) {
        kill(Pid::from_raw(self.child.id().try_into().expect("an id")), Signal::SIGTERM).expect("it runs");
    }

    /// Everything that was logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").join("\n")
    }

    /// The lines that were logged so far and contain a text.
    pub fn logged(&self, text: &str) -> Vec<Value> {
        let log = self.log.lock().expect("no panic");
        let lines = log.iter().filter(|line| line.contains(text));
        lines.map(|line| serde_json::from_str(line).expect("a log of JSON")).collect()
    }

    /// Sends a body of JSON, and answers with status and body.
    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        let mut request =
            reqwest::Client::new().post(self.url(path)).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.body(body.to_string()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("text")).expect("JSON"))
    }

    pub async fn log_in(&self, tenant: &Tenant) -> String {
        let body = json!({ "email": tenant.owner.email, "password": PASSWORD });
        let (_, session) = self.post("/api/v1/auth/login", None, &body).await;
        session["access_token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of what is at a URL.
pub async fn status(url: String) -> (u16, Value) {
    let answer = reqwest::get(url).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or_default())
}
