//! The link of a guest: what it leads to, and how long it is good.

use appointd::{
    http::token::{SigningKey, Tokens},
    server::Server,
};
use serde_json::{Value, json};

use crate::harness::{
    Actor, address,
    booking::BookingFixture,
    guests::{contact, manage},
    system,
};

#[tokio::test]
async fn guest_link_is_valid_as_long_as_its_own_key() {
    let fixture = BookingFixture::new().await;
    let slug = fixture.tenant.slug().await;
    let key = |n: u8| SigningKey::from_bytes([n; 32]);
    let serve = async |tokens: &[SigningKey], links: &[SigningKey]| {
        let tokens = std::sync::Arc::new(Tokens::new(tokens, links).expect("keys"));
        system().another_server(|parts| parts.tokens = tokens).await
    };
    let view = async |server: &Server, token: &Value| {
        let body = json!({ "token": token });
        Actor::anonymous().at(server.address()).post("/api/v1/guest/appointment", body).await
    };
    // As docs/deploy.md says: the next one at the end, in front, alone; the keys of tokens are exchanged at once
    // meanwhile.
    let first = serve(&[key(1)], &[key(11)]).await;
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let booked = Actor::anonymous()
        .at(first.address())
        .post(&path, fixture.guest_body("2031-05-05T09:00:00Z", None))
        .await
        .expect(201);
    let old = &booked["manage_token"];
    let second = serve(&[key(2)], &[key(11), key(12)]).await;
    view(&second, old).await.expect(200);
    let third = serve(&[key(2)], &[key(12), key(11)]).await;
    let new = view(&third, old).await.expect(200)["manage_token"].clone();
    view(&second, &new).await.expect(200);
    let last = serve(&[key(2)], &[key(12)]).await;
    view(&last, &new).await.expect(200);
    view(&last, old).await.refused(401, "token_invalid");
    // Neither kind of key signs for the other.
    let swapped = serve(&[key(12)], &[key(2)]).await;
    view(&swapped, &new).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn guest_link_leads_to_the_appointment_that_staff_made() {
    let fixture = BookingFixture::new().await;
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T11:00:00Z" });
    let hold = fixture.as_guest("holds", hold).await.expect(201);
    let path = format!("/api/v1/holds/{}/confirm", hold["id"].as_str().expect("an id"));
    let confirmed =
        fixture.tenant.staff.post(&path, json!({ "contact_id": fixture.contact })).await.expect(201);
    // Confirmed for another contact, the appointment is not the guest's.
    assert_ne!(confirmed["id"], hold["id"]);
    manage("appointment", &hold["manage_token"]).await.refused(404, "not_found");
    let email = address();
    let entry = fixture.offered_to_guest(&email).await;
    // The mail leads to the offer, too.
    assert!(system().mail_to(&email).await.contains("waitlist-entry#token="));
    let path = format!("/api/v1/waitlist/{}/accept", entry["id"].as_str().expect("an id"));
    fixture.tenant.staff.post(&path, json!({})).await.expect(201);
    manage("appointment/cancel", &entry["manage_token"]).await.expect(200);
    // Twice is once.
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T13:00:00Z" });
    let hold = fixture.as_guest("holds", hold).await.expect(201);
    let confirm = json!({ "token": hold["manage_token"], "contact": contact(&address()) });
    Actor::anonymous().post("/api/v1/guest/hold/confirm", confirm).await.expect(201);
    manage("appointment", &hold["manage_token"]).await.expect(200);
}

#[tokio::test]
async fn guest_link_expires_thirty_days_after_the_appointment() {
    let fixture = BookingFixture::new().await;
    let booked =
        fixture.as_guest("appointments", fixture.guest_body("2031-05-05T09:00:00Z", Some(&address()))).await;
    let booked = booked.expect(201);
    let (id, token) = (booked["id"].as_str().expect("an id"), &booked["manage_token"]);
    let body = json!({ "token": token, "starts_at": "2031-09-01T09:00:00Z" });
    Actor::anonymous().post("/api/v1/guest/appointment/reschedule", body).await.expect(200);
    manage("appointment", token).await.expect(200);
    fixture.shift(id, chrono::Utc::now() - chrono::TimeDelta::days(29)).await;
    manage("appointment", token).await.expect(200);
    fixture.shift(id, chrono::Utc::now() - chrono::TimeDelta::days(31)).await;
    for what in ["appointment", "appointment/calendar", "appointment/cancel"] {
        manage(what, token).await.refused(401, "token_expired");
    }
}
