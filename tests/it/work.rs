mod board;
mod checklists;
mod comments;
mod repetition;
mod tasks;
mod two_organizations;

use serde_json::{Value, json};

use crate::harness::{Tenant, operations, system};

const PATH: &str = "/api/v1/tasks";

/// Makes a task with a title.
async fn task(tenant: &Tenant, title: &str) -> String {
    tenant.staff.post(PATH, json!({ "title": title })).await.created()
}

/// The titles of a list.
fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["title"].as_str().expect("a title")).collect()
}

#[tokio::test]
async fn every_operation_and_table_of_tasks_asks_for_the_feature() {
    let of_tasks: Vec<_> =
        operations().into_iter().filter(|operation| operation.value["tags"][0] == "Tasks").collect();
    assert!(of_tasks.len() > 10, "{}", of_tasks.len());
    for operation in of_tasks {
        assert_eq!(operation.value["x-required-feature"], "tasks", "{}", operation.id());
    }
    let open = system()
        .superuser()
        .await
        .query(
            "select c.relname
             from pg_class c
             where c.relnamespace = 'work'::regnamespace and c.relkind in ('r', 'p')
               and not exists (
                   select from pg_policy p
                   where p.polrelid = c.oid and p.polname = 'plan_feature' and not p.polpermissive and p.polcmd = '*'
               )",
            &[],
        )
        .await
        .expect("tables");
    let open: Vec<String> = open.iter().map(|row| row.get(0)).collect();
    assert_eq!(open, Vec::<String>::new());
}
