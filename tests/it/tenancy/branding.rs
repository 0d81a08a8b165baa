//! Name, logo and colours of an organization.

use serde_json::json;

use crate::harness::{Actor, Tenant};

const BRANDING: &str = "/api/v1/organizations/me/branding";

#[tokio::test]
async fn colours_need_a_plan_with_branding() {
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
    // It is public.
    let organization = tenant.viewer.get("/api/v1/organizations/me").await.expect(200);
    let slug = organization["slug"].as_str().expect("a slug");
    let public =
        Actor::anonymous().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!(public["name"], "Acme: hair & more");
    assert_eq!(public["primary_color"], "#1f6feb");
    // With a smaller plan what is left of it is name and logo.
    let smaller = json!({ "plan_type": "pro" });
    tenant.owner.patch("/api/v1/organizations/me/subscription", smaller).await.expect(200);
    let public =
        Actor::anonymous().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!((public.get("primary_color"), public["logo_url"].is_string()), (None, true));
    tenant.admin.patch(BRANDING, json!({ "display_name": null, "logo_url": null })).await.expect(200);
    let public =
        Actor::anonymous().get(&format!("/api/v1/public/organization?slug={slug}")).await.expect(200);
    assert_eq!((&public["name"], public.get("logo_url")), (&organization["name"], None));
    Actor::anonymous().get("/api/v1/public/organization").await.invalid("slug", "required");
    let unknown = Actor::anonymous().get("/api/v1/public/organization?slug=unknown-at-all").await;
    unknown.refused(404, "organization_not_found");
}
