//! `appointd serve`, the program: its log, its end, and what it does while the database is away.

pub mod operated;
mod places;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use appointd::{
    db::{cluster::Cluster, migrate},
    http::secret::{ApiKey, Secret},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::harness::{PASSWORD, Tenant, private_database, system};

/// A running server, and the lines it has logged.
pub struct Serve {
    pub child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub address: String,
}

impl Serve {
    pub fn start(database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .args(["serve", "--listen", "127.0.0.1:0", "--threads", "2"])
            .env("APPOINTD_DATABASE_URL", database)
            .env("APPOINTD_TOKEN_KEYS", "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=")
            .env("APPOINTD_LINK_KEYS", "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ=")
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

    fn terminate(&self) {
        kill(Pid::from_raw(self.child.id().try_into().expect("an id")), Signal::SIGTERM).expect("it runs");
    }

    /// What was logged so far: the lines that contain a text.
    pub fn logged(&self, text: &str) -> Vec<Value> {
        let log = self.log.lock().expect("no panic");
        let lines = log.iter().filter(|line| line.contains(text));
        lines.map(|line| serde_json::from_str(line).expect("a log of JSON")).collect()
    }

    pub async fn log_in(&self, tenant: &Tenant) -> String {
        let body = json!({ "email": tenant.owner.email, "password": PASSWORD }).to_string();
        let answer = reqwest::Client::new()
            .post(self.url("/api/v1/auth/login"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .expect("an answer");
        let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        body["access_token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn status(url: String) -> (u16, Value) {
    let answer = reqwest::get(url).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or_default())
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_and_no_secret() {
    let tenant = Tenant::new().await;
    let serve = Serve::start(&system().cluster.url("appointd_api", "appointd"));
    let token = serve.log_in(&tenant).await;
    let client = reqwest::Client::new();
    let request = client.post(serve.url("/api/v1/contacts?limit=secret-query")).bearer_auth(&token);
    let request = request.header("x-request-id", "find-me").header("content-type", "application/json");
    request.body(r#"{"first_name":"secret-body"}"#).send().await.expect("an answer");
    client
        .get(serve.url("/api/v1/contacts/secret-path"))
        .bearer_auth(&token)
        .send()
        .await
        .expect("an answer");
    // What no route has is named, as far as it is words.
    let mistyped = format!("/api/v1/contact/{}/secret%20path?secret-query", "secret-path".repeat(5));
    for request in [
        client.get(serve.url(&mistyped)),
        client.get(serve.url("/api/v1/plans")).header("user-agent", "a").header("user-agent", "b"),
    ] {
        request.header("x-request-id", "lost").send().await.expect("an answer");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;

    let log = serve.log.lock().expect("no panic").join("\n");
    for secret in
        [PASSWORD, token.as_str(), "secret-query", "secret-body", "secret-path", &tenant.owner.email]
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let line = log.lines().find(|line| line.contains("find-me")).expect("a line for the request");
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&line["route"], &line["status"]), (&json!("/api/v1/contacts"), &json!(400)), "{line}");
    assert_eq!(
        (&line["operation"], &line["code"], &line["client"]),
        (&json!("create_contact"), &json!("invalid_parameter"), &json!("127.0.0.1")),
        "{line}"
    );
    assert!(line["duration_us"].is_u64() && line["timestamp"].is_string());
    let lost: Vec<Value> = serve.logged("\"lost\"");
    for (line, expected) in lost.iter().zip([
        json!(["-", "/api/v1/contact/…/…", null, "unknown_path", "127.0.0.1"]),
        json!(["/api/v1/plans", null, "list_plans", "invalid_header", "127.0.0.1"]),
    ]) {
        let told = ["route", "path", "operation", "code", "client"].map(|name| line[name].clone());
        assert_eq!(json!(told), expected, "{line}");
    }
    assert_eq!(lost.len(), 2);
    let get = log.lines().rfind(|line| line.contains("contact_id")).expect("a line for the other");
    let get: Value = serde_json::from_str(get).expect("JSON");
    // Wrong as the request was, it was asked whether the caller may at all.
    assert_eq!(get["span"]["tenant_id"], json!(tenant.id), "{get}");
    assert_eq!(get["span"]["account_id"], json!(tenant.owner.account), "{get}");
}

#[tokio::test]
async fn id_that_is_only_claimed_has_another_name_in_the_log() {
    let tenant = Tenant::new().await;
    let serve = Serve::start(&system().cluster.url("appointd_api", "appointd"));
    let made_up = Secret::<ApiKey>::draw(tenant.id, uuid::Uuid::now_v7());
    for path in ["/.well-known/jwks.json", "/api/v1/contacts"] {
        reqwest::Client::new()
            .get(serve.url(path))
            .bearer_auth(made_up.reveal())
            .header("x-request-id", "made-up")
            .send()
            .await
            .expect("an answer");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = serve.log.lock().expect("no panic").clone();
    let lines: Vec<Value> = log
        .iter()
        .filter(|line| line.contains("made-up"))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.len() >= 2, "{log:#?}");
    for line in lines {
        let span = &line["span"];
        assert_eq!(span["claimed_tenant_id"], json!(tenant.id), "{line}");
        assert_eq!(span["claimed_key_id"], json!(made_up.second), "{line}");
        assert!(span["tenant_id"].is_null() && span["key_id"].is_null(), "{line}");
    }
}

#[tokio::test]
async fn requests_under_way_end_before_the_server_does() {
    let tenant = Tenant::new().await;
    let mut serve = Serve::start(&system().cluster.url("appointd_api", "appointd"));
    let token = serve.log_in(&tenant).await;
    let superuser = system().superuser().await;
    let lock = format!("begin; select from tenancy.organizations where id = '{}' for update", tenant.id);
    superuser.batch_execute(&lock).await.expect("a lock");
    let request = reqwest::Client::new()
        .patch(serve.url("/api/v1/organizations/me"))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(r#"{"name":"renamed at the last moment"}"#);
    let under_way = tokio::spawn(async move { request.send().await.expect("an answer").status().as_u16() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    serve.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(reqwest::get(serve.url("/health/live")).await.is_err(), "nothing new is accepted");
    superuser.batch_execute("rollback").await.expect("a rollback");
    assert_eq!(under_way.await.expect("no panic"), 200);
    let ended = spawn_blocking(move || serve.child.wait().expect("an end")).await.expect("no panic");
    assert!(ended.success());
}

#[tokio::test]
async fn while_the_database_is_away_the_server_says_so_and_recovers() {
    let folder = std::env::temp_dir().join(format!("appointd-test-{}", uuid::Uuid::new_v4().simple()));
    let start = {
        let folder = folder.clone();
        move || Cluster::start(&folder, &[], &|_| ()).expect("PostgreSQL starts")
    };
    let cluster = spawn_blocking(start.clone()).await.expect("no panic");
    appointd::dev::set_up(&cluster).await.expect("the database is set up");
    let serve = Serve::start(&cluster.url("appointd_api", "appointd"));
    let ready = || status(serve.url("/health/ready"));
    assert_eq!(ready().await.0, 200);

    spawn_blocking(move || drop(cluster)).await.expect("no panic");
    // For a second the answer of before is given.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (away, problem) = ready().await;
    assert_eq!((away, &problem["code"]), (503, &json!("database_unavailable")), "{problem}");
    assert_eq!(status(serve.url("/health/live")).await.0, 200, "alive all the same");
    // Every request fails, and the log says so once a second and not once a request.
    let began = Instant::now();
    for _ in 0..40 {
        assert_eq!(ready().await.0, 503);
    }
    let lines = serve.logged("cannot connect to the database");
    let seconds = usize::try_from(began.elapsed().as_secs()).expect("a while");
    assert!((1..=seconds + 2).contains(&lines.len()), "{} lines in {seconds} s", lines.len());
    let body = json!({ "email": "nobody@example.com", "password": PASSWORD }).to_string();
    let request = reqwest::Client::new().post(serve.url("/api/v1/auth/login"));
    let answer =
        request.header("content-type", "application/json").body(body).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");

    let cluster = spawn_blocking(start).await.expect("no panic");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ready().await.0, 200, "connections are made anew");
    drop(serve);
    spawn_blocking(move || drop(cluster)).await.expect("no panic");
    std::fs::remove_dir_all(folder).expect("the folder goes");
}

#[tokio::test]
async fn database_that_is_not_migrated_is_told_what_to_run() {
    let (cluster, superuser) = private_database().await;
    superuser.batch_execute("create database bare owner appointd_owner").await.expect("a database");
    superuser.batch_execute("create database prepared owner appointd_owner").await.expect("a database");
    let url = cluster.url("postgres", "prepared").parse().expect("a URL of ours");
    let prepared = migrate::connect(&url).await.expect("the database answers");
    prepared.batch_execute(include_str!("../../sql/setup/database.sql")).await.expect("a prepared database");
    for database in ["bare", "prepared"] {
        for (arguments, setting, role) in [
            (&["serve", "--listen", "127.0.0.1:0"][..], "APPOINTD_DATABASE_URL", "appointd_api"),
            (&["tenant", "list"], "APPOINTD_OWNER_DATABASE_URL", "appointd_owner"),
            (&["audit"], "APPOINTD_AUDITOR_DATABASE_URL", "appointd_auditor"),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_appointd"));
            command
                .args(arguments)
                .env("APPOINTD_TOKEN_KEYS", "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=")
                .env("APPOINTD_LINK_KEYS", "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ=")
                .env(setting, cluster.url(role, database));
            let output =
                spawn_blocking(move || command.output().expect("the program runs")).await.expect("no panic");
            let said = String::from_utf8(output.stderr).expect("text");
            assert!(!output.status.success() && said.lines().count() == 1, "{said}");
            let right = if arguments[0] == "audit" && database == "bare" {
                "no schema app"
            } else {
                "run `appointd migrate`"
            };
            assert!(said.contains(right), "{arguments:?} {database}: {said}");
        }
    }
}
