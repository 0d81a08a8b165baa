use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::{PATH, task, titles};
use crate::harness::{Tenant, system};

const BOARD: &str = "/api/v1/task-board";

async fn column(tenant: &Tenant, status: &str) -> Vec<String> {
    let page = tenant.viewer.get(&format!("{BOARD}?status={status}&limit=100")).await.expect(200);
    titles(&page).into_iter().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn tasks_are_in_the_order_in_which_they_were_moved() {
    let tenant = Tenant::new().await;
    let [a, b, c] = [task(&tenant, "A").await, task(&tenant, "B").await, task(&tenant, "C").await];
    let go = async |id: &str, body| tenant.staff.post(&format!("{PATH}/{id}/move"), body).await;
    assert_eq!(column(&tenant, "todo").await, ["A", "B", "C"]);
    go(&c, json!({ "before": a })).await.expect(200);
    assert_eq!(column(&tenant, "todo").await, ["C", "A", "B"]);
    go(&c, json!({ "after": a })).await.expect(200);
    assert_eq!(column(&tenant, "todo").await, ["A", "C", "B"]);
    go(&a, json!({})).await.expect(200);
    assert_eq!(column(&tenant, "todo").await, ["C", "B", "A"]);
    let done = go(&b, json!({ "status": "done" })).await.expect(200);
    assert!(done["completed_at"].is_string(), "{done}");
    assert_eq!(
        (column(&tenant, "todo").await, column(&tenant, "done").await),
        (vec!["C".to_owned(), "A".to_owned()], vec!["B".to_owned()])
    );
    // To another column by a change: to its end.
    tenant.staff.patch(&format!("{PATH}/{c}"), json!({ "status": "done" })).await.expect(200);
    assert_eq!(column(&tenant, "done").await, ["B", "C"]);

    go(&a, json!({ "before": b })).await.refused(409, "not_in_column");
    go(&a, json!({ "before": a })).await.invalid("before", "not_found");
    go(&a, json!({ "after": Uuid::now_v7() })).await.invalid("after", "not_found");
    go(&a, json!({ "after": b, "before": c, "status": "done" })).await.invalid("after", "conflicting");
    go(&a, json!({ "status": "later" })).await.invalid("status", "invalid_value");
    let other = Tenant::new().await;
    let foreign = task(&other, "Foreign").await;
    go(&a, json!({ "before": foreign })).await.invalid("before", "not_found");
}

#[tokio::test]
async fn board_in_pages_has_each_task_once() {
    let tenant = Tenant::new().await;
    for n in 0..5 {
        task(&tenant, &format!("T{n}")).await;
    }
    let (mut listed, mut path) = (Vec::new(), format!("{BOARD}?limit=2"));
    loop {
        let page = tenant.viewer.get(&path).await.expect(200);
        listed.extend(titles(&page).into_iter().map(ToOwned::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{BOARD}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, ["T0", "T1", "T2", "T3", "T4"]);
}

#[tokio::test]
async fn moves_between_the_same_two_never_run_out_of_room() {
    let tenant = Tenant::new().await;
    let first = task(&tenant, "first").await;
    task(&tenant, "last").await;
    let mut expected = vec!["first".to_owned()];
    for n in 0..60 {
        let title = format!("{n}");
        let id = task(&tenant, &title).await;
        tenant.staff.post(&format!("{PATH}/{id}/move"), json!({ "after": first })).await.expect(200);
        expected.insert(1, title);
    }
    expected.push("last".to_owned());
    assert_eq!(column(&tenant, "todo").await, expected);
}

#[tokio::test]
async fn concurrent_moves_to_one_place_get_there_with_places_of_their_own() {
    let tenant = Tenant::new().await;
    let [first, last] = [task(&tenant, "first").await, task(&tenant, "last").await];
    // No room between them, so that the first move makes some.
    system()
        .superuser()
        .await
        .execute("update work.tasks set board_position = 1000 where tenant_id = $1", &[&tenant.id])
        .await
        .expect("an update");
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(task(&tenant, &format!("{n:02}")).await);
    }
    let moves = ids.iter().map(|id| {
        let (tenant, last) = (&tenant, &last);
        async move { tenant.staff.post(&format!("{PATH}/{id}/move"), json!({ "before": last })).await.status }
    });
    assert!(join_all(moves).await.into_iter().all(|status| status == 200));
    let order = column(&tenant, "todo").await;
    assert_eq!((order[0].as_str(), order[13].as_str()), ("first", "last"));
    assert_eq!(order[1..13].iter().collect::<BTreeSet<_>>().len(), 12);
    assert_eq!(column(&tenant, "todo").await, order, "the order is stable");
    let positions = "select count(distinct board_position) from work.tasks where tenant_id = $1";
    let distinct = system().superuser().await.query_one(positions, &[&tenant.id]).await.expect("a count");
    assert_eq!(distinct.get::<_, i64>(0), 14);
    assert_eq!(tenant.viewer.get(&format!("{PATH}/{first}")).await.expect(200)["title"], "first");
}

#[tokio::test]
async fn move_within_a_column_changes_no_version_of_a_task() {
    let tenant = Tenant::new().await;
    let [a, b] = [task(&tenant, "A").await, task(&tenant, "B").await];
    let before = tenant.viewer.get(&format!("{PATH}/{b}")).await.expect(200);
    let moved = tenant.staff.post(&format!("{PATH}/{b}/move"), json!({ "before": a })).await.expect(200);
    assert_eq!(moved, before);
}
