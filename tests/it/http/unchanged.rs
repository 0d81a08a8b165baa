//! Changes to the current values: they change nothing, and nothing says that they did.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Answer, Operation, Tenant, operations, system,
    walking::{actor_of, id_of, send_with},
};

use super::versions::{furnished, path_of, reading};

/// How many events and lines of the change log an organization has.
async fn traces(tenant: &Tenant) -> (i64, i64) {
    let count = "select (select count(*) from messaging.outbox where tenant_id = $1)
        + (select count(*) from messaging.events where tenant_id = $1),
        (select count(*) from operations.audit_events where tenant_id = $1)";
    let row = system().superuser().await.query_one(count, &[&tenant.id]).await.expect("counts");
    (row.get(0), row.get(1))
}

async fn change(actor: &Actor, operation: &Operation, path: &str, body: &Value) -> Answer {
    let method: Method = operation.method.parse().expect("a method");
    actor.with_body(method, path, body.clone()).await
}

#[tokio::test]
async fn change_to_the_current_values_changes_nothing() {
    let (tenant, furnished, my_hold) = furnished().await;
    let mut changes: Vec<_> = operations()
        .into_iter()
        .filter(|operation| {
            matches!(operation.method.as_str(), "PATCH" | "PUT") && operation.role().is_some()
        })
        .collect();
    // Another plan has other features.
    changes.sort_by_key(|operation| operation.id() == "update_subscription");
    let mut tried = 0;
    for operation in changes {
        let id = operation.id();
        let read = reading(&operation).expect("an object");
        let (path, object) =
            (path_of(&operation, &furnished, &my_hold), path_of(&read, &furnished, &my_hold));
        let actor = actor_of(&tenant, &operation);
        let example = operation.example().expect("an example");
        change(actor, &operation, &path, &example).await.expect(200);
        let before = actor.get(&object).await;
        // What is read, as far as it can be sent: every field that the example has.
        let fields = example.as_object().expect("an object");
        let held = before.body.as_object().expect("an object");
        let same = fields.iter().filter(|(name, _)| held.contains_key(*name));
        let same: Value = same.map(|(name, _)| (name.clone(), held[name].clone())).collect();
        let mut bodies = vec![example.clone(), same];
        if operation.method == "PATCH" {
            bodies.push(json!({}));
        }
        for body in bodies {
            let had = traces(&tenant).await;
            let answer = change(actor, &operation, &path, &body).await;
            // A body without any field is refused where one is required.
            let is_refused = answer.status == 422 && body == json!({});
            assert!(answer.status == 200 || is_refused, "{id} {body}: {}", answer.text);
            let after = actor.get(&object).await;
            assert_eq!(after.text, before.text, "{id} {body}");
            assert_eq!(after.header("etag"), before.header("etag"), "{id} {body}");
            assert_eq!(traces(&tenant).await, had, "{id} {body}: events and log");
        }
        let held = send_with(actor, &read, &object, ("if-none-match", before.header("etag"))).await;
        assert_eq!(held.status, 304, "{id}");
        tried += 1;
    }
    assert!(tried > 14, "{tried}");
}

#[tokio::test]
async fn change_of_what_belongs_to_an_object_is_a_change_of_it() {
    let (tenant, furnished, _) = furnished().await;
    let service = format!("/api/v1/services/{}", furnished.service);
    let task = format!("/api/v1/tasks/{}", id_of(&furnished)("task_id"));
    let provider = tenant.admin.post("/api/v1/providers", json!({ "name": "Grace" })).await.created();
    let provider = format!("/api/v1/providers/{provider}");
    for (object, body) in [
        (&service, json!({ "provider_ids": [furnished.provider] })),
        (&service, json!({ "provider_ids": [] })),
        (&service, json!({ "required_resources": [[furnished.resource]] })),
        (&task, json!({ "tags": ["another"] })),
        (&task, json!({ "links": [{ "kind": "contact", "id": furnished.contact }] })),
        (&task, json!({ "links": [] })),
        (&provider, json!({ "account_id": tenant.viewer.account })),
        (&provider, json!({ "account_id": null })),
    ] {
        let before = tenant.owner.get(object).await.expect(200);
        let had = traces(&tenant).await;
        let after = tenant.owner.patch(object, body.clone()).await.expect(200);
        assert_ne!(after["updated_at"], before["updated_at"], "{object} {body}");
        assert_ne!(traces(&tenant).await, had, "{object} {body}");
        let had = traces(&tenant).await;
        assert_eq!(tenant.owner.patch(object, body.clone()).await.expect(200), after, "{object} {body}");
        assert_eq!(traces(&tenant).await, had, "{object} {body}");
    }
}
