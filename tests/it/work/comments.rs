use serde_json::json;
use uuid::Uuid;

use super::{PATH, task};
use crate::harness::{Tenant, person, system};

#[tokio::test]
async fn comment_names_who_is_mentioned_once() {
    let tenant = Tenant::new().await;
    let list = format!("{PATH}/{}/comments", task(&tenant, "T").await);
    let viewer = tenant.viewer.account;
    let body = json!({ "text": "Look at this,\nplease.", "mentions": [viewer, viewer] });
    let id = tenant.staff.post(&list, body).await.created();
    let comment = tenant.viewer.get(&format!("/api/v1/task-comments/{id}")).await.expect(200);
    assert_eq!(comment["mentions"], json!([viewer]));
    assert_eq!(comment["author_id"], json!(tenant.staff.account));
    assert_eq!(tenant.viewer.get(&list).await.expect(200)["items"], json!([comment]));
    system().publish(tenant.id).await;
    let events = tenant.viewer.get("/api/v1/events?types=task_comment.created").await.expect(200);
    assert_eq!(events["items"][0]["data"]["mentions"], json!([viewer]));
}

#[tokio::test]
async fn comment_that_mentions_strangers_names_each() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let list = format!("{PATH}/{}/comments", task(&tenant, "T").await);
    let mentions =
        json!([tenant.viewer.account, other.viewer.account, Uuid::now_v7(), tenant.customer.account]);
    let refused = tenant.staff.post(&list, json!({ "text": "T", "mentions": mentions })).await;
    let refused = refused.refused(422, "invalid");
    let fields: Vec<_> =
        refused["errors"].as_array().expect("errors").iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, [&json!("mentions[1]"), &json!("mentions[2]"), &json!("mentions[3]")]);
    tenant.staff.post(&list, json!({ "text": " " })).await.invalid("text", "too_short");
    tenant.viewer.post(&list, json!({ "text": "T" })).await.refused(403, "role_too_low");
    other.staff.post(&list, json!({ "text": "T" })).await.refused(404, "not_found");
    other.viewer.get(&list).await.refused(404, "not_found");
}

#[tokio::test]
async fn comment_is_deleted_by_its_author_or_a_manager() {
    let tenant = Tenant::new().await;
    let list = format!("{PATH}/{}/comments", task(&tenant, "T").await);
    let colleague = person(tenant.id, "staff").await;
    let mut paths = Vec::new();
    for _ in 0..2 {
        let id = tenant.staff.post(&list, json!({ "text": "T" })).await.created();
        paths.push(format!("/api/v1/task-comments/{id}"));
    }
    colleague.delete(&paths[0]).await.refused(403, "not_the_author");
    tenant.viewer.delete(&paths[0]).await.refused(403, "role_too_low");
    tenant.staff.delete(&paths[0]).await.expect(204);
    tenant.manager.delete(&paths[1]).await.expect(204);
    colleague.delete(&paths[1]).await.refused(404, "not_found");
}
