use futures_util::future::join_all;
use serde_json::json;

use super::{PATH, task};
use crate::harness::{Tenant, outcomes, system};

#[tokio::test]
async fn step_is_added_done_and_deleted() {
    let tenant = Tenant::new().await;
    let task_path = format!("{PATH}/{}", task(&tenant, "T").await);
    let list = format!("{task_path}/checklist");
    let first = tenant.staff.post(&list, json!({ "text": "First" })).await.created();
    tenant.staff.post(&list, json!({ "text": "Second" })).await.created();
    let path = format!("/api/v1/checklist-items/{first}");
    let before = tenant.viewer.get(&task_path).await.expect(200);
    let done = tenant.staff.patch(&path, json!({ "done": true })).await.expect(200);
    assert_eq!((&done["text"], &done["done"]), (&json!("First"), &json!(true)));
    let after = tenant.viewer.get(&task_path).await.expect(200);
    assert_eq!((&after["checklist_items"], &after["checklist_done"]), (&json!(2), &json!(1)));
    assert_ne!(after["updated_at"], before["updated_at"], "those who follow the task see it");
    let items = tenant.viewer.get(&list).await.expect(200);
    let texts: Vec<_> = items["items"].as_array().expect("items").iter().map(|item| &item["text"]).collect();
    assert_eq!(texts, [&json!("First"), &json!("Second")]);
    tenant.staff.delete(&path).await.expect(204);
    tenant.viewer.get(&path).await.refused(404, "not_found");

    tenant.staff.post(&list, json!({ "text": "" })).await.invalid("text", "too_short");
    tenant.staff.post(&list, json!({ "text": "x".repeat(201), "done": 1 })).await.refused(422, "invalid");
    tenant.viewer.post(&list, json!({ "text": "T" })).await.refused(403, "role_too_low");
    let other = Tenant::new().await;
    other.staff.post(&list, json!({ "text": "T" })).await.refused(404, "not_found");
    other.viewer.get(&list).await.refused(404, "not_found");
}

#[tokio::test]
async fn checklist_has_a_hundred_steps_also_if_many_add_one_at_once() {
    let tenant = Tenant::new().await;
    let id = task(&tenant, "T").await;
    system()
        .superuser()
        .await
        .execute(
            "insert into work.checklist_items (tenant_id, id, task_id, text)
             select $1, gen_random_uuid(), id, 'Step' from work.tasks, generate_series(1, 99) where tenant_id = $1",
            &[&tenant.id],
        )
        .await
        .expect("steps");
    let attempts =
        (0..5).map(|_| {
            let (tenant, id) = (&tenant, &id);
            async move {
                tenant.staff.post(&format!("{PATH}/{id}/checklist"), json!({ "text": "One more" })).await
            }
        });
    assert_eq!(outcomes(&join_all(attempts).await, "too_many_items"), (1, 4));
}
