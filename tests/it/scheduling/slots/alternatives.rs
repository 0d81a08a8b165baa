//! A start that is taken is refused with the nearest ones that can be booked.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::booking::{APPOINTMENTS, BookingFixture, ThreadsTaken, expect_sound_bookings};

#[tokio::test]
async fn taken_start_is_refused_with_alternatives() {
    let fixture = BookingFixture::new().await;
    fixture.book("2031-05-05T09:00:00Z").await;
    let other = fixture.tenant.contact().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["contact_id"] = json!(other);
    let problem =
        fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "slot_unavailable");
    assert_eq!(problem["errors"][0]["code"], "busy");
    let alternatives = problem["alternatives"].as_array().expect("others").clone();
    assert_eq!(alternatives.len(), 3);
    assert_eq!(alternatives[0]["starts_at"], "2031-05-05T09:30:00Z");
    for alternative in &alternatives {
        body["starts_at"] = alternative["starts_at"].clone();
        let id = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
        fixture.act(&id, "cancel", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn alternatives_for_a_contact_can_be_booked_by_it() {
    let fixture = BookingFixture::new().await;
    let second = fixture.tenant.provider().await;
    let mut body = fixture.body("2031-05-05T09:30:00Z");
    body["provider_id"] = json!(second);
    fixture.tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    let other = fixture.tenant.contact().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    (body["provider_id"], body["contact_id"]) = (json!(fixture.provider), json!(other));
    fixture.tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    // The first provider is taken at 09:00; at 09:15 to 09:45 the contact is with the second.
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(fixture.provider);
    let taken = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "slot_unavailable");
    body["starts_at"] = json!("2031-05-05T09:45:00Z");
    let busy = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "contact_busy");
    assert_eq!(busy["errors"][0]["code"], "contact_busy");
    for (problem, nearest) in [(taken, "2031-05-05T10:00:00Z"), (busy, "2031-05-05T10:00:00Z")] {
        let alternatives = problem["alternatives"].as_array().expect("others").clone();
        assert_eq!(alternatives[0]["starts_at"], nearest, "{problem}");
        for alternative in alternatives {
            body["starts_at"] = alternative["starts_at"].clone();
            let id = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
            fixture.act(&id, "cancel", json!({})).await.expect(200);
        }
    }
    let path = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T10:15:00Z&provider_id={}",
        fixture.service, fixture.provider
    );
    let starts = async |more: &str| -> Vec<Value> {
        let listed = fixture.tenant.viewer.get(&format!("{path}{more}")).await.expect(200);
        listed["items"].as_array().expect("items").iter().map(|slot| slot["starts_at"].clone()).collect()
    };
    let at = |times: &[&str]| -> Vec<Value> {
        times.iter().map(|time| json!(format!("2031-05-05T{time}:00Z"))).collect()
    };
    assert_eq!(starts("").await, at(&["09:30", "09:45", "10:00"]));
    assert_eq!(starts(&format!("&contact_id={}", fixture.contact)).await, at(&["10:00"]));
    let listed = fixture
        .tenant
        .viewer
        .get(&format!("{path}&contact_id={}&include=unavailable", fixture.contact))
        .await
        .expect(200);
    let reasons: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|slot| slot["reasons"].clone()).collect();
    assert_eq!(
        reasons,
        [json!(["busy"]), json!(["busy"]), json!(["contact_busy"]), json!(["contact_busy"]), Value::Null]
    );
    fixture
        .tenant
        .viewer
        .get(&format!("{path}&contact_id={}", fixture.service))
        .await
        .invalid("contact_id", "not_found");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn start_against_the_rules_is_told_which_and_comes_with_others() {
    let fixture =
        BookingFixture::with(json!({ "min_notice_minutes": 60, "bookable_until": "2031-05-09" })).await;
    let moved = fixture.book("2031-05-05T16:00:00Z").await;
    let soon = (Utc::now() + TimeDelta::minutes(30)).to_rfc3339();
    for (start, code, detail) in [
        ("2020-05-05T09:00:00Z", "too_soon", "The start is in the past."),
        (&*soon, "too_soon", "The service has to be booked earlier before its start (min_notice_minutes)."),
        (
            "2031-05-05T08:00:00Z",
            "outside_hours",
            "The service does not fit into working hours at this time.",
        ),
        (
            "2031-05-05T09:10:00Z",
            "off_grid",
            "The service does not start at this time; GET …/services/{service_id}/slots lists the starts.",
        ),
        (
            "2031-05-10T09:00:00Z",
            "too_far",
            "The service cannot be booked that far ahead, or is not offered on this date.",
        ),
    ] {
        let answers = [
            fixture.tenant.staff.post(APPOINTMENTS, fixture.body(start)).await,
            fixture.hold(start).await,
            fixture.act(&moved, "reschedule", json!({ "starts_at": start })).await,
        ];
        for answer in answers {
            let problem = answer.refused(422, "invalid");
            assert_eq!(problem["detail"], format!("starts_at: {detail}"), "{start}");
            assert_eq!(
                (&problem["errors"][0]["code"], &problem["errors"][0]["detail"]),
                (&json!(code), &json!(detail))
            );
            if start.starts_with("2031-05-05") {
                let others = problem["alternatives"].as_array().expect("others").clone();
                assert_eq!(others.len(), 3, "{start}: {problem}");
                assert!(
                    others.iter().any(|other| other["starts_at"] == "2031-05-05T09:00:00Z"),
                    "{start}: {problem}"
                );
            }
        }
    }
    let mut body = fixture.body("2031-05-05T09:10:00Z");
    body["contact_id"] = json!(fixture.tenant.contact().await);
    let problem = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(422, "invalid");
    for alternative in problem["alternatives"].as_array().expect("others") {
        body["starts_at"] = alternative["starts_at"].clone();
        let id = fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
        fixture.act(&id, "cancel", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn busy_contact_is_told_others_by_every_door() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let second = tenant.provider().await;
    let of = |provider: &str, start: &str| {
        let mut body = fixture.own_body(start);
        body["provider_id"] = json!(provider);
        body
    };
    let customer = fixture.customer().await;
    // The hold and the offer come first: they are for a contact that is not busy yet.
    let hold =
        tenant.staff.post("/api/v1/holds", of(&fixture.provider, "2031-05-05T09:00:00Z")).await.created();
    let own =
        customer.post("/api/v1/my/holds", of(&fixture.provider, "2031-05-05T10:00:00Z")).await.created();
    let taken =
        tenant.staff.post("/api/v1/holds", of(&fixture.provider, "2031-05-05T11:00:00Z")).await.created();
    let wish = json!({
        "service_id": fixture.service, "provider_id": fixture.provider, "contact_id": fixture.contact,
        "from": "2031-05-05T11:00:00Z", "to": "2031-05-05T11:15:00Z", "override_rules": true,
    });
    let entry = tenant.staff.post("/api/v1/waitlist", wish).await.created();
    tenant.staff.delete(&format!("/api/v1/holds/{taken}")).await.expect(204);
    for start in ["09:15", "10:15", "11:15", "12:00"] {
        let mut body = of(&second, &format!("2031-05-05T{start}:00Z"));
        body["contact_id"] = json!(fixture.contact);
        tenant.staff.post(APPOINTMENTS, body).await.expect(201);
    }
    let contact = json!({ "contact_id": fixture.contact });
    let mut series = of(&fixture.provider, "2031-05-05T12:00:00Z");
    series["contact_id"] = json!(fixture.contact);
    (series["frequency"], series["count"]) = (json!("weekly"), json!(2));
    for answer in [
        tenant.staff.post(&format!("/api/v1/holds/{hold}/confirm"), contact).await,
        customer.post(&format!("/api/v1/my/holds/{own}/confirm"), json!({})).await,
        tenant.staff.post(&format!("/api/v1/waitlist/{entry}/accept"), json!({})).await,
        customer.post(&format!("/api/v1/my/waitlist/{entry}/accept"), json!({})).await,
        tenant.staff.post("/api/v1/appointment-series", series).await,
    ] {
        let problem = answer.refused(409, "contact_busy");
        assert_eq!(problem["errors"][0]["code"], "contact_busy", "{problem}");
        let alternatives = problem["alternatives"].as_array().expect("others").clone();
        assert_eq!(alternatives.len(), 3, "{problem}");
        for alternative in alternatives {
            let mut body = of(
                alternative["provider_ids"][0].as_str().expect("an id"),
                alternative["starts_at"].as_str().expect("a start"),
            );
            body["contact_id"] = json!(fixture.contact);
            let id = tenant.staff.post(APPOINTMENTS, body).await.created();
            fixture.act(&id, "cancel", json!({})).await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_whose_alternatives_cannot_be_searched_is_told_without_them() {
    let fixture = BookingFixture::new().await;
    let (tenant, staff) = (&fixture.tenant, &fixture.tenant.staff);
    let of = |provider: &str, start: &str| {
        let mut body = fixture.own_body(start);
        body["provider_id"] = json!(provider);
        body
    };
    let second = tenant.provider().await;
    let hold = staff.post("/api/v1/holds", of(&fixture.provider, "2031-05-05T09:00:00Z")).await.created();
    let mut body = of(&second, "2031-05-05T09:00:00Z");
    body["contact_id"] = json!(fixture.contact);
    staff.post(APPOINTMENTS, body).await.expect(201);
    let mut body = of(&fixture.provider, "2031-05-05T09:30:00Z");
    body["contact_id"] = json!(tenant.contact().await);
    let theirs = staff.post(APPOINTMENTS, body.clone()).await.created();
    let mut body = of(&second, "2031-05-05T09:30:00Z");
    body["contact_id"] = json!(fixture.contact);
    staff.post(APPOINTMENTS, body.clone()).await.expect(201);

    let taken = ThreadsTaken::of(tenant.id);
    let contact = json!({ "contact_id": fixture.contact });
    let path = format!("{APPOINTMENTS}/{theirs}");
    let (confirm, reschedule) = (format!("/api/v1/holds/{hold}/confirm"), format!("{path}/reschedule"));
    let (booked, moved, changed, confirmed) = tokio::join!(
        staff.post(APPOINTMENTS, body),
        staff.post(&reschedule, json!({ "starts_at": "2031-05-05T09:10:00Z" })),
        staff.patch(&path, contact.clone()),
        staff.post(&confirm, contact.clone()),
    );
    taken.free().await;
    for (answer, status, code) in [
        (booked, 409, "slot_unavailable"),
        (moved, 422, "invalid"),
        (changed, 409, "contact_busy"),
        (confirmed, 409, "contact_busy"),
    ] {
        let problem = answer.refused(status, code);
        assert_eq!(problem.get("alternatives"), None, "{problem}");
    }
    // The search works again.
    assert!(staff.patch(&path, contact).await.refused(409, "contact_busy")["alternatives"].is_array());
}
