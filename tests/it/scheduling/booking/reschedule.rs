//! Moving and swapping appointments.

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::harness::booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings};

#[tokio::test]
async fn refused_move_leaves_the_appointment_as_it_was() {
    let fixture = BookingFixture::with(json!({ "max_per_day": 2 })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let other = fixture.book("2031-05-05T11:00:00Z").await;
    // Its own time is free to it, and it does not count towards the limit.
    let listed = fixture
        .tenant
        .viewer
        .get(&format!(
            "/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&reschedule_of={id}",
            fixture.service
        ))
        .await
        .expect(200);
    let free: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|slot| slot["starts_at"].clone()).collect();
    assert!(free.contains(&json!("2031-05-05T09:15:00Z")) && !free.contains(&json!("2031-05-05T11:00:00Z")));
    let nothing = format!(
        "/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&reschedule_of={}",
        fixture.service, fixture.contact
    );
    fixture.tenant.viewer.get(&nothing).await.invalid("reschedule_of", "not_found");
    let moved =
        fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" })).await.expect(200);
    assert_eq!((&moved["id"], &moved["starts_at"]), (&json!(id), &json!("2031-05-05T09:15:00Z")));
    assert_eq!((&moved["sequence"], &moved["status"]), (&json!(1), &json!("confirmed")));
    // Refused, and nothing has changed.
    for (start, status) in
        [("2031-05-05T11:15:00Z", 409), ("2031-05-05T20:00:00Z", 422), ("2031-05-05T09:20:00Z", 422)]
    {
        let refused = fixture.act(&id, "reschedule", json!({ "starts_at": start })).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        // With others where it is taken, its own time among them.
        if status == 409 {
            let others = refused.body["alternatives"].as_array().expect("others").clone();
            assert!(others.len() == 3 && others[0]["starts_at"] != "2031-05-05T11:15:00Z", "{others:?}");
        }
        assert_eq!(fixture.get(&id).await, moved);
    }
    fixture.try_book("2031-05-05T09:30:00Z").await.invalid("starts_at", "limit_reached");
    let path = format!("{APPOINTMENTS}/{id}/transitions");
    let listed = fixture.tenant.viewer.get(&path).await.expect(200);
    assert_eq!(listed["items"][0]["from_starts_at"], "2031-05-05T09:00:00Z");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    fixture.act(&other, "cancel", json!({})).await.expect(200);
    fixture
        .act(&other, "reschedule", json!({ "starts_at": "2031-05-06T09:00:00Z" }))
        .await
        .refused(409, "transition_not_allowed");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn swap_exchanges_times_or_changes_nothing() {
    let fixture = BookingFixture::new().await;
    let second = fixture.tenant.provider().await;
    let other_contact = fixture.tenant.contact().await;
    let mut first = fixture.body("2031-05-05T09:00:00Z");
    first["provider_id"] = json!(fixture.provider);
    let first = fixture.tenant.staff.post(APPOINTMENTS, first).await.created();
    let mut other = fixture.body("2031-05-05T09:15:00Z");
    (other["provider_id"], other["contact_id"]) = (json!(second), json!(other_contact));
    let other = fixture.tenant.staff.post(APPOINTMENTS, other).await.created();
    let swapped = fixture.act(&first, "swap", json!({ "appointment_id": other })).await.expect(200);
    assert_eq!(
        (&swapped["starts_at"], &swapped["provider_id"]),
        (&json!("2031-05-05T09:15:00Z"), &json!(second))
    );
    let there = fixture.get(&other).await;
    assert_eq!(
        (&there["starts_at"], &there["provider_id"]),
        (&json!("2031-05-05T09:00:00Z"), &json!(fixture.provider))
    );
    // Back and forth, at once: they always have two different times.
    let both = [(&first, &other), (&other, &first)];
    let answers = join_all((0..6).map(|n| {
        let (one, two) = both[n % 2];
        fixture.act(one, "swap", json!({ "appointment_id": two }))
    }))
    .await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409 | 503)), "{answers:?}");
    fixture
        .act(&first, "swap", json!({ "appointment_id": first }))
        .await
        .invalid("appointment_id", "invalid_value");
    fixture.act(&other, "cancel", json!({})).await.expect(200);
    fixture
        .act(&first, "swap", json!({ "appointment_id": other }))
        .await
        .refused(409, "transition_not_allowed");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_bookings_and_cancellations_at_once_take_no_time_twice() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..8 {
        let day = format!("2031-05-{:02}", 5 + round);
        let (one, two) = (
            fixture.book(&format!("{day}T09:00:00Z")).await,
            fixture.book(&format!("{day}T10:00:00Z")).await,
        );
        let target = json!({ "starts_at": format!("{day}T11:00:00Z") });
        let at_eleven = format!("{day}T11:00:00Z");
        let (moves, bookings) = join(
            join_all([&one, &two].map(|id| fixture.act(id, "reschedule", target.clone()))),
            join_all((0..4).map(|_| fixture.try_book(&at_eleven))),
        )
        .await;
        let won = moves.iter().filter(|answer| answer.status == 200).count()
            + bookings.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won, 1, "{moves:?} {bookings:?}");
        // Cancelled and moved at once: it is one or the other, and cancelled at last.
        let (cancelled, moved) = join(
            fixture.act(&one, "cancel", json!({})),
            fixture.act(&one, "reschedule", json!({ "starts_at": format!("{day}T13:00:00Z") })),
        )
        .await;
        cancelled.expect(200);
        assert!(matches!(moved.status, 200 | 409), "{moved:?}");
        assert_eq!(fixture.get(&one).await["status"], "cancelled");
    }
    // Onto each other's time, again and again.
    let (one, two) = (fixture.book("2031-06-05T09:00:00Z").await, fixture.book("2031-06-05T10:00:00Z").await);
    for _ in 0..5 {
        let (a, b) = join(
            fixture.act(&one, "reschedule", json!({ "starts_at": "2031-06-05T10:00:00Z" })),
            fixture.act(&two, "reschedule", json!({ "starts_at": "2031-06-05T09:00:00Z" })),
        )
        .await;
        assert!([a.status, b.status].iter().all(|status| matches!(status, 200 | 409)), "{a:?} {b:?}");
    }
    expect_sound_bookings(&fixture.tenant).await;
}
