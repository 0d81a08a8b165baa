//! The rules of services, over HTTP: what is listed can be booked, and what is not is refused with the reason listed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::Tenant;

const PATH: &str = "/api/v1/appointments";

/// A service with these rules beside those every service needs.
async fn service(tenant: &Tenant, rules: Value) -> String {
    let mut body = json!({ "name": "Service", "duration_minutes": 30, "slot_step_minutes": 30, "contact_may_overlap": true });
    for (name, value) in rules.as_object().expect("an object") {
        body[name] = value.clone();
    }
    tenant.service_with(body).await
}

async fn slots(tenant: &Tenant, service: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/services/{service}/slots?{query}");
    tenant.viewer.get(&path).await.expect(200)["items"].as_array().expect("items").clone()
}

fn starts(slots: &[Value]) -> Vec<&str> {
    let bookable = slots.iter().filter(|slot| slot["bookable"] == true);
    bookable.map(|slot| slot["starts_at"].as_str().expect("a start")).collect()
}

async fn book(tenant: &Tenant, service: &str, contact: &str, start: &str) -> crate::harness::Answer {
    let body = json!({ "service_id": service, "contact_id": contact, "starts_at": start });
    tenant.staff.post(PATH, body).await
}

/// Why a start is refused, as booking says it.
fn reason(answer: &crate::harness::Answer) -> String {
    answer.body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

/// The reasons listed for a start are those booking gives, and what is listed without can be booked. All of a day.
async fn agree(tenant: &Tenant, service: &str, contact: &str, day: &str, next: &str) {
    let listed = slots(tenant, service, &format!("from={day}&to={next}&include=unavailable")).await;
    assert!(!listed.is_empty());
    for slot in listed {
        let start = slot["starts_at"].as_str().expect("a start");
        let answer = book(tenant, service, contact, start).await;
        if slot["bookable"] == true {
            let id = answer.created();
            tenant.staff.post(&format!("{PATH}/{id}/cancel"), json!({})).await.expect(200);
        } else {
            let reasons = slot["reasons"].as_array().expect("reasons").clone();
            assert!(reasons.contains(&json!(reason(&answer))), "{slot}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn buffers_block_the_provider_add_up_and_are_shown_to_nobody() {
    let tenant = Tenant::new().await;
    let buffered = service(
        &tenant,
        json!({ "buffer_before_minutes": 15, "buffer_after_minutes": 15, "slot_step_minutes": 15 }),
    )
    .await;
    tenant.provider().await;
    let contact = tenant.contact().await;
    let booked = book(&tenant, &buffered, &contact, "2031-05-05T12:00:00Z").await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["ends_at"]),
        (&json!("2031-05-05T12:00:00Z"), &json!("2031-05-05T12:30:00Z"))
    );
    let listed = slots(&tenant, &buffered, "from=2031-05-05&to=2031-05-06&include=unavailable").await;
    let reasons = |start: &str| {
        let slot = listed.iter().find(|slot| slot["starts_at"] == start).expect("a slot");
        slot["reasons"].clone()
    };
    // Half an hour between two: after the one, before the other.
    assert_eq!(reasons("2031-05-05T12:45:00Z"), json!(["buffer"]));
    assert_eq!(reasons("2031-05-05T13:00:00Z"), Value::Null);
    assert_eq!(reasons("2031-05-05T11:00:00Z"), Value::Null);
    assert_eq!(reasons("2031-05-05T11:15:00Z"), json!(["buffer"]));
    assert_eq!(reasons("2031-05-05T12:00:00Z"), json!(["busy"]));
    // They stick out of working hours.
    assert!(
        starts(&listed).contains(&"2031-05-05T09:00:00Z")
            && starts(&listed).contains(&"2031-05-05T16:30:00Z")
    );
    agree(&tenant, &buffered, &contact, "2031-05-05", "2031-05-06").await;
    // A service without buffers fits where theirs leave room.
    let plain = service(&tenant, json!({ "slot_step_minutes": 15, "duration_minutes": 15 })).await;
    let refused = book(&tenant, &plain, &contact, "2031-05-05T12:30:00Z").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    book(&tenant, &plain, &contact, "2031-05-05T12:45:00Z").await.expect(201);
}

#[tokio::test]
async fn notice_horizon_and_dates_hold_when_listing_and_when_booking() {
    let tenant = Tenant::new().await;
    // Around the clock, so that the hour the test runs at does not matter.
    let week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let rules: Vec<_> =
        week.iter().map(|day| json!({ "weekday": day, "from": "00:00", "to": "24:00" })).collect();
    tenant.provider_with(json!({ "time_zone": "UTC", "rules": rules })).await;
    let contact = tenant.contact().await;
    let noticed =
        service(&tenant, json!({ "min_notice_minutes": 1440, "horizon_days": 3, "slot_step_minutes": 60 }))
            .await;
    let now = Utc::now();
    let date = |days: i64| (now + TimeDelta::days(days)).date_naive();
    let listed =
        slots(&tenant, &noticed, &format!("from={}&to={}&include=unavailable", date(0), date(6))).await;
    for slot in &listed {
        let start: DateTime<Utc> = slot["starts_at"].as_str().expect("a start").parse().expect("an instant");
        let expected = if start < now + TimeDelta::days(1) {
            json!(["too_soon"])
        } else if start.date_naive() > date(3) {
            json!(["too_far"])
        } else {
            Value::Null
        };
        // The clock goes on while this runs.
        if (start - now - TimeDelta::days(1)).abs() > TimeDelta::minutes(2) {
            assert_eq!(slot["reasons"], expected, "{slot}");
        }
    }
    let refused = |start: DateTime<Utc>| book_at(&tenant, &noticed, &contact, start);
    let hour = |hours: i64| {
        (now + TimeDelta::hours(hours)).date_naive().and_hms_opt(0, 0, 0).expect("a time").and_utc()
            + TimeDelta::hours(
                (now + TimeDelta::hours(hours)).format("%H").to_string().parse().expect("an hour"),
            )
    };
    assert_eq!(refused(hour(23)).await, (422, "too_soon".to_owned()));
    assert_eq!(refused(hour(26)).await.0, 201);
    assert_eq!(refused(hour(24 * 5)).await, (422, "too_far".to_owned()));
    let dated =
        service(&tenant, json!({ "bookable_from": "2031-05-06", "bookable_until": "2031-05-07" })).await;
    let all = slots(&tenant, &dated, "from=2031-05-05&to=2031-05-09").await;
    let days: std::collections::BTreeSet<_> =
        starts(&all).iter().map(|start| start[..10].to_owned()).collect();
    assert_eq!(Vec::from_iter(days), ["2031-05-06", "2031-05-07"]);
    agree(&tenant, &dated, &contact, "2031-05-05", "2031-05-06").await;
}

async fn book_at(tenant: &Tenant, service: &str, contact: &str, start: DateTime<Utc>) -> (u16, String) {
    let answer = book(tenant, service, contact, &start.to_rfc3339()).await;
    (answer.status, reason(&answer))
}

#[tokio::test]
async fn limits_count_days_and_weeks_in_the_zone_of_the_organization() {
    let tenant = Tenant::new().await;
    // Thirteen hours ahead of UTC in May.
    tenant
        .owner
        .patch("/api/v1/organizations/me", json!({ "time_zone": "Pacific/Tongatapu" }))
        .await
        .expect(200);
    let week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let rules: Vec<_> =
        week.iter().map(|day| json!({ "weekday": day, "from": "00:00", "to": "24:00" })).collect();
    let provider = tenant.provider_with(json!({ "time_zone": "UTC", "rules": rules })).await;
    let contact = tenant.contact().await;
    let limited =
        service(&tenant, json!({ "max_per_day": 2, "max_per_week": 3, "slot_step_minutes": 60 })).await;
    // The sixth of May begins there at 11:00 UTC of the fifth.
    for start in ["2031-05-05T11:00:00Z", "2031-05-06T10:00:00Z"] {
        book(&tenant, &limited, &contact, start).await.expect(201);
    }
    let refused = book(&tenant, &limited, &contact, "2031-05-05T20:00:00Z").await;
    refused.invalid("starts_at", "limit_reached");
    book(&tenant, &limited, &contact, "2031-05-05T10:00:00Z").await.expect(201);
    // Three in the week that begins on Monday the fifth, there.
    book(&tenant, &limited, &contact, "2031-05-08T10:00:00Z").await.invalid("starts_at", "limit_reached");
    book(&tenant, &limited, &contact, "2031-05-11T11:00:00Z").await.expect(201);
    agree(&tenant, &limited, &contact, "2031-05-05", "2031-05-06").await;
    // Of a provider, whatever the service.
    let any = service(&tenant, json!({ "slot_step_minutes": 60 })).await;
    tenant
        .admin
        .patch(&format!("/api/v1/providers/{provider}"), json!({ "max_per_day": 1 }))
        .await
        .expect(200);
    book(&tenant, &any, &contact, "2031-06-02T20:00:00Z").await.expect(201);
    book(&tenant, &any, &contact, "2031-06-02T21:00:00Z").await.invalid("starts_at", "limit_reached");
    tenant
        .admin
        .patch(&format!("/api/v1/providers/{provider}"), json!({ "max_per_day": null }))
        .await
        .expect(200);
    book(&tenant, &any, &contact, "2031-06-02T21:00:00Z").await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_book_at_once_as_many_succeed_as_the_limit_allows() {
    let tenant = Tenant::new().await;
    let limited = service(&tenant, json!({ "max_per_day": 2 })).await;
    for _ in 0..3 {
        tenant.provider().await;
    }
    let contact = tenant.contact().await;
    let starts: Vec<_> = (0..8).map(|n| format!("2031-05-05T{:02}:00:00Z", 9 + n)).collect();
    let all = starts.iter().map(|start| book(&tenant, &limited, &contact, start));
    let statuses: Vec<_> =
        futures_util::future::join_all(all).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 2, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 6, "{statuses:?}");
}

#[tokio::test]
async fn staff_override_rules_and_never_claims() {
    let tenant = Tenant::new().await;
    let strict = service(&tenant, json!({ "bookable_from": "2032-01-01", "requires_approval": true })).await;
    tenant.provider().await;
    let contact = tenant.contact().await;
    // At night, off the grid, before it is given.
    let body = json!({
        "service_id": strict, "contact_id": contact, "starts_at": "2031-05-05T03:07:00Z", "override_rules": true,
    });
    let booked = tenant.staff.post(PATH, body.clone()).await.expect(201);
    assert_eq!((&booked["overridden"], &booked["status"]), (&json!(true), &json!("confirmed")));
    let again = tenant.staff.post(PATH, body).await;
    assert_eq!(reason(&again), "busy");
    again.refused(409, "slot_unavailable");
}

#[tokio::test]
async fn who_gives_a_service_and_when_they_are_away() {
    let tenant = Tenant::new().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let contact = tenant.contact().await;
    let hers = service(&tenant, json!({ "provider_ids": [ada] })).await;
    let listed = slots(&tenant, &hers, "from=2031-05-05&to=2031-05-06").await;
    assert!(listed.iter().all(|slot| slot["provider_ids"] == json!([ada])));
    let body = json!({ "service_id": hers, "provider_id": bea, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z" });
    tenant.staff.post(PATH, body).await.invalid("provider_id", "not_eligible");
    let path = format!("/api/v1/services/{hers}");
    tenant
        .manager
        .patch(&path, json!({ "provider_ids": [contact] }))
        .await
        .invalid("provider_ids", "not_found");
    let kept = tenant.viewer.get(&path).await.expect(200);
    assert_eq!(kept["provider_ids"], json!([ada]));

    // Away from eleven to one, with an appointment in it that is kept.
    let kept = book(&tenant, &hers, &contact, "2031-05-05T11:30:00Z").await.created();
    let away = json!({ "starts_at": "2031-05-05T11:00:00Z", "ends_at": "2031-05-05T13:00:00Z" });
    let away_path = format!("/api/v1/providers/{ada}/time-off");
    let entered = tenant.staff.post(&away_path, away).await.expect(201);
    assert_eq!(entered["appointment_ids"], json!([kept]));
    let listed = slots(&tenant, &hers, "from=2031-05-05&to=2031-05-06&include=unavailable").await;
    let at_eleven = listed.iter().find(|slot| slot["starts_at"] == "2031-05-05T11:00:00Z").expect("a start");
    assert_eq!(at_eleven["reasons"], json!(["outside_hours"]));
    agree(&tenant, &hers, &contact, "2031-05-05", "2031-05-06").await;
    let id = entered["id"].as_str().expect("an id");
    tenant.staff.delete(&format!("/api/v1/time-off/{id}")).await.expect(204);
    assert!(
        starts(&slots(&tenant, &hers, "from=2031-05-05&to=2031-05-06").await)
            .contains(&"2031-05-05T11:00:00Z")
    );

    // Everybody is.
    let closed = json!({ "starts_on": "2031-05-06", "ends_on": "2031-05-07", "name": "Holiday" });
    let closure = tenant.manager.post("/api/v1/closures", closed).await.created();
    assert_eq!(slots(&tenant, &hers, "from=2031-05-06&to=2031-05-08").await, Vec::<Value>::new());
    book(&tenant, &hers, &contact, "2031-05-06T09:00:00Z").await.invalid("starts_at", "outside_hours");
    tenant.manager.delete(&format!("/api/v1/closures/{closure}")).await.expect(204);
    book(&tenant, &hers, &contact, "2031-05-06T09:00:00Z").await.expect(201);
    let reversed = json!({ "starts_on": "2031-05-08", "ends_on": "2031-05-07", "name": "Holiday" });
    tenant.manager.post("/api/v1/closures", reversed).await.invalid("ends_on", "invalid_value");
}

#[tokio::test]
async fn hours_have_seasons_and_travel() {
    let tenant = Tenant::new().await;
    let provider = tenant
        .provider_with(json!({
            "time_zone": "Europe/Berlin",
            "rules": [
                { "weekday": "monday", "from": "09:00", "to": "10:00", "valid_until": "2031-05-11" },
                { "weekday": "monday", "from": "14:00", "to": "15:00", "valid_from": "2031-05-12" },
            ],
            "travels": [{ "starts_on": "2031-05-19", "ends_on": "2031-05-25", "time_zone": "Asia/Tokyo" }],
        }))
        .await;
    let contact = tenant.contact().await;
    let any = service(&tenant, json!({ "slot_step_minutes": 60, "duration_minutes": 60 })).await;
    let listed = slots(&tenant, &any, "from=2031-05-05&to=2031-05-28&time_zone=Europe/Berlin").await;
    assert_eq!(
        starts(&listed),
        ["2031-05-05T07:00:00Z", "2031-05-12T12:00:00Z", "2031-05-19T05:00:00Z", "2031-05-26T12:00:00Z"]
    );
    assert_eq!(listed[0]["local_starts_at"], "2031-05-05T09:00:00+02:00");
    book(&tenant, &any, &contact, "2031-05-19T05:00:00Z").await.expect(201);
    let path = format!("/api/v1/providers/{provider}/schedule");
    for (wrong, field, code) in [
        (
            json!({ "travels": [{ "starts_on": "2031-05-02", "ends_on": "2031-05-01", "time_zone": "UTC" }] }),
            "travels[0].ends_on",
            "invalid_value",
        ),
        (
            json!({ "travels": [{ "starts_on": "2031-05-02", "ends_on": "2031-05-03", "time_zone": "Mars/Olympus" }] }),
            "travels[0].time_zone",
            "unknown_time_zone",
        ),
        (
            json!({ "travels": [
                { "starts_on": "2031-05-02", "ends_on": "2031-05-03", "time_zone": "UTC" },
                { "starts_on": "2031-05-03", "ends_on": "2031-05-04", "time_zone": "UTC" },
            ] }),
            "travels[1]",
            "overlapping",
        ),
        (
            json!({ "rules": [{ "weekday": "monday", "from": "09:00", "to": "10:00", "valid_from": "2031-05-02", "valid_until": "2031-05-01" }] }),
            "rules[0].valid_until",
            "invalid_value",
        ),
    ] {
        let mut body = json!({ "time_zone": "UTC", "rules": [] });
        for (name, value) in wrong.as_object().expect("an object") {
            body[name] = value.clone();
        }
        tenant.manager.put(&path, body).await.invalid(field, code);
    }
}

#[tokio::test]
async fn create_service_refuses_rules_that_do_not_go_together() {
    let tenant = Tenant::new().await;
    for (wrong, field, code) in [
        (json!({ "duration_minutes": 1440, "buffer_after_minutes": 1 }), "duration_minutes", "out_of_range"),
        (
            json!({ "bookable_from": "2031-05-02", "bookable_until": "2031-05-01" }),
            "bookable_until",
            "invalid_value",
        ),
        (json!({ "price_amount": 4500 }), "price_currency", "required"),
        (json!({ "price_amount": 4500, "price_currency": "euro" }), "price_currency", "invalid_value"),
        (json!({ "price_amount": 4500, "price_currency": "ZZZ" }), "price_currency", "invalid_value"),
        (json!({ "capacity": 0 }), "capacity", "out_of_range"),
        (json!({ "max_per_day": 0 }), "max_per_day", "out_of_range"),
        (json!({ "required_resources": [[]] }), "required_resources[0]", "too_short"),
        (
            json!({ "required_resources": [["019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10"]] }),
            "required_resources",
            "not_found",
        ),
    ] {
        let mut body = json!({ "name": "Service", "duration_minutes": 30 });
        for (name, value) in wrong.as_object().expect("an object") {
            body[name] = value.clone();
        }
        tenant.manager.post("/api/v1/services", body).await.invalid(field, code);
    }
    let id =
        service(&tenant, json!({ "max_per_day": 3, "price_amount": 100, "price_currency": "EUR" })).await;
    let path = format!("/api/v1/services/{id}");
    let changed = tenant
        .manager
        .patch(&path, json!({ "max_per_day": null, "buffer_after_minutes": 5 }))
        .await
        .expect(200);
    assert_eq!((changed.get("max_per_day"), &changed["buffer_after_minutes"]), (None, &json!(5)));
    assert_eq!((&changed["price_amount"], &changed["name"]), (&json!(100), &json!("Service")));
}
