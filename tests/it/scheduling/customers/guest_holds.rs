//! Guests hold time.

use serde_json::json;

use crate::harness::{
    Actor, address,
    booking::{BookingFixture, expect_sound_bookings, insert_holds},
    guests::contact,
    system,
};

#[tokio::test]
async fn guest_holds_and_confirms_with_one_link() {
    let fixture = BookingFixture::with(json!({ "guest_requires": ["email"] })).await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let path = format!("/api/v1/guest/holds?organization_slug={slug}");
    let wanted = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T09:00:00Z" });
    let held = guest.post(&path, wanted.clone()).await.expect(201);
    guest.post(&path, wanted.clone()).await.refused(409, "slot_unavailable");
    let email = address();
    let mut confirm = json!({
        "token": held["manage_token"], "contact": { "first_name": "Guest", "last_name": "One" },
    });
    guest.post("/api/v1/guest/hold/confirm", confirm.clone()).await.invalid("contact.email", "required");
    confirm["contact"]["email"] = json!(email);
    let booked = guest.post("/api/v1/guest/hold/confirm", confirm.clone()).await.expect(201);
    assert_eq!((&booked["id"], &booked["status"]), (&held["id"], &json!("confirmed")));
    system().tell(fixture.tenant.id).await;
    assert!(system().mail_to(&email).await.contains("2031-05-05 09:00 (UTC)"));
    let again = guest.post("/api/v1/guest/hold/confirm", confirm).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], booked["id"]);
    system().tell(fixture.tenant.id).await;
    assert_eq!(system().mails_to(&email, 1).await.len(), 1, "told once");
    // Another, given back.
    let mut later = wanted.clone();
    later["starts_at"] = json!("2031-05-05T11:00:00Z");
    let other = guest.post(&path, later.clone()).await.expect(201);
    let link = json!({ "token": other["manage_token"] });
    guest.post("/api/v1/guest/hold/release", link.clone()).await.expect(204);
    guest.post("/api/v1/guest/hold/release", link).await.refused(404, "not_found");
    guest.post(&path, later).await.expect(201);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn confirmed_holds_count_for_the_email_limit_and_refusals_do_not() {
    let fixture = BookingFixture::new().await;
    let settings = json!({ "guests": { "bookings_per_email": 2 } });
    fixture.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let email = address();
    // A stranger cannot use up another's bookings with requests that get nothing.
    for _ in 0..4 {
        fixture
            .as_guest("appointments", fixture.guest_body("2020-01-01T00:00:00Z", Some(&email)))
            .await
            .invalid("starts_at", "too_soon");
    }
    let mut last = None;
    for hour in 9..12 {
        let start = format!("2031-05-05T{hour:02}:00:00Z");
        let hold = json!({ "service_id": fixture.service, "starts_at": start });
        let hold = fixture.as_guest("holds", hold).await.expect(201);
        let confirm = json!({ "token": hold["manage_token"], "contact": contact(&email) });
        last = Some(Actor::anonymous().post("/api/v1/guest/hold/confirm", confirm).await);
    }
    last.expect("an answer").refused(429, "guest_limit");
    fixture
        .as_guest("appointments", fixture.guest_body("2031-05-05T14:00:00Z", Some(&email)))
        .await
        .refused(429, "guest_limit");
    fixture
        .as_guest("appointments", fixture.guest_body("2031-05-05T14:00:00Z", Some(&address())))
        .await
        .expect(201);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_beyond_the_limit_of_holds_is_not_told_to_release_some() {
    let fixture = BookingFixture::new().await;
    insert_holds(&[(&fixture, 500, "now() + interval '1 hour'")]).await;
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T09:00:00Z" });
    let refused = fixture.as_guest("holds", hold.clone()).await.refused(409, "too_many_holds");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(!detail.contains("release") && detail.contains("Try again"), "{detail}");
    let refused = fixture.hold("2031-05-05T09:00:00Z").await.refused(409, "too_many_holds");
    assert!(refused["detail"].as_str().expect("a text").contains("release some"), "{refused}");
}
