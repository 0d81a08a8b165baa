//! Group sessions with numbered seats, rooms and equipment, and visits of several services.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::transitions::{Shop, nothing_is_wrong};

const PATH: &str = "/api/v1/appointments";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_six_who_book_five_seats_at_once_five_get_one() {
    let shop =
        Shop::with(json!({ "capacity": 5, "contact_may_overlap": true, "buffer_after_minutes": 15 })).await;
    for day in 5..9 {
        let start = format!("2031-05-{day:02}T09:00:00Z");
        let answers = join_all((0..6).map(|_| shop.tenant.staff.post(PATH, shop.body(&start)))).await;
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
    let listed = shop.tenant.viewer.get(&format!("{PATH}?starts_to=2031-05-06T00:00:00Z")).await.expect(200);
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
        shop.service
    );
    let seen = async || shop.tenant.viewer.get(&slots).await.expect(200)["items"].clone();
    assert_eq!(seen().await[0]["reasons"], json!(["capacity"]));
    shop.act(id, "cancel", json!({})).await.expect(200);
    assert_eq!((&seen().await[0]["bookable"], &seen().await[0]["remaining"]), (&json!(true), &json!(1)));
    assert_eq!(seen().await[1]["reasons"], json!(["busy"]));
    let again = shop.tenant.staff.post(PATH, shop.body("2031-05-05T09:00:00Z")).await.expect(201);
    assert_eq!(again["seat"], 3);
    shop.tenant.staff.post(PATH, shop.body("2031-05-05T09:15:00Z")).await.refused(409, "slot_unavailable");
    // Whoever was in it for one is not joined by a group.
    let alone = shop.tenant.service().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["service_id"] = json!(alone);
    shop.tenant.staff.post(PATH, body).await.refused(409, "slot_unavailable");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn two_group_services_do_not_share_a_start() {
    let shop = Shop::with(json!({ "capacity": 3, "contact_may_overlap": true })).await;
    let other = shop
        .tenant
        .service_with(
            json!({ "name": "Other", "duration_minutes": 30, "capacity": 3, "contact_may_overlap": true }),
        )
        .await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    shop.tenant.staff.post(PATH, body.clone()).await.expect(201);
    body["service_id"] = json!(other);
    shop.tenant.staff.post(PATH, body.clone()).await.refused(409, "slot_unavailable");
    // One service has one session a start, whatever becomes of its rules.
    let path = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&path, json!({ "duration_minutes": 45 })).await.expect(200);
    body["service_id"] = json!(shop.service);
    let joined = shop.tenant.staff.post(PATH, body).await.expect(201);
    assert_eq!((&joined["seat"], &joined["ends_at"]), (&json!(2), &json!("2031-05-05T09:30:00Z")));
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_takes_a_room_and_what_else_it_needs() {
    let shop = Shop::new().await;
    let tenant = &shop.tenant;
    let resource = async |kind: &str, name: &str| {
        tenant.admin.post("/api/v1/resources", json!({ "kind": kind, "name": name })).await.created()
    };
    let (one, two, laser) =
        (resource("room", "One").await, resource("room", "Two").await, resource("equipment", "Laser").await);
    let path = format!("/api/v1/services/{}", shop.service);
    let needs = json!({ "required_resources": [[one, two], [laser]], "contact_may_overlap": true });
    let changed = tenant.manager.patch(&path, needs).await.expect(200);
    assert_eq!(changed["required_resources"][1], json!([laser]));
    for _ in 0..3 {
        tenant.provider().await;
    }
    // Four providers, two rooms, one laser: one at a time.
    let answers = join_all((0..4).map(|_| tenant.staff.post(PATH, shop.body("2031-05-05T09:00:00Z")))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 3), "{answers:?}");
    let refused = tenant.staff.post(PATH, shop.body("2031-05-05T09:00:00Z")).await;
    assert_eq!(refused.body["errors"][0]["code"], "resource", "{}", refused.text);
    // Without the laser, one in each room.
    tenant.manager.patch(&path, json!({ "required_resources": [[one, two]] })).await.expect(200);
    let answers = join_all((0..4).map(|_| tenant.staff.post(PATH, shop.body("2031-05-05T11:00:00Z")))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (2, 2), "{answers:?}");
    let slots = format!("{path}/slots?from=2031-05-05T11:00:00Z&to=2031-05-05T11:01:00Z&include=unavailable");
    let listed = tenant.viewer.get(&slots).await.expect(200);
    assert!(listed["items"][0]["reasons"].as_array().expect("reasons").contains(&json!("resource")));
    tenant.admin.delete(&format!("/api/v1/resources/{one}")).await.refused(409, "resource_in_use");
    tenant.admin.patch(&format!("/api/v1/resources/{one}"), json!({ "active": false })).await.expect(200);
    let answers = join_all((0..2).map(|_| tenant.staff.post(PATH, shop.body("2031-05-05T13:00:00Z")))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    nothing_is_wrong(tenant).await;
}

#[tokio::test]
async fn a_visit_of_several_services_is_one_booking() {
    let shop = Shop::with(json!({ "buffer_after_minutes": 15 })).await;
    let tenant = &shop.tenant;
    let second = tenant.provider().await;
    let colour = tenant
        .service_with(json!({ "name": "Colour", "duration_minutes": 60, "buffer_before_minutes": 15, "provider_ids": [second] }))
        .await;
    let slots =
        format!("/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&and_then={colour}", shop.service);
    let listed = tenant.viewer.get(&slots).await.expect(200)["items"].clone();
    assert_eq!(
        (&listed[0]["starts_at"], &listed[0]["ends_at"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("2031-05-05T10:30:00Z"))
    );
    let last = listed.as_array().expect("items").last().expect("one")["starts_at"].clone();
    assert_eq!(last, "2031-05-05T15:30:00Z", "the second ends at five");
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([colour]);
    body["provider_id"] = json!(shop.provider);
    tenant.staff.post(PATH, body.clone()).await.invalid("provider_id", "not_eligible");
    body["provider_id"] = Value::Null;
    let visit = tenant.staff.post(PATH, body.clone()).await.expect(201);
    let segments = visit["segments"].as_array().expect("segments").clone();
    assert_eq!((segments.len(), &segments[1]["provider_id"]), (2, &json!(second)));
    assert_eq!(segments[0]["ends_at"], segments[1]["starts_at"]);
    assert_eq!(visit["ends_at"], "2031-05-05T10:30:00Z");
    let id = visit["id"].as_str().expect("an id").to_owned();
    assert_eq!(shop.get(&id).await, visit);
    // Everybody in it is busy; the contact too, for all of it.
    let mut other = shop.body("2031-05-05T10:00:00Z");
    tenant.staff.post(PATH, other.clone()).await.refused(409, "contact_busy");
    other["service_id"] = json!(colour);
    tenant.staff.post(PATH, other).await.refused(409, "slot_unavailable");
    // Moved as a whole, over itself.
    let moved = shop.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" })).await.expect(200);
    assert_eq!(moved["segments"][1]["ends_at"], "2031-05-05T10:45:00Z");
    shop.act(&id, "cancel", json!({})).await.expect(200);
    tenant.staff.post(PATH, body).await.expect(201);
    let many = json!([colour, colour, colour, colour, colour]);
    let mut body = shop.body("2031-05-06T09:00:00Z");
    body["and_then"] = many;
    tenant.staff.post(PATH, body.clone()).await.invalid("and_then", "too_many");
    body["and_then"] = json!([shop.contact]);
    tenant.staff.post(PATH, body).await.invalid("and_then[0]", "not_found");
    nothing_is_wrong(tenant).await;
}

#[tokio::test]
async fn a_visit_keeps_limits_and_lasts_a_day_at_most() {
    let shop = Shop::with(json!({ "max_per_day": 2 })).await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([shop.service, shop.service]);
    shop.tenant.staff.post(PATH, body.clone()).await.invalid("starts_at", "limit_reached");
    body["and_then"] = json!([shop.service]);
    shop.tenant.staff.post(PATH, body).await.expect(201);
    let path = format!("/api/v1/providers/{}", shop.provider);
    shop.tenant.admin.patch(&path, json!({ "max_per_week": 3 })).await.expect(200);
    let mut body = shop.body("2031-05-06T09:00:00Z");
    body["and_then"] = json!([shop.service]);
    shop.tenant.staff.post(PATH, body).await.invalid("starts_at", "limit_reached");
    let long = shop.tenant.service_with(json!({ "name": "Long", "duration_minutes": 1000 })).await;
    let body = json!({
        "service_id": long, "and_then": [long], "contact_id": shop.contact, "starts_at": "2031-05-06T09:00:00Z", "override_rules": true,
    });
    shop.tenant.staff.post(PATH, body).await.invalid("and_then", "too_long");
    let slots = format!("/api/v1/services/{long}/slots?from=2031-05-06&to=2031-05-07&and_then={long}");
    shop.tenant.viewer.get(&slots).await.invalid("and_then", "too_long");
}

#[tokio::test]
async fn everybody_in_a_visit_finds_it() {
    let shop = Shop::new().await;
    let tenant = &shop.tenant;
    let second = tenant.provider().await;
    let hers = tenant
        .service_with(json!({ "name": "Hers", "duration_minutes": 30, "provider_ids": [second] }))
        .await;
    let path = format!("/api/v1/services/{}", shop.service);
    tenant.manager.patch(&path, json!({ "provider_ids": [shop.provider] })).await.expect(200);
    // Three in a row; the list of slots takes a list as well.
    let slots =
        format!("{path}/slots?from=2031-05-05&to=2031-05-06&and_then={hers}&and_then={}", shop.service);
    assert_eq!(tenant.viewer.get(&slots).await.expect(200)["items"][0]["ends_at"], "2031-05-05T10:30:00Z");
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([hers, shop.service]);
    let id = tenant.staff.post(PATH, body).await.created();
    let alone =
        json!({ "service_id": hers, "contact_id": shop.contact, "starts_at": "2031-05-05T12:00:00Z" });
    let alone = tenant.staff.post(PATH, alone).await.created();
    let listed = tenant.viewer.get(&format!("{PATH}?provider_id={second}")).await.expect(200);
    let ids: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(ids, [json!(id), json!(alone)]);
    let first = tenant.viewer.get(&format!("{PATH}?provider_id={second}&limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("more");
    let next =
        tenant.viewer.get(&format!("{PATH}?provider_id={second}&limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(next["items"][0]["id"], json!(alone));
    let away = json!({ "starts_at": "2031-05-05T09:00:00Z", "ends_at": "2031-05-05T11:00:00Z" });
    let away = tenant.staff.post(&format!("/api/v1/providers/{second}/time-off"), away).await.expect(201);
    assert_eq!(away["appointment_ids"], json!([id]));
}

#[tokio::test]
async fn many_rooms_that_do_not_suffice_are_seen_through_at_once() {
    let shop = Shop::new().await;
    let mut rooms = Vec::new();
    for n in 0..30 {
        let body = json!({ "kind": "room", "name": format!("Room {n}") });
        rooms.push(shop.tenant.admin.post("/api/v1/resources", body).await.created());
    }
    let last = rooms.pop().expect("a room");
    let path = format!("/api/v1/services/{}", shop.service);
    let needs = json!({ "required_resources": [rooms, rooms, rooms, rooms, [last]] });
    shop.tenant.manager.patch(&path, needs).await.expect(200);
    shop.book("2031-05-05T09:00:00Z").await;
    shop.tenant
        .admin
        .patch(&format!("/api/v1/resources/{last}"), json!({ "active": false }))
        .await
        .expect(200);
    let started = std::time::Instant::now();
    let refused = shop.tenant.staff.post(PATH, shop.body("2031-05-05T10:00:00Z")).await;
    assert_eq!(refused.body["errors"][0]["code"], "resource", "{}", refused.text);
    // It would take years.
    assert!(started.elapsed() < std::time::Duration::from_secs(8), "{:?}", started.elapsed());
    // One room for two of the requirements is none for one of them.
    let needs = json!({ "required_resources": [[rooms[0], rooms[1]], [rooms[0]]] });
    shop.tenant.manager.patch(&path, needs).await.expect(200);
    shop.book("2031-05-05T11:00:00Z").await;
    let needs = json!({ "required_resources": [[rooms[0]], [rooms[0]]] });
    shop.tenant.manager.patch(&path, needs).await.expect(200);
    shop.tenant.staff.post(PATH, shop.body("2031-05-05T12:00:00Z")).await.refused(409, "slot_unavailable");
}

#[tokio::test]
async fn session_whose_service_changes_keeps_times_and_free_seats() {
    let rules = json!({
        "capacity": 3, "contact_may_overlap": true, "duration_minutes": 60, "slot_step_minutes": 60,
        "buffer_before_minutes": 10, "buffer_after_minutes": 20,
    });
    let shop = Shop::with(rules).await;
    let first = shop.tenant.staff.post(PATH, shop.body("2031-05-05T10:00:00Z")).await.expect(201);
    assert_eq!(first["ends_at"], "2031-05-05T11:00:00Z");
    let service = format!("/api/v1/services/{}", shop.service);
    // Another length, other buffers, and a grid that 10:00 is not on.
    let changes = json!({
        "duration_minutes": 45, "slot_step_minutes": 45, "buffer_before_minutes": 0, "buffer_after_minutes": 0,
    });
    shop.tenant.manager.patch(&service, changes).await.expect(200);
    let slots = format!("{service}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T12:00:00Z");
    let listed = shop.tenant.viewer.get(&slots).await.expect(200);
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
        let joined = shop.tenant.staff.post(PATH, shop.body("2031-05-05T10:00:00Z")).await.expect(201);
        assert_eq!(
            (&joined["seat"], &joined["ends_at"]),
            (&json!(seat), &json!("2031-05-05T11:00:00Z")),
            "{joined}"
        );
    }
    let full = shop.tenant.staff.post(PATH, shop.body("2031-05-05T10:00:00Z")).await;
    assert_eq!((full.status, &full.body["errors"][0]["code"]), (409, &json!("capacity")));
    // A fourth seat, once there is one, and never against another session.
    shop.tenant.manager.patch(&service, json!({ "capacity": 4 })).await.expect(200);
    let fourth = shop.tenant.staff.post(PATH, shop.body("2031-05-05T10:00:00Z")).await.expect(201);
    assert_eq!(fourth["seat"], 4);
    nothing_is_wrong(&shop.tenant).await;
}
