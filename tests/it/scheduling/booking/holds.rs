//! Holds: how long they keep their time, and how many an organization may have.

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::harness::booking::{BookingFixture, expect_sound_bookings, insert_holds};

#[tokio::test]
async fn hold_keeps_its_time_until_confirmed_or_expired() {
    let fixture = BookingFixture::new().await;
    let hold = fixture.hold("2031-05-05T09:00:00Z").await.created();
    let path = format!("/api/v1/holds/{hold}");
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    fixture.hold("2031-05-05T09:15:00Z").await.refused(409, "slot_unavailable");
    let contact = json!({ "contact": { "first_name": "Grace", "last_name": "Hopper" } });
    let booked = fixture.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["status"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("confirmed"))
    );
    fixture.tenant.viewer.get(&path).await.refused(404, "not_found");
    let again = fixture.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await.expect(201);
    assert_eq!(again["id"], booked["id"], "a hold that was confirmed answers its appointment");

    let hold = fixture.hold("2031-05-05T10:00:00Z").await.created();
    let path = format!("/api/v1/holds/{hold}");
    fixture.expire(&hold).await;
    // It is as if it were not there.
    fixture.tenant.viewer.get(&path).await.refused(404, "not_found");
    assert_eq!(fixture.tenant.viewer.get("/api/v1/holds").await.expect(200)["items"], json!([]));
    let slots = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T10:00:00Z&to=2031-05-05T10:01:00Z",
        fixture.service
    );
    assert_eq!(
        fixture.tenant.viewer.get(&slots).await.expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
    let late = fixture.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await;
    // A server removes what is over within some seconds.
    let said = (late.status, late.body["code"].as_str().unwrap_or_default());
    assert!([(409, "hold_expired"), (404, "not_found")].contains(&said), "{}", late.text);
    fixture.book("2031-05-05T10:00:00Z").await;
    fixture.tenant.staff.post(&format!("{path}/confirm"), contact).await.refused(404, "not_found");

    // One that is over keeps nothing from being deleted.
    let other = fixture.tenant.service().await;
    let body = json!({ "service_id": other, "starts_at": "2031-05-05T15:00:00Z" });
    let held = fixture.tenant.staff.post("/api/v1/holds", body).await.created();
    let other = format!("/api/v1/services/{other}");
    fixture.tenant.manager.delete(&other).await.refused(409, "service_in_use");
    fixture.expire(&held).await;
    fixture.tenant.manager.delete(&other).await.expect(204);

    let hold = fixture.hold("2031-05-05T11:00:00Z").await.created();
    fixture.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    fixture.book("2031-05-05T11:00:00Z").await;
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiring_hold_is_confirmed_or_taken_over_and_never_both() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..12 {
        let start = format!("2031-05-{:02}T09:00:00Z", 5 + round);
        let hold = fixture.hold(&start).await.created();
        let path = format!("/api/v1/holds/{hold}/confirm");
        let confirm = fixture.tenant.staff.post(&path, json!({ "contact_id": fixture.contact }));
        let takeovers = join_all((0..4).map(|_| fixture.try_book(&start)));
        if round % 2 == 0 {
            // In time, it always works.
            let (confirmed, others) = join(confirm, takeovers).await;
            confirmed.expect(201);
            assert!(others.iter().all(|answer| answer.status == 409), "{others:?}");
        } else {
            // Just as it expires.
            let (confirmed, ((), others)) = join(confirm, join(fixture.expire(&hold), takeovers)).await;
            let won = usize::from(confirmed.status == 201)
                + others.iter().filter(|answer| answer.status == 201).count();
            assert!(won <= 1, "{confirmed:?} {others:?}");
        }
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_beyond_500_are_refused() {
    let (fixture, other) = (BookingFixture::new().await, BookingFixture::new().await);
    // Those that have expired do not count.
    insert_holds(&[
        (&fixture, 499, "now() + interval '1 hour'"),
        (&fixture, 50, "now() - interval '1 hour'"),
    ])
    .await;
    let starts: Vec<_> = (9..17).map(|hour| format!("2031-05-05T{hour:02}:00:00Z")).collect();
    let answers = join_all(starts.iter().map(|start| fixture.hold(start))).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.status == 409 && answer.body["code"] == "too_many_holds")
        .count();
    assert_eq!((created.len(), refused), (1, 7), "{answers:?}");
    // One released, one more; and what another organization has does not count.
    let hold = created[0].body["id"].as_str().expect("an id");
    fixture.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    fixture.hold("2031-05-06T09:00:00Z").await.expect(201);
    other.hold("2031-05-06T09:00:00Z").await.expect(201);
}
