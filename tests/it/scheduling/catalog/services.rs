use serde_json::{Value, json};

use crate::harness::{
    Tenant,
    booking::{APPOINTMENTS, BookingFixture},
    merged,
    rules::{service_with_rules, slots},
};

const SERVICES: &str = "/api/v1/services";

#[tokio::test]
async fn service_is_created_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let body = json!({ "name": "Haircut", "description": "Wash and cut.", "duration_minutes": 45 });
    let path = format!("{SERVICES}/{}", tenant.manager.post(SERVICES, body).await.created());
    let service = tenant.viewer.get(&path).await.expect(200);
    assert_eq!((&service["slot_step_minutes"], &service["active"]), (&json!(15), &json!(true)));

    let changes = json!({ "description": null, "duration_minutes": 60, "active": false });
    let changed = tenant.manager.patch(&path, changes).await.expect(200);
    assert_eq!(changed.get("description"), None);
    assert_eq!((&changed["duration_minutes"], &changed["name"]), (&json!(60), &json!("Haircut")));
    assert_eq!(tenant.viewer.get(SERVICES).await.expect(200)["items"], json!([changed]));

    assert_eq!(tenant.manager.delete(&path).await.expect(204), Value::Null);
    tenant.viewer.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_service_with_a_wrong_field_names_it() {
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
        tenant.manager.post(SERVICES, body).await.invalid(field, code);
    }
}

#[tokio::test]
async fn create_service_with_contradicting_rules_is_refused() {
    let tenant = Tenant::new().await;
    for (wrong, field, code) in [
        (json!({ "duration_minutes": 1440, "buffer_after_minutes": 1 }), "duration_minutes", "out_of_range"),
        (
            json!({ "bookable_from": "2031-05-02", "bookable_until": "2031-05-01" }),
            "bookable_until",
            "invalid_value",
        ),
        (json!({ "price_amount": 4500 }), "price_currency", "required"),
        (json!({ "price_amount": 4500, "price_currency": "euro" }), "price_currency", "invalid_value"),
        (json!({ "price_amount": 4500, "price_currency": "ZZZ" }), "price_currency", "invalid_value"),
        (json!({ "capacity": 0 }), "capacity", "out_of_range"),
        (json!({ "max_per_day": 0 }), "max_per_day", "out_of_range"),
        (json!({ "required_resources": [[]] }), "required_resources[0]", "too_short"),
        (
            json!({ "required_resources": [["019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10"]] }),
            "required_resources",
            "not_found",
        ),
    ] {
        let body = merged(json!({ "name": "Service", "duration_minutes": 30 }), &wrong);
        tenant.manager.post("/api/v1/services", body).await.invalid(field, code);
    }
    let id = service_with_rules(
        &tenant,
        json!({ "max_per_day": 3, "price_amount": 100, "price_currency": "EUR" }),
    )
    .await;
    let path = format!("/api/v1/services/{id}");
    let changed = tenant
        .manager
        .patch(&path, json!({ "max_per_day": null, "buffer_after_minutes": 5 }))
        .await
        .expect(200);
    assert_eq!((changed.get("max_per_day"), &changed["buffer_after_minutes"]), (None, &json!(5)));
    assert_eq!((&changed["price_amount"], &changed["name"]), (&json!(100), &json!("Service")));
}

#[tokio::test]
async fn booked_service_cannot_be_deleted() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    tenant.manager.delete(&format!("{SERVICES}/{}", furnished.service)).await.refused(409, "service_in_use");
}

#[tokio::test]
async fn inactive_service_is_neither_listed_nor_booked() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{SERVICES}/{}", furnished.service);
    tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    let slots = tenant.viewer.get(&format!("{path}/slots?from=2031-05-05&to=2031-05-06")).await.expect(200);
    assert_eq!(slots["items"], json!([]));
    let body = json!({ "service_id": furnished.service, "contact_id": furnished.contact, "starts_at": "2031-05-06T09:00:00Z" });
    tenant.staff.post("/api/v1/appointments", body).await.invalid("service_id", "inactive");
}

#[tokio::test]
async fn service_of_named_providers_is_given_by_them_alone() {
    let tenant = Tenant::new().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let contact = tenant.contact().await;
    let service = service_with_rules(&tenant, json!({ "provider_ids": [ada] })).await;
    let listed = slots(&tenant, &service, "from=2031-05-05&to=2031-05-06").await;
    assert!(!listed.is_empty() && listed.iter().all(|slot| slot["provider_ids"] == json!([ada])));
    let body = json!({
        "service_id": service, "provider_id": bea, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z",
    });
    tenant.staff.post(APPOINTMENTS, body).await.invalid("provider_id", "not_eligible");
    let path = format!("/api/v1/services/{service}");
    tenant
        .manager
        .patch(&path, json!({ "provider_ids": [contact] }))
        .await
        .invalid("provider_ids", "not_found");
    let kept = tenant.viewer.get(&path).await.expect(200);
    assert_eq!(kept["provider_ids"], json!([ada]));
}

#[tokio::test]
async fn texts_that_mails_contain_have_no_links() {
    let fixture = BookingFixture::new().await;
    let (manager, link) = (&fixture.tenant.manager, "WIN http://evil.example/x now");
    let service = json!({ "name": link, "duration_minutes": 30 });
    manager.post("/api/v1/services", service).await.invalid("name", "invalid_value");
    let path = format!("/api/v1/services/{}", fixture.service);
    manager.patch(&path, json!({ "name": link })).await.invalid("name", "invalid_value");
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.act(&id, "cancel", json!({ "reason": link })).await.invalid("reason", "invalid_value");
    let period = json!({ "from": "2031-05-05", "to": "2031-05-06", "reason": link });
    let path = format!("/api/v1/providers/{}/appointments/cancel", fixture.provider);
    manager.post(&path, period).await.invalid("reason", "invalid_value");
    let branding = json!({ "address": format!("Main Street 1\n{link}") });
    let path = "/api/v1/organizations/me/branding";
    fixture.tenant.admin.patch(path, branding).await.invalid("address", "invalid_value");
    fixture.tenant.admin.patch(path, json!({ "address": "Main Street 1\nSt.Pauli" })).await.expect(200);
}
