//! Everything that frees time is offered to those whose wishes it now meets.

use serde_json::{Value, json};

use crate::harness::{
    address,
    booking::{BookingFixture, expect_sound_bookings},
    eventually, merged,
    shared_person::{SharedPerson, link},
    system,
    waiting::WAITLIST,
};

#[tokio::test]
async fn time_that_cannot_be_booked_is_not_offered() {
    let fixture = BookingFixture::with(json!({ "max_per_day": 1 })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let waiting = fixture.join_waitlist(&json!({})).await;
    // One a day: moved within the day it is that one.
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T13:00:00Z" })).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&waiting).await["status"], "waiting");
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-06T13:00:00Z" })).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&waiting).await["offer"]["starts_at"], "2031-05-05T13:00:00Z");
    expect_sound_bookings(&fixture.tenant).await;
    // At night, when nothing can be booked.
    let fixture = BookingFixture::new().await;
    let body = json!({ "service_id": fixture.service, "contact_id": fixture.contact, "starts_at": "2031-05-07T03:00:00Z", "override_rules": true });
    let night = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    let period = json!({ "from": "2031-05-07T00:00:00Z", "to": "2031-05-08T00:00:00Z" });
    let other = fixture.join_waitlist(&period).await;
    fixture.act(&night, "cancel", json!({})).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&other).await["status"], "waiting");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn freed_time_is_offered_to_the_first_contact_that_is_free() {
    let fixture = BookingFixture::new().await;
    let second_provider = fixture.tenant.provider().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(fixture.provider);
    let taken = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    // The first in line has something else at the time, with the other provider.
    let busy = fixture.tenant.contact().await;
    let mut body = fixture.body("2031-05-05T09:15:00Z");
    (body["provider_id"], body["contact_id"]) = (json!(second_provider), json!(busy));
    let elsewhere = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    let wish = json!({
        "provider_id": fixture.provider, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
    });
    let mut first = wish.clone();
    (first["contact"], first["contact_id"]) = (Value::Null, json!(busy));
    first.as_object_mut().expect("an object").remove("contact");
    let body = merged(json!({ "service_id": fixture.service, "override_rules": true }), &first);
    let first = fixture.tenant.staff.post(WAITLIST, body).await.created();
    let second = fixture.join_waitlist(&wish).await;
    fixture.act(&taken, "cancel", json!({})).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&first).await["status"], "waiting");
    let offered = fixture.waitlist_entry(&second).await;
    assert_eq!(offered["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    // Once they could come it is theirs, when it is free again.
    fixture.act(&elsewhere, "cancel", json!({})).await.expect(200);
    fixture.answer_offer(&second, "decline").await.expect(200);
    assert_eq!(fixture.waitlist_entry(&first).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    fixture.answer_offer(&first, "accept").await.expect(201);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn contact_that_becomes_free_is_offered_time_that_was_free() {
    let fixture = BookingFixture::new().await;
    let second_provider = fixture.tenant.provider().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(second_provider);
    let elsewhere = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    let waiting = json!({
        "service_id": fixture.service, "contact_id": fixture.contact, "provider_id": fixture.provider,
        "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z", "override_rules": true,
    });
    let waiting = fixture.tenant.staff.post(WAITLIST, waiting).await.created();
    fixture.act(&elsewhere, "cancel", json!({})).await.expect(200);
    let offered = fixture.waitlist_entry(&waiting).await;
    assert_eq!(
        (&offered["offer"]["starts_at"], &offered["offer"]["provider_id"]),
        (&json!("2031-05-05T09:00:00Z"), &json!(fixture.provider))
    );
}

#[tokio::test]
async fn start_within_freed_time_is_offered() {
    // An hour is freed; half an hour of another service is waited for, at its second half.
    let fixture = BookingFixture::with(json!({ "duration_minutes": 60, "slot_step_minutes": 30 })).await;
    let short = fixture
        .tenant
        .service_with(json!({ "name": "Short", "duration_minutes": 30, "slot_step_minutes": 30 }))
        .await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let wish = json!({
        "service_id": short, "from": "2031-05-05T09:30:00Z", "to": "2031-05-05T10:00:00Z",
    });
    let second_half = fixture.join_waitlist(&wish).await;
    let anytime = fixture
        .join_waitlist(
            &json!({ "service_id": short, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T10:00:00Z" }),
        )
        .await;
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&second_half).await["offer"]["starts_at"], "2031-05-05T09:30:00Z");
    assert_eq!(fixture.waitlist_entry(&anytime).await["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn time_of_a_cancelled_visit_is_offered() {
    let fixture = BookingFixture::new().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([fixture.service]);
    let visit = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    let wish = json!({ "from": "2031-05-05T09:30:00Z", "to": "2031-05-05T09:45:00Z" });
    let waiting = fixture.join_waitlist(&wish).await;
    fixture.act(&visit, "cancel", json!({})).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&waiting).await["offer"]["starts_at"], "2031-05-05T09:30:00Z");
}

#[tokio::test]
async fn time_of_an_expired_hold_is_offered_before_it_can_be_booked() {
    let fixture = BookingFixture::new().await;
    let hold = fixture.hold("2031-05-05T09:00:00Z").await.created();
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let waiting = fixture.join_waitlist(&wish).await;
    fixture.expire(&hold).await;
    // The next who books meets an offer, whether or not a server has looked meanwhile.
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    let offered = fixture.waitlist_entry_once(&waiting, "offered").await;
    assert_eq!(offered["offer"]["starts_at"], "2031-05-05T09:00:00Z");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn time_of_deleted_absences_and_new_hours_is_offered() {
    let fixture = BookingFixture::new().await;
    let away = json!({ "starts_at": "2031-05-05T00:00:00Z", "ends_at": "2031-05-06T00:00:00Z" });
    let away = fixture
        .tenant
        .staff
        .post(&format!("/api/v1/providers/{}/time-off", fixture.provider), away)
        .await
        .created();
    let closed = json!({ "starts_on": "2031-05-07", "ends_on": "2031-05-07", "name": "Closed" });
    let closed = fixture.tenant.manager.post("/api/v1/closures", closed).await.created();
    let morning = |day: &str| json!({ "from": format!("{day}T09:00:00Z"), "to": format!("{day}T09:15:00Z") });
    let (one, two) = (
        fixture.join_waitlist(&morning("2031-05-05")).await,
        fixture.join_waitlist(&morning("2031-05-07")).await,
    );
    let night = json!({ "from": "2031-05-08T20:00:00Z", "to": "2031-05-08T20:15:00Z" });
    let three = fixture.join_waitlist(&night).await;
    fixture.tenant.staff.delete(&format!("/api/v1/time-off/{away}")).await.expect(204);
    fixture.tenant.manager.delete(&format!("/api/v1/closures/{closed}")).await.expect(204);
    assert_eq!(
        fixture.waitlist_entry_once(&one, "offered").await["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    assert_eq!(
        fixture.waitlist_entry_once(&two, "offered").await["offer"]["starts_at"],
        "2031-05-07T09:00:00Z"
    );
    assert_eq!(fixture.waitlist_entry(&three).await["status"], "waiting");
    let hours = json!({
        "time_zone": "UTC", "rules": [{ "weekday": "thursday", "from": "20:00", "to": "21:00" }], "overrides": [],
    });
    let schedule = format!("/api/v1/providers/{}/schedule", fixture.provider);
    fixture.tenant.manager.put(&schedule, hours).await.expect(200);
    assert_eq!(
        fixture.waitlist_entry_once(&three, "offered").await["offer"]["starts_at"],
        "2031-05-08T20:00:00Z"
    );
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn time_of_raised_capacity_and_limit_is_offered() {
    let fixture = BookingFixture::with(json!({ "capacity": 2, "contact_may_overlap": true })).await;
    for _ in 0..2 {
        fixture.seat("2031-05-05T09:00:00Z").await.created();
    }
    let wish = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let waiting = fixture.join_waitlist(&wish).await;
    let service = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&service, json!({ "capacity": 3 })).await.expect(200);
    assert_eq!(
        fixture.waitlist_entry_once(&waiting, "offered").await["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    let accepted = fixture.answer_offer(&waiting, "accept").await.expect(201);
    assert_eq!(accepted["seat"], 3);

    let fixture = BookingFixture::with(json!({ "max_per_day": 1 })).await;
    fixture.book("2031-05-05T09:00:00Z").await;
    let waiting =
        fixture.join_waitlist(&json!({ "from": "2031-05-05T10:00:00Z", "to": "2031-05-05T10:15:00Z" })).await;
    let service = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&service, json!({ "max_per_day": 2 })).await.expect(200);
    assert_eq!(
        fixture.waitlist_entry_once(&waiting, "offered").await["offer"]["starts_at"],
        "2031-05-05T10:00:00Z"
    );
}

#[tokio::test]
async fn cancellation_under_a_limit_is_offered_at_other_times_of_the_day() {
    let fixture = BookingFixture::with(json!({ "max_per_day": 1 })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let afternoon = json!({ "from": "2031-05-05T15:00:00Z", "to": "2031-05-05T15:15:00Z" });
    let next_day = json!({ "from": "2031-05-06T15:00:00Z", "to": "2031-05-06T15:15:00Z" });
    let (that_day, other_day) =
        (fixture.join_waitlist(&afternoon).await, fixture.join_waitlist(&next_day).await);
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(fixture.waitlist_entry(&that_day).await["offer"]["starts_at"], "2031-05-05T15:00:00Z");
    // That day was free all along.
    assert_eq!(fixture.waitlist_entry(&other_day).await["status"], "waiting");
}

#[tokio::test]
async fn entries_beyond_one_transaction_are_offered_later() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    // All of them have something else then, and are skipped until one comes who has not.
    let other = fixture.tenant.provider().await;
    let course = json!({ "name": "Course", "duration_minutes": 30, "capacity": 30 });
    let course = fixture.tenant.service_with(course).await;
    for _ in 0..25 {
        let busy = fixture.tenant.contact().await;
        let seat = json!({
            "service_id": course, "provider_id": other, "contact_id": busy, "starts_at": "2031-05-05T09:00:00Z",
        });
        fixture.tenant.staff.post("/api/v1/appointments", seat).await.expect(201);
        let wish = json!({
            "service_id": fixture.service, "contact_id": busy, "provider_id": fixture.provider,
            "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        });
        fixture.tenant.staff.post(WAITLIST, wish).await.expect(201);
    }
    let last = fixture.join_waitlist(&json!({ "provider_id": fixture.provider, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" }),
    )
    .await;
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(
        fixture.waitlist_entry_once(&last, "offered").await["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
}

#[tokio::test]
async fn limit_that_is_no_longer_reached_is_offered_all_week() {
    // The fifth of May 2031 is a Monday.
    let (monday, thursday) = ("2031-05-05T06:00:00Z", ("2031-05-08T00:00:00Z", "2031-05-09T00:00:00Z"));
    let evening = ("2031-05-05T22:00:00Z", "2031-05-06T00:00:00Z");
    let rules = ["monday", "thursday"].map(|day| json!({ "weekday": day, "from": "00:00", "to": "24:00" }));
    let all_day = json!({ "time_zone": "UTC", "rules": rules, "overrides": [] });
    for (of_service, limit, (from, to)) in [
        (true, "max_per_week", thursday),
        (false, "max_per_week", thursday),
        (true, "max_per_day", evening),
        (false, "max_per_day", evening),
    ] {
        let rules = if of_service { json!({ limit: 1 }) } else { json!({}) };
        let fixture = BookingFixture::with(rules).await;
        let provider = format!("/api/v1/providers/{}", fixture.provider);
        fixture.tenant.manager.put(&format!("{provider}/schedule"), all_day.clone()).await.expect(200);
        if !of_service {
            fixture.tenant.admin.patch(&provider, json!({ limit: 1 })).await.expect(200);
        }
        let taken = fixture.book(monday).await;
        let mut wish = json!({ "service_id": fixture.service, "from": from, "to": to });
        wish["contact"] = json!({ "first_name": "Wait", "last_name": "Ing" });
        let entry = fixture.tenant.staff.post(WAITLIST, wish).await.created();
        fixture.act(&taken, "cancel", json!({})).await.expect(200);
        let offered = fixture.waitlist_entry_once(&entry, "offered").await;
        assert_eq!(offered["offer"]["starts_at"], from, "{limit}");
        expect_sound_bookings(&fixture.tenant).await;
    }
}

#[tokio::test]
async fn time_of_a_person_freed_by_another_organization_is_offered() {
    let SharedPerson { one, two, person } = SharedPerson::new().await;
    let wait = async |start: &str, end: &str| {
        let wish = json!({
            "service_id": two.service, "from": start, "to": end, "contact": { "first_name": "Wait", "last_name": "Ing" },
        });
        two.tenant.staff.post(WAITLIST, wish).await.created()
    };
    let (nine, ten, half) = ("2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z", "2031-05-05T10:15:00Z");
    let taken = one.book(nine).await;
    one.book(ten).await;
    let (first, second) = (wait(nine, "2031-05-05T09:15:00Z").await, wait(ten, half).await);
    one.act(&taken, "cancel", json!({})).await.expect(200);
    assert_eq!(two.waitlist_entry_once(&first, "offered").await["offer"]["starts_at"], nine);
    assert_eq!(two.waitlist_entry(&second).await["status"], "waiting");
    // Their appointments there take no time of the person any more.
    person.delete(&link(&one)).await.expect(204);
    assert_eq!(two.waitlist_entry_once(&second, "offered").await["offer"]["starts_at"], ten);
    expect_sound_bookings(&two.tenant).await;
}

/// The constraint `shared_claims_no_overlap` decides who offers it: the hold of the second offer is refused. None is
/// lost: freed time is noted for the other organization in the transaction that frees it, and an entry looks again once
/// it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_of_a_person_freed_while_both_organizations_wait_for_it_is_offered_once() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
    let deadlocks = system().deadlocks().await;
    for day in 5..15 {
        let start = format!("2031-05-{day:02}T09:00:00Z");
        let taken = one.book(&start).await;
        let join = async |fixture: &BookingFixture| {
            let wish = json!({
                "service_id": fixture.service, "from": start, "to": start.replace("09:00", "09:15"),
                "contact": { "first_name": "Wait", "last_name": "Ing", "email": address() },
            });
            fixture.tenant.staff.post(WAITLIST, wish).await
        };
        // One waits already on every second day; the others join while the time is freed.
        let early = if day % 2 == 0 { Some(join(&two).await) } else { None };
        let (cancelled, mine, theirs, ()) =
            tokio::join!(one.act(&taken, "cancel", json!({})), join(&one), join(&two), system().sweep());
        cancelled.expect(200);
        let mut waiting = Vec::new();
        for (fixture, joined) in [(&two, early), (&one, Some(mine)), (&two, Some(theirs))] {
            match joined {
                // Free at that moment, so nothing is to be waited for.
                Some(joined) if joined.status == 409 => joined.refused(409, "slots_available"),
                Some(joined) => {
                    waiting.push((fixture, joined.created()));
                    json!({})
                }
                None => json!({}),
            };
        }
        if waiting.is_empty() {
            continue;
        }
        eventually(async || {
            system().sweep().await;
            let mut offered = 0;
            for (fixture, entry) in &waiting {
                offered += usize::from(fixture.waitlist_entry(entry).await["status"] == "offered");
            }
            assert!(offered < 2, "both organizations offer {start}");
            (offered == 1).then_some(())
        })
        .await;
    }
    assert_eq!(system().deadlocks().await, deadlocks);
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test]
async fn time_that_another_time_zone_of_the_organization_opens_is_offered() {
    let fixture = BookingFixture::new().await;
    let closed = json!({ "starts_on": "2031-05-05", "ends_on": "2031-05-05", "name": "Closed" });
    fixture.tenant.manager.post("/api/v1/closures", closed).await.created();
    let wish = json!({
        "service_id": fixture.service, "from": "2031-05-05T14:00:00Z", "to": "2031-05-05T14:15:00Z",
        "contact": { "first_name": "Wait", "last_name": "Ing" },
    });
    let entry = fixture.tenant.staff.post(WAITLIST, wish).await.created();
    // The day is over there by then.
    let zone = json!({ "time_zone": "Pacific/Auckland" });
    fixture.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let offered = fixture.waitlist_entry_once(&entry, "offered").await;
    assert_eq!(offered["offer"]["starts_at"], "2031-05-05T14:00:00Z");
}
