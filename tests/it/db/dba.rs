//! What `docs/dba.md` says, done as it says it.

use std::process::Command;

use chrono::Utc;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

use crate::harness::{
    connect, load_demo, private_database,
    program::{appointd, as_owner, expect_serve_to_refuse, temporary, text},
    temporary_cluster,
};

#[tokio::test]
#[ignore = "dumps and restores a database"]
async fn restored_dump_has_every_row_and_no_finding() {
    let (cluster, superuser) = private_database().await;
    load_demo(&cluster, Utc::now()).await;
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
    let elsewhere = temporary_cluster(&[]).await;
    let url = elsewhere.url("postgres", "postgres");
    let maintenance = connect(&elsewhere, "postgres", "postgres").await;
    maintenance.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    run("pg_restore", vec!["--create".into(), "--exit-on-error".into(), "--dbname".into(), url, dump]).await;
    let restored = connect(&elsewhere, "postgres", "appointd").await;
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
async fn installation_without_superuser_has_no_finding() {
    let cluster = temporary_cluster(&[]).await;
    let superuser = connect(&cluster, "postgres", "postgres").await;
    superuser.batch_execute("create role administrator login createrole createdb").await.expect("a role");
    let administrator = connect(&cluster, "administrator", "postgres").await;
    administrator.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    administrator.batch_execute("grant appointd_owner to current_user").await.expect("a membership");
    administrator
        .batch_execute(include_str!("../../../sql/setup/create_database.sql"))
        .await
        .expect("a database");
    let inside = connect(&cluster, "administrator", "appointd").await;
    inside.batch_execute(include_str!("../../../sql/setup/database.sql")).await.expect("a prepared database");
    administrator.batch_execute("revoke appointd_owner from current_user").await.expect("no membership");
    let output = as_owner(&cluster, &["migrate"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Nothing can be entered, and the server says so, until the owner gives up the seal.
    let refused = "appointd_gate may not set backtrace_functions";
    expect_serve_to_refuse(cluster.url("appointd_api", "appointd"), refused).await;
    let owner = connect(&cluster, "appointd_owner", "appointd").await;
    owner.batch_execute(include_str!("../../../sql/setup/unsealed.sql")).await.expect("no seal");
    let manual = include_str!("../../../docs/dba.md");
    let (_, command) =
        manual.split_once("appointd audit --accept functions/large_object").expect("the command");
    let (command, _) = command.split_once("```").expect("an end");
    let command = format!("audit --accept functions/large_object{}", command.replace("\\\n", ""));
    // As a shell takes it apart: what stands in quotes is one word.
    let arguments: Vec<String> = command
        .split('\'')
        .enumerate()
        .map(|(at, part)| if at % 2 == 1 { part.replace(' ', "\u{a0}") } else { part.to_owned() })
        .collect::<String>()
        .split_ascii_whitespace()
        .map(|word| word.replace('\u{a0}', " "))
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
    // An organization is made, and entered.
    let id = "018f0000-0000-7000-8000-000000000001";
    let door = connect(&cluster, "appointd_door", "appointd").await;
    door.batch_execute(&format!(
        "select identity.register('{id}', 'a@a.example', 'x', null, '{id}', 'A', 'a-a', 'UTC')"
    ))
    .await
    .expect("an organization");
    connect(&cluster, "postgres", "appointd")
        .await
        .batch_execute(&format!(
            "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
             values ('{id}', '{id}', '{id}', 'token', sha256(uuid_send('{id}')), 'infinity')"
        ))
        .await
        .expect("a session");
    let api = connect(&cluster, "appointd_api", "appointd").await;
    api.batch_execute(&format!(
        "begin; select app.enter('{id}', '{id}', '{id}', uuid_send('{id}'), 'owner', null, null, null)"
    ))
    .await
    .expect("it is entered");
    let members = api.query("select from tenancy.members", &[]).await.expect("members");
    assert_eq!(members.len(), 1);
}
