use serde_json::json;

use crate::harness::Tenant;

const PATH: &str = "/api/v1/organizations/me";

#[tokio::test]
async fn update_organization_changes_what_is_given() {
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
async fn update_organization_refuses_what_is_wrong() {
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
