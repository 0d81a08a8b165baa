//! Rooms and equipment that a service requires.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_takes_every_required_resource() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let resource = async |kind: &str, name: &str| {
        tenant.admin.post("/api/v1/resources", json!({ "kind": kind, "name": name })).await.created()
    };
    let (one, two, laser) =
        (resource("room", "One").await, resource("room", "Two").await, resource("equipment", "Laser").await);
    let path = format!("/api/v1/services/{}", fixture.service);
    let needs = json!({ "required_resources": [[one, two], [laser]], "contact_may_overlap": true });
    let changed = tenant.manager.patch(&path, needs).await.expect(200);
    assert_eq!(changed["required_resources"][1], json!([laser]));
    for _ in 0..3 {
        tenant.provider().await;
    }
    // Four providers, two rooms, one laser: one at a time.
    let answers =
        join_all((0..4).map(|_| tenant.staff.post(APPOINTMENTS, fixture.body("2031-05-05T09:00:00Z")))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 3), "{answers:?}");
    let refused = tenant.staff.post(APPOINTMENTS, fixture.body("2031-05-05T09:00:00Z")).await;
    assert_eq!(refused.body["errors"][0]["code"], "resource", "{}", refused.text);
    // Without the laser, one in each room.
    tenant.manager.patch(&path, json!({ "required_resources": [[one, two]] })).await.expect(200);
    let answers =
        join_all((0..4).map(|_| tenant.staff.post(APPOINTMENTS, fixture.body("2031-05-05T11:00:00Z")))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (2, 2), "{answers:?}");
    let slots = format!("{path}/slots?from=2031-05-05T11:00:00Z&to=2031-05-05T11:01:00Z&include=unavailable");
    let listed = tenant.viewer.get(&slots).await.expect(200);
    assert!(listed["items"][0]["reasons"].as_array().expect("reasons").contains(&json!("resource")));
    tenant.admin.delete(&format!("/api/v1/resources/{one}")).await.refused(409, "resource_in_use");
    tenant.admin.patch(&format!("/api/v1/resources/{one}"), json!({ "active": false })).await.expect(200);
    let answers =
        join_all((0..2).map(|_| tenant.staff.post(APPOINTMENTS, fixture.body("2031-05-05T13:00:00Z")))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    expect_sound_bookings(tenant).await;
}

#[tokio::test]
async fn search_among_many_rooms_ends_in_time() {
    let fixture = BookingFixture::new().await;
    let mut rooms = Vec::new();
    for n in 0..30 {
        let body = json!({ "kind": "room", "name": format!("Room {n}") });
        rooms.push(fixture.tenant.admin.post("/api/v1/resources", body).await.created());
    }
    let last = rooms.pop().expect("a room");
    let path = format!("/api/v1/services/{}", fixture.service);
    let needs = json!({ "required_resources": [rooms, rooms, rooms, rooms, [last]] });
    fixture.tenant.manager.patch(&path, needs).await.expect(200);
    fixture.book("2031-05-05T09:00:00Z").await;
    fixture
        .tenant
        .admin
        .patch(&format!("/api/v1/resources/{last}"), json!({ "active": false }))
        .await
        .expect(200);
    let started = std::time::Instant::now();
    let refused = fixture.try_book("2031-05-05T10:00:00Z").await;
    assert_eq!(refused.body["errors"][0]["code"], "resource", "{}", refused.text);
    // It would take years.
    assert!(started.elapsed() < std::time::Duration::from_secs(8), "{:?}", started.elapsed());
    // One room for two of the requirements is none for one of them.
    let needs = json!({ "required_resources": [[rooms[0], rooms[1]], [rooms[0]]] });
    fixture.tenant.manager.patch(&path, needs).await.expect(200);
    fixture.book("2031-05-05T11:00:00Z").await;
    let needs = json!({ "required_resources": [[rooms[0]], [rooms[0]]] });
    fixture.tenant.manager.patch(&path, needs).await.expect(200);
    fixture.try_book("2031-05-05T12:00:00Z").await.refused(409, "slot_unavailable");
}
