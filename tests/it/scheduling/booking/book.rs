//! Booking one appointment: what is refused, and what staff may override.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Tenant,
    booking::{APPOINTMENTS, BookingFixture},
    rules::{reason, service_with_rules},
};

#[tokio::test]
async fn create_appointment_with_a_wrong_field_names_it() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let furnished = tenant.furnished().await;
    let theirs = other.furnished().await;
    let valid = json!({
        "service_id": furnished.service,
        "provider_id": furnished.provider,
        "contact_id": furnished.contact,
        "starts_at": "2031-05-06T09:00:00Z",
    });
    for (field, value, wrong_field, code) in [
        ("service_id", json!(Uuid::now_v7()), "service_id", "not_found"),
        ("service_id", json!(theirs.service), "service_id", "not_found"),
        ("service_id", json!("x"), "service_id", "invalid_value"),
        ("provider_id", json!(Uuid::now_v7()), "provider_id", "not_found"),
        ("provider_id", json!(theirs.provider), "provider_id", "not_found"),
        ("contact_id", json!(Uuid::now_v7()), "contact_id", "not_found"),
        ("contact_id", json!(theirs.contact), "contact_id", "not_found"),
        ("contact_id", Value::Null, "contact_id", "required"),
        ("contact", json!({ "first_name": "A", "last_name": "B" }), "contact_id", "conflicting"),
        ("contact", json!({ "first_name": "A" }), "contact.last_name", "required"),
        ("starts_at", json!("2031-05-06T09:00:00"), "starts_at", "invalid_value"),
        ("starts_at", json!("2031-02-30T09:00:00Z"), "starts_at", "invalid_value"),
        ("starts_at", json!(1), "starts_at", "invalid_type"),
        ("starts_at", json!("2020-05-06T09:00:00Z"), "starts_at", "too_soon"),
        ("starts_at", json!("2031-05-06T08:45:00Z"), "starts_at", "outside_hours"),
        ("starts_at", json!("2031-05-06T16:45:00Z"), "starts_at", "outside_hours"),
        ("starts_at", json!("2031-05-06T09:10:00Z"), "starts_at", "off_grid"),
        ("starts_at", json!("2031-05-06T09:00:00.000001Z"), "starts_at", "off_grid"),
        ("starts_at", json!("2999-12-31T23:59:59Z"), "starts_at", "too_far"),
        ("starts_at", json!("3000-01-01T00:00:00Z"), "starts_at", "invalid_value"),
        ("note", json!("\u{0}"), "note", "invalid_value"),
        ("ends_at", json!("2031-05-06T10:00:00Z"), "ends_at", "unknown_field"),
    ] {
        let mut body = valid.clone();
        body[field] = value.clone();
        let answer = tenant.staff.post(APPOINTMENTS, body).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text);
        answer.invalid(wrong_field, code);
    }
    let listed = tenant
        .viewer
        .get(&format!("{APPOINTMENTS}?from=2031-05-06T00:00:00Z&to=2032-01-01T00:00:00Z"))
        .await
        .expect(200);
    assert_eq!(listed["items"], json!([]), "nothing was half-written");
    tenant.staff.post(APPOINTMENTS, valid).await.expect(201);
}

#[tokio::test]
async fn contact_is_in_one_place_at_a_time() {
    let fixture = BookingFixture::new().await;
    fixture.tenant.provider().await;
    fixture.book("2031-05-05T09:00:00Z").await;
    fixture.try_book("2031-05-05T09:15:00Z").await.refused(409, "contact_busy");
    fixture.book("2031-05-05T09:30:00Z").await;
    fixture.tenant.provider().await;
    // Both at once, at different providers: one.
    let bodies = [fixture.body("2031-05-06T09:00:00Z"), fixture.body("2031-05-06T09:15:00Z")];
    let answers = join_all(bodies.map(|body| fixture.tenant.staff.post(APPOINTMENTS, body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let path = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&path, json!({ "contact_may_overlap": true })).await.expect(200);
    fixture.book("2031-05-05T09:15:00Z").await;
}

#[tokio::test]
async fn staff_override_rules_and_never_claims() {
    let tenant = Tenant::new().await;
    let strict =
        service_with_rules(&tenant, json!({ "bookable_from": "2032-01-01", "requires_approval": true }))
            .await;
    tenant.provider().await;
    let contact = tenant.contact().await;
    // At night, off the grid, before it is given.
    let body = json!({
        "service_id": strict, "contact_id": contact, "starts_at": "2031-05-05T03:07:00Z", "override_rules": true,
    });
    let booked = tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
    assert_eq!((&booked["overridden"], &booked["status"]), (&json!(true), &json!("confirmed")));
    let again = tenant.staff.post(APPOINTMENTS, body).await;
    assert_eq!(reason(&again), "busy");
    again.refused(409, "slot_unavailable");
}
