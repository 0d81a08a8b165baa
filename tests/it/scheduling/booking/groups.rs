//! Group sessions with numbered seats.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_bookings_at_once_of_five_seats_get_five() {
    let fixture = BookingFixture::with(
        json!({ "capacity": 5, "contact_may_overlap": true, "buffer_after_minutes": 15 }),
    )
    .await;
    for day in 5..9 {
        let start = format!("2031-05-{day:02}T09:00:00Z");
        let answers = join_all((0..6).map(|_| fixture.seat(&start))).await;
        let mut seats: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 201)
            .map(|answer| answer.body["seat"].as_i64().expect("a seat"))
            .collect();
        seats.sort_unstable();
        assert_eq!(seats, [1, 2, 3, 4, 5], "{answers:?}");
        let refused = answers.iter().find(|answer| answer.status != 201).expect("one too many");
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["code"]),
            (409, &json!("capacity")),
            "{}",
            refused.text
        );
    }
    // A seat that is given back can be booked again; another start that overlaps cannot.
    let listed =
        fixture.tenant.viewer.get(&format!("{APPOINTMENTS}?to=2031-05-06T00:00:00Z")).await.expect(200);
    let third = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["seat"] == 3)
        .expect("a seat")
        .clone();
    let id = third["id"].as_str().expect("an id");
    let slots = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T09:16:00Z&include=unavailable",
        fixture.service
    );
    let seen = async || fixture.tenant.viewer.get(&slots).await.expect(200)["items"].clone();
    assert_eq!(seen().await[0]["reasons"], json!(["capacity"]));
    fixture.act(id, "cancel", json!({})).await.expect(200);
    assert_eq!((&seen().await[0]["bookable"], &seen().await[0]["remaining"]), (&json!(true), &json!(1)));
    assert_eq!(seen().await[1]["reasons"], json!(["busy"]));
    let again = fixture.seat("2031-05-05T09:00:00Z").await.expect(201);
    assert_eq!(again["seat"], 3);
    fixture.try_book("2031-05-05T09:15:00Z").await.refused(409, "slot_unavailable");
    // A service for one contact does not join the session.
    let alone = fixture.tenant.service().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["service_id"] = json!(alone);
    fixture.tenant.staff.post(APPOINTMENTS, body).await.refused(409, "slot_unavailable");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn two_group_services_do_not_share_a_start() {
    let fixture = BookingFixture::with(json!({ "capacity": 3, "contact_may_overlap": true })).await;
    let other = fixture
        .tenant
        .service_with(
            json!({ "name": "Other", "duration_minutes": 30, "capacity": 3, "contact_may_overlap": true }),
        )
        .await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
    body["service_id"] = json!(other);
    fixture.tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "slot_unavailable");
    // One service has one session a start, also after its rules changed.
    let path = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&path, json!({ "duration_minutes": 45 })).await.expect(200);
    let joined = fixture.seat("2031-05-05T09:00:00Z").await.expect(201);
    assert_eq!((&joined["seat"], &joined["ends_at"]), (&json!(2), &json!("2031-05-05T09:30:00Z")));
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn session_whose_service_changes_keeps_times_and_free_seats() {
    let rules = json!({
        "capacity": 3, "contact_may_overlap": true, "duration_minutes": 60, "slot_step_minutes": 60,
        "buffer_before_minutes": 10, "buffer_after_minutes": 20,
    });
    let fixture = BookingFixture::with(rules).await;
    let first = fixture.try_book("2031-05-05T10:00:00Z").await.expect(201);
    assert_eq!(first["ends_at"], "2031-05-05T11:00:00Z");
    let service = format!("/api/v1/services/{}", fixture.service);
    // Another length, other buffers, and a grid that 10:00 is not on.
    let changes = json!({
        "duration_minutes": 45, "slot_step_minutes": 45, "buffer_before_minutes": 0, "buffer_after_minutes": 0,
    });
    fixture.tenant.manager.patch(&service, changes).await.expect(200);
    let slots = format!("{service}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T12:00:00Z");
    let listed = fixture.tenant.viewer.get(&slots).await.expect(200);
    let starts: Vec<_> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|slot| (slot["starts_at"].clone(), slot["ends_at"].clone(), slot["remaining"].clone()))
        .collect();
    // 09:00 fits before the buffer of the session; 09:45 does not; the session stands between; 11:15 is in its buffer.
    assert_eq!(
        starts,
        [
            (json!("2031-05-05T09:00:00Z"), json!("2031-05-05T09:45:00Z"), json!(3)),
            (json!("2031-05-05T10:00:00Z"), json!("2031-05-05T11:00:00Z"), json!(2)),
        ]
    );
    for seat in 2..=3 {
        let joined = fixture.seat("2031-05-05T10:00:00Z").await.expect(201);
        assert_eq!(
            (&joined["seat"], &joined["ends_at"]),
            (&json!(seat), &json!("2031-05-05T11:00:00Z")),
            "{joined}"
        );
    }
    let full = fixture.seat("2031-05-05T10:00:00Z").await;
    assert_eq!((full.status, &full.body["errors"][0]["code"]), (409, &json!("capacity")));
    // A fourth seat, once there is one, and never against another session.
    fixture.tenant.manager.patch(&service, json!({ "capacity": 4 })).await.expect(200);
    let fourth = fixture.seat("2031-05-05T10:00:00Z").await.expect(201);
    assert_eq!(fourth["seat"], 4);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_takes_one_seat_of_a_session() {
    let fixture = BookingFixture::with(json!({ "capacity": 5, "contact_may_overlap": true })).await;
    let (nine, ten) = ("2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z");
    let customer = fixture.customer().await;
    let mine = "/api/v1/my/appointments";
    // Also of those that book at once.
    let answers = join_all((0..4).map(async |n| match n % 2 {
        0 => fixture.try_book(nine).await,
        _ => customer.post(mine, fixture.own_body(nine)).await,
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    let first = won.into_iter().next().expect("a seat").created();
    lost.into_iter().for_each(|answer| drop(answer.refused(409, "already_booked")));
    // By every other door: a hold, an offer, a move, another contact.
    let hold = fixture.hold(nine).await.created();
    let confirm = format!("/api/v1/holds/{hold}/confirm");
    let contact = json!({ "contact_id": fixture.contact });
    fixture.tenant.staff.post(&confirm, contact.clone()).await.refused(409, "already_booked");
    let own = customer.post("/api/v1/my/holds", fixture.own_body(nine)).await.created();
    let confirm = format!("/api/v1/my/holds/{own}/confirm");
    customer.post(&confirm, json!({})).await.refused(409, "already_booked");
    let later = fixture.book(ten).await;
    fixture.act(&later, "reschedule", json!({ "starts_at": nine })).await.refused(409, "already_booked");
    let other = fixture.seat(nine).await.created();
    let of_other = format!("{APPOINTMENTS}/{other}");
    fixture.tenant.staff.patch(&of_other, contact).await.refused(409, "already_booked");
    // Those who share a session in turn: each moves into the time that the other leaves.
    let hour = json!({ "from": "2031-05-05", "to": "2031-05-06", "minutes": 60 });
    let all = format!("/api/v1/providers/{}/appointments/move", fixture.provider);
    let moved = fixture.tenant.staff.post(&all, hour).await.expect(200);
    assert_eq!(moved["moved"].as_array().map(Vec::len), Some(3), "{moved}");
    // After it was given back it can be taken again.
    fixture.act(&first, "cancel", json!({})).await.expect(200);
    fixture.book(ten).await;
    expect_sound_bookings(&fixture.tenant).await;
}
