//! What guests and customers cannot take, and what their links keep: each of these was once possible, or lost.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{guests::slug, my_appointments::link};
use crate::{
    harness::{Actor, Answer, system},
    scheduling::booking::transitions::{Shop, nothing_is_wrong},
};

fn address() -> String {
    format!("g{}@example.com", Uuid::new_v4().simple())
}

fn contact(email: &str) -> Value {
    json!({ "first_name": "Guest", "last_name": "One", "email": email })
}

fn booking(shop: &Shop, start: &str, email: &str) -> Value {
    json!({ "service_id": shop.service, "starts_at": start, "contact": contact(email) })
}

/// Sends to the operation of guests `what`, at the organization of a shop.
async fn ask(shop: &Shop, what: &str, body: Value) -> Answer {
    Actor::nobody().post(&format!("/api/v1/guest/{what}?organization_slug={}", slug(shop).await), body).await
}

async fn manage(what: &str, token: &Value) -> Answer {
    Actor::nobody().post(&format!("/api/v1/guest/{what}"), json!({ "token": token })).await
}

/// Waits for the morning, is offered nine o'clock, and answers as the entry is then.
async fn offered(shop: &Shop, email: &str) -> Value {
    let taken = shop.book("2031-05-05T09:00:00Z").await;
    let waiting = json!({
        "service_id": shop.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:30:00Z",
        "contact": contact(email),
    });
    let entry = ask(shop, "waitlist", waiting).await.expect(201);
    shop.act(&taken, "cancel", json!({})).await.expect(200);
    entry
}

/// The token of the latest link to verify an address, once so many mails went there.
async fn link_to_verify(email: &str, mails: usize) -> Value {
    let mails = system().mails_to(email, mails).await;
    let link =
        mails.iter().rev().find_map(|mail| mail.split("verify-booking#token=").nth(1)).expect("a link");
    json!(link.split_whitespace().next())
}

#[tokio::test]
async fn contact_waits_once_for_a_time_and_for_ten_at_most() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let wait = |from: &str, to: &str| {
        let body = json!({ "service_id": shop.service, "from": from, "to": to });
        let customer = customer.clone();
        async move { customer.post("/api/v1/my/waitlist", body).await }
    };
    wait("2031-05-05T09:00:00Z", "2031-05-05T12:00:00Z").await.expect(201);
    wait("2031-05-05T11:00:00Z", "2031-05-05T13:00:00Z").await.refused(409, "already_waiting");
    for day in 6..15 {
        let (from, to) = (format!("2031-05-{day:02}T09:00:00Z"), format!("2031-05-{day:02}T12:00:00Z"));
        wait(&from, &to).await.expect(201);
    }
    wait("2031-05-20T09:00:00Z", "2031-05-20T12:00:00Z").await.refused(409, "too_many_entries");
    // Those that ended do not count.
    let first = customer.get("/api/v1/my/waitlist").await.expect(200)["items"][0]["id"].clone();
    let path = format!("/api/v1/my/waitlist/{}/withdraw", first.as_str().expect("an id"));
    customer.post(&path, json!({})).await.expect(200);
    wait("2031-05-05T09:00:00Z", "2031-05-05T12:00:00Z").await.expect(201);
    // At once, too.
    let other = shop.tenant.contact().await;
    let waits = (0..14).map(|hour| {
        let body = json!({
            "service_id": shop.service, "contact_id": other,
            "from": format!("2031-06-02T{hour:02}:00:00Z"), "to": format!("2031-06-02T{hour:02}:30:00Z"),
        });
        shop.tenant.staff.post("/api/v1/waitlist", body)
    });
    let answers = futures_util::future::join_all(waits).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 10, "{answers:?}");
}

#[tokio::test]
async fn guest_waits_with_an_address_and_for_what_is_offered() {
    let shop = Shop::new().await;
    let waiting = |service: &str, contact: Value| {
        json!({
            "service_id": service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": contact,
        })
    };
    let nameless = json!({ "first_name": "Z", "last_name": "Z" });
    ask(&shop, "waitlist", waiting(&shop.service, nameless)).await.invalid("contact.email", "required");
    let hidden = json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false });
    let hidden = shop.tenant.service_with(hidden).await;
    ask(&shop, "waitlist", waiting(&hidden, contact(&address()))).await.invalid("service_id", "not_found");
    let customer = link(&shop).await;
    let body = json!({
        "service_id": hidden, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
    });
    customer.post("/api/v1/my/waitlist", body.clone()).await.invalid("service_id", "not_found");
    // Staff may put contacts on the list of it, as long as it is given at all.
    let mut body = body;
    body["contact_id"] = json!(shop.contact);
    shop.tenant.staff.post("/api/v1/waitlist", body.clone()).await.expect(201);
    let path = format!("/api/v1/services/{hidden}");
    shop.tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    body["from"] = json!("2031-05-07T00:00:00Z");
    body["to"] = json!("2031-05-08T00:00:00Z");
    shop.tenant.staff.post("/api/v1/waitlist", body).await.invalid("service_id", "not_found");
}

#[tokio::test]
async fn holds_that_are_confirmed_count_for_the_address_and_what_is_refused_does_not() {
    let shop = Shop::new().await;
    let settings = json!({ "guests": { "bookings_per_email": 2 } });
    shop.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let email = address();
    // A stranger cannot use up another's bookings with requests that get nothing.
    for _ in 0..4 {
        ask(&shop, "appointments", booking(&shop, "2020-01-01T00:00:00Z", &email))
            .await
            .invalid("starts_at", "too_soon");
    }
    let mut last = None;
    for hour in 9..12 {
        let start = format!("2031-05-05T{hour:02}:00:00Z");
        let hold = json!({ "service_id": shop.service, "starts_at": start });
        let hold = ask(&shop, "holds", hold).await.expect(201);
        let confirm = json!({ "token": hold["manage_token"], "contact": contact(&email) });
        last = Some(Actor::nobody().post("/api/v1/guest/hold/confirm", confirm).await);
    }
    last.expect("an answer").refused(429, "guest_limit");
    ask(&shop, "appointments", booking(&shop, "2031-05-05T14:00:00Z", &email))
        .await
        .refused(429, "guest_limit");
    ask(&shop, "appointments", booking(&shop, "2031-05-05T14:00:00Z", &address())).await.expect(201);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn retry_is_answered_as_before_whatever_the_service_requires_meanwhile() {
    let shop = Shop::new().await;
    let path = format!("/api/v1/services/{}", shop.service);
    let change = async |change: Value| shop.tenant.manager.patch(&path, change).await.expect(200);
    let url = format!("/api/v1/guest/appointments?organization_slug={}", slug(&shop).await);
    let send = async |key: &str, body: &Value| {
        let guest = Actor::nobody();
        let request = guest.request(reqwest::Method::POST, &url).header("idempotency-key", key);
        guest.send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    let first = booking(&shop, "2031-05-05T09:00:00Z", &address());
    let booked = send("1", &first).await.expect(201);
    change(json!({ "guest_verification": "email", "guest_requires": ["phone"] })).await;
    let again = send("1", &first).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], booked["id"]);
    change(json!({ "guest_requires": [] })).await;
    let second = booking(&shop, "2031-05-05T11:00:00Z", &address());
    let held = send("2", &second).await.expect(202);
    change(json!({ "guest_verification": "none" })).await;
    let again = send("2", &second).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(202), held);
}

#[tokio::test]
async fn guest_takes_one_seat_whichever_way_they_come() {
    let group = json!({ "capacity": 3, "contact_may_overlap": true, "guest_verification": "email" });
    let shop = Shop::with(group).await;
    let settings = json!({ "guests": { "match_by_verified_email": true } });
    shop.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let email = address();
    let known = json!({ "first_name": "Known", "last_name": "One", "email": email });
    shop.tenant.staff.post("/api/v1/contacts", known).await.expect(201);
    let mut outcomes = Vec::new();
    for mails in [1, 3] {
        ask(&shop, "appointments", booking(&shop, "2031-05-05T09:00:00Z", &email)).await.expect(202);
        let token = link_to_verify(&email, mails).await;
        outcomes.push(manage("appointment/verify", &token).await);
    }
    let second = outcomes.pop().expect("an answer");
    outcomes.pop().expect("an answer").expect(200);
    second.refused(409, "already_booked");
}

#[tokio::test]
async fn guest_with_a_seat_is_not_given_another_by_the_waitlist() {
    let shop = Shop::with(json!({ "capacity": 2 })).await;
    let email = address();
    let start = "2031-05-05T09:00:00Z";
    ask(&shop, "appointments", booking(&shop, start, &email)).await.expect(201);
    let entry = offered(&shop, &email).await;
    manage("waitlist-entry/accept", &entry["manage_token"]).await.refused(409, "already_booked");
}

#[tokio::test]
async fn link_of_a_guest_leads_to_what_staff_made_of_it() {
    let shop = Shop::new().await;
    let hold = json!({ "service_id": shop.service, "starts_at": "2031-05-05T11:00:00Z" });
    let hold = ask(&shop, "holds", hold).await.expect(201);
    let path = format!("/api/v1/holds/{}/confirm", hold["id"].as_str().expect("an id"));
    let confirmed = shop.tenant.staff.post(&path, json!({ "contact_id": shop.contact })).await.expect(201);
    // For somebody whom staff name: nothing of the guest who held it.
    assert_ne!(confirmed["id"], hold["id"]);
    manage("appointment", &hold["manage_token"]).await.refused(404, "not_found");
    let email = address();
    let entry = offered(&shop, &email).await;
    // The mail leads to the offer, too.
    assert!(system().mail_to(&email).await.contains("waitlist-entry#token="));
    let path = format!("/api/v1/waitlist/{}/accept", entry["id"].as_str().expect("an id"));
    shop.tenant.staff.post(&path, json!({})).await.expect(201);
    manage("appointment/cancel", &entry["manage_token"]).await.expect(200);
    // Twice is once.
    let hold = json!({ "service_id": shop.service, "starts_at": "2031-05-05T13:00:00Z" });
    let hold = ask(&shop, "holds", hold).await.expect(201);
    let confirm = json!({ "token": hold["manage_token"], "contact": contact(&address()) });
    Actor::nobody().post("/api/v1/guest/hold/confirm", confirm).await.expect(201);
    manage("appointment", &hold["manage_token"]).await.expect(200);
}

#[tokio::test]
async fn accepting_twice_answers_the_appointment() {
    let shop = Shop::new().await;
    let entry = offered(&shop, &address()).await;
    let first = manage("waitlist-entry/accept", &entry["manage_token"]).await.expect(201);
    let again = manage("waitlist-entry/accept", &entry["manage_token"]).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn service_that_is_not_offered_online_any_more_can_be_cancelled_and_keeps_its_name() {
    let shop = Shop::new().await;
    let path = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&path, json!({ "name": "Renamed" })).await.expect(200);
    let booked = ask(&shop, "appointments", booking(&shop, "2031-05-05T11:00:00Z", &address())).await;
    let token = booked.expect(201)["manage_token"].clone();
    let entry = offered(&shop, &address()).await;
    let before = manage("appointment/calendar", &token).await.text;
    assert!(before.contains("SUMMARY:Renamed") && before.contains("SEQUENCE:1"), "{before}");
    shop.tenant.manager.patch(&path, json!({ "bookable_online": false })).await.expect(200);
    let after = manage("appointment/calendar", &token).await.text;
    assert!(after.contains("SUMMARY:Renamed") && after.contains("SEQUENCE:1"), "{after}");
    manage("appointment/cancel", &token).await.expect(200);
    // What was offered before can be accepted; the organization confirms it.
    let accepted = manage("waitlist-entry/accept", &entry["manage_token"]).await.expect(201);
    assert_eq!(accepted["status"], "pending");
}

#[tokio::test]
async fn guest_cannot_hold_what_has_to_be_verified_and_is_told_once_of_what_was() {
    let shop = Shop::with(json!({ "guest_verification": "email" })).await;
    let hold = json!({ "service_id": shop.service, "starts_at": "2031-05-05T11:00:00Z" });
    ask(&shop, "holds", hold).await.refused(409, "verification_required");
    let email = address();
    ask(&shop, "appointments", booking(&shop, "2031-05-05T09:00:00Z", &email)).await.expect(202);
    let token = link_to_verify(&email, 1).await;
    let answers = futures_util::future::join_all((0..6).map(|_| manage("appointment/verify", &token))).await;
    for answer in answers {
        answer.expect(200);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let mails = system().mails_to(&email, 2).await;
    assert_eq!(mails.len(), 2, "one to verify the address, one about the appointment");
}

#[tokio::test]
async fn link_that_was_mailed_outlives_a_move_and_ends_thirty_days_after_the_appointment() {
    let shop = Shop::new().await;
    let booked = ask(&shop, "appointments", booking(&shop, "2031-05-05T09:00:00Z", &address())).await;
    let booked = booked.expect(201);
    let (id, token) = (booked["id"].as_str().expect("an id"), &booked["manage_token"]);
    let body = json!({ "token": token, "starts_at": "2031-09-01T09:00:00Z" });
    Actor::nobody().post("/api/v1/guest/appointment/reschedule", body).await.expect(200);
    manage("appointment", token).await.expect(200);
    shop.shift(id, chrono::Utc::now() - chrono::TimeDelta::days(29)).await;
    manage("appointment", token).await.expect(200);
    shop.shift(id, chrono::Utc::now() - chrono::TimeDelta::days(31)).await;
    for what in ["appointment", "appointment/calendar", "appointment/cancel"] {
        manage(what, token).await.refused(401, "token_expired");
    }
}
