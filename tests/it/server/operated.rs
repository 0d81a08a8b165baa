//! What an operator does, and may do wrong: roles, unmigrated databases, standbys, settings.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use appointd::db::{cluster::Cluster, migrate};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

use super::{Serve, status};
use crate::harness::{PASSWORD, Tenant, private_system, within};

const TOKEN_KEYS: &str = "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=";
const LINK_KEYS: &str = "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ=";

/// The program, ended by itself.
pub async fn appointd(arguments: &[&str], environment: &[(&'static str, String)]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let environment = environment.to_vec();
    spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_appointd"))
            .args(arguments)
            .env("APPOINTD_TOKEN_KEYS", TOKEN_KEYS)
            .env("APPOINTD_LINK_KEYS", LINK_KEYS)
            .envs(environment)
            .output()
            .expect("the program runs")
    })
    .await
    .expect("no panic")
}

async fn superuser(cluster: &Cluster) -> Client {
    let url = cluster.url("postgres", "appointd").parse().expect("a URL of ours");
    migrate::connect(&url).await.expect("the database answers")
}

async fn serve_refuses(url: String, reason: &str) {
    let output = appointd(&["serve", "--listen", "127.0.0.1:0"], &[("APPOINTD_DATABASE_URL", url)]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

#[tokio::test]
async fn migrating_as_anybody_but_the_owner_is_refused_and_makes_nothing() {
    let cluster =
        spawn_blocking(|| Cluster::temporary(&[]).expect("PostgreSQL starts")).await.expect("no panic");
    let connect = async |database: &str| {
        let url = cluster.url("postgres", database).parse().expect("a URL of ours");
        migrate::connect(&url).await.expect("the database answers")
    };
    let maintenance = connect("postgres").await;
    maintenance.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    maintenance
        .batch_execute(include_str!("../../../sql/setup/create_database.sql"))
        .await
        .expect("a database");
    let superuser = connect("appointd").await;
    superuser.batch_execute(include_str!("../../../sql/setup/database.sql")).await.expect("a schema");
    // Prepared, and never migrated: both say what to do.
    serve_refuses(cluster.url("appointd_api", "appointd"), "run `appointd migrate`").await;
    let objects = async || -> i64 {
        let count = "select count(*) from pg_class where oid >= 16384";
        superuser.query_one(count, &[]).await.expect("a count").get(0)
    };
    assert_eq!(objects().await, 0);
    superuser
        .batch_execute(
            "create role member login in role appointd_owner; grant connect on database appointd to member",
        )
        .await
        .expect("a member of the owner");
    for role in ["postgres", "member"] {
        let output =
            appointd(&["migrate"], &[("APPOINTD_OWNER_DATABASE_URL", cluster.url(role, "appointd"))]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{role}");
        assert!(
            said.contains(&format!("connected as role \"{role}\"")) && said.contains("appointd_owner"),
            "{said}"
        );
        assert_eq!(objects().await, 0, "{role}");
    }
    let url = cluster.url("appointd_owner", "appointd");
    let output = appointd(&["migrate"], &[("APPOINTD_OWNER_DATABASE_URL", url)]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let others = "select count(*) from pg_class where oid >= 16384 and relowner <> 'appointd_owner'::regrole
                  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = pg_class.oid and d.deptype = 'e')";
    assert_eq!(superuser.query_one(others, &[]).await.expect("a count").get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_primary_that_is_demoted_is_not_ready_and_one_that_is_promoted_is() {
    let folder = std::env::temp_dir().join(format!("appointd-test-{}", uuid::Uuid::new_v4().simple()));
    let start = {
        let folder = folder.clone();
        move || Cluster::start(&folder, &[], &|_| ()).expect("PostgreSQL starts")
    };
    let cluster = spawn_blocking(start.clone()).await.expect("no panic");
    appointd::dev::set_up(&cluster).await.expect("the database is set up");
    let url = cluster.url("appointd_api", "appointd");
    let serve = Serve::start(&url);
    // The answer is kept for a second.
    let ready = async || {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        status(serve.url("/health/ready")).await
    };
    let log_in = async || {
        let body = json!({ "email": "nobody@example.com", "password": PASSWORD }).to_string();
        let request = reqwest::Client::new().post(serve.url("/api/v1/auth/login"));
        let answer = request.header("content-type", "application/json").body(body).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let body: serde_json::Value =
            serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ready().await.0, 200);

    // Started again as a standby, at the same place, as a failover leaves the former primary.
    spawn_blocking(move || drop(cluster)).await.expect("no panic");
    let data = folder.join("cluster").canonicalize().expect("a folder").join("data");
    std::fs::write(data.join("standby.signal"), "").expect("a standby");
    let cluster = spawn_blocking(start).await.expect("no panic");
    let (status, problem) = ready().await;
    assert_eq!((status, &problem["code"]), (503, &json!("database_read_only")), "{problem}");
    // Signing in counts the attempt: a write.
    assert_eq!(log_in().await, (503, "database_read_only".to_owned()));
    serve_refuses(url, "the database is read-only").await;
    let owner = cluster.url("appointd_owner", "appointd");
    let output = appointd(&["migrate"], &[("APPOINTD_OWNER_DATABASE_URL", owner)]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("standby"), "{said}");

    let superuser = superuser(&cluster).await;
    superuser.query_one("select pg_promote(true, 60)", &[]).await.expect("a promotion");
    assert_eq!(ready().await.0, 200);
    assert_eq!(log_in().await, (401, "credentials_invalid".to_owned()));

    // A connection that was refused to write is closed, and so are the idle ones: the next leads to where writes go.
    let connections =
        "select count(*) from pg_stat_activity where usename = 'appointd_api' and pid = any ($1)";
    let pids: Vec<i32> = superuser
        .query("select pid from pg_stat_activity where usename = 'appointd_api'", &[])
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
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(answers.contains(&(503, "database_read_only".to_owned())), "{answers:?}");
    let left: i64 = superuser.query_one(connections, &[&pids]).await.expect("a count").get(0);
    assert_eq!(left, 0, "every connection that was there before is closed");
    drop(serve);
    spawn_blocking(move || drop(cluster)).await.expect("no panic");
    std::fs::remove_dir_all(folder).expect("the folder goes");
}

#[tokio::test]
async fn what_an_extension_brought_stops_no_server_and_is_no_finding() {
    let cluster = spawn_blocking(|| {
        Cluster::temporary(&["shared_preload_libraries=pg_stat_statements"]).expect("PostgreSQL starts")
    })
    .await
    .expect("no panic");
    appointd::dev::set_up(&cluster).await.expect("the database is set up");
    let superuser = superuser(&cluster).await;
    superuser.batch_execute("create extension pg_stat_statements").await.expect("an extension");
    let auditor = || [("APPOINTD_AUDITOR_DATABASE_URL", cluster.url("appointd_auditor", "appointd"))];
    let audit = appointd(&["audit"], &auditor()).await;
    assert_eq!(audit.status.code(), Some(0), "{}", String::from_utf8_lossy(&audit.stdout));
    let serve = Serve::start(&cluster.url("appointd_api", "appointd"));
    assert_eq!(status(serve.url("/health/ready")).await.0, 200);
    // Each entry begins with the name of the file.
    let query = "select query from pg_stat_statements where query like '-- operations/migrations_last.sql%'";
    let found = superuser.query(query, &[]).await.expect("statistics");
    assert_eq!(found.len(), 1);
    drop(serve);
    // What is made to belong to an extension in a schema of ours is not the extension's: both say so.
    superuser
        .batch_execute(
            "create view crm.everybody as select * from crm.contacts; grant select on crm.everybody to appointd_api;
             alter extension pg_stat_statements add view crm.everybody",
        )
        .await
        .expect("a hole");
    serve_refuses(cluster.url("appointd_api", "appointd"), "crm.everybody").await;
    assert_eq!(appointd(&["audit"], &auditor()).await.status.code(), Some(1));
}

#[test]
fn the_settings_that_are_shown_can_be_loaded_by_a_shell() {
    let shown =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).expect("a file");
    // With every setting in use.
    let all: String = shown
        .lines()
        .map(|line| {
            line.strip_prefix("#APPOINTD").map_or(line.to_owned(), |rest| format!("APPOINTD{rest}")) + "\n"
        })
        .collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("env-{}", uuid::Uuid::new_v4()));
    std::fs::write(&path, &all).expect("a file");
    let output = Command::new("sh")
        .args(["-ec", &format!("set -a; . {}; env", path.display())])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let loaded = String::from_utf8(output.stdout).expect("text");
    let mut settings = 0;
    for line in all.lines().filter(|line| line.starts_with("APPOINTD")) {
        let line = line.replace('\'', "");
        assert!(loaded.lines().any(|loaded| loaded == line), "{line} is not in {loaded}");
        settings += 1;
    }
    assert!(settings >= 15, "{settings}");
    assert!(loaded.contains("APPOINTD_MAIL_FROM=appointd <noreply@appointd.example>"));
}

#[tokio::test]
async fn what_the_database_could_not_do_is_logged_with_its_sqlstate_and_is_in_doubt_only_without_an_answer() {
    let system = private_system(&["max_connections=60"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let superuser = system.superuser().await;
        let serve = Serve::start(&system.cluster.url("appointd_api", "appointd"));
        let token = serve.log_in(&tenant).await;
        let create = async || {
            let request = reqwest::Client::new().post(serve.url("/api/v1/contacts")).bearer_auth(&token);
            let request = request.header("content-type", "application/json");
            let answer = request.body(r#"{"first_name":"Grace","last_name":"Hopper"}"#).send().await;
            let answer = answer.expect("an answer");
            let status = answer.status().as_u16();
            let body: serde_json::Value =
                serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
            (status, body["code"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(create().await.0, 201);
        // The disk is full: said while the statement runs, and said by the commit.
        for when in ["immediate", "deferred"] {
            superuser
                .batch_execute(&format!(
                    "create or replace function crm.full() returns trigger language plpgsql
                     as $$ begin raise 'no space left' using errcode = '53100'; end $$;
                     create constraint trigger disk_full after insert on crm.contacts
                     deferrable initially {when} for each row execute function crm.full()"
                ))
                .await
                .expect("a full disk");
            assert_eq!(create().await, (503, "database_unavailable".to_owned()), "{when}");
            superuser.batch_execute("drop trigger disk_full on crm.contacts").await.expect("room again");
        }
        let full = serve.logged("53100");
        assert!(!full.is_empty());
        assert_eq!(
            (&full[0]["statement"], &full[0]["level"]),
            (&json!("crm/contacts_create.sql"), &json!("WARN")),
            "{full:?}"
        );
        let count = "select count(*) from crm.contacts where tenant_id = $1";
        assert_eq!(superuser.query_one(count, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 1);
        // A connection that an administrator ends answers, too: nothing was kept.
        superuser
            .batch_execute(
                "create or replace function crm.full() returns trigger language plpgsql
                 as $$ begin perform pg_terminate_backend(pg_backend_pid()), pg_sleep(1); return null; end $$;
                 alter function crm.full() security definer;
                 create trigger disk_full after insert on crm.contacts for each row execute function crm.full()",
            )
            .await
            .expect("an administrator");
        assert_eq!(create().await, (503, "database_unavailable".to_owned()));
        superuser.batch_execute("drop trigger disk_full on crm.contacts").await.expect("no administrator");
        assert_eq!(serve.logged("57P01").len(), 1);
        assert_eq!(superuser.query_one(count, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 1);
        // Waiting too long for a lock, too.
        superuser.batch_execute("begin; lock table crm.contacts in exclusive mode").await.expect("a lock");
        assert_eq!(create().await, (503, "timeout".to_owned()));
        superuser.batch_execute("rollback").await.expect("no lock");
        assert_eq!(serve.logged("55P03")[0]["statement"], json!("crm/contacts_create.sql"));
        assert_eq!(create().await.0, 201);
    })
    .await;
}

#[test]
fn counts_that_could_not_be_written_down_are_kept() {
    let counts = appointd::http::edge::Counts::default();
    let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    counts.put_back([(one, 3), (two, 1)]);
    let taken = counts.take();
    counts.put_back([(one, 2)]);
    counts.put_back(taken);
    assert_eq!(counts.take(), [(one, 5), (two, 1)].into());
    assert!(counts.take().is_empty());
}
