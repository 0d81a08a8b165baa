use serde_json::{Value, json};

use crate::harness::Tenant;

const PATH: &str = "/api/v1/services";

#[tokio::test]
async fn a_service_from_beginning_to_end() {
    let tenant = Tenant::new().await;
    let body = json!({ "name": "Haircut", "description": "Wash and cut.", "duration_minutes": 45 });
    let path = format!("{PATH}/{}", tenant.manager.post(PATH, body).await.created());
    let service = tenant.viewer.get(&path).await.expect(200);
    assert_eq!((&service["slot_step_minutes"], &service["active"]), (&json!(15), &json!(true)));

    let changes = json!({ "description": null, "duration_minutes": 60, "active": false });
    let changed = tenant.manager.patch(&path, changes).await.expect(200);
    assert_eq!(changed.get("description"), None);
    assert_eq!((&changed["duration_minutes"], &changed["name"]), (&json!(60), &json!("Haircut")));
    assert_eq!(tenant.viewer.get(PATH).await.expect(200)["items"], json!([changed]));

    assert_eq!(tenant.manager.delete(&path).await.expect(204), Value::Null);
    tenant.viewer.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_service_names_the_field_that_is_wrong() {
    let tenant = Tenant::new().await;
    for (field, value, code) in [
        ("name", json!(""), "too_short"),
        ("name", json!(null), "invalid_type"),
        ("description", json!("x".repeat(2001)), "too_long"),
        ("duration_minutes", json!(0), "out_of_range"),
        ("duration_minutes", json!(1441), "out_of_range"),
        ("duration_minutes", json!(30.5), "out_of_range"),
        ("duration_minutes", json!("30"), "invalid_type"),
        ("duration_minutes", json!(1e300), "out_of_range"),
        ("slot_step_minutes", json!(-15), "out_of_range"),
        ("active", json!(false), "unknown_field"),
    ] {
        let mut body = json!({ "name": "Haircut", "duration_minutes": 45 });
        body[field] = value;
        tenant.manager.post(PATH, body).await.invalid(field, code);
    }
}

#[tokio::test]
async fn a_service_that_was_booked_stays() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    tenant.manager.delete(&format!("{PATH}/{}", furnished.service)).await.refused(409, "service_in_use");
}

#[tokio::test]
async fn an_inactive_service_is_neither_offered_nor_booked() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{PATH}/{}", furnished.service);
    tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    let slots = tenant.viewer.get(&format!("{path}/slots?from=2031-05-05&to=2031-05-06")).await.expect(200);
    assert_eq!(slots["items"], json!([]));
    let body = json!({ "service_id": furnished.service, "contact_id": furnished.contact, "starts_at": "2031-05-06T09:00:00Z" });
    tenant.staff.post("/api/v1/appointments", body).await.invalid("service_id", "inactive");
}
