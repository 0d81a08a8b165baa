//! The operations on endpoints and deliveries.

use serde_json::{Value, json};

use super::{DELIVERIES, ENDPOINTS, deliver, hook, latest, post};
use crate::harness::{Tenant, receiver::Receiver};

async fn create(tenant: &Tenant, body: Value) -> crate::harness::Answer {
    tenant.admin.post(ENDPOINTS, body).await
}

#[tokio::test]
async fn endpoint_is_created_with_a_secret_read_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let body = json!({ "url": "https://hooks.example.com/x", "types": ["appointment.*", "contact.created"] });
    let made = create(&tenant, body.clone()).await.expect(201);
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let path = format!("{ENDPOINTS}/{}", made["id"].as_str().expect("an id"));
    let read = tenant.admin.get(&path).await.expect(200);
    assert_eq!(
        (&read, &read["enabled"], &read["payload"]),
        (&made["endpoint"], &json!(true), &json!("full"))
    );
    assert!(!read.to_string().contains("whsec_"), "{read}");
    let changes = json!({ "description": "Books", "types": [], "payload": "ids", "enabled": false });
    let changed = tenant.admin.patch(&path, changes).await.expect(200);
    assert_eq!(
        (&changed["description"], &changed["types"], &changed["payload"], &changed["disabled_reason"]),
        (&json!("Books"), &json!([]), &json!("ids"), &json!("admin"))
    );
    let changed =
        tenant.admin.patch(&path, json!({ "description": null, "enabled": true })).await.expect(200);
    assert_eq!((&changed["description"], &changed["disabled_reason"]), (&Value::Null, &Value::Null));
    tenant.manager.get(&path).await.refused(403, "role_too_low");
    tenant.admin.delete(&path).await.expect(204);
    tenant.admin.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn url_type_and_number_of_endpoints_are_checked() {
    let tenant = Tenant::new().await;
    for url in ["http://hooks.example.com", "https://127.0.0.1/x", "https://127.1", "https://a.internal/x"] {
        create(&tenant, json!({ "url": url })).await.invalid("url", "url_not_allowed");
    }
    for url in
        ["ftp://hooks.example.com", "https://u:p@hooks.example.com", "https://hooks.example.com/#x", "x"]
    {
        create(&tenant, json!({ "url": url })).await.invalid("url", "invalid_value");
    }
    for name in ["appointment.baked", "appointments.*", "*"] {
        let body = json!({ "url": "https://hooks.example.com", "types": [name] });
        create(&tenant, body).await.invalid("types", "invalid_value");
    }
    for _ in 0..20 {
        create(&tenant, json!({ "url": "https://hooks.example.com" })).await.created();
    }
    create(&tenant, json!({ "url": "https://hooks.example.com" }))
        .await
        .refused(409, "webhook_endpoint_limit");
    let basic = Tenant::on_plan("basic").await;
    create(&basic, json!({ "url": "https://hooks.example.com" })).await.refused(403, "feature_not_in_plan");
}

#[tokio::test]
async fn test_is_sent_and_a_disabled_endpoint_gets_none() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![]).await;
    let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    let path = format!("{ENDPOINTS}/{}", hook.id);
    post(&tenant, &format!("{path}/test")).await.created();
    deliver(&tenant).await;
    assert_eq!(receiver.types(), ["webhook.test"]);
    let sent = latest(&tenant).await;
    assert_eq!((&sent["state"], &sent["log"][0]["response"]), (&json!("delivered"), &Value::Null));
    // It is no event.
    let events = tenant.admin.get("/api/v1/events").await.expect(200);
    assert!(!events.to_string().contains("webhook.test"), "{events}");
    tenant.admin.patch(&path, json!({ "enabled": false })).await.expect(200);
    post(&tenant, &format!("{path}/test")).await.refused(409, "endpoint_disabled");
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    tenant.admin.post(&format!("{path}/recover"), since).await.refused(409, "endpoint_disabled");
    let id = sent["id"].as_str().expect("an id");
    post(&tenant, &format!("{DELIVERIES}/{id}/retry")).await.refused(409, "endpoint_disabled");
}

#[tokio::test]
async fn events_and_endpoints_of_one_organization_never_meet_those_of_another() {
    let (one, other) = (Tenant::new().await, Tenant::new().await);
    let (at_one, at_other) = (Receiver::answering(vec![]).await, Receiver::answering(vec![]).await);
    let hook_of_one = hook(&one, &at_one, json!({ "types": ["contact.created"] })).await;
    hook(&other, &at_other, json!({ "types": ["contact.created"] })).await;
    other.contact().await;
    deliver(&other).await;
    deliver(&one).await;
    assert_eq!((at_one.connections(), at_other.types()), (0, vec!["contact.created".to_owned()]));
    assert_eq!(one.admin.get(DELIVERIES).await.expect(200)["items"], json!([]));
    let sent = latest(&other).await;
    let id = sent["id"].as_str().expect("an id");
    one.admin.get(&format!("{DELIVERIES}/{id}")).await.refused(404, "not_found");
    post(&one, &format!("{DELIVERIES}/{id}/retry")).await.refused(404, "not_found");
    other.admin.get(&format!("{ENDPOINTS}/{}", hook_of_one.id)).await.refused(404, "not_found");
}
