//! Which provider is booked where the request names none.

use serde_json::json;

use crate::harness::{
    Tenant,
    booking::{APPOINTMENTS, BookingFixture, ThreadsTaken},
};

#[tokio::test]
async fn booking_without_provider_takes_a_free_one() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let mut providers = [tenant.provider().await, tenant.provider().await, tenant.provider().await];
    let contact = tenant.contact().await;
    let body = json!({ "service_id": service, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z" });
    let mut booked = Vec::new();
    for _ in 0..3 {
        let appointment = tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
        booked.push(appointment["provider_id"].as_str().expect("an id").to_owned());
    }
    tenant.staff.post(APPOINTMENTS, body).await.refused(409, "slot_unavailable");
    booked.sort();
    providers.sort();
    assert_eq!(booked, providers);
}

#[tokio::test]
async fn provider_with_the_fewest_appointments_is_chosen() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let other = fixture.tenant.provider().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(fixture.provider);
    for start in ["2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z"] {
        body["starts_at"] = json!(start);
        fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
    }
    let mut chosen = Vec::new();
    for hour in 11..15 {
        let booked = fixture.try_book(&format!("2031-05-05T{hour}:00:00Z")).await.expect(201);
        chosen.push(booked["provider_id"].as_str().expect("an id").to_owned());
    }
    // Two behind, she catches up; then the first comes first.
    assert_eq!(chosen, [other.clone(), other.clone(), fixture.provider.clone(), other]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_search_runs_on_a_computing_thread_and_a_short_one_does_not() {
    let fixture = BookingFixture::new().await;
    for _ in 0..8 {
        fixture.tenant.provider().await;
    }
    let mut visit = fixture.body("2031-05-05T12:00:00Z");
    visit["and_then"] = json!([fixture.service, fixture.service]);
    let taken = ThreadsTaken::of(fixture.tenant.id);
    for (name, start) in [(true, "2031-05-05T09:00:00Z"), (false, "2031-05-05T10:00:00Z")] {
        let mut body = fixture.body(start);
        if name {
            body["provider_id"] = json!(fixture.provider);
        }
        fixture.tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    }
    let waiting = fixture.tenant.staff.post(APPOINTMENTS, visit.clone()).await;
    assert_eq!(waiting.status, 503, "{}", waiting.text);
    taken.free().await;
    fixture.tenant.staff.post(APPOINTMENTS, visit).await.expect(201);
}
