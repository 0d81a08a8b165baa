//! Lists read about as many rows as they return, however many an organization has: also with the plan that is made once
//! for any parameters, which PostgreSQL takes if it expects that to cost less than a plan for each request.

use serde_json::Value;
use tokio_postgres::Client;

use crate::{
    db::statements::root,
    harness::{connect, private_database},
};

/// The third organization of plans.sql, and its owner.
const TENANT: &str = "'10000000-0003-7000-8000-000000000000'";

/// Statements and their parameters: those of a page of 50 without filters, and with filters that most rows pass.
const LISTS: [(&str, &str); 12] = [
    (
        "scheduling/appointments_list.sql",
        "null, '2031-01-01', $nil, '9999-12-31', $nil, 51, false, null, null",
    ),
    (
        "scheduling/appointments_list.sql",
        "null, '0001-01-01', $nil, '9999-12-31', $nil, 51, true, null, null",
    ),
    (
        "scheduling/appointments_list.sql",
        "null, '2031-01-01', $nil, '9999-12-31', $nil, 51, false, '{confirmed}', null",
    ),
    ("crm/contacts_list.sql", "$nil, 51, null, null, null"),
    (
        "scheduling/waitlist_list.sql",
        "null, null, '0001-01-01', $nil, 51, null, null, '0001-01-01', '9999-12-31'",
    ),
    (
        "scheduling/waitlist_list.sql",
        "'{waiting}', null, '0001-01-01', $nil, 51, null, null, '0001-01-01', '9999-12-31'",
    ),
    ("scheduling/holds_list.sql", "$nil, 51, null, '0001-01-01', '9999-12-31'"),
    ("scheduling/appointments_get.sql", "'10000200-0008-7000-8000-000000000000'"),
    ("work/tasks_list.sql", "null, null, null, null, null, null, null, null, $nil, 51, 0"),
    ("work/tasks_list.sql", "'{todo}', '{medium}', null, null, null, null, null, null, $nil, 51, 0"),
    ("work/tasks_board.sql", "'todo', 0, $nil, 51, null"),
    ("work/tasks_get.sql", "'10000500-0008-7000-8000-000000000000'"),
];

#[tokio::test]
async fn list_reads_no_more_rows_than_it_returns_at_100_rows_a_tenant() {
    expect_few_rows(100).await;
}

#[tokio::test]
async fn list_reads_no_more_rows_than_it_returns_at_1_000_rows_a_tenant() {
    expect_few_rows(1_000).await;
}

#[tokio::test]
async fn list_reads_no_more_rows_than_it_returns_at_10_000_rows_a_tenant() {
    expect_few_rows(10_000).await;
}

async fn expect_few_rows(rows: u32) {
    let (cluster, superuser) = private_database().await;
    superuser.batch_execute(&format!("set test.rows = {rows}")).await.expect("a setting");
    superuser.batch_execute(include_str!("plans.sql")).await.expect("rows");
    superuser.batch_execute("vacuum (analyze)").await.expect("statistics");
    let client = connect(&cluster, "appointd_api", "appointd").await;
    for mode in ["force_generic_plan", "force_custom_plan"] {
        client.batch_execute(&format!("set plan_cache_mode = {mode}")).await.expect("a setting");
        for (name, parameters) in LISTS {
            let plan = plan(&client, name, parameters).await;
            let read = rows_read(&plan);
            // A page. Of 100 rows all may be read: they are in a few blocks.
            assert!(read > 0 && read <= 100, "{name} of {rows} rows, {mode}: {read} rows read\n{plan:#}");
        }
    }
}

/// Runs a statement as the owner of [`TENANT`], and returns what PostgreSQL did.
async fn plan(client: &Client, name: &str, parameters: &str) -> Value {
    let text = std::fs::read_to_string(root().join("sql/queries").join(name)).expect("a statement");
    let parameters = parameters.replace("$nil", "'00000000-0000-0000-0000-000000000000'");
    client
        .batch_execute(&format!(
            "deallocate all; prepare s as {text};
             begin; select app.enter({TENANT}, {TENANT}, {TENANT}, uuid_send({TENANT}), 'viewer', null, null, null)"
        ))
        .await
        .expect("a context");
    let explain =
        format!("explain (analyze, timing off, summary off, format json) execute s({TENANT}, {parameters})");
    let row = client.query_one(&explain, &[]).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    client.batch_execute("commit").await.expect("the end");
    row.get(0)
}

/// The rows of tables that a plan read, returned or not.
fn rows_read(plan: &Value) -> u64 {
    let number = |key: &str| plan[key].as_f64().unwrap_or_default();
    let here = match plan["Relation Name"].is_string() {
        true => (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops"),
        false => 0.0,
    };
    let parts = match plan {
        Value::Array(parts) => parts.iter().map(rows_read).sum(),
        Value::Object(fields) => {
            ["Plan", "Plans"].iter().filter_map(|key| fields.get(*key)).map(rows_read).sum()
        }
        _ => 0,
    };
    here as u64 + parts
}
