use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, operations, person, scopes, system};

const PATH: &str = "/api/v1/api-keys";

#[tokio::test]
async fn key_is_limited_by_its_role_and_scopes() {
    let tenant = Tenant::new().await;
    let (reader, _) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    reader.get("/api/v1/contacts").await.expect(200);
    let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
    reader.post("/api/v1/contacts", contact.clone()).await.refused(403, "role_too_low");
    reader.get("/api/v1/services").await.refused(403, "scope_missing");
    let (narrow, _) = tenant.owner.api_key("admin", &["crm:read"]).await;
    narrow.post("/api/v1/contacts", contact.clone()).await.refused(403, "scope_missing");
    let (writer, id) = tenant.owner.api_key("staff", &["crm:write", "scheduling:write"]).await;
    writer.get("/api/v1/contacts").await.expect(200);
    let contact = writer.post("/api/v1/contacts", contact).await.created();
    let (service, provider) = (tenant.service().await, tenant.provider().await);
    let booking = json!({
        "service_id": service, "provider_id": provider, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z",
    });
    let appointment = writer.post("/api/v1/appointments", booking).await.expect(201);
    assert_eq!(appointment["created_by"], json!(id));
    let cancel = format!("/api/v1/appointments/{}/cancel", appointment["id"].as_str().expect("an id"));
    assert_eq!(writer.post(&cancel, json!({})).await.expect(200)["cancelled_by"], json!(id));
}

#[tokio::test]
async fn key_without_the_scope_of_an_operation_is_refused() {
    let tenant = Tenant::new().await;
    let all = scopes();
    let (everything, _) = tenant.owner.api_key("admin", &all).await;
    // A plan allows so many keys: one for each set of scopes will do.
    let mut made: BTreeMap<String, Actor> = BTreeMap::new();
    for operation in operations() {
        let Some(role) = operation.role() else {
            continue;
        };
        let scope = operation.value["x-required-scope"].as_str();
        assert_eq!(scope.is_some(), !matches!(role, "account" | "customer" | "owner"), "{}", operation.id());
        let path = operation
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { "01a1fb01-7fd9-733f-a41e-c785446589c2" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let path = if operation.id() == "list_slots" {
            format!("{path}?from=2031-05-05&to=2031-05-06")
        } else {
            path
        };
        let method: reqwest::Method = operation.method.parse().expect("a method");
        let body = operation.example().unwrap_or(Value::Null);
        let send = async |actor: &Actor| actor.with_body(method.clone(), &path, body.clone()).await;
        match scope {
            // Not for keys at all.
            None => {
                let answer = send(&everything).await;
                let code = answer.body["code"].as_str().unwrap_or_default();
                assert!(
                    matches!(code, "person_required" | "role_too_low" | "customer_required"),
                    "{}: {}",
                    operation.id(),
                    answer.text
                );
            }
            Some(scope) => {
                let others: Vec<_> = all
                    .iter()
                    .filter(|other| !other.starts_with(scope.split(':').next().expect("a tag")))
                    .copied()
                    .collect();
                // Every scope that an operation requires can be given.
                for (role, scopes) in [("admin", &others[..]), ("viewer", &[scope])] {
                    let scopes_of = scopes.join(" ");
                    let is_new = !made.contains_key(&scopes_of);
                    if is_new {
                        let (actor, _) = tenant.owner.api_key(role, scopes).await;
                        made.insert(scopes_of, actor);
                    }
                }
                send(&made[&others.join(" ")]).await.refused(403, "scope_missing");
                // What is not there has at least been looked for.
                let answer = send(&everything).await;
                assert_ne!(answer.status, 403, "{}: {}", operation.id(), answer.text);
            }
        }
    }
}

#[tokio::test]
async fn revoked_or_expired_key_is_refused_at_once() {
    let tenant = Tenant::new().await;
    let (actor, id) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    actor.get("/api/v1/contacts").await.expect(200);
    let path = format!("{PATH}/{id}");
    let shown = tenant.admin.get(&path).await.expect(200);
    assert!(shown["last_used_at"].is_string() && shown.get("revoked_at").is_none(), "{shown}");
    tenant.admin.post(&format!("{path}/revoke"), json!({})).await.refused(403, "role_too_low");
    let revoked = tenant.owner.post(&format!("{path}/revoke"), json!({})).await.expect(200);
    actor.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
    let again = tenant.owner.post(&format!("{path}/revoke"), json!({})).await.expect(200);
    assert_eq!(again["revoked_at"], revoked["revoked_at"]);

    let (actor, id) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    let superuser = system().superuser().await;
    let id: uuid::Uuid = id.parse().expect("an id");
    superuser
        .execute("update tenancy.api_keys set expires_at = now() where id = $1", &[&id])
        .await
        .expect("an end");
    actor.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
    superuser
        .execute("update tenancy.api_keys set expires_at = null where id = $1", &[&id])
        .await
        .expect("no end");
    actor.get("/api/v1/contacts").await.expect(200);
    tenant
        .owner
        .patch("/api/v1/organizations/me/subscription", json!({ "plan_type": "pro" }))
        .await
        .expect(200);
    actor.get("/api/v1/contacts").await.refused(403, "feature_not_in_plan");
}

#[tokio::test]
async fn key_is_shown_once_and_stored_as_a_hash() {
    let tenant = Tenant::new().await;
    let (actor, _) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    let secret = actor.token.as_deref().expect("a key");
    assert!(!tenant.admin.get(PATH).await.text.contains(secret));
    let stored: String = system()
        .superuser()
        .await
        .query_one("select jsonb_agg(k)::text from tenancy.api_keys k where tenant_id = $1", &[&tenant.id])
        .await
        .expect("keys")
        .get(0);
    assert!(!stored.contains(&secret[secret.len() - 20..]));
    // One letter of the secret wrong, one of the organization wrong, or a part of it.
    let flipped = |at: usize| {
        let mut text: Vec<char> = secret.chars().collect();
        text[at] = if text[at] == 'B' { 'C' } else { 'B' };
        text.into_iter().collect::<String>()
    };
    for wrong in [flipped(secret.len() - 3), flipped(20)] {
        Actor::with_token(wrong).get("/api/v1/contacts").await.refused(401, "api_key_invalid");
    }
    for wrong in ["appointd_key_", &secret[..40]] {
        Actor::with_token(wrong).get("/api/v1/contacts").await.refused(401, "token_invalid");
    }
    let other = Tenant::new().await;
    actor.get(&format!("/api/v1/contacts/{}", other.contact().await)).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_api_key_with_a_wrong_field_names_it() {
    let tenant = Tenant::new().await;
    let valid = json!({ "name": "Key", "role": "viewer", "scopes": ["crm:read"] });
    for (field, value, at, code) in [
        ("name", json!(""), "name", "too_short"),
        ("role", json!("owner"), "role", "invalid_value"),
        ("scopes", json!([]), "scopes", "too_short"),
        ("scopes", json!(["everything"]), "scopes[0]", "invalid_value"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "expires_at", "in_the_past"),
    ] {
        let mut body = valid.clone();
        body[field] = value;
        tenant.owner.post(PATH, body).await.invalid(at, code);
    }
    person(tenant.id, "admin").await.post(PATH, valid).await.refused(403, "role_too_low");
}
