//! Rules of services: what is listed can be booked, and what is not is refused with the reason that is listed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{
    Tenant,
    booking::BookingFixture,
    rules::{book, bookable, expect_listing_and_booking_to_agree, reason, service_with_rules, slots},
    week,
};

#[tokio::test]
async fn buffers_block_the_provider_and_add_up() {
    let tenant = Tenant::new().await;
    let buffered = service_with_rules(
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
        bookable(&listed).contains(&"2031-05-05T09:00:00Z")
            && bookable(&listed).contains(&"2031-05-05T16:30:00Z")
    );
    expect_listing_and_booking_to_agree(&tenant, &buffered, &contact, "2031-05-05", "2031-05-06").await;
    // A service without buffers fits where theirs leave room.
    let plain = service_with_rules(&tenant, json!({ "slot_step_minutes": 15, "duration_minutes": 15 })).await;
    let refused = book(&tenant, &plain, &contact, "2031-05-05T12:30:00Z").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    book(&tenant, &plain, &contact, "2031-05-05T12:45:00Z").await.expect(201);
}

#[tokio::test]
async fn notice_horizon_and_dates_limit_listing_and_booking() {
    let tenant = Tenant::new().await;
    // Around the clock, so that the hour the test runs at does not matter.
    tenant.provider_with(json!({ "time_zone": "UTC", "rules": week("00:00", "24:00") })).await;
    let contact = tenant.contact().await;
    let noticed = service_with_rules(
        &tenant,
        json!({ "min_notice_minutes": 1440, "horizon_days": 3, "slot_step_minutes": 60 }),
    )
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
        service_with_rules(&tenant, json!({ "bookable_from": "2031-05-06", "bookable_until": "2031-05-07" }))
            .await;
    let all = slots(&tenant, &dated, "from=2031-05-05&to=2031-05-09").await;
    let days: std::collections::BTreeSet<_> =
        bookable(&all).iter().map(|start| start[..10].to_owned()).collect();
    assert_eq!(Vec::from_iter(days), ["2031-05-06", "2031-05-07"]);
    expect_listing_and_booking_to_agree(&tenant, &dated, &contact, "2031-05-05", "2031-05-06").await;
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
    let provider = tenant.provider_with(json!({ "time_zone": "UTC", "rules": week("00:00", "24:00") })).await;
    let contact = tenant.contact().await;
    let limited =
        service_with_rules(&tenant, json!({ "max_per_day": 2, "max_per_week": 3, "slot_step_minutes": 60 }))
            .await;
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
    expect_listing_and_booking_to_agree(&tenant, &limited, &contact, "2031-05-05", "2031-05-06").await;
    // The limit of a provider counts all services.
    let any = service_with_rules(&tenant, json!({ "slot_step_minutes": 60 })).await;
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
async fn bookings_at_once_get_as_many_as_the_limit_allows() {
    let tenant = Tenant::new().await;
    let limited = service_with_rules(&tenant, json!({ "max_per_day": 2 })).await;
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
async fn service_without_a_horizon_is_booked_a_year_ahead() {
    let fixture = BookingFixture::new().await;
    let plain = json!({ "name": "Plain", "duration_minutes": 30 });
    let plain = fixture.tenant.manager.post("/api/v1/services", plain).await.expect(201);
    assert_eq!(plain["horizon_days"], 365);
    let start = |days: i64| {
        let date = (Utc::now() + TimeDelta::days(days)).date_naive();
        let mut body = fixture.body(&format!("{date}T09:00:00Z"));
        body["service_id"] = plain["id"].clone();
        body
    };
    let book = async |days: i64| fixture.tenant.staff.post("/api/v1/appointments", start(days)).await;
    book(364).await.expect(201);
    book(367).await.invalid("starts_at", "too_far");
    let path = format!("/api/v1/services/{}", plain["id"].as_str().expect("an id"));
    let unlimited = fixture.tenant.manager.patch(&path, json!({ "horizon_days": null })).await.expect(200);
    assert_eq!(unlimited.get("horizon_days"), None);
    book(3658).await.expect(201);
    book(3662).await.invalid("starts_at", "too_far");
    let mut anyway = start(3662);
    anyway["override_rules"] = json!(true);
    fixture.tenant.staff.post("/api/v1/appointments", anyway).await.expect(201);
}
