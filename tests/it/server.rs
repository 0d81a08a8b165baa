//! `appointd serve`, the program: its log, its end, and what it does while the database is away.

mod docs;
mod metrics;
mod places;
mod rolling;
mod stopping;
mod tls;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use appointd::{
    db::migrate,
    http::secret::{ApiKey, Secret},
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::harness::{
    PASSWORD, Restartable, Tenant, connect, private_database,
    program::{Serve, as_owner, expect_serve_to_refuse, status, text},
    system,
};

#[tokio::test]
async fn log_has_a_line_for_each_request_and_no_secret() {
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

    let log = serve.log();
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
async fn unverified_id_is_logged_as_claimed() {
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
    let lines = serve.logged("made-up");
    assert!(lines.len() >= 2, "{}", serve.log());
    for line in lines {
        let span = &line["span"];
        assert_eq!(span["claimed_tenant_id"], json!(tenant.id), "{line}");
        assert_eq!(span["claimed_key_id"], json!(made_up.second), "{line}");
        assert!(span["tenant_id"].is_null() && span["key_id"].is_null(), "{line}");
    }
}

#[tokio::test]
async fn stopping_server_finishes_requests_under_way() {
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
async fn server_without_database_answers_503_and_recovers() {
    let mut cluster = Restartable::new().await;
    let serve = Serve::start(&cluster.running().url("appointd_api", "appointd"));
    let ready = || status(serve.url("/health/ready"));
    assert_eq!(ready().await.0, 200);

    cluster.stop().await;
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
    let body = json!({ "email": "unknown@example.com", "password": PASSWORD }).to_string();
    let request = reqwest::Client::new().post(serve.url("/api/v1/auth/login"));
    let answer =
        request.header("content-type", "application/json").body(body).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");

    cluster.start().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ready().await.0, 200, "there are new connections");
    drop(serve);
}

#[tokio::test]
#[ignore = "makes a standby and waits for its promotion"]
async fn demoted_primary_is_not_ready_until_promoted() {
    let mut cluster = Restartable::new().await;
    let url = cluster.running().url("appointd_api", "appointd");
    let serve = Serve::start(&url);
    // The answer is kept for a second.
    let ready = async || {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        status(serve.url("/health/ready")).await
    };
    let credentials = json!({ "email": "unknown@example.com", "password": PASSWORD });
    let log_in = async || {
        let (status, body) = serve.post("/api/v1/auth/login", None, &credentials).await;
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ready().await.0, 200);

    // Started again as a standby, at the same place, as a failover leaves the former primary.
    cluster.stop().await;
    std::fs::write(cluster.data().join("standby.signal"), "").expect("a standby");
    cluster.start().await;
    let (status, problem) = ready().await;
    assert_eq!((status, &problem["code"]), (503, &json!("database_read_only")), "{problem}");
    // Signing in counts the attempt: a write.
    assert_eq!(log_in().await, (503, "database_read_only".to_owned()));
    expect_serve_to_refuse(url, "the database is read-only").await;
    let output = as_owner(cluster.running(), &["migrate"]).await;
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("standby"), "{said}");

    let superuser = connect(cluster.running(), "postgres", "appointd").await;
    superuser.query_one("select pg_promote(true, 60)", &[]).await.expect("a promotion");
    assert_eq!(ready().await.0, 200);
    assert_eq!(log_in().await, (401, "credentials_invalid".to_owned()));

    // A connection that was refused to write is closed, and so are the idle ones: the next leads to where writes go.
    let connections =
        "select count(*) from pg_stat_activity where usename = 'appointd_door' and pid = any ($1)";
    let pids: Vec<i32> = superuser
        .query("select pid from pg_stat_activity where usename = 'appointd_door'", &[])
        .await
        .expect("connections")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(!pids.is_empty());
    superuser.batch_execute("alter system set default_transaction_read_only = on").await.expect("a setting");
    superuser.query_one("select pg_reload_conf()", &[]).await.expect("a reload");
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(log_in().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(answers.contains(&(503, "database_read_only".to_owned())), "{answers:?}");
    let left: i64 = superuser.query_one(connections, &[&pids]).await.expect("a count").get(0);
    assert_eq!(left, 0, "every connection that was there before is closed");
    drop(serve);
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
            (
                &["serve", "--no-worker", "--listen", "127.0.0.1:0"][..],
                "APPOINTD_DATABASE_URL",
                "appointd_api",
            ),
            (&["tenant", "list"], "APPOINTD_OWNER_DATABASE_URL", "appointd_owner"),
            (&["audit"], "APPOINTD_AUDITOR_DATABASE_URL", "appointd_auditor"),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_appointd"));
            command
                .args(arguments)
                .env("APPOINTD_TOKEN_KEYS", "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=")
                .env("APPOINTD_LINK_KEYS", "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ=")
                .env("APPOINTD_DOOR_DATABASE_URL", cluster.url("appointd_door", database))
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
