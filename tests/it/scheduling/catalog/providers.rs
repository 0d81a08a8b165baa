use serde_json::{Value, json};

use crate::harness::{Tenant, system};

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

#[tokio::test]
async fn person_who_is_asked_to_be_a_provider_is_told_by_mail() {
    let tenant = Tenant::new().await;
    let (asked, other) = (&tenant.staff, &tenant.manager);
    let made = json!({ "name": "Grace", "account_id": asked.account });
    let provider = tenant.admin.post(PATH, made).await.created();
    let mail = system().mail_to(&asked.email).await;
    for said in ["are you Grace?", "asks whether you are its provider Grace", "/provider-links\r\n"] {
        assert!(mail.contains(said), "{said}: {mail}");
    }
    let path = format!("{PATH}/{provider}");
    tenant.admin.patch(&path, json!({ "account_id": other.account })).await.expect(200);
    system().mail_to(&other.email).await;
    // What asks nobody tells nobody.
    tenant.admin.patch(&path, json!({ "name": "Grace Hopper" })).await.expect(200);
    tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(system().mails_to(&asked.email, 1).await.len(), 1);
    assert_eq!(system().mails_to(&other.email, 1).await.len(), 1);
}
