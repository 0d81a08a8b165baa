//! What the link of a guest shows and does, for those who have nothing but the link.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::calendar_feeds::events;
use crate::harness::{
    Actor, Answer, address,
    booking::{BookingFixture, expect_sound_bookings},
    guests::contact,
    merged, operations, system,
};

const APPOINTMENT: &str = "/api/v1/guest/appointment";

async fn book_as_guest(fixture: &BookingFixture, start: &str, email: &str) -> Value {
    fixture.as_guest("appointments", fixture.guest_body(start, Some(email))).await.expect(201)
}

fn with_link(token: &Value) -> Actor {
    Actor::with_token(token.as_str().expect("a token"))
}

async fn manage(what: &str, token: &Value, more: Value) -> Answer {
    let body = merged(json!({ "token": token }), &more);
    Actor::anonymous().post(&format!("{APPOINTMENT}{what}"), body).await
}

fn id_of(appointment: &Value) -> &str {
    appointment["id"].as_str().expect("an id")
}

#[tokio::test]
async fn guest_link_shows_names_zone_and_deadline() {
    let fixture = BookingFixture::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let zone = json!({ "time_zone": "Europe/Berlin", "name": "Registered Name" });
    fixture.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let branding = json!({ "display_name": "Known Name" });
    fixture.tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.expect(200);
    let booked = book_as_guest(&fixture, "2031-05-05T09:00:00Z", &address()).await;
    let expected = json!({
        "organization_name": "Known Name", "time_zone": "Europe/Berlin", "service_name": "Service",
        "provider_name": "Ada", "changeable_until": "2031-05-05T08:00:00Z",
    });
    let link = with_link(&booked["manage_token"]);
    // Also after the service is not offered online any more.
    let hide = format!("/api/v1/services/{}", fixture.service);
    for hidden in [false, true] {
        fixture.tenant.manager.patch(&hide, json!({ "bookable_online": !hidden })).await.expect(200);
        let seen = link.get(APPOINTMENT).await.expect(200);
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&seen[name], value, "{name}");
        }
        assert_eq!(seen.get("segments"), None);
    }
    fixture.tenant.manager.patch(&hide, json!({ "bookable_online": true })).await.expect(200);
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&booked[name], value, "{name}");
    }
    // Of several services, all.
    let body = json!({
        "service_id": fixture.service, "and_then": [second], "starts_at": "2031-05-06T09:00:00Z",
        "contact": contact(&address()),
    });
    let visit = fixture.as_guest("appointments", body).await.expect(201);
    let names: Vec<_> = visit["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|segment| (&segment["service_name"], &segment["provider_name"], &segment["starts_at"]))
        .collect();
    let ada = json!("Ada");
    assert_eq!(
        names,
        [
            (&json!("Service"), &ada, &json!("2031-05-06T09:00:00Z")),
            (&json!("Second"), &ada, &json!("2031-05-06T09:30:00Z")),
        ]
    );
    // What cannot be changed any more says so.
    fixture.shift(id_of(&booked), Utc::now() + TimeDelta::minutes(59)).await;
    assert_eq!(link.get(APPOINTMENT).await.expect(200).get("changeable_until"), None);
    manage("/cancel", &visit["manage_token"], json!({})).await.expect(200);
    let seen = with_link(&visit["manage_token"]).get(APPOINTMENT).await.expect(200);
    assert_eq!((&seen["status"], seen.get("changeable_until")), (&json!("cancelled"), None));
}

#[tokio::test]
async fn slots_listed_with_a_link_can_be_moved_to() {
    let fixture = BookingFixture::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let body = json!({
        "service_id": fixture.service, "and_then": [second], "starts_at": "2031-05-05T09:00:00Z",
        "contact": contact(&address()),
    });
    let booked = fixture.as_guest("appointments", body).await.expect(201);
    let token = &booked["manage_token"];
    fixture.book("2031-05-05T11:00:00Z").await;
    let slots = format!("{APPOINTMENT}/slots?from=2031-05-05&to=2031-05-06");
    let listed = with_link(token).get(&slots).await.expect(200);
    let starts: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|slot| slot["starts_at"].clone()).collect();
    // An hour for both services: its own time counts as free, that of others does not.
    let hours: Vec<_> = ["09:00", "09:15", "09:30", "09:45", "10:00"].into();
    let first: Vec<_> = hours.iter().map(|time| json!(format!("2031-05-05T{time}:00Z"))).collect();
    assert_eq!(&starts[..5], &first[..]);
    assert_eq!(starts[5], "2031-05-05T11:30:00Z");
    manage("/reschedule", token, json!({ "starts_at": starts[2] })).await.expect(200);
    // Refused as moving is.
    let anonymous = Actor::anonymous();
    anonymous.get(&slots).await.refused(401, "credentials_missing");
    let hide = format!("/api/v1/services/{second}");
    fixture.tenant.manager.patch(&hide, json!({ "bookable_online": false })).await.expect(200);
    with_link(token).get(&slots).await.refused(409, "service_unavailable");
    fixture.shift(id_of(&booked), Utc::now() + TimeDelta::minutes(59)).await;
    with_link(token).get(&slots).await.refused(409, "too_late");
    fixture.act(id_of(&booked), "cancel", json!({})).await.expect(200);
    with_link(token).get(&slots).await.refused(409, "transition_not_allowed");
}

#[tokio::test]
async fn visit_is_listed_whole_in_mail_calendar_entry_and_feed() {
    let fixture = BookingFixture::new().await;
    let zone = json!({ "time_zone": "Europe/Berlin" });
    fixture.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let day = (Utc::now() + TimeDelta::days(30)).date_naive();
    let email = address();
    let body = json!({
        "service_id": fixture.service, "and_then": [second], "starts_at": format!("{day}T09:00:00Z"),
        "contact": contact(&email),
    });
    let booked = fixture.as_guest("appointments", body).await.expect(201);
    let berlin = |time: &str| {
        let instant: DateTime<Utc> = format!("{day}T{time}:00Z").parse().expect("an instant");
        instant.with_timezone(&chrono_tz::Europe::Berlin)
    };
    system().tell(fixture.tenant.id).await;
    let mail = system().mail_to(&email).await;
    for (service, time) in [("Service", "09:00"), ("Second", "09:30")] {
        let line =
            format!("{service} with Ada, {} (Europe/Berlin)", berlin(time).format("%A %Y-%m-%d %H:%M"));
        assert!(mail.contains(&line), "{line}: {mail}");
    }
    let described = "Service with Ada (30 min)\\nSecond with Ada (45 min)";
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let feed = Actor::anonymous().get(made["path"].as_str().expect("a path")).await.text;
    let file = manage("/calendar", &booked["manage_token"], json!({})).await.text;
    for (text, summary) in [(&file, "Service, Second"), (&feed, "Service, Second: Guest One")] {
        let [.., shown] = events(text).pop().expect("an event");
        assert_eq!(shown, summary);
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("DESCRIPTION:{described}\r\n")), "{unfolded}");
    }
    // It says nothing that changes without its sequence.
    let zone = json!({ "time_zone": "America/New_York" });
    fixture.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let entry = |text: &str| {
        let entry = text.split("BEGIN:VEVENT").nth(1).expect("an event");
        entry.split("END:VEVENT").next().expect("its lines").to_owned()
    };
    let later = manage("/calendar", &booked["manage_token"], json!({})).await.text;
    assert_eq!(entry(&later), entry(&file));
}

#[tokio::test]
async fn renamed_entry_has_one_sequence_in_feed_and_file() {
    let fixture = BookingFixture::new().await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let day = (Utc::now() + TimeDelta::days(30)).date_naive();
    let body = json!({
        "service_id": fixture.service, "and_then": [second], "starts_at": format!("{day}T09:00:00Z"),
        "contact": contact(&address()),
    });
    let booked = fixture.as_guest("appointments", body).await.expect(201);
    let id = id_of(&booked);
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let contact = fixture.get(id).await["contact_id"].as_str().expect("an id").to_owned();
    let file = format!("/api/v1/appointments/{id}/calendar.ics");
    let mut sequences = Vec::new();
    for (path, change) in [
        (format!("/api/v1/contacts/{contact}"), json!({ "last_name": "Two" })),
        (format!("/api/v1/services/{}", fixture.service), json!({ "name": "First" })),
        (format!("/api/v1/services/{second}"), json!({ "name": "Another" })),
    ] {
        fixture.tenant.manager.patch(&path, change).await.expect(200);
        let texts = [
            Actor::anonymous().get(made["path"].as_str().expect("a path")).await.text,
            fixture.tenant.viewer.get(&file).await.text,
            manage("/calendar", &booked["manage_token"], json!({})).await.text,
        ];
        let seen: Vec<_> = texts
            .iter()
            .map(|text| {
                let [_, sequence, ..] = events(text).pop().expect("an event");
                sequence.parse::<u32>().expect("a number")
            })
            .collect();
        assert!(seen.iter().all(|sequence| *sequence == seen[0]), "{path}: {seen:?}");
        sequences.push(seen[0]);
    }
    assert_eq!(sequences, [1, 2, 3]);
}

#[tokio::test]
async fn token_of_a_guest_is_described_by_every_operation_that_takes_it() {
    let fixture = BookingFixture::new().await;
    let mut reading = 0;
    for operation in operations() {
        let scheme = &operation.value["security"][0]["link"];
        if scheme.is_array() {
            reading += 1;
            let path = match operation.id() {
                "list_slots_to_reschedule_as_guest" => {
                    format!("{}?from=2031-05-05&to=2031-05-06", operation.path)
                }
                _ => operation.path.clone(),
            };
            let refused = Actor::anonymous().get(&path).await.refused(401, "credentials_missing");
            assert!(refused["detail"].as_str().expect("a text").contains("manage_token"), "{refused}");
            let access = fixture.tenant.owner.get(&path).await.refused(401, "token_invalid");
            assert!(access["detail"].as_str().expect("a text").contains("link"), "{access}");
        }
        if !operation.id().ends_with("_as_guest") {
            continue;
        }
        let description = operation.value["description"].as_str().expect("a text");
        let takes_token = operation.example().is_some_and(|body| body["token"].is_string());
        let says = description.contains("`manage_token` in the body");
        assert_eq!(takes_token, says, "{}: {description}", operation.id());
        let unauthorized = operation.value["responses"]["401"]["description"].as_str();
        assert_eq!(unauthorized.is_some(), takes_token || scheme.is_array(), "{}", operation.id());
        assert!(unauthorized.is_none_or(|text| text.contains("manage_token")), "{}", operation.id());
    }
    assert_eq!(reading, 5);
}

#[tokio::test]
async fn idempotency_key_of_a_guest_counts_only_with_its_body() {
    let fixture = BookingFixture::new().await;
    let url = fixture.guest_path("appointments").await;
    let send = async |hour: u8| {
        let guest = Actor::anonymous();
        let body = json!({
            "service_id": fixture.service, "starts_at": format!("2031-05-05T{hour:02}:00:00Z"),
            "contact": { "first_name": "Guest", "last_name": "One" },
        });
        let request = guest.request(reqwest::Method::POST, &url).header("idempotency-key", "one");
        guest.send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    let first = send(9).await.expect(201);
    // Somebody else who happens to send the same.
    assert_ne!(send(10).await.expect(201)["id"], first["id"]);
    // What came of it, as it is now.
    manage("/cancel", &first["manage_token"], json!({})).await.expect(200);
    let again = send(9).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let again = again.expect(201);
    assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("cancelled")));
    let says = |id: &str| {
        let operation =
            operations().into_iter().find(|operation| operation.id() == id).expect("an operation");
        operation.value["parameters"].to_string().contains("used_before")
    };
    assert!(!says("book_as_guest") && !says("accept_offer_as_guest") && says("create_appointment"));
}

#[tokio::test]
async fn checked_in_appointment_cannot_be_changed_by_its_customer() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let booked = book_as_guest(&fixture, "2031-05-05T09:00:00Z", &address()).await;
    let mine = fixture.book("2031-05-05T11:00:00Z").await;
    let later = json!({ "starts_at": "2031-05-06T09:00:00Z" });
    for (id, minutes) in [(id_of(&booked), 10), (mine.as_str(), 50)] {
        fixture.shift(id, Utc::now() + TimeDelta::minutes(minutes)).await;
        fixture.act(id, "check-in", json!({})).await.expect(200);
    }
    for (what, more) in [("cancel", json!({})), ("reschedule", later)] {
        let guest = manage(&format!("/{what}"), &booked["manage_token"], more.clone()).await;
        let path = format!("/api/v1/my/appointments/{mine}/{what}");
        for answer in [guest, customer.post(&path, more).await] {
            let refused = answer.refused(409, "transition_not_allowed");
            // What staff could do is nothing to them.
            assert_eq!(refused["allowed"], json!([]));
        }
    }
    // Before, they can do both.
    fixture.act(id_of(&booked), "undo", json!({})).await.expect(200);
    let refused =
        fixture.act(id_of(&booked), "confirm", json!({})).await.refused(409, "transition_not_allowed");
    assert!(refused["allowed"].as_array().expect("a list").len() > 2);
    manage("/cancel", &booked["manage_token"], json!({})).await.expect(200);
    fixture.act(&mine, "cancel", json!({})).await.expect(200);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn move_to_the_same_time_changes_nothing() {
    let fixture =
        BookingFixture::with(json!({ "requires_approval": true, "cancellation_notice_minutes": 60 })).await;
    let customer = fixture.customer().await;
    let start = "2031-05-05T09:00:00Z";
    let booked = book_as_guest(&fixture, start, &address()).await;
    let mine = fixture.try_book("2031-05-05T11:00:00Z").await;
    let mine = mine.created();
    for id in [id_of(&booked), &mine] {
        fixture.act(id, "confirm", json!({})).await.expect(200);
    }
    let before = fixture.get(id_of(&booked)).await;
    let same = json!({ "starts_at": start });
    let answer = manage("/reschedule", &booked["manage_token"], same.clone()).await.expect(200);
    assert_eq!(answer["status"], "confirmed");
    let with_provider = json!({ "starts_at": start, "provider_id": fixture.provider });
    manage("/reschedule", &booked["manage_token"], with_provider).await.expect(200);
    fixture.act(id_of(&booked), "reschedule", same).await.expect(200);
    assert_eq!(fixture.get(id_of(&booked)).await, before);
    let path = format!("/api/v1/my/appointments/{mine}/reschedule");
    let moved = customer.post(&path, json!({ "starts_at": "2031-05-05T11:00:00Z" })).await.expect(200);
    assert_eq!(moved["status"], "confirmed");
    // Not too late for what is no change.
    let soon = DateTime::from_timestamp(Utc::now().timestamp() + 59 * 60, 0).expect("an instant");
    fixture.shift(id_of(&booked), soon).await;
    manage("/reschedule", &booked["manage_token"], json!({ "starts_at": soon })).await.expect(200);
    let elsewhere = json!({ "starts_at": "2031-05-06T09:00:00Z" });
    manage("/reschedule", &booked["manage_token"], elsewhere).await.refused(409, "too_late");
}

#[tokio::test]
async fn guest_is_told_that_a_move_has_to_be_confirmed() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let email = address();
    let booked = book_as_guest(&fixture, "2031-05-05T09:00:00Z", &email).await;
    system().tell(fixture.tenant.id).await;
    let mail = system().mail_to(&email).await;
    for said in ["has yet to confirm it", "If you move it, ", "has to confirm the new time."] {
        assert!(mail.contains(said), "{said}: {mail}");
    }
    fixture.act(id_of(&booked), "confirm", json!({})).await.expect(200);
    let later = json!({ "starts_at": "2031-05-06T09:00:00Z" });
    let moved = manage("/reschedule", &booked["manage_token"], later).await.expect(200);
    assert_eq!(moved["status"], "pending");
    for id in ["reschedule_as_guest", "reschedule_my_appointment"] {
        let operation =
            operations().into_iter().find(|operation| operation.id() == id).expect("an operation");
        let description = operation.value["description"].as_str().expect("a text");
        assert!(description.contains("`pending` again"), "{id}: {description}");
    }
}

#[tokio::test]
async fn start_off_the_grid_names_the_list_of_slots() {
    let fixture = BookingFixture::new().await;
    let body = json!({
        "service_id": fixture.service, "starts_at": "2031-05-05T09:07:00Z", "contact": contact(&address()),
    });
    let refused = fixture.as_guest("appointments", body).await;
    let detail = refused.body["errors"][0]["detail"].as_str().expect("a text").to_owned();
    refused.invalid("starts_at", "off_grid");
    // One sentence for members, customers and guests, whose lists have other paths.
    assert!(
        detail.contains("…/services/{service_id}/slots") && !detail.contains("GET /services"),
        "{detail}"
    );
}
