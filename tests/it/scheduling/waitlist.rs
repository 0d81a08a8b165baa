use futures_util::future::join;
use serde_json::{Value, json};
use std::time::Duration;

use super::lifecycle::{Shop, nothing_is_wrong};
use crate::harness::system;

const PATH: &str = "/api/v1/waitlist";

async fn join_list(shop: &Shop, more: &Value) -> String {
    let email = format!("w{}@example.com", uuid::Uuid::new_v4().simple());
    let mut body = json!({
        "service_id": shop.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
        "contact": { "first_name": "Wait", "last_name": "Ing", "email": email },
    });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    shop.tenant.staff.post(PATH, body).await.created()
}

async fn entry(shop: &Shop, id: &str) -> Value {
    shop.tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200)
}

#[tokio::test]
async fn freed_time_is_offered_to_the_first_it_suits_and_passed_on() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let later = join_list(&shop, &json!({ "from": "2031-05-05T12:00:00Z" })).await;
    let email = "first.in.line@example.com";
    let contact = json!({ "first_name": "First", "last_name": "Line", "email": email });
    let first = join_list(&shop, &json!({ "contact": contact })).await;
    let second = join_list(&shop, &json!({})).await;
    let third = join_list(&shop, &json!({ "provider_id": shop.provider })).await;
    shop.act(&id, "cancel", json!({})).await.expect(200);
    // Held for the first whom it suits, from the moment it was free.
    let offered = entry(&shop, &first).await;
    assert_eq!(
        (&offered["status"], &offered["offer"]["starts_at"]),
        (&json!("offered"), &json!("2031-05-05T09:00:00Z"))
    );
    assert_eq!(
        (entry(&shop, &later).await["status"].clone(), entry(&shop, &second).await["status"].clone()),
        (json!("waiting"), json!("waiting"))
    );
    assert!(system().mail_to(email).await.contains("2031-05-05 09:00"));
    shop.tenant
        .staff
        .post("/api/v1/appointments", shop.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    shop.tenant
        .staff
        .post(&format!("{PATH}/{second}/accept"), json!({}))
        .await
        .refused(409, "nothing_offered");
    // Declined: the next. Expired: the one after. Nobody gets in between.
    let declined = shop.tenant.staff.post(&format!("{PATH}/{first}/decline"), json!({})).await.expect(200);
    assert_eq!(declined["status"], "declined");
    assert_eq!(entry(&shop, &second).await["status"], "offered");
    let hold = shop.tenant.viewer.get("/api/v1/holds").await.expect(200)["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    shop.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.refused(404, "not_found");
    shop.expire(&hold).await;
    shop.tenant
        .staff
        .post("/api/v1/appointments", shop.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    for _ in 0..100 {
        if entry(&shop, &third).await["status"] == "offered" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(
        (entry(&shop, &second).await["status"].clone(), entry(&shop, &third).await["status"].clone()),
        (json!("expired"), json!("offered"))
    );
    let booked = shop.tenant.staff.post(&format!("{PATH}/{third}/accept"), json!({})).await.expect(201);
    let last = entry(&shop, &third).await;
    assert_eq!((&last["status"], &last["appointment_id"]), (&json!("booked"), &booked["id"]));
    assert_eq!(
        (&booked["starts_at"], &booked["contact_id"]),
        (&json!("2031-05-05T09:00:00Z"), &last["contact_id"])
    );
    shop.tenant
        .staff
        .post(&format!("{PATH}/{third}/decline"), json!({}))
        .await
        .refused(409, "nothing_offered");
    shop.tenant.staff.post(&format!("{PATH}/{third}/withdraw"), json!({})).await.refused(409, "not_waiting");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn where_nobody_waits_any_more_the_time_is_free() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let only = join_list(&shop, &json!({})).await;
    // Moving frees time as well, and so does giving a hold back.
    shop.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T11:00:00Z" })).await.expect(200);
    assert_eq!(entry(&shop, &only).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    let withdrawn = shop.tenant.staff.post(&format!("{PATH}/{only}/withdraw"), json!({})).await.expect(200);
    assert_eq!(withdrawn["status"], "withdrawn");
    let other = shop.tenant.contact().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["contact_id"] = json!(other);
    shop.tenant.staff.post("/api/v1/appointments", body).await.expect(201);
    let next = join_list(&shop, &json!({})).await;
    let hold = shop.hold("2031-05-05T13:00:00Z").await.created();
    shop.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    assert_eq!(entry(&shop, &next).await["offer"]["starts_at"], "2031-05-05T13:00:00Z");
    for (wrong, field, code) in [
        (json!({ "to": "2031-05-04T00:00:00Z" }), "to", "invalid_value"),
        (json!({ "to": "2033-05-04T00:00:00Z" }), "to", "period_too_long"),
        (json!({ "service_id": shop.contact }), "service_id", "not_found"),
        (json!({ "provider_id": shop.contact }), "provider_id", "not_found"),
        (json!({ "contact": Value::Null }), "contact", "invalid_type"),
    ] {
        let mut body = json!({
            "service_id": shop.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": { "first_name": "Wait", "last_name": "Ing" },
        });
        for (name, value) in wrong.as_object().expect("an object") {
            body[name] = value.clone();
        }
        shop.tenant.staff.post(PATH, body).await.invalid(field, code);
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cancellations_at_once_are_offered_to_two() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..5 {
        let day = format!("2031-06-{:02}", 2 + round);
        let (one, two) =
            (shop.book(&format!("{day}T09:00:00Z")).await, shop.book(&format!("{day}T10:00:00Z")).await);
        let period = json!({ "from": format!("{day}T00:00:00Z"), "to": format!("{day}T23:00:00Z") });
        let (first, second) = (join_list(&shop, &period).await, join_list(&shop, &period).await);
        let (a, b) = join(shop.act(&one, "cancel", json!({})), shop.act(&two, "cancel", json!({}))).await;
        assert_eq!((a.status, b.status), (200, 200));
        let offers = [
            entry(&shop, &first).await["offer"]["starts_at"].clone(),
            entry(&shop, &second).await["offer"]["starts_at"].clone(),
        ];
        assert!(offers.iter().all(Value::is_string) && offers[0] != offers[1], "{offers:?}");
        // Accepted and declined at once: one of the two.
        let (accepted, declined) = join(
            shop.tenant.staff.post(&format!("{PATH}/{first}/accept"), json!({})),
            shop.tenant.staff.post(&format!("{PATH}/{first}/decline"), json!({})),
        )
        .await;
        let won = usize::from(accepted.status == 201) + usize::from(declined.status == 200);
        assert_eq!(won, 1, "{accepted:?} {declined:?}");
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn what_could_not_be_booked_is_offered_to_nobody() {
    let shop = Shop::with(json!({ "max_per_day": 1 })).await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let waiting = join_list(&shop, &json!({})).await;
    // One a day: moved within the day it is that one.
    shop.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T13:00:00Z" })).await.expect(200);
    assert_eq!(entry(&shop, &waiting).await["status"], "waiting");
    shop.act(&id, "reschedule", json!({ "starts_at": "2031-05-06T13:00:00Z" })).await.expect(200);
    assert_eq!(entry(&shop, &waiting).await["offer"]["starts_at"], "2031-05-05T13:00:00Z");
    // At night, of somebody who is not booked any more.
    let body = json!({ "service_id": shop.service, "contact_id": shop.contact, "starts_at": "2031-05-07T03:00:00Z", "override_rules": true });
    let night = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let period = json!({ "from": "2031-05-07T00:00:00Z", "to": "2031-05-08T00:00:00Z" });
    let other = join_list(&shop, &period).await;
    shop.act(&night, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &other).await["status"], "waiting");
    nothing_is_wrong(&shop.tenant).await;
}
