use serde_json::{Value, json};

use crate::harness::Tenant;

const PATH: &str = "/api/v1/providers";

#[tokio::test]
async fn provider_is_created_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let provider = tenant.provider().await;
    let path = format!("{PATH}/{provider}");
    let renamed = tenant.admin.patch(&path, json!({ "name": "Ada Byron" })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["active"]), (&json!("Ada Byron"), &json!(true)));
    assert_eq!(tenant.viewer.get(PATH).await.expect(200)["items"], json!([renamed]));

    assert_eq!(tenant.admin.delete(&path).await.expect(204), Value::Null);
    tenant.viewer.get(&path).await.refused(404, "not_found");
    tenant.viewer.get(&format!("{path}/schedule")).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_provider_with_a_wrong_field_names_it() {
    let tenant = Tenant::new().await;
    tenant.admin.post(PATH, json!({ "name": "x".repeat(201) })).await.invalid("name", "too_long");
    tenant.admin.post(PATH, json!({})).await.invalid("name", "required");
    tenant.admin.post(PATH, json!({ "name": "Ada", "id": tenant.id })).await.invalid("id", "unknown_field");
}

#[tokio::test]
async fn booked_provider_can_be_inactive_and_not_deleted() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{PATH}/{}", furnished.provider);
    tenant.admin.delete(&path).await.refused(409, "provider_in_use");
    tenant.admin.patch(&path, json!({ "active": false })).await.expect(200);
    let body = json!({
        "service_id": furnished.service,
        "provider_id": furnished.provider,
        "contact_id": furnished.contact,
        "starts_at": "2031-05-06T09:00:00Z",
    });
    tenant.staff.post("/api/v1/appointments", body).await.invalid("provider_id", "inactive");
    let appointment = format!("/api/v1/appointments/{}", furnished.appointment);
    assert_eq!(tenant.viewer.get(&appointment).await.expect(200)["status"], "confirmed");
}
