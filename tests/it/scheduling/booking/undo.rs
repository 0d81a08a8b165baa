//! Time after an early end is free, and undoing the end takes it back if it still is.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::harness::{
    booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings},
    system,
};

/// The claims of an appointment: how many minutes each has from now on, rounded.
async fn minutes_left(id: &str, now: DateTime<Utc>) -> Vec<i64> {
    let id: uuid::Uuid = id.parse().expect("an id");
    let sql = "select ends_at from scheduling.claims where appointment_id = $1 order by ends_at";
    let rows = system().superuser().await.query(sql, &[&id]).await.expect("claims");
    rows.iter()
        .map(|row| {
            ((row.get::<_, DateTime<Utc>>(0) - now).num_milliseconds() as f64 / 60_000.0).round() as i64
        })
        .collect()
}

#[tokio::test]
async fn time_after_early_completion_is_free_until_it_is_undone() {
    let fixture = BookingFixture::with(json!({ "buffer_after_minutes": 10 })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let now = Utc::now();
    fixture.shift(&id, now - TimeDelta::minutes(10)).await;
    assert_eq!(
        minutes_left(&id, now).await,
        [20, 30],
        "the contact's time, and the provider's with the buffer"
    );
    fixture.act(&id, "start", json!({})).await.expect(200);
    let completed = fixture.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&id, now).await, [0, 10]);
    let instant = |name: &str| -> DateTime<Utc> {
        completed[name].as_str().expect("text").parse().expect("an instant")
    };
    assert_eq!(instant("ends_at") - instant("starts_at"), TimeDelta::minutes(30), "what was agreed stays");
    // It cannot be undone while another appointment has the time.
    let mut body = fixture.body(&(now + TimeDelta::minutes(15)).to_rfc3339());
    (body["override_rules"], body["provider_id"]) = (json!(true), json!(fixture.provider));
    let other = fixture.tenant.staff.post(APPOINTMENTS, body).await.created();
    let undo = fixture.act(&id, "undo", json!({})).await;
    undo.refused(409, "slot_unavailable");
    assert_eq!(minutes_left(&id, now).await, [0, 10]);
    assert_eq!(fixture.get(&id).await["status"], "completed");
    fixture.act(&other, "cancel", json!({})).await.expect(200);
    let undone = fixture.act(&id, "undo", json!({ "reason": "Not over yet." })).await.expect(200);
    assert_eq!(undone["status"], "in_progress");
    assert_eq!(minutes_left(&id, now).await, [20, 30]);
    // Back to where it was before it began.
    assert_eq!(fixture.act(&id, "undo", json!({})).await.expect(200)["status"], "confirmed");
    fixture.act(&id, "undo", json!({})).await.refused(409, "transition_not_allowed");
    let listed = fixture.tenant.viewer.get(&format!("{APPOINTMENTS}/{id}/transitions")).await.expect(200);
    let seen: Vec<_> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            format!("{} {} {}", item["action"], item["from_status"], item["to_status"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "start confirmed in_progress",
            "complete in_progress completed",
            "undo completed in_progress",
            "undo in_progress confirmed"
        ]
    );
    // Completed after its end it keeps all of its time.
    fixture.shift(&id, now - TimeDelta::minutes(35)).await;
    fixture.act(&id, "start", json!({})).await.expect(200);
    fixture.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&id, now).await, [-5, 5]);
    fixture.act(&id, "undo", json!({})).await.expect(200);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undone_no_show_takes_its_time_back_if_still_free() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..6 {
        let id = fixture.book(&format!("2031-05-{:02}T09:00:00Z", 5 + round)).await;
        let starts_at = Utc::now() - TimeDelta::minutes(5) - TimeDelta::hours(round);
        fixture.shift(&id, starts_at).await;
        let before = fixture.get(&id).await;
        let marked = fixture.act(&id, "no-show", json!({})).await.expect(200);
        assert_eq!((&marked["status"], &marked["sequence"]), (&json!("no_show"), &json!(1)));
        assert_eq!(minutes_left(&id, starts_at).await, [0; 0]);
        let mut body = fixture.body(&(starts_at + TimeDelta::minutes(10)).to_rfc3339());
        (body["override_rules"], body["provider_id"]) = (json!(true), json!(fixture.provider));
        let (undone, booked) = join(
            fixture.act(&id, "undo", json!({})),
            join_all((0..3).map(|_| fixture.tenant.staff.post(APPOINTMENTS, body.clone()))),
        )
        .await;
        let won = booked.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won + usize::from(undone.status == 200), 1, "{undone:?} {booked:?}");
        if undone.status == 200 {
            assert_eq!(
                (&undone.body["status"], minutes_left(&id, starts_at).await),
                (&before["status"], vec![30])
            );
        } else {
            undone.refused(409, "slot_unavailable");
        }
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn visit_completed_early_frees_the_remaining_services() {
    let fixture = BookingFixture::new().await;
    let second = fixture
        .tenant
        .service_with(json!({ "name": "Second", "duration_minutes": 30, "buffer_after_minutes": 5 }));
    let second = second.await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([second]);
    let id = fixture.tenant.staff.post(APPOINTMENTS, body).await.created();
    let now = Utc::now();
    fixture.shift(&id, now - TimeDelta::minutes(10)).await;
    let whole = minutes_left(&id, now).await;
    assert_eq!(whole, [20, 50, 55]);
    fixture.act(&id, "start", json!({})).await.expect(200);
    let completed = fixture.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(completed["segments"].as_array().map(Vec::len), Some(2));
    assert_eq!(minutes_left(&id, now).await, [0, 0], "the contact's and the first service's");
    let undone = fixture.act(&id, "undo", json!({})).await.expect(200);
    assert_eq!(undone["segments"], completed["segments"]);
    assert_eq!(minutes_left(&id, now).await, whole);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn seat_is_freed_by_no_show_and_kept_by_completion() {
    let fixture = BookingFixture::with(json!({ "capacity": 2, "contact_may_overlap": true })).await;
    let (one, two) = (
        fixture.seat("2031-05-05T09:00:00Z").await.created(),
        fixture.seat("2031-05-05T09:00:00Z").await.created(),
    );
    let now = Utc::now();
    let starts_at = now - TimeDelta::minutes(10);
    fixture.act(&one, "cancel", json!({})).await.expect(200);
    fixture.shift(&two, starts_at).await;
    fixture.act(&two, "start", json!({})).await.expect(200);
    fixture.act(&two, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&two, now).await, [20]);
    let three = fixture.book("2031-05-06T09:00:00Z").await;
    fixture.shift(&three, starts_at - TimeDelta::hours(1)).await;
    fixture.act(&three, "no-show", json!({})).await.expect(200);
    assert_eq!(minutes_left(&three, now).await, [0; 0]);
    fixture.act(&three, "undo", json!({})).await.expect(200);
    assert_eq!(minutes_left(&three, now - TimeDelta::hours(1)).await, [20]);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undone_no_show_counts_towards_limits_again() {
    for (of_service, limit) in
        [(true, "max_per_day"), (true, "max_per_week"), (false, "max_per_day"), (false, "max_per_week")]
    {
        let rules = if of_service { json!({ limit: 1 }) } else { json!({}) };
        let fixture = BookingFixture::with(rules).await;
        if !of_service {
            let provider = format!("/api/v1/providers/{}", fixture.provider);
            fixture.tenant.admin.patch(&provider, json!({ limit: 1 })).await.expect(200);
        }
        let yesterday = (Utc::now() - TimeDelta::days(1)).date_naive();
        let at = |hour| yesterday.and_hms_opt(hour, 0, 0).expect("a time").and_utc();
        let first = fixture.book("2031-05-05T09:00:00Z").await;
        fixture.shift(&first, at(9)).await;
        fixture.act(&first, "no-show", json!({})).await.expect(200);
        let second = fixture.book("2031-05-05T09:00:00Z").await;
        fixture.shift(&second, at(11)).await;
        let refused = fixture.act(&first, "undo", json!({})).await.refused(409, "slot_unavailable");
        assert_eq!(refused["errors"][0]["code"], "limit_reached", "{limit}: {refused}");
        assert_eq!(fixture.get(&first).await["status"], "no_show");
        expect_sound_bookings(&fixture.tenant).await;
        // At once, one of the two that share the limit takes it.
        fixture.act(&second, "no-show", json!({})).await.expect(200);
        let (one, two) =
            join(fixture.act(&first, "undo", json!({})), fixture.act(&second, "undo", json!({}))).await;
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
        expect_sound_bookings(&fixture.tenant).await;
    }
}

#[tokio::test]
async fn undo_within_a_limit_or_beyond_it_on_purpose_succeeds() {
    let fixture = BookingFixture::with(json!({ "max_per_day": 1, "capacity": 2 })).await;
    let yesterday = (Utc::now() - TimeDelta::days(1)).date_naive();
    let at = |hour| yesterday.and_hms_opt(hour, 0, 0).expect("a time").and_utc();
    let no_show = async |id: &str, hour| {
        fixture.shift(id, at(hour)).await;
        fixture.act(id, "no-show", json!({})).await.expect(200);
    };
    // The other seat of the session counts once for both.
    let first = fixture.seat("2031-05-05T09:00:00Z").await.created();
    let second = fixture.seat("2031-05-05T09:00:00Z").await.created();
    fixture.shift(&second, at(9)).await;
    no_show(&first, 9).await;
    fixture.act(&first, "undo", json!({})).await.expect(200);
    // What was booked against the rules comes back against the rules.
    let mut body = fixture.body("2031-05-06T09:00:00Z");
    body["override_rules"] = json!(true);
    let overridden = fixture.tenant.staff.post(APPOINTMENTS, body).await.created();
    no_show(&overridden, 11).await;
    fixture.act(&overridden, "undo", json!({})).await.expect(200);
    expect_sound_bookings(&fixture.tenant).await;
}
