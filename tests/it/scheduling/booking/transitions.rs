//! Transitions of appointments: which are allowed, from when on, and what they record.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings};

#[tokio::test]
async fn transition_outside_the_map_is_refused_and_each_is_recorded() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let all = ["confirm", "decline", "cancel", "check-in", "start", "complete", "no-show", "undo"];
    // The way there, and what is allowed there.
    let map: [(&[&str], &str, &[&str]); 8] = [
        (&[], "pending", &["confirm", "decline", "cancel"]),
        (&["confirm"], "confirmed", &["cancel", "check-in", "start", "no-show"]),
        (&["confirm", "check-in"], "checked_in", &["cancel", "start", "complete", "undo"]),
        (&["confirm", "start"], "in_progress", &["complete", "undo"]),
        (&["confirm", "check-in", "complete"], "completed", &["undo"]),
        (&["cancel"], "cancelled", &[]),
        (&["decline"], "declined", &[]),
        (&["confirm", "no-show"], "no_show", &["undo"]),
    ];
    let mut day = 0;
    for (way, status, allowed) in map {
        for action in all {
            day += 1;
            let date = format!("{:02}-{:02}T09:00:00Z", 1 + day / 28, 1 + day % 28);
            let id = fixture.book(&format!("2031-{date}")).await;
            // Long ago: no step is too early.
            fixture.shift(&id, format!("2021-{date}").parse().expect("an instant")).await;
            for step in way {
                fixture.act(&id, step, json!({})).await.expect(200);
            }
            assert_eq!(fixture.get(&id).await["status"], status);
            let answer = fixture.act(&id, action, json!({ "reason": "Because." })).await;
            if allowed.contains(&action) {
                answer.expect(200);
                let path = format!("{APPOINTMENTS}/{id}/transitions");
                let listed = fixture.tenant.viewer.get(&path).await.expect(200);
                let last = listed["items"].as_array().expect("items").last().expect("one").clone();
                assert_eq!(last["action"], action.replace('-', "_"));
                assert_eq!((&last["from_status"], &last["reason"]), (&json!(status), &json!("Because.")));
                assert_eq!(
                    (&last["actor_id"], &last["actor_role"]),
                    (&json!(fixture.tenant.staff.account), &json!("staff"))
                );
                assert!(last["occurred_at"].is_string());
            } else {
                let problem = answer.refused(409, "transition_not_allowed");
                let mut said: Vec<_> = problem["allowed"].as_array().expect("a list").clone();
                said.retain(|action| !["reschedule", "swap"].contains(&action.as_str().expect("text")));
                assert_eq!(
                    said,
                    allowed.iter().map(|a| json!(a.replace('-', "_"))).collect::<Vec<_>>(),
                    "{status}"
                );
                assert_eq!(fixture.get(&id).await["status"], status);
            }
        }
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn transition_before_its_time_is_refused() {
    let fixture = BookingFixture::new().await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    for step in ["check-in", "start", "no-show"] {
        fixture.act(&id, step, json!({})).await.refused(409, "too_early");
    }
    fixture.act(&id, "complete", json!({})).await.refused(409, "transition_not_allowed");
    assert_eq!(fixture.get(&id).await["status"], "confirmed");
    // An hour before the start one can check in, and no more.
    fixture.shift(&id, Utc::now() + TimeDelta::minutes(61)).await;
    let refused = fixture.act(&id, "check-in", json!({})).await.refused(409, "too_early");
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("The action check_in is possible from 20"))
    );
    fixture.shift(&id, Utc::now() + TimeDelta::minutes(59)).await;
    fixture.act(&id, "check-in", json!({})).await.expect(200);
    for step in ["start", "complete"] {
        fixture.act(&id, step, json!({})).await.refused(409, "too_early");
    }
    fixture.shift(&id, Utc::now() - TimeDelta::seconds(1)).await;
    fixture.act(&id, "start", json!({})).await.expect(200);
    fixture.act(&id, "complete", json!({})).await.expect(200);

    let settings = "/api/v1/organizations/me/settings";
    assert_eq!(fixture.tenant.viewer.get(settings).await.expect(200)["check_in_opens_minutes"], 60);
    let longer = json!({ "check_in_opens_minutes": 90 });
    assert_eq!(fixture.tenant.admin.patch(settings, longer).await.expect(200)["check_in_opens_minutes"], 90);
    fixture
        .tenant
        .admin
        .patch(settings, json!({ "check_in_opens_minutes": 1441 }))
        .await
        .invalid("check_in_opens_minutes", "out_of_range");
    let other = fixture.book("2031-05-06T09:00:00Z").await;
    fixture.shift(&other, Utc::now() + TimeDelta::minutes(89)).await;
    fixture.act(&other, "check-in", json!({})).await.expect(200);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn pending_appointment_blocks_its_time_until_declined() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    assert_eq!(fixture.get(&id).await["status"], "pending");
    fixture.try_book("2031-05-05T09:15:00Z").await.refused(409, "slot_unavailable");
    // Two who confirm at once: one does.
    let answers = join_all((0..6).map(|_| fixture.act(&id, "confirm", json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let other = fixture.book("2031-05-05T10:00:00Z").await;
    fixture.act(&other, "decline", json!({ "reason": "Full." })).await.expect(200);
    assert_eq!(fixture.get(&other).await["cancellation_reason"], "Full.");
    fixture.book("2031-05-05T10:00:00Z").await;
}
