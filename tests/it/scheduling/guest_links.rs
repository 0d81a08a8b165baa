//! What the link of a guest shows and does, for those who have nothing but the link.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    calendar::events,
    customers::link,
    guests::slug,
    lifecycle::{Shop, nothing_is_wrong},
};
use crate::harness::{Actor, Answer, operations, system};

const APPOINTMENT: &str = "/api/v1/guest/appointment";

fn address() -> String {
    format!("l{}@example.com", Uuid::new_v4().simple())
}

fn contact(email: &str) -> Value {
    json!({ "first_name": "Guest", "last_name": "One", "email": email })
}

/// Sends to the operation of guests `what`, at the organization of a shop.
async fn ask(shop: &Shop, what: &str, body: Value) -> Answer {
    Actor::nobody().post(&format!("/api/v1/guest/{what}?organization_slug={}", slug(shop).await), body).await
}

async fn book(shop: &Shop, start: &str, email: &str) -> Value {
    let body = json!({ "service_id": shop.service, "starts_at": start, "contact": contact(email) });
    ask(shop, "appointments", body).await.expect(201)
}

fn with_link(token: &Value) -> Actor {
    Actor::with_token(token.as_str().expect("a token"))
}

async fn manage(what: &str, token: &Value, more: Value) -> Answer {
    let mut body = json!({ "token": token });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    Actor::nobody().post(&format!("{APPOINTMENT}{what}"), body).await
}

fn id_of(appointment: &Value) -> &str {
    appointment["id"].as_str().expect("an id")
}

#[tokio::test]
async fn link_alone_shows_names_zone_and_until_when() {
    let shop = Shop::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let zone = json!({ "time_zone": "Europe/Berlin", "name": "Registered Name" });
    shop.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let branding = json!({ "display_name": "Known Name" });
    shop.tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.expect(200);
    let booked = book(&shop, "2031-05-05T09:00:00Z", &address()).await;
    let expected = json!({
        "organization_name": "Known Name", "time_zone": "Europe/Berlin", "service_name": "Service",
        "provider_name": "Ada", "changeable_until": "2031-05-05T08:00:00Z",
    });
    let link = with_link(&booked["manage_token"]);
    // Also after the service is not offered online any more.
    let hide = format!("/api/v1/services/{}", shop.service);
    for hidden in [false, true] {
        shop.tenant.manager.patch(&hide, json!({ "bookable_online": !hidden })).await.expect(200);
        let seen = link.get(APPOINTMENT).await.expect(200);
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&seen[name], value, "{name}");
        }
        assert_eq!(seen.get("segments"), None);
    }
    shop.tenant.manager.patch(&hide, json!({ "bookable_online": true })).await.expect(200);
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&booked[name], value, "{name}");
    }
    // Of several services, all.
    let body = json!({
        "service_id": shop.service, "and_then": [second], "starts_at": "2031-05-06T09:00:00Z",
        "contact": contact(&address()),
    });
    let visit = ask(&shop, "appointments", body).await.expect(201);
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
    shop.shift(id_of(&booked), Utc::now() + TimeDelta::minutes(59)).await;
    assert_eq!(link.get(APPOINTMENT).await.expect(200).get("changeable_until"), None);
    manage("/cancel", &visit["manage_token"], json!({})).await.expect(200);
    let seen = with_link(&visit["manage_token"]).get(APPOINTMENT).await.expect(200);
    assert_eq!((&seen["status"], seen.get("changeable_until")), (&json!("cancelled"), None));
}

#[tokio::test]
async fn entry_of_the_waitlist_shows_names_also_of_what_is_offered() {
    let shop = Shop::new().await;
    let taken = shop.book("2031-05-05T09:00:00Z").await;
    let body = json!({
        "service_id": shop.service, "provider_id": shop.provider, "from": "2031-05-05T09:00:00Z",
        "to": "2031-05-05T09:15:00Z", "contact": contact(&address()),
    });
    let entry = ask(&shop, "waitlist", body).await.expect(201);
    assert_eq!((&entry["service_name"], &entry["provider_name"]), (&json!("Service"), &json!("Ada")));
    shop.act(&taken, "cancel", json!({})).await.expect(200);
    let hide = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&hide, json!({ "bookable_online": false })).await.expect(200);
    let seen = with_link(&entry["manage_token"]).get("/api/v1/guest/waitlist-entry").await.expect(200);
    assert_eq!(
        (&seen["service_name"], &seen["offer"]["provider_name"], &seen["time_zone"]),
        (&json!("Service"), &json!("Ada"), &json!("UTC"))
    );
}

#[tokio::test]
async fn slots_to_move_to_are_those_that_moving_takes() {
    let shop = Shop::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let body = json!({
        "service_id": shop.service, "and_then": [second], "starts_at": "2031-05-05T09:00:00Z",
        "contact": contact(&address()),
    });
    let booked = ask(&shop, "appointments", body).await.expect(201);
    let token = &booked["manage_token"];
    shop.book("2031-05-05T11:00:00Z").await;
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
    let nobody = Actor::nobody();
    nobody.get(&slots).await.refused(401, "credentials_missing");
    let hide = format!("/api/v1/services/{second}");
    shop.tenant.manager.patch(&hide, json!({ "bookable_online": false })).await.expect(200);
    with_link(token).get(&slots).await.refused(409, "service_unavailable");
    shop.shift(id_of(&booked), Utc::now() + TimeDelta::minutes(59)).await;
    with_link(token).get(&slots).await.refused(409, "too_late");
    shop.act(id_of(&booked), "cancel", json!({})).await.expect(200);
    with_link(token).get(&slots).await.refused(409, "transition_not_allowed");
}

#[tokio::test]
async fn visit_is_listed_whole_in_mail_calendar_entry_and_feed() {
    let shop = Shop::new().await;
    let zone = json!({ "time_zone": "Europe/Berlin" });
    shop.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let day = (Utc::now() + TimeDelta::days(30)).date_naive();
    let email = address();
    let body = json!({
        "service_id": shop.service, "and_then": [second], "starts_at": format!("{day}T09:00:00Z"),
        "contact": contact(&email),
    });
    let booked = ask(&shop, "appointments", body).await.expect(201);
    let berlin = |time: &str| {
        let instant: DateTime<Utc> = format!("{day}T{time}:00Z").parse().expect("an instant");
        instant.with_timezone(&chrono_tz::Europe::Berlin)
    };
    let mail = system().mail_to(&email).await;
    for (service, time) in [("Service", "09:00"), ("Second", "09:30")] {
        let line =
            format!("{service} with Ada, {} (Europe/Berlin)", berlin(time).format("%A %Y-%m-%d %H:%M"));
        assert!(mail.contains(&line), "{line}: {mail}");
    }
    let clock = |time: &str| berlin(time).format("%H:%M").to_string();
    let described = format!(
        "{}–{} Service with Ada\\n{}–{} Second with Ada\\n(Europe/Berlin)",
        clock("09:00"),
        clock("09:30"),
        clock("09:30"),
        clock("10:15")
    );
    let made = shop.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let feed = Actor::nobody().get(made["path"].as_str().expect("a path")).await.text;
    let file = manage("/calendar", &booked["manage_token"], json!({})).await.text;
    for (text, summary) in [(&file, "Service, Second"), (&feed, "Service, Second: Guest One")] {
        let [.., shown] = events(text).pop().expect("an event");
        assert_eq!(shown, summary);
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("DESCRIPTION:{described}")), "{unfolded}");
    }
}

#[tokio::test]
async fn entry_has_one_sequence_in_feed_and_file_whatever_was_renamed() {
    let shop = Shop::new().await;
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 45 })).await;
    let day = (Utc::now() + TimeDelta::days(30)).date_naive();
    let body = json!({
        "service_id": shop.service, "and_then": [second], "starts_at": format!("{day}T09:00:00Z"),
        "contact": contact(&address()),
    });
    let booked = ask(&shop, "appointments", body).await.expect(201);
    let id = id_of(&booked);
    let made = shop.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let contact = shop.get(id).await["contact_id"].as_str().expect("an id").to_owned();
    let file = format!("/api/v1/appointments/{id}/calendar.ics");
    let mut sequences = Vec::new();
    for (path, change) in [
        (format!("/api/v1/contacts/{contact}"), json!({ "last_name": "Two" })),
        (format!("/api/v1/services/{}", shop.service), json!({ "name": "First" })),
        (format!("/api/v1/services/{second}"), json!({ "name": "Another" })),
    ] {
        shop.tenant.manager.patch(&path, change).await.expect(200);
        let texts = [
            Actor::nobody().get(made["path"].as_str().expect("a path")).await.text,
            shop.tenant.viewer.get(&file).await.text,
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
async fn token_of_a_guest_is_described_wherever_it_is_taken() {
    let shop = Shop::new().await;
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
            let refused = Actor::nobody().get(&path).await.refused(401, "credentials_missing");
            assert!(refused["detail"].as_str().expect("a text").contains("manage_token"), "{refused}");
            let access = shop.tenant.owner.get(&path).await.refused(401, "token_invalid");
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
    assert_eq!(reading, 4);
}

#[tokio::test]
async fn key_of_a_guest_belongs_to_the_body_it_was_sent_with() {
    let shop = Shop::new().await;
    let url = format!("/api/v1/guest/appointments?organization_slug={}", slug(&shop).await);
    let send = async |hour: u8| {
        let guest = Actor::nobody();
        let body = json!({
            "service_id": shop.service, "starts_at": format!("2031-05-05T{hour:02}:00:00Z"),
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
async fn those_who_have_checked_in_cancel_and_move_nothing_themselves() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let booked = book(&shop, "2031-05-05T09:00:00Z", &address()).await;
    let mine = shop.book("2031-05-05T11:00:00Z").await;
    let later = json!({ "starts_at": "2031-05-06T09:00:00Z" });
    for (id, minutes) in [(id_of(&booked), 10), (mine.as_str(), 50)] {
        shop.shift(id, Utc::now() + TimeDelta::minutes(minutes)).await;
        shop.act(id, "check-in", json!({})).await.expect(200);
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
    shop.act(id_of(&booked), "undo", json!({})).await.expect(200);
    let refused = shop.act(id_of(&booked), "confirm", json!({})).await.refused(409, "transition_not_allowed");
    assert!(refused["allowed"].as_array().expect("a list").len() > 2);
    manage("/cancel", &booked["manage_token"], json!({})).await.expect(200);
    shop.act(&mine, "cancel", json!({})).await.expect(200);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn move_to_the_time_it_has_changes_nothing() {
    let shop = Shop::with(json!({ "requires_approval": true, "cancellation_notice_minutes": 60 })).await;
    let customer = link(&shop).await;
    let start = "2031-05-05T09:00:00Z";
    let booked = book(&shop, start, &address()).await;
    let mine = shop.tenant.staff.post("/api/v1/appointments", shop.body("2031-05-05T11:00:00Z")).await;
    let mine = mine.created();
    for id in [id_of(&booked), &mine] {
        shop.act(id, "confirm", json!({})).await.expect(200);
    }
    let before = shop.get(id_of(&booked)).await;
    let same = json!({ "starts_at": start });
    let answer = manage("/reschedule", &booked["manage_token"], same.clone()).await.expect(200);
    assert_eq!(answer["status"], "confirmed");
    let with_provider = json!({ "starts_at": start, "provider_id": shop.provider });
    manage("/reschedule", &booked["manage_token"], with_provider).await.expect(200);
    shop.act(id_of(&booked), "reschedule", same).await.expect(200);
    assert_eq!(shop.get(id_of(&booked)).await, before);
    let path = format!("/api/v1/my/appointments/{mine}/reschedule");
    let moved = customer.post(&path, json!({ "starts_at": "2031-05-05T11:00:00Z" })).await.expect(200);
    assert_eq!(moved["status"], "confirmed");
    // Not too late for what is no change.
    let soon = DateTime::from_timestamp(Utc::now().timestamp() + 59 * 60, 0).expect("an instant");
    shop.shift(id_of(&booked), soon).await;
    manage("/reschedule", &booked["manage_token"], json!({ "starts_at": soon })).await.expect(200);
    let elsewhere = json!({ "starts_at": "2031-05-06T09:00:00Z" });
    manage("/reschedule", &booked["manage_token"], elsewhere).await.refused(409, "too_late");
}

#[tokio::test]
async fn guest_is_told_that_a_move_has_to_be_confirmed() {
    let shop = Shop::with(json!({ "requires_approval": true })).await;
    let email = address();
    let booked = book(&shop, "2031-05-05T09:00:00Z", &email).await;
    let mail = system().mail_to(&email).await;
    for said in ["has yet to confirm it", "If you move it, ", "has to confirm the new time."] {
        assert!(mail.contains(said), "{said}: {mail}");
    }
    shop.act(id_of(&booked), "confirm", json!({})).await.expect(200);
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
async fn guest_who_joins_the_waitlist_is_mailed_a_link_to_leave_it() {
    let shop = Shop::new().await;
    shop.book("2031-05-05T09:00:00Z").await;
    let email = address();
    let url = format!("/api/v1/guest/waitlist?organization_slug={}", slug(&shop).await);
    let body = json!({
        "service_id": shop.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        "contact": contact(&email),
    });
    let join = async || {
        let guest = Actor::nobody();
        let request = guest.request(reqwest::Method::POST, &url).header("idempotency-key", "one");
        guest.send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    join().await.expect(201);
    let again = join().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mails = system().mails_to(&email, 1).await;
    let between = "between Monday 2031-05-05 09:00 (UTC) and Monday 2031-05-05 09:15 (UTC)";
    assert!(mails[0].contains("You are on the waitlist of") && mails[0].contains(between), "{}", mails[0]);
    let token =
        mails[0].split("waitlist-entry#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let leave = json!({ "token": token.expect("a link") });
    let path = "/api/v1/guest/waitlist-entry/withdraw";
    assert_eq!(Actor::nobody().post(path, leave).await.expect(200)["status"], "withdrawn");
    assert_eq!(system().mails_to(&email, 1).await.len(), 1, "told once");
}

#[tokio::test]
async fn entry_of_long_ago_is_not_changed_by_its_link() {
    let shop = Shop::new().await;
    shop.book("2031-05-05T09:00:00Z").await;
    let body = json!({
        "service_id": shop.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        "contact": contact(&address()),
    });
    let entry = ask(&shop, "waitlist", body).await.expect(201);
    let id: Uuid = id_of(&entry).parse().expect("an id");
    let sql = "update scheduling.waitlist_entries
        set from_instant = now() - interval '32 days', to_instant = now() - interval '31 days' where id = $1";
    system().superuser().await.execute(sql, &[&id]).await.expect("another period");
    let link = json!({ "token": entry["manage_token"] });
    for what in ["/withdraw", "/decline", ""] {
        let path = format!("/api/v1/guest/waitlist-entry{what}");
        Actor::nobody().post(&path, link.clone()).await.refused(401, "token_expired");
    }
    let seen = shop.tenant.viewer.get(&format!("/api/v1/waitlist/{id}")).await.expect(200);
    assert_eq!(seen["status"], "waiting");
}

#[tokio::test]
async fn waitlist_is_joined_where_nothing_is_free_and_else_the_free_slots_are_told() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let other = shop.tenant.contact().await;
    let wish = |from: &str, to: &str| {
        json!({
            "service_id": shop.service, "from": format!("2031-05-05T{from}:00Z"),
            "to": format!("2031-05-05T{to}:00Z"),
        })
    };
    let with = |body: &Value, name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        body
    };
    let (free, full) = (wish("09:00", "17:00"), wish("17:00", "23:00"));
    let guests = with(&free, "contact", contact(&address()));
    let staffs = with(&free, "contact_id", json!(other));
    for answer in [
        ask(&shop, "waitlist", guests).await,
        customer.post("/api/v1/my/waitlist", free.clone()).await,
        shop.tenant.staff.post("/api/v1/waitlist", staffs.clone()).await,
    ] {
        let refused = answer.refused(409, "slots_available");
        let starts: Vec<_> = refused["alternatives"]
            .as_array()
            .expect("alternatives")
            .iter()
            .map(|slot| slot["starts_at"].as_str().expect("a start"))
            .collect();
        assert_eq!(starts, ["2031-05-05T09:00:00Z", "2031-05-05T09:15:00Z", "2031-05-05T09:30:00Z"]);
    }
    // Who works there may know better.
    let anyway = with(&staffs, "override_rules", json!(true));
    shop.tenant.staff.post("/api/v1/waitlist", anyway).await.expect(201);
    ask(&shop, "waitlist", with(&full, "contact", contact(&address()))).await.expect(201);
    customer.post("/api/v1/my/waitlist", full.clone()).await.expect(201);
    // Free is what this contact can book: they have something else then, with another provider.
    let second = shop.tenant.provider().await;
    let mut busy = shop.body("2031-05-05T12:00:00Z");
    busy["provider_id"] = json!(second);
    shop.tenant.staff.post("/api/v1/appointments", busy).await.expect(201);
    customer.post("/api/v1/my/waitlist", wish("12:00", "12:15")).await.expect(201);
    // And what this provider is free for.
    let mut taken = shop.body("2031-05-05T14:00:00Z");
    (taken["provider_id"], taken["contact_id"]) = (json!(second), json!(other));
    shop.tenant.staff.post("/api/v1/appointments", taken).await.expect(201);
    let named = with(&wish("14:00", "14:15"), "contact", contact(&address()));
    ask(&shop, "waitlist", named.clone()).await.refused(409, "slots_available");
    ask(&shop, "waitlist", with(&named, "provider_id", json!(second))).await.expect(201);
}

#[tokio::test]
async fn guest_at_the_bound_of_holds_is_not_told_to_release_those_of_others() {
    let shop = Shop::new().await;
    let insert = format!(
        "insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
         select '{}', gen_random_uuid(), '{}', '{}', '2032-01-01T00:00Z', '2032-01-01T00:30Z', now() + interval '1 hour'
         from generate_series(1, 500)",
        shop.tenant.id, shop.service, shop.provider
    );
    system().superuser().await.batch_execute(&insert).await.expect("holds");
    let hold = json!({ "service_id": shop.service, "starts_at": "2031-05-05T09:00:00Z" });
    let refused = ask(&shop, "holds", hold.clone()).await.refused(409, "too_many_holds");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(!detail.contains("release") && detail.contains("Try again"), "{detail}");
    let refused = shop.hold("2031-05-05T09:00:00Z").await.refused(409, "too_many_holds");
    assert!(refused["detail"].as_str().expect("a text").contains("release some"), "{refused}");
}

#[tokio::test]
async fn start_off_the_grid_names_the_list_of_those_who_ask() {
    let shop = Shop::new().await;
    let body = json!({
        "service_id": shop.service, "starts_at": "2031-05-05T09:07:00Z", "contact": contact(&address()),
    });
    let refused = ask(&shop, "appointments", body).await;
    let detail = refused.body["errors"][0]["detail"].as_str().expect("a text").to_owned();
    refused.invalid("starts_at", "off_grid");
    // One sentence for members, customers and guests, whose lists have other paths.
    assert!(
        detail.contains("…/services/{service_id}/slots") && !detail.contains("GET /services"),
        "{detail}"
    );
}

#[tokio::test]
async fn service_that_says_nothing_is_booked_a_year_ahead_and_at_most_ten() {
    let shop = Shop::new().await;
    let plain = json!({ "name": "Plain", "duration_minutes": 30 });
    let plain = shop.tenant.manager.post("/api/v1/services", plain).await.expect(201);
    assert_eq!(plain["horizon_days"], 365);
    let start = |days: i64| {
        let date = (Utc::now() + TimeDelta::days(days)).date_naive();
        let mut body = shop.body(&format!("{date}T09:00:00Z"));
        body["service_id"] = plain["id"].clone();
        body
    };
    let book = async |days: i64| shop.tenant.staff.post("/api/v1/appointments", start(days)).await;
    book(364).await.expect(201);
    book(367).await.invalid("starts_at", "too_far");
    let path = format!("/api/v1/services/{}", id_of(&plain));
    let unlimited = shop.tenant.manager.patch(&path, json!({ "horizon_days": null })).await.expect(200);
    assert_eq!(unlimited.get("horizon_days"), None);
    book(3658).await.expect(201);
    book(3662).await.invalid("starts_at", "too_far");
    let mut anyway = start(3662);
    anyway["override_rules"] = json!(true);
    shop.tenant.staff.post("/api/v1/appointments", anyway).await.expect(201);
}
