//! Guests hold time and wait for it.

use serde_json::{Value, json};

use crate::harness::{
    Actor, address,
    booking::{BookingFixture, expect_sound_bookings},
    guests::{contact, manage},
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
    assert!(system().mail_to(&email).await.contains("2031-05-05 09:00 (UTC)"));
    let again = guest.post("/api/v1/guest/hold/confirm", confirm).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], booked["id"]);
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
async fn guest_waits_accepts_declines_and_leaves_with_one_link() {
    let fixture = BookingFixture::new().await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let path = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    let join = async |name: &str| {
        let wanted = json!({
            "service_id": fixture.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": {
                "first_name": "Guest",
                "last_name": name,
                "email": address(),
            },
        });
        let joined = guest.post(&path, wanted).await.expect(201);
        assert_eq!(joined["status"], "waiting");
        json!({ "token": joined["manage_token"] })
    };
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let (one, two, three) = (join("One").await, join("Two").await, join("Three").await);
    let entry = "/api/v1/guest/waitlist-entry";
    guest.post(&format!("{entry}/accept"), one.clone()).await.refused(409, "nothing_offered");
    guest.post(&format!("{entry}/decline"), one.clone()).await.refused(409, "nothing_offered");
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(
        guest.post(entry, one.clone()).await.expect(200)["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    assert_eq!(guest.post(entry, two.clone()).await.expect(200)["status"], "waiting");
    guest.post(&format!("{entry}/accept"), two.clone()).await.refused(409, "nothing_offered");
    let declined = guest.post(&format!("{entry}/decline"), one.clone()).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let booked = guest.post(&format!("{entry}/accept"), two.clone()).await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["status"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("confirmed"))
    );
    // The link of the entry manages what came of it.
    let viewed = guest.post("/api/v1/guest/appointment", two.clone()).await.expect(200);
    assert_eq!(viewed["id"], booked["id"]);
    guest.post("/api/v1/guest/appointment/cancel", two).await.expect(200);
    assert_eq!(guest.post(entry, three.clone()).await.expect(200)["status"], "offered");
    let left = guest.post(&format!("{entry}/withdraw"), three.clone()).await.expect(200);
    assert_eq!(left["status"], "withdrawn");
    guest.post(&format!("{entry}/withdraw"), three).await.refused(409, "not_waiting");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_without_address_or_for_a_hidden_service_cannot_wait() {
    let fixture = BookingFixture::new().await;
    let waiting = |service: &str, contact: Value| {
        json!({
            "service_id": service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": contact,
        })
    };
    let nameless = json!({ "first_name": "Z", "last_name": "Z" });
    fixture
        .as_guest("waitlist", waiting(&fixture.service, nameless))
        .await
        .invalid("contact.email", "required");
    let hidden = json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false });
    let hidden = fixture.tenant.service_with(hidden).await;
    fixture
        .as_guest("waitlist", waiting(&hidden, contact(&address())))
        .await
        .invalid("service_id", "not_found");
    let customer = fixture.customer().await;
    let body = json!({
        "service_id": hidden, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
    });
    customer.post("/api/v1/my/waitlist", body.clone()).await.invalid("service_id", "not_found");
    // Staff may put contacts on the list of it, as long as it is given at all.
    let mut body = body;
    body["contact_id"] = json!(fixture.contact);
    fixture.tenant.staff.post("/api/v1/waitlist", body.clone()).await.expect(201);
    let path = format!("/api/v1/services/{hidden}");
    fixture.tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    body["from"] = json!("2031-05-07T00:00:00Z");
    body["to"] = json!("2031-05-08T00:00:00Z");
    fixture.tenant.staff.post("/api/v1/waitlist", body).await.invalid("service_id", "not_found");
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
async fn guest_with_a_seat_cannot_accept_another() {
    let fixture = BookingFixture::with(json!({ "capacity": 2 })).await;
    let email = address();
    let start = "2031-05-05T09:00:00Z";
    fixture.as_guest("appointments", fixture.guest_body(start, Some(&email))).await.expect(201);
    let entry = fixture.offered_to_guest(&email).await;
    manage("waitlist-entry/accept", &entry["manage_token"]).await.refused(409, "already_booked");
}

#[tokio::test]
async fn offer_accepted_twice_answers_the_same_appointment() {
    let fixture = BookingFixture::new().await;
    let entry = fixture.offered_to_guest(&address()).await;
    let first = manage("waitlist-entry/accept", &entry["manage_token"]).await.expect(201);
    let again = manage("waitlist-entry/accept", &entry["manage_token"]).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
}
