//! Visits: several services in a row, booked as one appointment.

use serde_json::{Value, json};

use crate::harness::booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings};

#[tokio::test]
async fn visit_of_several_services_is_one_booking() {
    let fixture = BookingFixture::with(json!({ "buffer_after_minutes": 15 })).await;
    let tenant = &fixture.tenant;
    let second = tenant.provider().await;
    let colour = tenant
        .service_with(json!({ "name": "Colour", "duration_minutes": 60, "buffer_before_minutes": 15, "provider_ids": [second] }))
        .await;
    let slots =
        format!("/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&and_then={colour}", fixture.service);
    let listed = tenant.viewer.get(&slots).await.expect(200)["items"].clone();
    assert_eq!(
        (&listed[0]["starts_at"], &listed[0]["ends_at"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("2031-05-05T10:30:00Z"))
    );
    let last = listed.as_array().expect("items").last().expect("one")["starts_at"].clone();
    assert_eq!(last, "2031-05-05T15:30:00Z", "the second ends at five");
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([colour]);
    body["provider_id"] = json!(fixture.provider);
    tenant.staff.post(APPOINTMENTS, body.clone()).await.invalid("provider_id", "not_eligible");
    body["provider_id"] = Value::Null;
    let visit = tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
    let segments = visit["segments"].as_array().expect("segments").clone();
    assert_eq!((segments.len(), &segments[1]["provider_id"]), (2, &json!(second)));
    assert_eq!(segments[0]["ends_at"], segments[1]["starts_at"]);
    assert_eq!(visit["ends_at"], "2031-05-05T10:30:00Z");
    let id = visit["id"].as_str().expect("an id").to_owned();
    assert_eq!(fixture.get(&id).await, visit);
    // Each provider is busy for a part of it, and the contact for all of it.
    let mut other = fixture.body("2031-05-05T10:00:00Z");
    tenant.staff.post(APPOINTMENTS, other.clone()).await.refused(409, "contact_busy");
    other["service_id"] = json!(colour);
    tenant.staff.post(APPOINTMENTS, other).await.refused(409, "slot_unavailable");
    // Moved as a whole, over itself.
    let moved =
        fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" })).await.expect(200);
    assert_eq!(moved["segments"][1]["ends_at"], "2031-05-05T10:45:00Z");
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    let many = json!([colour, colour, colour, colour, colour]);
    let mut body = fixture.body("2031-05-06T09:00:00Z");
    body["and_then"] = many;
    tenant.staff.post(APPOINTMENTS, body.clone()).await.invalid("and_then", "too_many");
    body["and_then"] = json!([fixture.contact]);
    tenant.staff.post(APPOINTMENTS, body).await.invalid("and_then[0]", "not_found");
    expect_sound_bookings(tenant).await;
}

#[tokio::test]
async fn visit_keeps_limits_and_lasts_a_day_at_most() {
    let fixture = BookingFixture::with(json!({ "max_per_day": 2 })).await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([fixture.service, fixture.service]);
    fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.invalid("starts_at", "limit_reached");
    body["and_then"] = json!([fixture.service]);
    fixture.tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    let path = format!("/api/v1/providers/{}", fixture.provider);
    fixture.tenant.admin.patch(&path, json!({ "max_per_week": 3 })).await.expect(200);
    let mut body = fixture.body("2031-05-06T09:00:00Z");
    body["and_then"] = json!([fixture.service]);
    fixture.tenant.staff.post(APPOINTMENTS, body).await.invalid("starts_at", "limit_reached");
    let long = fixture.tenant.service_with(json!({ "name": "Long", "duration_minutes": 1000 })).await;
    let body = json!({
        "service_id": long, "and_then": [long], "contact_id": fixture.contact, "starts_at": "2031-05-06T09:00:00Z", "override_rules": true,
    });
    fixture.tenant.staff.post(APPOINTMENTS, body).await.invalid("and_then", "too_long");
    let slots = format!("/api/v1/services/{long}/slots?from=2031-05-06&to=2031-05-07&and_then={long}");
    fixture.tenant.viewer.get(&slots).await.invalid("and_then", "too_long");
}

#[tokio::test]
async fn visit_is_listed_for_each_of_its_providers() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let second = tenant.provider().await;
    let hers = tenant
        .service_with(json!({ "name": "Hers", "duration_minutes": 30, "provider_ids": [second] }))
        .await;
    let path = format!("/api/v1/services/{}", fixture.service);
    tenant.manager.patch(&path, json!({ "provider_ids": [fixture.provider] })).await.expect(200);
    // Three in a row; the list of slots takes a list as well.
    let slots =
        format!("{path}/slots?from=2031-05-05&to=2031-05-06&and_then={hers}&and_then={}", fixture.service);
    assert_eq!(tenant.viewer.get(&slots).await.expect(200)["items"][0]["ends_at"], "2031-05-05T10:30:00Z");
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([hers, fixture.service]);
    let id = tenant.staff.post(APPOINTMENTS, body).await.created();
    let alone =
        json!({ "service_id": hers, "contact_id": fixture.contact, "starts_at": "2031-05-05T12:00:00Z" });
    let alone = tenant.staff.post(APPOINTMENTS, alone).await.created();
    let listed = tenant.viewer.get(&format!("{APPOINTMENTS}?provider_id={second}")).await.expect(200);
    let ids: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(ids, [json!(id), json!(alone)]);
    let first = tenant.viewer.get(&format!("{APPOINTMENTS}?provider_id={second}&limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("more");
    let next = tenant
        .viewer
        .get(&format!("{APPOINTMENTS}?provider_id={second}&limit=1&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(next["items"][0]["id"], json!(alone));
    let away = json!({ "starts_at": "2031-05-05T09:00:00Z", "ends_at": "2031-05-05T11:00:00Z" });
    let away = tenant.staff.post(&format!("/api/v1/providers/{second}/time-off"), away).await.expect(201);
    assert_eq!(away["appointment_ids"], json!([id]));
}
