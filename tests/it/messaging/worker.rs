//! The role of the worker: what it sees and may do.

use std::process::{Command, Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::task::spawn_blocking;
use tokio_postgres::error::SqlState;

use crate::{
    db::statements::files,
    harness::{
        Tenant, eventually, private_database,
        program::{LINK_KEYS, TOKEN_KEYS},
        system,
    },
};

/// Statements that are sent as appointd_worker say so.
const MARK: &str = "-- Sent as appointd_worker.";

#[tokio::test]
async fn worker_without_a_context_sees_no_row_and_with_one_only_those_of_its_organization() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let worker = system().connect("appointd_worker").await;
    let readable = "select c.oid::regclass::text, a.attname::text from pg_class c
                    join pg_attribute a on a.attrelid = c.oid and a.attname in ('tenant_id', 'id')
                    where c.oid >= 16384 and c.relkind in ('r', 'p') and not c.relispartition
                      and has_column_privilege(c.oid, a.attnum, 'select')
                      and (a.attname = 'tenant_id' or c.oid = 'tenancy.organizations'::regclass)";
    let tables: Vec<(String, String)> = system()
        .connect("appointd_worker")
        .await
        .query(readable, &[])
        .await
        .expect("tables")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert!(tables.len() >= 6, "{tables:?}");
    for (table, column) in &tables {
        let count = format!("select count(*), count(*) filter (where {column} <> $1) from {table}");
        let row = worker.query_one(&count, &[&tenant.id]).await.expect("a count");
        assert_eq!(row.get::<_, i64>(0), 0, "{table} without a context");
        worker
            .batch_execute(&format!("begin; select app.enter_worker('{}')", tenant.id))
            .await
            .expect("a context");
        let row = worker.query_one(&count, &[&tenant.id]).await.expect("a count");
        assert_eq!(row.get::<_, i64>(1), 0, "{table} of another organization");
        worker.batch_execute("rollback").await.expect("a rollback");
    }
    for (sql, code) in [
        (
            "insert into scheduling.appointments (id) values (gen_random_uuid())",
            SqlState::INSUFFICIENT_PRIVILEGE,
        ),
        ("select * from crm.contacts", SqlState::INSUFFICIENT_PRIVILEGE),
        ("update messaging.events set data = '{}'", SqlState::INSUFFICIENT_PRIVILEGE),
        ("insert into messaging.outbox (type) values ('contact.created')", SqlState::INSUFFICIENT_PRIVILEGE),
        ("select app.enter_scheduler(gen_random_uuid(), null, null)", SqlState::INSUFFICIENT_PRIVILEGE),
    ] {
        worker
            .batch_execute(&format!("begin; select app.enter_worker('{}')", tenant.id))
            .await
            .expect("a context");
        let error = worker.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code(), Some(&code), "{sql}");
        worker.batch_execute("rollback").await.expect("a rollback");
    }
    // Entering again, and an organization there is not.
    worker
        .batch_execute(&format!("begin; select app.enter_worker('{}')", tenant.id))
        .await
        .expect("a context");
    let again = worker.batch_execute(&format!("select app.enter_worker('{}')", other.id)).await;
    assert_eq!(again.expect_err("again").code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE));
    worker.batch_execute("rollback; begin").await.expect("a transaction");
    let unknown = worker.batch_execute("select app.enter_worker(gen_random_uuid())").await;
    assert_eq!(unknown.expect_err("unknown").code().map(SqlState::code), Some("AP404"));
}

#[tokio::test]
async fn statement_of_the_worker_can_be_run_by_it_and_reads_no_whole_table() {
    let worker = system().connect("appointd_worker").await;
    worker
        .batch_execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
        .await
        .expect("settings");
    let mut of_the_worker = 0;
    for (name, sql) in files().into_iter().filter(|(_, sql)| sql.contains(MARK)) {
        let parameters = worker.prepare(&sql).await.expect("a statement").params().len();
        let nulls = vec!["null"; parameters].join(", ");
        worker.batch_execute(&format!("deallocate all; prepare s as {sql}")).await.expect("a statement");
        let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        let plan = worker.query(&format!("explain execute s{nulls}"), &[]).await;
        let plan = plan.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().all(|line| !line.contains("Seq Scan")), "{name}: {plan:#?}");
        of_the_worker += 1;
    }
    assert!(of_the_worker >= 6, "{of_the_worker}");
}

#[tokio::test]
async fn program_works_alone_and_ends_when_it_is_told_to() {
    let (cluster, superuser) = private_database().await;
    let id = "00000000-0000-0000-0000-0000000000a1";
    superuser
        .batch_execute(&format!(
            "select identity.register('{id}', 'o@x.example', 'x', 'O', '{id}', 'Org', 'org-a', 'UTC');
             insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes)
             values ('{id}', '{id}', 'Service', 30, 15);
             insert into scheduling.resources (tenant_id, id, kind) values ('{id}', '{id}', 'provider');
             insert into scheduling.providers (tenant_id, id, name) values ('{id}', '{id}', 'Ada');
             insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
             values ('{id}', '{id}', '{id}', '{id}', '2031-01-01T00:00Z', '2031-01-01T01:00Z', now())"
        ))
        .await
        .expect("an organization with an expired hold");
    let mut child = Command::new(env!("CARGO_BIN_EXE_appointd"))
        .arg("worker")
        .env("APPOINTD_DATABASE_URL", cluster.url("appointd_api", "appointd"))
        .env("APPOINTD_WORKER_DATABASE_URL", cluster.url("appointd_worker", "appointd"))
        .env("APPOINTD_TOKEN_KEYS", TOKEN_KEYS)
        .env("APPOINTD_LINK_KEYS", LINK_KEYS)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    // Regular work finds it, a job removes it, and that is an event.
    let told = "select data ->> 'provider_name' from messaging.events where type = 'hold.expired'";
    let name: String = eventually(async || {
        let row = superuser.query_opt(told, &[]).await.expect("an answer")?;
        Some(row.get(0))
    })
    .await;
    assert_eq!(name, "Ada");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    let ended = spawn_blocking(move || child.wait().expect("an end")).await.expect("no panic");
    assert!(ended.success());
}
