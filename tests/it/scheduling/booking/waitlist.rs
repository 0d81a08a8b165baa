use futures_util::future::join;
use serde_json::{Value, json};
use std::time::Duration;

use super::transitions::{Shop, nothing_is_wrong};
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
    let mail = system().mail_to(email).await;
    for said in ["2031-05-05 09:00 (UTC)", "until ", "with Ada"] {
        assert!(mail.contains(said), "{said}: {mail}");
    }
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
    nothing_is_wrong(&shop.tenant).await;
    // At night, when nothing can be booked.
    let shop = Shop::new().await;
    let body = json!({ "service_id": shop.service, "contact_id": shop.contact, "starts_at": "2031-05-07T03:00:00Z", "override_rules": true });
    let night = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let period = json!({ "from": "2031-05-07T00:00:00Z", "to": "2031-05-08T00:00:00Z" });
    let other = join_list(&shop, &period).await;
    shop.act(&night, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &other).await["status"], "waiting");
    nothing_is_wrong(&shop.tenant).await;
}

/// Waits until the entry has a status: what servers do every few seconds.
async fn eventually(shop: &Shop, id: &str, status: &str) -> Value {
    for _ in 0..100 {
        let found = entry(shop, id).await;
        if found["status"] == status {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{id} is not {status}: {}", entry(shop, id).await);
}

#[tokio::test]
async fn freed_time_first_in_line_busy_is_offered_to_the_next() {
    let shop = Shop::new().await;
    let second_provider = shop.tenant.provider().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(shop.provider);
    let taken = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    // The first in line has something else at the time, with the other provider.
    let busy = shop.tenant.contact().await;
    let mut body = shop.body("2031-05-05T09:15:00Z");
    (body["provider_id"], body["contact_id"]) = (json!(second_provider), json!(busy));
    let elsewhere = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let wish = json!({
        "provider_id": shop.provider, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
    });
    let mut first = wish.clone();
    (first["contact"], first["contact_id"]) = (Value::Null, json!(busy));
    first.as_object_mut().expect("an object").remove("contact");
    let mut body = json!({ "service_id": shop.service });
    for (name, value) in first.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let first = shop.tenant.staff.post(PATH, body).await.created();
    let second = join_list(&shop, &wish).await;
    shop.act(&taken, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &first).await["status"], "waiting");
    let offered = entry(&shop, &second).await;
    assert_eq!(offered["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    // Once they could come it is theirs, when it is free again.
    shop.act(&elsewhere, "cancel", json!({})).await.expect(200);
    shop.tenant.staff.post(&format!("{PATH}/{second}/decline"), json!({})).await.expect(200);
    assert_eq!(entry(&shop, &first).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    shop.tenant.staff.post(&format!("{PATH}/{first}/accept"), json!({})).await.expect(201);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn contact_that_becomes_free_is_offered_time_that_was_free() {
    let shop = Shop::new().await;
    let second_provider = shop.tenant.provider().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(second_provider);
    let elsewhere = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let waiting = json!({
        "service_id": shop.service, "contact_id": shop.contact, "provider_id": shop.provider,
        "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
    });
    let waiting = shop.tenant.staff.post(PATH, waiting).await.created();
    shop.act(&elsewhere, "cancel", json!({})).await.expect(200);
    let offered = entry(&shop, &waiting).await;
    assert_eq!(
        (&offered["offer"]["starts_at"], &offered["offer"]["provider_id"]),
        (&json!("2031-05-05T09:00:00Z"), &json!(shop.provider))
    );
}

#[tokio::test]
async fn start_within_freed_time_is_offered_though_nothing_started_then() {
    // An hour is freed; half an hour of another service is waited for, at its second half.
    let shop = Shop::with(json!({ "duration_minutes": 60, "slot_step_minutes": 30 })).await;
    let short = shop
        .tenant
        .service_with(json!({ "name": "Short", "duration_minutes": 30, "slot_step_minutes": 30 }))
        .await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let wish = json!({
        "service_id": short, "from": "2031-05-05T09:30:00Z", "to": "2031-05-05T10:00:00Z",
    });
    let second_half = join_list(&shop, &wish).await;
    let anytime = join_list(
        &shop,
        &json!({ "service_id": short, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T10:00:00Z" }),
    )
    .await;
    shop.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &second_half).await["offer"]["starts_at"], "2031-05-05T09:30:00Z");
    assert_eq!(entry(&shop, &anytime).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn visit_that_is_cancelled_is_offered() {
    let shop = Shop::new().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([shop.service]);
    let visit = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let wish = json!({ "from": "2031-05-05T09:30:00Z", "to": "2031-05-05T09:45:00Z" });
    let waiting = join_list(&shop, &wish).await;
    shop.act(&visit, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &waiting).await["offer"]["starts_at"], "2031-05-05T09:30:00Z");
}

#[tokio::test]
async fn hold_that_expires_is_offered_before_it_can_be_booked() {
    let shop = Shop::new().await;
    let hold = shop.hold("2031-05-05T09:00:00Z").await.created();
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let waiting = join_list(&shop, &wish).await;
    shop.expire(&hold).await;
    // The next who books meets an offer, whether or not a server has looked meanwhile.
    shop.tenant
        .staff
        .post("/api/v1/appointments", shop.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    let offered = eventually(&shop, &waiting, "offered").await;
    assert_eq!(offered["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn deleted_time_off_and_closures_and_new_hours_are_offered() {
    let shop = Shop::new().await;
    let away = json!({ "starts_at": "2031-05-05T00:00:00Z", "ends_at": "2031-05-06T00:00:00Z" });
    let away = shop
        .tenant
        .staff
        .post(&format!("/api/v1/providers/{}/time-off", shop.provider), away)
        .await
        .created();
    let closed = json!({ "starts_on": "2031-05-07", "ends_on": "2031-05-07", "name": "Closed" });
    let closed = shop.tenant.manager.post("/api/v1/closures", closed).await.created();
    let morning = |day: &str| json!({ "from": format!("{day}T09:00:00Z"), "to": format!("{day}T09:15:00Z") });
    let (one, two) =
        (join_list(&shop, &morning("2031-05-05")).await, join_list(&shop, &morning("2031-05-07")).await);
    let night = json!({ "from": "2031-05-08T20:00:00Z", "to": "2031-05-08T20:15:00Z" });
    let three = join_list(&shop, &night).await;
    shop.tenant.staff.delete(&format!("/api/v1/time-off/{away}")).await.expect(204);
    shop.tenant.manager.delete(&format!("/api/v1/closures/{closed}")).await.expect(204);
    assert_eq!(eventually(&shop, &one, "offered").await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    assert_eq!(eventually(&shop, &two, "offered").await["offer"]["starts_at"], "2031-05-07T09:00:00Z");
    assert_eq!(entry(&shop, &three).await["status"], "waiting");
    let hours = json!({
        "time_zone": "UTC", "rules": [{ "weekday": "thursday", "from": "20:00", "to": "21:00" }], "overrides": [],
    });
    let schedule = format!("/api/v1/providers/{}/schedule", shop.provider);
    shop.tenant.manager.put(&schedule, hours).await.expect(200);
    assert_eq!(eventually(&shop, &three, "offered").await["offer"]["starts_at"], "2031-05-08T20:00:00Z");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn raised_capacity_and_raised_limit_are_offered() {
    let shop = Shop::with(json!({ "capacity": 2, "contact_may_overlap": true })).await;
    for _ in 0..2 {
        shop.book("2031-05-05T09:00:00Z").await;
    }
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let waiting = join_list(&shop, &wish).await;
    let service = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&service, json!({ "capacity": 3 })).await.expect(200);
    assert_eq!(eventually(&shop, &waiting, "offered").await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    let accepted = shop.tenant.staff.post(&format!("{PATH}/{waiting}/accept"), json!({})).await.expect(201);
    assert_eq!(accepted["seat"], 3);

    let shop = Shop::with(json!({ "max_per_day": 1 })).await;
    shop.book("2031-05-05T09:00:00Z").await;
    let waiting =
        join_list(&shop, &json!({ "from": "2031-05-05T10:00:00Z", "to": "2031-05-05T10:15:00Z" })).await;
    let service = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&service, json!({ "max_per_day": 2 })).await.expect(200);
    assert_eq!(eventually(&shop, &waiting, "offered").await["offer"]["starts_at"], "2031-05-05T10:00:00Z");
}

#[tokio::test]
async fn cancellation_under_a_limit_is_offered_at_other_times_of_the_day() {
    let shop = Shop::with(json!({ "max_per_day": 1 })).await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let afternoon = json!({ "from": "2031-05-05T15:00:00Z", "to": "2031-05-05T15:15:00Z" });
    let next_day = json!({ "from": "2031-05-06T15:00:00Z", "to": "2031-05-06T15:15:00Z" });
    let (that_day, other_day) = (join_list(&shop, &afternoon).await, join_list(&shop, &next_day).await);
    shop.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(entry(&shop, &that_day).await["offer"]["starts_at"], "2031-05-05T15:00:00Z");
    // That day was free all along.
    assert_eq!(entry(&shop, &other_day).await["status"], "waiting");
}

#[tokio::test]
async fn contact_with_an_offer_is_deleted_and_the_next_is_offered() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let (first, second) = (join_list(&shop, &wish).await, join_list(&shop, &wish).await);
    shop.act(&id, "cancel", json!({})).await.expect(200);
    let contact = entry(&shop, &first).await["contact_id"].as_str().expect("an id").to_owned();
    assert_eq!(entry(&shop, &first).await["status"], "offered");
    shop.tenant.manager.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    assert_eq!(eventually(&shop, &second, "offered").await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn queue_is_ordered_by_joining_and_not_by_ids() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let (first, second) = (join_list(&shop, &wish).await, join_list(&shop, &wish).await);
    // As if the clock of the server that took the first had been ahead.
    let superuser = system().superuser().await;
    let late = "ffffffff-ffff-7fff-bfff-ffffffffffff";
    let sql = format!("update scheduling.waitlist_entries set id = '{late}' where id = '{first}'");
    superuser.batch_execute(&sql).await.expect("another id");
    shop.act(&id, "cancel", json!({})).await.expect(200);
    let listed = shop.tenant.viewer.get(PATH).await.expect(200);
    let listed: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(listed, [json!(late), json!(second)]);
    assert_eq!(entry(&shop, late).await["status"], "offered");
    assert_eq!(entry(&shop, &second).await["status"], "waiting");
}

#[tokio::test]
async fn more_entries_than_one_transaction_asks_are_asked_later() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    // All of them have something else then, and are skipped until one comes who has not.
    let other = shop.tenant.provider().await;
    let course = json!({ "name": "Course", "duration_minutes": 30, "capacity": 30 });
    let course = shop.tenant.service_with(course).await;
    for _ in 0..25 {
        let busy = shop.tenant.contact().await;
        let seat = json!({
            "service_id": course, "provider_id": other, "contact_id": busy, "starts_at": "2031-05-05T09:00:00Z",
        });
        shop.tenant.staff.post("/api/v1/appointments", seat).await.expect(201);
        let wish = json!({
            "service_id": shop.service, "contact_id": busy, "provider_id": shop.provider,
            "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        });
        shop.tenant.staff.post(PATH, wish).await.expect(201);
    }
    let last = join_list(
        &shop,
        &json!({ "provider_id": shop.provider, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" }),
    )
    .await;
    shop.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(eventually(&shop, &last, "offered").await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
}
