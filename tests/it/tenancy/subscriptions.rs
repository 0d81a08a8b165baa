use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Tenant, system};

const SUBSCRIPTION: &str = "/api/v1/organizations/me/subscription";

async fn providers(tenant: &Tenant, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(tenant.admin.post("/api/v1/providers", json!({ "name": format!("P{n}") })).await.created());
    }
    ids
}

#[tokio::test]
async fn plans_have_the_described_limits_and_features() {
    let tenant = Tenant::on_plan("basic").await;
    let plans = tenant.viewer.get("/api/v1/plans").await.expect(200);
    let limits: Vec<_> = plans["items"]
        .as_array()
        .expect("a list")
        .iter()
        // Other tests have plans of their own.
        .filter(|plan| ["basic", "pro", "enterprise"].map(Into::into).contains(&plan["plan_type"]))
        .map(|plan| {
            let limits = &plan["limits"];
            (
                plan["plan_type"].as_str().expect("a name"),
                limits["max_providers"].as_i64(),
                limits["max_members"].as_i64(),
                limits["max_storage_gb"].as_i64(),
            )
        })
        .collect();
    assert_eq!(
        limits,
        [
            ("basic", Some(5), Some(20), Some(10)),
            ("pro", Some(25), Some(100), Some(50)),
            ("enterprise", None, None, Some(500)),
        ]
    );
    let features = |index: usize| {
        let features = plans["items"][index]["features"].as_object().expect("features").clone();
        features.into_iter().filter(|(_, has)| *has == true).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(features(0), ["appointments", "queues", "tasks", "pwa"]);
    assert_eq!(features(1), ["appointments", "queues", "tasks", "pwa", "analytics", "integrations"]);
    assert_eq!(features(2).len(), 8);
    // The table decides, not the program: a changed row holds at once. (Of a plan of this test's own.)
    let superuser = system().superuser().await;
    let plan = format!("p{}", Uuid::new_v4().simple()).replace(|c: char| c.is_ascii_digit(), "x");
    superuser
        .execute(
            "insert into tenancy.plans (plan_type, position, max_providers, max_members, requests_per_minute)
             select $1, max(position) + 1, 1, 10, 60 from tenancy.plans where position < 1000",
            &[&plan],
        )
        .await
        .expect("a plan");
    superuser
        .execute(
            "insert into tenancy.plan_features (plan_type, feature) values ($1, 'appointments')",
            &[&plan],
        )
        .await
        .expect("a feature");
    let answer = tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": plan })).await.expect(200);
    assert_eq!(answer["limits"]["max_providers"], 1);
    providers(&tenant, 1).await;
    tenant.admin.post("/api/v1/providers", json!({ "name": "One more" })).await.refused(403, "plan_limit");
    superuser
        .execute("update tenancy.plans set max_providers = 2 where plan_type = $1", &[&plan])
        .await
        .expect("a change");
    providers(&tenant, 1).await;
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "basic" })).await.expect(200);
    superuser
        .execute("delete from tenancy.plan_features where plan_type = $1", &[&plan])
        .await
        .expect("an end");
    superuser.execute("delete from tenancy.plans where plan_type = $1", &[&plan]).await.expect("an end");
}

#[tokio::test]
async fn providers_created_at_once_stay_within_the_plan() {
    let tenant = Tenant::on_plan("basic").await;
    let ids = providers(&tenant, 4).await;
    let attempts = (0..30).map(|n| {
        let admin = tenant.admin.clone();
        async move { admin.post("/api/v1/providers", json!({ "name": format!("Q{n}") })).await }
    });
    let answers = join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.body["code"] == "plan_limit"));
    let usage = tenant.admin.get("/api/v1/organizations/me/usage").await.expect(200);
    assert_eq!(usage["providers"], json!({ "used": 5, "limit": 5 }));
    // One who is inactive does not count, and does not come back where there is no room.
    let path = format!("/api/v1/providers/{}", ids[0]);
    tenant.admin.patch(&path, json!({ "active": false })).await.expect(200);
    providers(&tenant, 1).await;
    tenant.admin.patch(&path, json!({ "active": true })).await.refused(403, "plan_limit");
    tenant.admin.patch(&path, json!({ "name": "Still renamed" })).await.expect(200);
}

#[tokio::test]
async fn invitations_at_once_stay_within_the_plan() {
    let tenant = Tenant::on_plan("basic").await;
    let invite = |n: usize| {
        let body = json!({ "email": format!("{n}-{}@example.com", tenant.id.simple()), "role": "viewer" });
        let admin = tenant.admin.clone();
        async move { admin.post("/api/v1/invitations", body).await }
    };
    // Five there are, of twenty; a customer does not count.
    for n in 0..13 {
        invite(n).await.expect(201);
    }
    let answers = join_all((100..120).map(invite)).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 2);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.body["code"] == "plan_limit"));
    // A suspended member can come back while there is room.
    let member = format!("/api/v1/members/{}", tenant.viewer.account);
    tenant.admin.post(&format!("{member}/suspend"), json!({})).await.expect(200);
    invite(200).await.expect(201);
    tenant.admin.post(&format!("{member}/reactivate"), json!({})).await.refused(403, "plan_limit");
    let id = made[0].body["id"].as_str().expect("an id");
    tenant.admin.delete(&format!("/api/v1/invitations/{id}")).await.expect(204);
    tenant.admin.post(&format!("{member}/reactivate"), json!({})).await.expect(200);
}

#[tokio::test]
async fn expired_invitation_counts_again_when_sent_again() {
    let tenant = Tenant::on_plan("basic").await;
    let superuser = system().superuser().await;
    let expire = "update tenancy.invitations set expires_at = now(), sent_at = now() - interval '1 hour' where tenant_id = $1";
    let invite = |n: usize| {
        let body = json!({ "email": format!("{n}-{}@example.com", tenant.id.simple()), "role": "viewer" });
        let admin = tenant.admin.clone();
        async move { admin.post("/api/v1/invitations", body).await }
    };
    let first = invite(0).await.created();
    superuser.execute(expire, &[&tenant.id]).await.expect("an end");
    for n in 1..=15 {
        invite(n).await.expect(201);
    }
    let resend = format!("/api/v1/invitations/{first}/resend");
    tenant.admin.post(&resend, json!({})).await.refused(403, "plan_limit");
    // And they count for a smaller plan.
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "enterprise" })).await.expect(200);
    tenant.admin.post(&resend, json!({})).await.expect(200);
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "basic" })).await.refused(403, "plan_limit");
}

#[tokio::test]
async fn plan_too_small_for_present_use_is_refused() {
    let tenant = Tenant::on_plan("pro").await;
    let ids = providers(&tenant, 6).await;
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "basic" })).await.refused(403, "plan_limit");
    assert_eq!(tenant.viewer.get(SUBSCRIPTION).await.expect(200)["plan_type"], "pro");
    tenant.admin.delete(&format!("/api/v1/providers/{}", ids[0])).await.expect(204);
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "basic" })).await.expect(200);
    tenant.admin.patch(SUBSCRIPTION, json!({ "plan_type": "pro" })).await.refused(403, "role_too_low");
    tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "gold" })).await.invalid("plan_type", "not_found");
}

#[tokio::test]
async fn features_are_those_of_the_plan_without_disabled_ones() {
    let tenant = Tenant::on_plan("basic").await;
    let wish = |feature: &str, on: bool| json!({ "features": { feature: on } });
    tenant
        .owner
        .patch(SUBSCRIPTION, wish("analytics", true))
        .await
        .invalid("features.analytics", "feature_not_in_plan");
    let plan = tenant.owner.patch(SUBSCRIPTION, wish("queues", false)).await.expect(200);
    assert_eq!((&plan["features"]["queues"], &plan["features"]["pwa"]), (&json!(false), &json!(true)));
    // What was switched off stays so with another plan, until it is switched on.
    let plan = tenant.owner.patch(SUBSCRIPTION, json!({ "plan_type": "enterprise" })).await.expect(200);
    assert_eq!((&plan["features"]["queues"], &plan["features"]["api_access"]), (&json!(false), &json!(true)));
    let plan = tenant.owner.patch(SUBSCRIPTION, wish("queues", true)).await.expect(200);
    assert_eq!(plan["features"]["queues"], true);

    let key = json!({ "name": "Key", "role": "viewer", "scopes": ["crm:read"] });
    tenant.owner.post("/api/v1/api-keys", key.clone()).await.expect(201);
    tenant.owner.patch(SUBSCRIPTION, wish("api_access", false)).await.expect(200);
    tenant.owner.post("/api/v1/api-keys", key.clone()).await.refused(403, "feature_not_in_plan");
    tenant
        .owner
        .patch(SUBSCRIPTION, json!({ "plan_type": "pro", "features": { "api_access": null } }))
        .await
        .expect(200);
    tenant.owner.post("/api/v1/api-keys", key).await.refused(403, "feature_not_in_plan");
    // What was switched off makes nothing new, and what there is stays.
    tenant.owner.patch(SUBSCRIPTION, wish("appointments", false)).await.expect(200);
    tenant.admin.post("/api/v1/providers", json!({ "name": "P" })).await.refused(403, "feature_not_in_plan");
    tenant.viewer.get("/api/v1/providers").await.expect(200);
    let domain = json!({ "domain": "feature.example.com" });
    tenant.owner.post("/api/v1/domains", domain).await.refused(403, "feature_not_in_plan");
}

#[tokio::test]
async fn usage_counts_present_rows_and_requests() {
    let tenant = Tenant::on_plan("enterprise").await;
    tenant.furnished().await;
    let usage = tenant.admin.get("/api/v1/organizations/me/usage").await.expect(200);
    assert_eq!(usage["providers"], json!({ "used": 1 }));
    // Six, and one who is invited.
    assert_eq!(usage["members"], json!({ "used": 7 }));
    assert_eq!(usage["storage"], json!({ "used_bytes": 0, "limit_gb": 500 }));
    assert_eq!(usage["appointments"], json!({ "this_month": 0, "upcoming": 3 }));
    tenant.manager.get("/api/v1/organizations/me/usage").await.refused(403, "role_too_low");
    // Requests are written down every few seconds, and by a server that stops.
    let server = system().another_server(|_| ()).await;
    for _ in 0..10 {
        tenant.viewer.at(server.address()).get("/api/v1/contacts").await.expect(200);
    }
    tokio::task::spawn_blocking(move || server.stop()).await.expect("no panic");
    let requests = tenant.admin.get("/api/v1/organizations/me/usage").await.expect(200)["requests"].clone();
    assert!(requests["today"].as_i64().is_some_and(|today| today >= 10), "{requests}");
    assert_eq!(requests["last_30_days"], requests["today"]);
}
