use serde_json::json;

use crate::harness::{Actor, PASSWORD, Tenant, system};

const PATH: &str = "/api/v1/organizations/me";

#[tokio::test]
async fn update_organization_changes_only_given_fields() {
    let tenant = Tenant::new().await;
    let before = tenant.viewer.get(PATH).await.expect(200);
    let after = tenant.admin.patch(PATH, json!({ "time_zone": "Europe/Berlin" })).await.expect(200);
    assert_eq!(after["time_zone"], "Europe/Berlin");
    assert_eq!((&after["name"], &after["slug"]), (&before["name"], &before["slug"]));
    assert_ne!(after["updated_at"], before["updated_at"]);
    let renamed = tenant.owner.patch(PATH, json!({ "name": "  New name " })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["time_zone"]), (&json!("New name"), &json!("Europe/Berlin")));
    assert_eq!(tenant.viewer.get(PATH).await.expect(200), renamed);
    tenant.admin.patch(PATH, json!({})).await.expect(200);
}

#[tokio::test]
async fn update_organization_with_a_wrong_field_names_it() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    for (body, field, code) in [
        (json!({ "time_zone": "Mars/Olympus" }), "time_zone", "unknown_time_zone"),
        (json!({ "time_zone": "europe/berlin" }), "time_zone", "unknown_time_zone"),
        (json!({ "name": null }), "name", "invalid_type"),
        (json!({ "name": "" }), "name", "too_short"),
        (json!({ "slug": "a_b" }), "slug", "invalid_value"),
        (json!({ "id": tenant.id }), "id", "unknown_field"),
        (json!({ "status": "suspended" }), "status", "unknown_field"),
    ] {
        tenant.admin.patch(PATH, body).await.invalid(field, code);
    }
    let slug = other.viewer.get(PATH).await.expect(200)["slug"].clone();
    tenant.admin.patch(PATH, json!({ "slug": slug })).await.refused(409, "slug_taken");
}

#[tokio::test]
async fn update_organization_is_for_admins() {
    let tenant = Tenant::new().await;
    for actor in [&tenant.viewer, &tenant.staff, &tenant.manager] {
        actor.patch(PATH, json!({ "name": "Mine" })).await.refused(403, "role_too_low");
    }
}

fn name() -> String {
    format!("o{}", uuid::Uuid::new_v4().simple())
}

#[tokio::test]
async fn create_organization_takes_plan_and_features() {
    let tenant = Tenant::new().await;
    let name = name();
    let body = json!({
        "name": "Second", "slug": name, "subdomain": name, "plan_type": "pro",
        "features": { "appointments": true, "queues": false, "pwa": true, "analytics": true },
    });
    let new = tenant.owner.post("/api/v1/organizations", body.clone()).await.expect(201);
    assert_eq!((&new["plan_type"], &new["subdomain"]), (&json!("pro"), &json!(name)));
    assert_eq!((&new["features"]["queues"], &new["features"]["integrations"]), (&json!(false), &json!(true)));
    // The token stays with the organization it is for.
    assert_eq!(tenant.owner.get(PATH).await.expect(200)["id"], json!(tenant.id));
    let session =
        tenant.owner.post("/api/v1/auth/switch", json!({ "organization_id": new["id"] })).await.expect(200);
    let there = Actor::signed_in(&session);
    let read = there.get(PATH).await.expect(200);
    for field in ["id", "name", "slug", "subdomain", "plan_type", "features", "created_at"] {
        assert_eq!(read[field], new[field], "{field}");
    }
    there.post("/api/v1/organizations", body.clone()).await.refused(409, "slug_taken");
    let with = |field: &str, value: serde_json::Value| {
        let mut body = body.clone();
        body["slug"] = json!(self::name());
        body["subdomain"] = json!(null);
        body[field] = value;
        body
    };
    there.post("/api/v1/organizations", with("subdomain", json!(name))).await.refused(409, "subdomain_taken");
    for (field, value, at, code) in [
        ("subdomain", json!("www"), "subdomain", "reserved"),
        ("subdomain", json!("xn--acme-123"), "subdomain", "invalid_value"),
        ("subdomain", json!("Acme"), "subdomain", "invalid_value"),
        ("plan_type", json!("gold"), "plan_type", "not_found"),
        ("features", json!({ "api_access": true }), "features.api_access", "feature_not_in_plan"),
        ("features", json!({ "teleport": true }), "features.teleport", "unknown_field"),
        ("owner", json!("me"), "owner", "unknown_field"),
    ] {
        there.post("/api/v1/organizations", with(field, value)).await.invalid(at, code);
    }
    Actor::anonymous().post("/api/v1/organizations", body).await.refused(401, "credentials_missing");
}

#[tokio::test]
async fn deleted_organization_is_closed_until_its_owner_restores_it() {
    let tenant = Tenant::new().await;
    tenant.admin.delete(PATH).await.refused(403, "role_too_low");
    let deleted = tenant.owner.delete(PATH).await.expect(200);
    assert_eq!(deleted["id"], json!(tenant.id));
    for (_, actor) in tenant.members() {
        actor.get(PATH).await.refused(401, "session_ended");
    }
    let listed = tenant.owner.get("/api/v1/auth/organizations").await.expect(200);
    assert_eq!(listed["items"][0]["status"], "deleted");
    assert_eq!(listed["items"][0]["purge_after"], deleted["purge_after"]);
    let restore = format!("/api/v1/organizations/{}/restore", tenant.id);
    for actor in [&tenant.admin, &tenant.customer, &Tenant::new().await.owner] {
        actor.post(&restore, json!({})).await.refused(404, "not_found");
    }
    tenant.owner.post(&restore, json!({})).await.expect(204);
    tenant.viewer.get(PATH).await.expect(200);
    tenant.owner.post(&restore, json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn suspended_organization_cannot_be_restored_by_its_owner() {
    let tenant = Tenant::new().await;
    tenant.suspend().await;
    let restore = format!("/api/v1/organizations/{}/restore", tenant.id);
    tenant.owner.post(&restore, json!({})).await.refused(404, "not_found");
    tenant.owner.get(PATH).await.refused(401, "session_ended");
}

#[tokio::test]
async fn former_name_leads_to_its_organization_and_cannot_be_taken() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let old = tenant.viewer.get(PATH).await.expect(200)["slug"].as_str().expect("a slug").to_owned();
    let (new, subdomain) = (name(), name());
    tenant.admin.patch(PATH, json!({ "slug": new, "subdomain": subdomain })).await.expect(200);
    let anonymous = Actor::anonymous();
    let public = async |slug: &str| anonymous.get(&format!("/api/v1/public/organization?slug={slug}")).await;
    let found = public(&old).await.expect(200);
    assert_eq!((&found["id"], &found["slug"]), (&json!(tenant.id), &json!(new)), "with its name of today");
    anonymous.get(&format!("/api/v1/guest/services?organization_slug={old}")).await.expect(200);
    let login = json!({ "email": tenant.staff.email, "password": PASSWORD, "organization_slug": old });
    anonymous.post("/api/v1/auth/login", login).await.expect(200);

    other.admin.patch(PATH, json!({ "slug": old })).await.refused(409, "slug_taken");
    let founding = json!({ "name": "Taker", "slug": old });
    other.owner.post("/api/v1/organizations", founding).await.refused(409, "slug_taken");
    let registration = json!({
        "email": format!("{}@example.com", name()), "password": PASSWORD, "organization_name": "Taker",
        "organization_slug": old,
    });
    anonymous.post("/api/v1/auth/register", registration).await.refused(409, "slug_taken");
    // The same for the label in front of the base domain.
    tenant.admin.patch(PATH, json!({ "subdomain": null })).await.expect(200);
    other.admin.patch(PATH, json!({ "subdomain": subdomain })).await.refused(409, "subdomain_taken");

    // It may come back to whom it was.
    tenant.admin.patch(PATH, json!({ "slug": old, "subdomain": subdomain })).await.expect(200);
    tenant.admin.patch(PATH, json!({ "slug": new, "subdomain": null })).await.expect(200);
    let superuser = system().superuser().await;
    superuser
        .execute(
            "update tenancy.former_names set kept_until = now() where organization_id = $1",
            &[&tenant.id],
        )
        .await
        .expect("an end");
    public(&old).await.refused(404, "organization_not_found");
    other.admin.patch(PATH, json!({ "slug": old, "subdomain": subdomain })).await.expect(200);
    assert_eq!(public(&old).await.expect(200)["id"], json!(other.id));
}

#[tokio::test]
async fn names_that_programs_look_for_are_refused() {
    let tenant = Tenant::new().await;
    for name in ["localhost", "wpad", "autodiscover", "autoconfig", "appointd", "isatap", "mta-sts", "www"] {
        tenant.admin.patch(PATH, json!({ "subdomain": name })).await.invalid("subdomain", "reserved");
        tenant.admin.patch(PATH, json!({ "slug": name })).await.invalid("slug", "reserved");
        let founding = json!({ "name": "Taker", "slug": name });
        tenant.owner.post("/api/v1/organizations", founding).await.invalid("slug", "reserved");
    }
}

#[tokio::test]
async fn suspended_organization_refuses_its_members() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.suspend().await;
    for (_, actor) in tenant.members() {
        actor.get("/api/v1/organizations/me").await.refused(401, "session_ended");
    }
    other.viewer.get("/api/v1/organizations/me").await.expect(200);
    let body = json!({ "email": tenant.owner.email, "password": PASSWORD });
    let session = Actor::anonymous().post("/api/v1/auth/login", body).await.expect(200);
    assert_eq!(session.get("organization_id"), None, "signed in, to nothing");
    let nowhere = Actor::signed_in(&session);
    nowhere.get("/api/v1/organizations/me").await.refused(403, "organization_required");
}
