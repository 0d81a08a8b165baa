//! The role of the worker: what it sees and may do.

use tokio_postgres::error::SqlState;

use crate::{
    db::statements::files,
    harness::{Tenant, system},
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
        ("select app.enter_scheduler(gen_random_uuid(), null)", SqlState::INSUFFICIENT_PRIVILEGE),
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
