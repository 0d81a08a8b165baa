use serde_json::json;

use crate::harness::{Actor, Tenant};

const SETTINGS: &str = "/api/v1/organizations/me/settings";
const BRANDING: &str = "/api/v1/organizations/me/branding";

#[tokio::test]
async fn settings_change_where_they_are_given() {
    let tenant = Tenant::new().await;
    let before = tenant.viewer.get(SETTINGS).await.expect(200);
    let changes = json!({
        "language": "PT-br",
        "date_format": "dmy_slashes",
        "notifications": { "sms": true },
        "privacy": { "data_retention_days": 90 },
    });
    let after = tenant.admin.patch(SETTINGS, changes).await.expect(200);
    assert_eq!((&after["language"], &after["date_format"]), (&json!("pt-BR"), &json!("dmy_slashes")));
    assert_eq!(after["notifications"], json!({ "email": true, "sms": true, "push": false }));
    assert_eq!(after["privacy"]["data_retention_days"], 90);
    assert_eq!(after["time_format"], before["time_format"]);
    assert_eq!(tenant.viewer.get(SETTINGS).await.expect(200), after);
    for (body, field, code) in [
        (json!({ "language": "klingon language" }), "language", "invalid_value"),
        (json!({ "date_format": "YY" }), "date_format", "invalid_value"),
        (json!({ "time_format": null }), "time_format", "invalid_value"),
        (json!({ "privacy": { "data_retention_days": 1 } }), "privacy.data_retention_days", "out_of_range"),
        (json!({ "notifications": { "fax": true } }), "notifications.fax", "unknown_field"),
        (json!({ "timezone": "UTC" }), "timezone", "unknown_field"),
    ] {
        tenant.admin.patch(SETTINGS, body.clone()).await.invalid(field, code);
    }
    tenant.manager.patch(SETTINGS, json!({})).await.refused(403, "role_too_low");
}

#[tokio::test]
async fn name_and_logo_are_for_all_and_colours_for_some() {
    let tenant = Tenant::on_plan("basic").await;
    let logo =
        json!({ "display_name": "Acme: hair & more", "logo_url": "https://cdn.example.com/logo.svg?v=2" });
    tenant.admin.patch(BRANDING, logo).await.expect(200);
    let colour = json!({ "primary_color": "#1F6FEB" });
    tenant.admin.patch(BRANDING, colour.clone()).await.refused(403, "feature_not_in_plan");
    tenant.admin.patch(BRANDING, json!({ "primary_color": null })).await.expect(200);
    let plan = json!({ "plan_type": "enterprise" });
    tenant.owner.patch("/api/v1/organizations/me/subscription", plan).await.expect(200);
    let branding = tenant.admin.patch(BRANDING, colour).await.expect(200);
    assert_eq!(branding["primary_color"], "#1f6feb");
    for (field, value) in [
        ("primary_color", json!("blue")),
        ("primary_color", json!("#12345g")),
        ("logo_url", json!("http://cdn.example.com/logo.svg")),
        ("logo_url", json!("https://me@cdn.example.com/logo.svg")),
        ("logo_url", json!("javascript:alert(1)")),
        ("logo_url", json!("https://")),
        ("favicon_url", json!("https://a b.example.com")),
        ("style_sheet_url", json!("https://x.example/\"><script>")),
    ] {
        tenant.admin.patch(BRANDING, json!({ field: value })).await.invalid(field, "invalid_value");
    }
    // Everybody sees it.
    let organization = tenant.viewer.get("/api/v1/organizations/me").await.expect(200);
    let slug = organization["slug"].as_str().expect("a slug");
    let public = Actor::nobody().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!(public["name"], "Acme: hair & more");
    assert_eq!(public["primary_color"], "#1f6feb");
    // With a smaller plan what is left of it is name and logo.
    let smaller = json!({ "plan_type": "pro" });
    tenant.owner.patch("/api/v1/organizations/me/subscription", smaller).await.expect(200);
    let public = Actor::nobody().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!((public.get("primary_color"), public["logo_url"].is_string()), (None, true));
    tenant.admin.patch(BRANDING, json!({ "display_name": null, "logo_url": null })).await.expect(200);
    let public = Actor::nobody().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!((&public["name"], public.get("logo_url")), (&organization["name"], None));
    Actor::nobody().get("/api/v1/public/organization").await.invalid("slug", "required");
    let unknown = Actor::nobody().get("/api/v1/public/organization?slug=nobody-at-all").await;
    unknown.refused(404, "organization_not_found");
}
