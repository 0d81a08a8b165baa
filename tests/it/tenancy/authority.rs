//! What a member handed out is worth at most what they may give now: API keys, invitations, calendar feeds.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, PASSWORD, Tenant, address, person, system};

const INVITATIONS: &str = "/api/v1/invitations";

const SCOPES: [&str; 2] = ["tenancy:write", "scheduling:write"];

fn path(actor: &Actor) -> String {
    format!("/api/v1/members/{}", actor.account)
}

async fn invite(giver: &Actor, email: &str, role: &str) -> String {
    giver.post(INVITATIONS, json!({ "email": email, "role": role })).await.expect(201);
    system().token_mailed_to(email).await
}

async fn look(token: &str) -> crate::harness::Answer {
    Actor::anonymous().post(&format!("{INVITATIONS}/look"), json!({ "token": token })).await
}

async fn register(token: &str) -> crate::harness::Answer {
    let body = json!({ "token": token, "password": PASSWORD });
    Actor::anonymous().post(&format!("{INVITATIONS}/register"), body).await
}

#[tokio::test]
async fn api_key_has_at_most_the_present_role_of_its_maker() {
    let tenant = Tenant::new().await;
    let maker = person(tenant.id, "owner").await;
    let (key, id) = maker.api_key("admin", &SCOPES).await;
    key.get(INVITATIONS).await.expect(200);
    key.post(INVITATIONS, json!({ "email": address(), "role": "admin" })).await.expect(201);

    tenant.owner.patch(&path(&maker), json!({ "role": "staff" })).await.expect(200);
    key.get(INVITATIONS).await.expect(200);
    let admin = json!({ "email": address(), "role": "admin" });
    key.post(INVITATIONS, admin.clone()).await.refused(403, "role_above_own");
    key.patch(&path(&maker), json!({ "role": "admin" })).await.refused(403, "role_too_low");
    let shown = tenant.admin.get(&format!("/api/v1/api-keys/{id}")).await.expect(200);
    assert_eq!(shown["role"], "staff", "the demotion is in the row");
    // Promoting the maker again gives the key nothing back.
    tenant.owner.patch(&path(&maker), json!({ "role": "owner" })).await.expect(200);
    key.post(INVITATIONS, admin).await.refused(403, "role_above_own");

    let (key, _) = maker.api_key("admin", &SCOPES).await;
    tenant.owner.post(&format!("{}/suspend", path(&maker)), json!({})).await.expect(200);
    key.get(INVITATIONS).await.refused(401, "api_key_invalid");
    tenant.owner.post(&format!("{}/reactivate", path(&maker)), json!({})).await.expect(200);
    key.get(INVITATIONS).await.expect(200);

    tenant.owner.delete(&path(&maker)).await.expect(204);
    key.get(INVITATIONS).await.refused(401, "api_key_invalid");
    // Nor does a member who comes back bring keys along.
    let token = invite(&tenant.owner, &maker.email, "admin").await;
    maker.post(&format!("{INVITATIONS}/accept"), json!({ "token": token })).await.expect(204);
    key.get(INVITATIONS).await.refused(401, "api_key_invalid");
}

#[tokio::test]
async fn api_key_of_a_former_owner_has_the_remaining_role() {
    let tenant = Tenant::new().await;
    let (key, _) = tenant.owner.api_key("admin", &SCOPES).await;
    let transfer = json!({ "account_id": tenant.admin.account });
    tenant.owner.post("/api/v1/organizations/me/transfer-ownership", transfer).await.expect(200);
    key.get("/api/v1/api-keys").await.expect(200);
    let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
    tenant.owner.post(&leave, json!({})).await.expect(204);
    key.get(INVITATIONS).await.refused(401, "api_key_invalid");
}

#[tokio::test]
async fn invitation_of_a_removed_or_demoted_member_is_invalid() {
    let tenant = Tenant::new().await;
    // Removed, demoted, left.
    for change in ["remove", "demote", "leave"] {
        let giver = person(tenant.id, "admin").await;
        let token = invite(&giver, &address(), "admin").await;
        look(&token).await.expect(200);
        match change {
            "remove" => drop(tenant.owner.delete(&path(&giver)).await.expect(204)),
            "demote" => {
                drop(tenant.owner.patch(&path(&giver), json!({ "role": "manager" })).await.expect(200))
            }
            _ => {
                let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
                giver.post(&leave, json!({})).await.expect(204);
            }
        }
        look(&token).await.invalid("token", "not_found");
        register(&token).await.invalid("token", "not_found");
    }
    let open = tenant.owner.get(INVITATIONS).await.expect(200);
    assert_eq!(open["items"], json!([]), "what they handed out went with them");

    // Suspended: not while that lasts.
    let giver = person(tenant.id, "admin").await;
    let token = invite(&giver, &address(), "admin").await;
    tenant.owner.post(&format!("{}/suspend", path(&giver)), json!({})).await.expect(200);
    look(&token).await.invalid("token", "not_found");
    register(&token).await.invalid("token", "not_found");
    tenant.owner.post(&format!("{}/reactivate", path(&giver)), json!({})).await.expect(200);
    look(&token).await.expect(200);
    register(&token).await.expect(201);
}

#[tokio::test]
async fn invitation_of_a_revoked_expired_or_demoted_key_is_invalid() {
    let tenant = Tenant::new().await;
    let (key, id) = tenant.owner.api_key("admin", &SCOPES).await;
    let email = address();
    let token = invite(&key, &email, "admin").await;
    tenant.owner.post(&format!("/api/v1/api-keys/{id}/revoke"), json!({})).await.expect(200);
    register(&token).await.invalid("token", "not_found");
    // It does not block another invitation.
    tenant.owner.post(INVITATIONS, json!({ "email": email, "role": "viewer" })).await.expect(201);

    let (key, id) = tenant.owner.api_key("admin", &SCOPES).await;
    let token = invite(&key, &address(), "admin").await;
    let id: Uuid = id.parse().expect("an id");
    let superuser = system().superuser().await;
    superuser
        .execute("update tenancy.api_keys set expires_at = now() where id = $1", &[&id])
        .await
        .expect("an end");
    register(&token).await.invalid("token", "not_found");

    let maker = person(tenant.id, "owner").await;
    let (key, _) = maker.api_key("admin", &SCOPES).await;
    let token = invite(&key, &address(), "admin").await;
    tenant.owner.patch(&path(&maker), json!({ "role": "staff" })).await.expect(200);
    register(&token).await.invalid("token", "not_found");
}

#[tokio::test]
async fn invitation_sent_again_belongs_to_its_last_sender() {
    let tenant = Tenant::new().await;
    let giver = person(tenant.id, "admin").await;
    let email = address();
    let id = giver.post(INVITATIONS, json!({ "email": email, "role": "staff" })).await.created();
    tenant.age_invitations().await;
    let sent = tenant.owner.post(&format!("{INVITATIONS}/{id}/resend"), json!({})).await.expect(200);
    assert_eq!(sent["created_by"], json!(tenant.owner.account));
    system().mails_to(&email, 2).await;
    let token = system().token_mailed_to(&email).await;
    tenant.owner.delete(&path(&giver)).await.expect(204);
    register(&token).await.expect(201);
}

#[tokio::test]
async fn calendar_feed_of_a_demoted_member_is_not_found() {
    let tenant = Tenant::new().await;
    let maker = person(tenant.id, "staff").await;
    let made = maker.post("/api/v1/calendar-feeds", json!({ "name": "Feed" })).await.expect(201);
    let url = made["path"].as_str().expect("a path").to_owned();
    assert_eq!(Actor::anonymous().get(&url).await.status, 200);
    tenant.owner.patch(&path(&maker), json!({ "role": "viewer" })).await.expect(200);
    Actor::anonymous().get(&url).await.refused(404, "not_found");

    let owner = person(tenant.id, "owner").await;
    let (key, _) = owner.api_key("staff", &SCOPES).await;
    let made = key.post("/api/v1/calendar-feeds", json!({ "name": "Feed" })).await.expect(201);
    let url = made["path"].as_str().expect("a path").to_owned();
    assert_eq!(Actor::anonymous().get(&url).await.status, 200);
    tenant.owner.delete(&path(&owner)).await.expect(204);
    Actor::anonymous().get(&url).await.refused(404, "not_found");
}

#[tokio::test]
async fn keys_and_invitations_of_a_member_are_listed() {
    let tenant = Tenant::new().await;
    let giver = person(tenant.id, "owner").await;
    let (key, key_id) = giver.api_key("admin", &SCOPES).await;
    let (by_person, by_key) = (address(), address());
    invite(&giver, &by_person, "viewer").await;
    invite(&key, &by_key, "admin").await;
    let shown = tenant.admin.get(&format!("{}/handed-out", path(&giver))).await.expect(200);
    assert_eq!(shown["api_keys"][0]["id"], json!(key_id));
    assert_eq!(shown["api_keys"].as_array().map(Vec::len), Some(1));
    let mut emails: Vec<&Value> =
        shown["invitations"].as_array().expect("a list").iter().map(|i| &i["email"]).collect();
    emails.sort_by_key(|email| email.to_string());
    let mut expected = [json!(by_person), json!(by_key)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(emails, expected.iter().collect::<Vec<_>>());
    tenant.manager.get(&format!("{}/handed-out", path(&giver))).await.refused(403, "role_too_low");
    let other = Tenant::new().await;
    other.owner.get(&format!("{}/handed-out", path(&giver))).await.refused(404, "not_found");

    tenant.owner.delete(&path(&giver)).await.expect(204);
    tenant.admin.get(&format!("{}/handed-out", path(&giver))).await.refused(404, "not_found");
    let shown = tenant.admin.get(&format!("/api/v1/api-keys/{key_id}")).await.expect(200);
    assert!(shown["revoked_at"].is_string(), "{shown}");
    assert_eq!(tenant.admin.get(INVITATIONS).await.expect(200)["items"], json!([]));
}

const ENDPOINTS: &str = "/api/v1/webhook-endpoints";

async fn hook(maker: &Actor) -> String {
    let made = maker.post(ENDPOINTS, json!({ "url": "https://hooks.example.com/x" })).await;
    format!("{ENDPOINTS}/{}", made.created())
}

#[tokio::test]
async fn webhook_endpoint_of_a_demoted_or_removed_maker_is_disabled() {
    let tenant = Tenant::new().await;
    const SCOPES: [&str; 1] = ["messaging:write"];
    let why = async |hook: &str| tenant.admin.get(hook).await.expect(200)["disabled_reason"].clone();
    // Demoted below those who may make endpoints; removed; left.
    for change in ["demote", "remove", "leave"] {
        let maker = person(tenant.id, "owner").await;
        let (key, _) = maker.api_key("admin", &SCOPES).await;
        let hooks = [hook(&maker).await, hook(&key).await];
        tenant.owner.patch(&path(&maker), json!({ "role": "admin" })).await.expect(200);
        for hook in &hooks {
            assert_eq!(why(hook).await, Value::Null, "an admin may make endpoints");
        }
        match change {
            "demote" => {
                drop(tenant.owner.patch(&path(&maker), json!({ "role": "manager" })).await.expect(200))
            }
            "remove" => drop(tenant.owner.delete(&path(&maker)).await.expect(204)),
            _ => {
                let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
                maker.post(&leave, json!({})).await.expect(204);
            }
        }
        for hook in &hooks {
            assert_eq!(why(hook).await, "maker", "{change}");
        }
        // Whoever enables it again, or changes what it gets, answers for it from then on.
        let shown = tenant.admin.patch(&hooks[0], json!({ "enabled": true })).await.expect(200);
        assert_eq!(shown["created_by"], json!(tenant.admin.account));
        for hook in &hooks {
            tenant.admin.delete(hook).await.expect(204);
        }
    }
    let maker = person(tenant.id, "admin").await;
    let taken = hook(&tenant.owner).await;
    tenant.admin.patch(&taken, json!({ "description": "Ours" })).await.expect(200);
    let shown = tenant.admin.get(&taken).await.expect(200);
    assert_eq!(shown["created_by"], json!(tenant.owner.account));
    maker.patch(&taken, json!({ "url": "https://other.example.com/x" })).await.expect(200);
    tenant.owner.delete(&path(&maker)).await.expect(204);
    assert_eq!(why(&taken).await, "maker");

    let (key, id) = tenant.owner.api_key("admin", &SCOPES).await;
    let hook = hook(&key).await;
    tenant.owner.post(&format!("/api/v1/api-keys/{id}/revoke"), json!({})).await.expect(200);
    assert_eq!(why(&hook).await, "maker");
}

#[tokio::test]
async fn webhook_endpoints_and_feeds_of_a_member_are_listed() {
    let tenant = Tenant::new().await;
    let giver = person(tenant.id, "owner").await;
    let (key, _) = giver.api_key("admin", &["messaging:write", "scheduling:write"]).await;
    hook(&tenant.owner).await;
    let hooks = [hook(&giver).await, hook(&key).await];
    let feeds = [&giver, &key].map(|maker| async {
        let made = maker.post("/api/v1/calendar-feeds", json!({ "name": "Feed" })).await;
        made.created()
    });
    let feeds = futures_util::future::join_all(feeds).await;
    let shown = tenant.admin.get(&format!("{}/handed-out", path(&giver))).await.expect(200);
    let ids = |list: &str| {
        let items = shown[list].as_array().expect("a list").iter();
        let mut ids: Vec<String> = items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let mut expected = feeds;
    expected.sort();
    assert_eq!(ids("calendar_feeds"), expected);
    let mut expected = hooks.map(|hook| hook.rsplit('/').next().expect("an id").to_owned());
    expected.sort();
    assert_eq!(ids("webhook_endpoints"), expected);
}
