//! Requests that are sent again with the same `Idempotency-Key`. `http::creating` tries every operation that creates.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Answer,
    booking::{APPOINTMENTS, BookingFixture},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn booking_repeated_with_one_key_is_made_once() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let ask = async |path: &str, key: &str, body: &Value| {
        fixture.tenant.staff.post_with(path, body, &[("idempotency-key", key)]).await
    };
    let body = fixture.body("2031-05-05T09:00:00Z");
    // All at once.
    let answers = join_all((0..6).map(|_| ask(APPOINTMENTS, "one", &body))).await;
    let first = answers[0].body.clone();
    for answer in answers {
        assert_eq!((answer.status, &answer.body), (201, &first), "{}", answer.text);
    }
    // Another body; then a refused request, whose key can be used again.
    ask(APPOINTMENTS, "one", &fixture.body("2031-05-05T10:00:00Z"))
        .await
        .invalid("Idempotency-Key", "used_before");
    ask(APPOINTMENTS, "two", &body).await.refused(409, "slot_unavailable");
    let id = first["id"].as_str().expect("an id");
    fixture.act(id, "cancel", json!({})).await.expect(200);
    let second = ask(APPOINTMENTS, "two", &body).await.expect(201);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(ask(APPOINTMENTS, "two", &body).await.expect(201), second);
    // Each account and operation has keys of its own.
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T12:00:00Z" });
    let held = ask("/api/v1/holds", "two", &hold).await.expect(201);
    assert_eq!(ask("/api/v1/holds", "two", &hold).await.expect(201), held);
    let theirs = fixture.body("2031-05-05T14:00:00Z");
    let theirs = fixture
        .tenant
        .admin
        .post_with(APPOINTMENTS, &theirs, &[("idempotency-key", "two")])
        .await
        .expect(201);
    assert_ne!(theirs["id"], second["id"]);
    ask(APPOINTMENTS, &"x".repeat(256), &body).await.invalid("Idempotency-Key", "invalid_value");
}

/// Sends a change twice with one key: the second answer is the first, and nothing more is done.
async fn change_twice(actor: &Actor, path: &str, body: &Value) -> Value {
    let key = uuid::Uuid::new_v4().to_string();
    let send = async || actor.post_with(path, body, &[("idempotency-key", key.as_str())]).await;
    let replayed = |answer: &Answer| answer.header("idempotency-replayed").to_owned();
    let first = send().await;
    assert_eq!(replayed(&first), "", "{path}: {}", first.text);
    let first = first.expect(200);
    let again = send().await;
    assert_eq!(replayed(&again), "true", "{path}: {}", again.text);
    let mut again = again.expect(200);
    // A link is made again.
    if let Some(token) = first.get("manage_token") {
        again["manage_token"] = token.clone();
    }
    assert_eq!(again, first, "{path}");
    first
}

#[tokio::test]
async fn undo_repeated_with_a_key_undoes_one_step() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.shift(&id, Utc::now() - TimeDelta::minutes(10)).await;
    fixture.act(&id, "check-in", json!({})).await.expect(200);
    fixture.act(&id, "start", json!({})).await.expect(200);
    let path = format!("{APPOINTMENTS}/{id}/undo");
    let body = json!({ "reason": "Too early." });
    assert_eq!(change_twice(&fixture.tenant.staff, &path, &body).await["status"], "checked_in");
    assert_eq!(fixture.get(&id).await["status"], "checked_in");
    assert_eq!(change_twice(&fixture.tenant.staff, &path, &body).await["status"], "confirmed");
}

#[tokio::test]
async fn moves_repeated_with_a_key_are_made_once() {
    let fixture = BookingFixture::new().await;
    let staff = &fixture.tenant.staff;
    let one = fixture.book("2031-05-05T09:00:00Z").await;
    let other = fixture.book("2031-05-05T11:00:00Z").await;
    // Swapped again, each would be where it was.
    let swap = json!({ "appointment_id": other });
    let swapped = change_twice(staff, &format!("{APPOINTMENTS}/{one}/swap"), &swap).await;
    assert_eq!(swapped["starts_at"], "2031-05-05T11:00:00Z");
    assert_eq!(fixture.get(&one).await["starts_at"], "2031-05-05T11:00:00Z");
    assert_eq!(fixture.get(&other).await["starts_at"], "2031-05-05T09:00:00Z");
    let path = format!("{APPOINTMENTS}/{one}/reschedule");
    for start in ["2031-05-05T14:00:00Z", "2031-05-05T14:00:00Z"] {
        let moved = change_twice(staff, &path, &json!({ "starts_at": start })).await;
        assert_eq!((&moved["starts_at"], &moved["sequence"]), (&json!(start), &json!(2)));
    }
}

/// The entry of the waitlist is offered the freed time in the same transaction, which then continues as the scheduler.
#[tokio::test]
async fn change_that_frees_time_for_the_waitlist_is_repeated_with_its_key() {
    let fixture = BookingFixture::new().await;
    let (tenant, staff) = (&fixture.tenant, &fixture.tenant.staff);
    for (day, action, body) in [
        (5, "cancel", json!({ "reason": "Ill." })),
        (6, "reschedule", json!({ "starts_at": "2031-05-06T15:00:00Z" })),
    ] {
        let id = fixture.book(&format!("2031-05-0{day}T09:00:00Z")).await;
        let entry = json!({
            "service_id": fixture.service, "contact_id": tenant.contact().await, "override_rules": true,
            "from": format!("2031-05-0{day}T09:00:00Z"), "to": format!("2031-05-0{day}T09:10:00Z"),
        });
        let entry = staff.post("/api/v1/waitlist", entry).await.created();
        change_twice(staff, &format!("{APPOINTMENTS}/{id}/{action}"), &body).await;
        let path = format!("/api/v1/waitlist/{entry}");
        let offer = tenant.viewer.get(&path).await.expect(200);
        assert_eq!(offer["offer"]["starts_at"], format!("2031-05-0{day}T09:00:00Z"), "{offer}");
        let declined = change_twice(staff, &format!("{path}/decline"), &json!({})).await;
        assert_eq!(declined["status"], "declined");
    }
}

#[tokio::test]
async fn customers_and_guests_cancel_and_leave_once_with_a_key() {
    let fixture = BookingFixture::with(json!({ "bookable_online": true })).await;
    let customer = fixture.customer().await;
    let own = fixture.own_body("2031-05-05T09:00:00Z");
    let id = customer.post("/api/v1/my/appointments", own).await.created();
    let path = format!("/api/v1/my/appointments/{id}/cancel");
    assert_eq!(change_twice(&customer, &path, &json!({ "reason": "Ill." })).await["status"], "cancelled");
    // At night, when nothing is free.
    let wait = json!({
        "service_id": fixture.service, "from": "2031-05-05T20:00:00Z", "to": "2031-05-05T21:00:00Z",
    });
    let entry = customer.post("/api/v1/my/waitlist", wait.clone()).await.created();
    let path = format!("/api/v1/my/waitlist/{entry}/withdraw");
    assert_eq!(change_twice(&customer, &path, &json!({})).await["status"], "withdrawn");

    let guest = Actor::anonymous();
    let slug = fixture.tenant.slug().await;
    let contact = json!({ "first_name": "Guest", "last_name": "Star", "email": "star@example.com" });
    let mut body = fixture.own_body("2031-05-06T09:00:00Z");
    body["contact"] = contact.clone();
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let booked = guest.post(&path, body).await.expect(201);
    let cancel = json!({ "token": booked["manage_token"], "reason": "Ill." });
    let cancelled = change_twice(&guest, "/api/v1/guest/appointment/cancel", &cancel).await;
    assert_eq!(cancelled["status"], "cancelled");
    let mut wait = wait;
    wait["contact"] = contact;
    let entry =
        guest.post(&format!("/api/v1/guest/waitlist?organization_slug={slug}"), wait).await.expect(201);
    let leave = json!({ "token": entry["manage_token"] });
    let left = change_twice(&guest, "/api/v1/guest/waitlist-entry/withdraw", &leave).await;
    assert_eq!(left["status"], "withdrawn");
}
