//! The waitlist: its order, and what becomes of an offer.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::harness::{
    booking::{BookingFixture, expect_sound_bookings},
    merged, system,
    waiting::WAITLIST,
};

#[tokio::test]
async fn freed_time_is_offered_in_order_until_accepted() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let later = fixture.join_waitlist(&json!({ "from": "2031-05-05T12:00:00Z" })).await;
    let email = "first.in.line@example.com";
    let contact = json!({ "first_name": "First", "last_name": "Line", "email": email });
    let first = fixture.join_waitlist(&json!({ "contact": contact })).await;
    let second = fixture.join_waitlist(&json!({})).await;
    let third = fixture.join_waitlist(&json!({ "provider_id": fixture.provider })).await;
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    // Held for the first whom it suits, from the moment it was free.
    let offered = fixture.waitlist_entry(&first).await;
    assert_eq!(
        (&offered["status"], &offered["offer"]["starts_at"]),
        (&json!("offered"), &json!("2031-05-05T09:00:00Z"))
    );
    assert_eq!(
        (
            fixture.waitlist_entry(&later).await["status"].clone(),
            fixture.waitlist_entry(&second).await["status"].clone()
        ),
        (json!("waiting"), json!("waiting"))
    );
    let mail = system().mail_to(email).await;
    for said in ["Service with Ada, Monday 2031-05-05 09:00 (UTC)", "held for you until "] {
        assert!(mail.contains(said), "{said}: {mail}");
    }
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    fixture.answer_offer(&second, "accept").await.refused(409, "nothing_offered");
    // Declined, it goes to the next; expired, to the one after. It cannot be booked in between.
    let declined = fixture.answer_offer(&first, "decline").await.expect(200);
    assert_eq!(declined["status"], "declined");
    assert_eq!(fixture.waitlist_entry(&second).await["status"], "offered");
    let hold = fixture.tenant.viewer.get("/api/v1/holds").await.expect(200)["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    fixture.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.refused(404, "not_found");
    fixture.expire(&hold).await;
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    fixture.waitlist_entry_once(&third, "offered").await;
    assert_eq!(
        (
            fixture.waitlist_entry(&second).await["status"].clone(),
            fixture.waitlist_entry(&third).await["status"].clone()
        ),
        (json!("expired"), json!("offered"))
    );
    let booked = fixture.answer_offer(&third, "accept").await.expect(201);
    let last = fixture.waitlist_entry(&third).await;
    assert_eq!((&last["status"], &last["appointment_id"]), (&json!("booked"), &booked["id"]));
    assert_eq!(
        (&booked["starts_at"], &booked["contact_id"]),
        (&json!("2031-05-05T09:00:00Z"), &last["contact_id"])
    );
    fixture.answer_offer(&third, "decline").await.refused(409, "nothing_offered");
    fixture.answer_offer(&third, "withdraw").await.refused(409, "not_waiting");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn time_after_the_last_withdrawal_is_free() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let only = fixture.join_waitlist(&json!({})).await;
    // Moving frees time as well, and so does giving a hold back.
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T11:00:00Z" })).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&only).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    let withdrawn = fixture.answer_offer(&only, "withdraw").await.expect(200);
    assert_eq!(withdrawn["status"], "withdrawn");
    let other = fixture.tenant.contact().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["contact_id"] = json!(other);
    fixture.tenant.staff.post("/api/v1/appointments", body).await.expect(201);
    let next = fixture.join_waitlist(&json!({})).await;
    let hold = fixture.hold("2031-05-05T13:00:00Z").await.created();
    fixture.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    assert_eq!(fixture.waitlist_entry(&next).await["offer"]["starts_at"], "2031-05-05T13:00:00Z");
    for (wrong, field, code) in [
        (json!({ "to": "2031-05-04T00:00:00Z" }), "to", "invalid_value"),
        (json!({ "to": "2033-05-04T00:00:00Z" }), "to", "period_too_long"),
        (json!({ "service_id": fixture.contact }), "service_id", "not_found"),
        (json!({ "provider_id": fixture.contact }), "provider_id", "not_found"),
        (json!({ "contact": Value::Null }), "contact_id", "required"),
    ] {
        let body = merged(
            json!({
                "service_id": fixture.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
                "contact": { "first_name": "Wait", "last_name": "Ing" },
            }),
            &wrong,
        );
        fixture.tenant.staff.post(WAITLIST, body).await.invalid(field, code);
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cancellations_at_once_are_offered_to_two() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..5 {
        let day = format!("2031-06-{:02}", 2 + round);
        let (one, two) = (
            fixture.book(&format!("{day}T09:00:00Z")).await,
            fixture.book(&format!("{day}T10:00:00Z")).await,
        );
        let period = json!({ "from": format!("{day}T00:00:00Z"), "to": format!("{day}T23:00:00Z") });
        let (first, second) = (fixture.join_waitlist(&period).await, fixture.join_waitlist(&period).await);
        let (a, b) =
            join(fixture.act(&one, "cancel", json!({})), fixture.act(&two, "cancel", json!({}))).await;
        assert_eq!((a.status, b.status), (200, 200));
        let offers = [
            fixture.waitlist_entry(&first).await["offer"]["starts_at"].clone(),
            fixture.waitlist_entry(&second).await["offer"]["starts_at"].clone(),
        ];
        assert!(offers.iter().all(Value::is_string) && offers[0] != offers[1], "{offers:?}");
        // Accepted and declined at once: one of the two.
        let (accepted, declined) =
            join(fixture.answer_offer(&first, "accept"), fixture.answer_offer(&first, "decline")).await;
        let won = usize::from(accepted.status == 201) + usize::from(declined.status == 200);
        assert_eq!(won, 1, "{accepted:?} {declined:?}");
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn offer_of_a_deleted_contact_passes_to_the_next() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let (first, second) = (fixture.join_waitlist(&wish).await, fixture.join_waitlist(&wish).await);
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    let contact = fixture.waitlist_entry(&first).await["contact_id"].as_str().expect("an id").to_owned();
    assert_eq!(fixture.waitlist_entry(&first).await["status"], "offered");
    fixture.tenant.manager.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    assert_eq!(
        fixture.waitlist_entry_once(&second, "offered").await["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn queue_is_ordered_by_joining_and_not_by_ids() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let (first, second) = (fixture.join_waitlist(&wish).await, fixture.join_waitlist(&wish).await);
    // As if the clock of the server that took the first had been ahead.
    let superuser = system().superuser().await;
    let late = "ffffffff-ffff-7fff-bfff-ffffffffffff";
    let sql = format!("update scheduling.waitlist_entries set id = '{late}' where id = '{first}'");
    superuser.batch_execute(&sql).await.expect("another id");
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    let listed = fixture.tenant.viewer.get(WAITLIST).await.expect(200);
    let listed: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(listed, [json!(late), json!(second)]);
    assert_eq!(fixture.waitlist_entry(late).await["status"], "offered");
    assert_eq!(fixture.waitlist_entry(&second).await["status"], "waiting");
}

#[tokio::test]
async fn contact_waits_once_for_a_time_and_ten_times_at_most() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let wait = |from: &str, to: &str| {
        let body = json!({ "service_id": fixture.service, "from": from, "to": to });
        let customer = customer.clone();
        async move { customer.post("/api/v1/my/waitlist", body).await }
    };
    // In the evening nothing is free.
    wait("2031-05-05T19:00:00Z", "2031-05-05T22:00:00Z").await.expect(201);
    wait("2031-05-05T21:00:00Z", "2031-05-05T23:00:00Z").await.refused(409, "already_waiting");
    for day in 6..15 {
        let (from, to) = (format!("2031-05-{day:02}T19:00:00Z"), format!("2031-05-{day:02}T22:00:00Z"));
        wait(&from, &to).await.expect(201);
    }
    wait("2031-05-20T19:00:00Z", "2031-05-20T22:00:00Z").await.refused(409, "too_many_entries");
    // Those that ended do not count.
    let first = customer.get("/api/v1/my/waitlist").await.expect(200)["items"][0]["id"].clone();
    let path = format!("/api/v1/my/waitlist/{}/withdraw", first.as_str().expect("an id"));
    customer.post(&path, json!({})).await.expect(200);
    wait("2031-05-05T19:00:00Z", "2031-05-05T22:00:00Z").await.expect(201);
    // At once, too.
    let other = fixture.tenant.contact().await;
    let waits = (0..14).map(|hour| {
        let body = json!({
            "service_id": fixture.service, "contact_id": other,
            "from": format!("2031-06-02T{hour:02}:00:00Z"), "to": format!("2031-06-02T{hour:02}:30:00Z"),
            "override_rules": true,
        });
        fixture.tenant.staff.post("/api/v1/waitlist", body)
    });
    let answers = futures_util::future::join_all(waits).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 10, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn time_freed_while_an_entry_joins_is_offered_to_it() {
    let fixture = BookingFixture::new().await;
    for round in 0..20 {
        let day = format!("2031-06-{:02}", 1 + round);
        let taken = fixture.book(&format!("{day}T09:00:00Z")).await;
        let wish = json!({
            "service_id": fixture.service, "from": format!("{day}T09:00:00Z"), "to": format!("{day}T09:15:00Z"),
            "contact": { "first_name": "Wait", "last_name": "Ing" },
        });
        let (cancelled, joined) =
            join(fixture.act(&taken, "cancel", json!({})), fixture.tenant.staff.post(WAITLIST, wish)).await;
        cancelled.expect(200);
        if joined.status == 409 {
            joined.refused(409, "slots_available");
            continue;
        }
        let entry = joined.created();
        let offered = fixture.waitlist_entry_once(&entry, "offered").await;
        assert_eq!(offered["offer"]["starts_at"], json!(format!("{day}T09:00:00Z")));
    }
    expect_sound_bookings(&fixture.tenant).await;
}
