//! What is done to a database while people use it: exporting, migrating under a reader, dumping and restoring.

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use appointd::{
    db::{Db, cluster::Cluster, migrate},
    demo,
};
use chrono::{Months, Utc};
use futures_util::future::join_all;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

use crate::{
    harness::{Tenant, private_database, private_system, within},
    server::operated::appointd,
};

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", uuid::Uuid::new_v4()))
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

async fn as_owner(cluster: &Cluster, arguments: &[&str]) -> Output {
    let url = cluster.url("appointd_owner", "appointd");
    appointd(arguments, &[("APPOINTD_OWNER_DATABASE_URL", url)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_made_while_eight_clients_book_is_one_snapshot_and_can_be_imported() {
    const EXPORTS: usize = 12;
    let system = private_system(&["max_connections=100"]).await;
    let (elsewhere, _superuser) = private_database().await;
    within(system, async {
        let tenant = Tenant::new().await;
        let service = tenant.service().await;
        let contact = tenant.contact().await;
        let mut providers = Vec::new();
        for _ in 0..4 {
            providers.push(tenant.provider().await);
        }
        let (stop, booked) = (AtomicBool::new(false), AtomicUsize::new(0));
        let clients = (0..8).map(|client| {
            let (tenant, service, contact, providers) = (&tenant, &service, &contact, &providers);
            let (stop, booked) = (&stop, &booked);
            async move {
                let mut contact = contact.clone();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    if turn % 4 == 0 {
                        contact = tenant.contact().await;
                    }
                    let start = format!("20{:02}-05-{:02}T{:02}:00:00Z", 31 + turn % 9, 1 + client, 9 + turn % 7);
                    let body = json!({
                        "service_id": service, "provider_id": providers[turn % 4], "contact_id": contact, "starts_at": start,
                    });
                    let answer = tenant.staff.post("/api/v1/appointments", body).await;
                    if answer.status == 201 {
                        booked.fetch_add(1, Ordering::Relaxed);
                        let path = format!("/api/v1/appointments/{}/cancel", answer.created());
                        tenant.staff.post(&path, json!({})).await.expect(200);
                    }
                }
            }
        });
        let exporting = async {
            let mut exports = Vec::new();
            for _ in 0..EXPORTS {
                let path = temporary("export").display().to_string();
                let before = booked.load(Ordering::Relaxed);
                let output =
                    as_owner(&system.cluster, &["tenant", "export", &tenant.id.to_string(), "--output", &path]).await;
                assert!(output.status.success(), "{}", text(&output.stderr));
                exports.push((path, booked.load(Ordering::Relaxed) - before));
            }
            stop.store(true, Ordering::Relaxed);
            exports
        };
        let (exports, _) = futures_util::future::join(exporting, join_all(clients)).await;
        assert!(exports.iter().filter(|(_, booked)| *booked > 0).count() > EXPORTS / 2, "bookings went on: {exports:?}");
        for (path, _) in exports {
            let output = as_owner(&elsewhere, &["tenant", "import", &path]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
            let output = as_owner(&elsewhere, &["tenant", "delete", &tenant.id.to_string(), "--yes"]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    })
    .await;
}

/// The partition of the month that `migrate` makes last.
fn newest_partition() -> String {
    let month = Utc::now().checked_add_months(Months::new(3)).expect("a month");
    format!("audit_events_{}", month.format("%Y_%m"))
}

async fn partition_is_there(superuser: &Client) -> bool {
    let query = "select exists (select from pg_inherits where inhrelid = to_regclass('operations.' || $1))";
    superuser.query_one(query, &[&newest_partition()]).await.expect("a look").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_somebody_reads_everything_migrating_makes_nobody_wait_and_says_who_reads() {
    let system = private_system(&["max_connections=100"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let superuser = system.superuser().await;
        superuser
            .batch_execute(&format!("drop table operations.{}", newest_partition()))
            .await
            .expect("a month without a partition");
        // As pg_dump does, for as long as it runs.
        let reader = system.superuser().await;
        reader
            .batch_execute(
                "set application_name = 'pg_dump'; begin isolation level repeatable read, read only;
                 do $$ declare t regclass; begin
                     for t in select c.oid from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p') loop
                         execute format('lock table %s in access share mode', t);
                     end loop;
                 end $$",
            )
            .await
            .expect("a reader");
        let migrating = as_owner(&system.cluster, &["migrate", "--patience", "5"]);
        let migrated = AtomicBool::new(false);
        let writing = async {
            let mut longest = Duration::ZERO;
            let mut written = 0;
            while !migrated.load(Ordering::Relaxed) {
                let began = Instant::now();
                // Every write goes into the log, which is what is being partitioned.
                tenant.contact().await;
                longest = longest.max(began.elapsed());
                written += 1;
            }
            (longest, written)
        };
        let migrating = async {
            let output = migrating.await;
            migrated.store(true, Ordering::Relaxed);
            output
        };
        let (output, (longest, written)) = futures_util::future::join(migrating, writing).await;
        assert_eq!(output.status.code(), Some(75), "{}", text(&output.stderr));
        let pid: i32 = reader.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
        let holder = format!("pid {pid} (pg_dump as postgres)");
        assert!(text(&output.stderr).contains(&holder), "{holder}: {}", text(&output.stderr));
        assert!(!partition_is_there(&superuser).await);
        assert!(written > 5 && longest < Duration::from_millis(2200), "{written} written, {longest:?} for one");

        // Who reads ends while it tries: then it is done.
        let ending = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            reader.batch_execute("commit").await.expect("an end");
        };
        let (output, ()) = futures_util::future::join(as_owner(&system.cluster, &["migrate"]), ending).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(partition_is_there(&superuser).await);
        // As the others are: same columns, indexes, rules.
        let output = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .arg("audit")
            .env("APPOINTD_AUDITOR_DATABASE_URL", system.cluster.url("appointd_auditor", "appointd"))
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    })
    .await;
}

#[tokio::test]
async fn the_owner_gives_up_waiting_for_a_lock_so_that_nobody_waits_behind() {
    let (cluster, superuser) = private_database().await;
    superuser
        .batch_execute("begin; lock table operations.audit_events in access share mode")
        .await
        .expect("a reader");
    let url = cluster.url("appointd_owner", "appointd").parse().expect("a URL of ours");
    let owner = migrate::connect(&url).await.expect("the database answers");
    let refused =
        owner.batch_execute("begin; lock table operations.audit_events").await.expect_err("somebody reads");
    assert_eq!(refused.code().map(|code| code.code().to_owned()).as_deref(), Some("55P03"));
}

#[tokio::test]
async fn a_database_dumped_and_restored_as_the_manual_says_has_no_finding_and_every_row() {
    let (cluster, superuser) = private_database().await;
    let db = Db::new(&cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), 4);
    demo::load(&db, Utc::now()).await.expect("the demo data");
    let rows = async |superuser: &Client| -> String {
        let counts = "select string_agg(format('%s %s', n.nspname || '.' || c.relname, (xpath('/row/n/text()',
                query_to_xml(format('select count(*) as n from %s', c.oid::regclass), false, true, '')))[1]::text), ', '
                order by n.nspname || '.' || c.relname)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.oid >= 16384 and c.relkind = 'r'";
        superuser.query_one(counts, &[]).await.expect("counts").get(0)
    };
    let before = rows(&superuser).await;
    assert!(before.contains("scheduling.appointments "), "{before}");
    let dump = temporary("dump").display().to_string();
    let run = async |program: &str, arguments: Vec<String>| {
        let mut command = Command::new(program);
        command.args(arguments);
        let output =
            spawn_blocking(move || command.output().expect("the program runs")).await.expect("no panic");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    };
    run(
        "pg_dump",
        vec!["--format=custom".into(), "--file".into(), dump.clone(), cluster.url("postgres", "appointd")],
    )
    .await;
    let elsewhere =
        spawn_blocking(|| Cluster::temporary(&[]).expect("PostgreSQL starts")).await.expect("no panic");
    let url = elsewhere.url("postgres", "postgres");
    let maintenance =
        migrate::connect(&url.parse().expect("a URL of ours")).await.expect("the database answers");
    maintenance.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    run("pg_restore", vec!["--create".into(), "--exit-on-error".into(), "--dbname".into(), url, dump]).await;
    let url = elsewhere.url("postgres", "appointd").parse().expect("a URL of ours");
    let restored = migrate::connect(&url).await.expect("the database answers");
    assert_eq!(rows(&restored).await, before);
    // Bookings that should not be: none.
    let bookings =
        restored.query(include_str!("../../../sql/audit/bookings.sql"), &[]).await.expect("a look");
    assert!(bookings.is_empty(), "{}", bookings.len());
    let output = appointd(
        &["audit", "--server-database-url", &elsewhere.url("appointd_api", "appointd")],
        &[("APPOINTD_AUDITOR_DATABASE_URL", elsewhere.url("appointd_auditor", "appointd"))],
    )
    .await;
    let said = text(&output.stdout);
    assert!(said.starts_with("0 errors, 0 warnings, 0 notes, 0 accepted; "), "{said}");
    // And the next version of it is migrated like any other.
    let output = as_owner(&elsewhere, &["migrate"]).await;
    assert!(text(&output.stdout).contains("up to date (0 applied)"), "{}", text(&output.stderr));
}

/// What `docs/dba.md` says for a PostgreSQL without a superuser, in its order.
#[tokio::test]
async fn the_way_without_a_superuser_ends_with_an_audit_without_findings() {
    let cluster =
        spawn_blocking(|| Cluster::temporary(&[]).expect("PostgreSQL starts")).await.expect("no panic");
    let connect = async |role: &str, database: &str| {
        let url = cluster.url(role, database).parse().expect("a URL of ours");
        migrate::connect(&url).await.expect("the database answers")
    };
    let superuser = connect("postgres", "postgres").await;
    superuser.batch_execute("create role administrator login createrole createdb").await.expect("a role");
    let administrator = connect("administrator", "postgres").await;
    administrator.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    administrator.batch_execute("grant appointd_owner to current_user").await.expect("a membership");
    administrator
        .batch_execute(include_str!("../../../sql/setup/create_database.sql"))
        .await
        .expect("a database");
    let inside = connect("administrator", "appointd").await;
    inside.batch_execute(include_str!("../../../sql/setup/database.sql")).await.expect("a prepared database");
    administrator.batch_execute("revoke appointd_owner from current_user").await.expect("no membership");
    let output = as_owner(&cluster, &["migrate"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let manual = include_str!("../../../docs/dba.md");
    let (_, command) =
        manual.split_once("appointd audit --accept functions/large_object").expect("the command");
    let (command, _) = command.split_once("```").expect("an end");
    let command = format!("audit --accept functions/large_object{}", command.replace("\\\n", ""));
    // As a shell takes it apart: no quotes but around a role.
    let command = command.replace("='role administrator'", "=role_administrator");
    let arguments: Vec<String> = command
        .split_whitespace()
        .map(|word| word.replace("role_administrator", "role administrator"))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = appointd(
        &arguments,
        &[("APPOINTD_AUDITOR_DATABASE_URL", cluster.url("appointd_auditor", "appointd"))],
    )
    .await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("0 errors, 0 warnings, 0 notes, "), "{said}");
}
