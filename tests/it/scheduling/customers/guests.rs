//! Customers without an account, and with accounts in several organizations.

use appointd::{
    http::token::{SigningKey, Tokens},
    server::Server,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Actor, system},
    scheduling::booking::transitions::{Shop, nothing_is_wrong},
};

pub async fn slug(shop: &Shop) -> String {
    let organization = shop.tenant.viewer.get("/api/v1/organizations/me").await.expect(200);
    organization["slug"].as_str().expect("a slug").to_owned()
}

fn booking(shop: &Shop, start: &str, email: Option<&str>) -> Value {
    let mut contact = json!({ "first_name": "Guest", "last_name": "One" });
    if let Some(email) = email {
        contact["email"] = json!(email);
    }
    json!({ "service_id": shop.service, "starts_at": start, "contact": contact })
}

#[tokio::test]
async fn a_guest_books_and_manages_with_the_link() {
    let shop = Shop::with(json!({ "price_amount": 4500, "price_currency": "EUR", "max_per_day": 20 })).await;
    let hidden = shop
        .tenant
        .service_with(json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false }))
        .await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let at = |path: &str, more: &str| format!("/api/v1/guest/{path}?organization_slug={slug}{more}");
    let listed = guest.get(&at("services", "")).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["price_amount"]),
        (&json!(shop.service), &json!(4500))
    );
    let providers = guest.get(&at("providers", "")).await.expect(200);
    assert_eq!(providers["items"], json!([{ "id": shop.provider, "name": "Ada" }]));
    let period = "&from=2031-05-05&to=2031-05-06";
    let slots = guest.get(&at(&format!("services/{}/slots", shop.service), period)).await.expect(200);
    assert_eq!(slots["items"][0]["starts_at"], "2031-05-05T09:00:00Z");
    guest.get(&at(&format!("services/{hidden}/slots"), period)).await.refused(404, "not_found");
    let forgotten = guest.get("/api/v1/guest/services").await;
    let detail = forgotten.body["detail"].as_str().expect("a text").to_owned();
    assert_eq!(
        detail,
        "organization_slug: Add ?organization_slug=… with the slug of the organization, or call its own host."
    );
    forgotten.invalid("organization_slug", "required");
    let unknown = guest.get("/api/v1/guest/services?organization_slug=nobody-at-all").await;
    let unknown = unknown.refused(404, "organization_not_found");
    assert_eq!(unknown["detail"], "There is no active organization with the slug `nobody-at-all`.");

    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let booked = guest
        .post(&at("appointments", ""), booking(&shop, "2031-05-05T09:00:00Z", Some(&email)))
        .await
        .expect(201);
    assert_eq!(booked["status"], "confirmed");
    let token = booked["manage_token"].as_str().expect("a token").to_owned();
    let mail = system().mail_to(&email).await;
    assert!(mail.contains("Service with Ada, 2031-05-05 09:00 (UTC)"), "{mail}");
    assert!(mail.contains("You can move or cancel it until 2031-05-05 09:00 (UTC)"), "{mail}");
    assert!(
        system()
            .mail_to(&email)
            .await
            .contains(&format!("https://pages.example.com/manage-appointment#token={token}"))
    );
    // The organization sees it as one nobody of theirs booked.
    let seen = shop.get(booked["id"].as_str().expect("an id")).await;
    assert_eq!((seen.get("created_by"), &seen["status"]), (None, &json!("confirmed")));
    guest
        .post(&at("appointments", ""), booking(&shop, "2031-05-05T09:00:00Z", None))
        .await
        .refused(409, "slot_unavailable");
    let mut wrong = booking(&shop, "2031-05-05T10:00:00Z", None);
    wrong["service_id"] = json!(hidden);
    guest.post(&at("appointments", ""), wrong).await.invalid("service_id", "not_found");
    guest
        .post(&at("appointments", ""), booking(&shop, "2031-05-05T03:00:00Z", None))
        .await
        .invalid("starts_at", "outside_hours");

    let with = |more: Value| {
        let mut body = json!({ "token": token });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    let viewed = guest.post("/api/v1/guest/appointment", with(json!({}))).await.expect(200);
    assert_eq!(viewed["id"], booked["id"]);
    let file = guest.post("/api/v1/guest/appointment/calendar", with(json!({}))).await;
    assert!(file.text.starts_with("BEGIN:VCALENDAR"), "{}", file.text);
    let moved = guest
        .post("/api/v1/guest/appointment/reschedule", with(json!({ "starts_at": "2031-05-05T09:15:00Z" })))
        .await
        .expect(200);
    assert_eq!((&moved["id"], &moved["starts_at"]), (&booked["id"], &json!("2031-05-05T09:15:00Z")));
    // A token for something else opens nothing, and this one nothing else.
    let access = shop.tenant.owner.token.clone().expect("a token");
    guest.post("/api/v1/guest/appointment", json!({ "token": access })).await.refused(401, "token_invalid");
    Actor::with_token(token.clone()).get("/api/v1/appointments").await.refused(401, "token_invalid");
    let tampered = format!("{}x{}", &token[..60], &token[61..]);
    guest.post("/api/v1/guest/appointment", json!({ "token": tampered })).await.refused(401, "token_invalid");
    let cancelled =
        guest.post("/api/v1/guest/appointment/cancel", with(json!({ "reason": "Ill." }))).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let seen = shop.get(booked["id"].as_str().expect("an id")).await;
    assert_eq!((&seen["cancelled_by_kind"], seen.get("cancelled_by")), (&json!("guest"), None));
    let path = format!("/api/v1/appointments/{}/transitions", booked["id"].as_str().expect("an id"));
    let transitions = shop.tenant.viewer.get(&path).await.expect(200);
    assert_eq!(transitions["items"][1]["actor_role"], "guest");
    guest
        .post("/api/v1/guest/appointment/cancel", with(json!({})))
        .await
        .refused(409, "transition_not_allowed");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn a_guest_keeps_to_the_notice_and_the_waitlist_gets_what_they_give_back() {
    let shop = Shop::with(json!({ "cancellation_notice_minutes": 525_600, "requires_approval": true })).await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(20)).date_naive();
    let body = booking(&shop, &format!("{soon}T09:00:00Z"), None);
    let booked = guest.post(&path, body).await.expect(201);
    assert_eq!(booked["status"], "pending");
    let token = json!({ "token": booked["manage_token"] });
    guest.post("/api/v1/guest/appointment/cancel", token.clone()).await.refused(409, "too_late");
    let mut reschedule = token.clone();
    reschedule["starts_at"] = json!(format!("{soon}T10:00:00Z"));
    guest.post("/api/v1/guest/appointment/reschedule", reschedule).await.refused(409, "too_late");
    // Staff are not held by it.
    let entry = json!({
        "service_id": shop.service, "contact_id": shop.contact, "from": format!("{soon}T00:00:00Z"), "to": format!("{soon}T23:00:00Z"),
    });
    let entry = shop.tenant.staff.post("/api/v1/waitlist", entry).await.created();
    let service = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&service, json!({ "cancellation_notice_minutes": 60 })).await.expect(200);
    guest.post("/api/v1/guest/appointment/cancel", token).await.expect(200);
    let waiting = shop.tenant.viewer.get(&format!("/api/v1/waitlist/{entry}")).await.expect(200);
    assert_eq!(waiting["status"], "offered");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn with_sql_a_guest_sees_the_public_side_and_one_appointment() {
    let shop = Shop::new().await;
    let (mine, other) = (shop.book("2031-05-05T09:00:00Z").await, shop.book("2031-05-05T10:00:00Z").await);
    let there = Shop::new().await;
    there.book("2031-05-05T09:00:00Z").await;
    let api = system().connect("appointd_api").await;
    let mine: Uuid = mine.parse().expect("an id");
    api.batch_execute("begin").await.expect("a transaction");
    api.execute("select app.enter_guest($1, $2, null, null, null)", &[&shop.tenant.id, &mine])
        .await
        .expect("a way in");
    let count = async |sql: &str| -> i64 {
        api.query_one(&format!("select count(*) from {sql}"), &[]).await.expect("a count").get(0)
    };
    assert_eq!(count("scheduling.appointments").await, 1);
    assert_eq!(count("scheduling.services").await, 1);
    for table in [
        "crm.contacts",
        "scheduling.holds",
        "scheduling.waitlist_entries",
        "tenancy.members",
        "scheduling.calendar_feeds",
        "identity.accounts",
        "operations.idempotency_keys",
    ] {
        assert_eq!(count(table).await, 0, "{table}");
    }
    assert_eq!(
        api.execute(&format!("update scheduling.appointments set note = 'x' where id = '{other}'"), &[])
            .await
            .ok(),
        None
    );
    api.batch_execute("rollback; begin").await.expect("a transaction");
    api.execute("select app.enter_guest($1, $2, null, null, null)", &[&shop.tenant.id, &mine])
        .await
        .expect("a way in");
    let changed = api
        .execute(&format!("update scheduling.appointments set updated_at = now() where id = '{other}'"), &[])
        .await;
    assert_eq!(changed.expect("no error"), 0);
    let freed =
        api.execute(&format!("delete from scheduling.claims where appointment_id = '{other}'"), &[]).await;
    assert_eq!(freed.expect("no error"), 0);
    api.batch_execute("rollback").await.expect("a rollback");
}

#[tokio::test]
async fn a_customer_sees_what_they_have_with_all_organizations() {
    let (one, two, three) = (Shop::new().await, Shop::new().await, Shop::new().await);
    let customer = &one.tenant.customer;
    let superuser = system().superuser().await;
    let mut ids = Vec::new();
    for (shop, start) in [(&one, "2031-05-06T09:00:00Z"), (&two, "2031-05-05T09:00:00Z")] {
        let contact: Uuid = shop.contact.parse().expect("an id");
        superuser
            .execute(
                "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'customer') on conflict do nothing",
                &[&shop.tenant.id, &customer.account],
            )
            .await
            .expect("a membership");
        superuser
            .execute("update crm.contacts set account_id = $1 where id = $2", &[&customer.account, &contact])
            .await
            .expect("a contact");
        ids.push(shop.book(start).await);
    }
    three.book("2031-05-05T10:00:00Z").await;
    ids.reverse();
    let path = "/api/v1/my/appointments/everywhere";
    let listed = customer.get(path).await.expect(200);
    let seen: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(json!(seen), json!(ids));
    assert_eq!(listed["items"][0]["organization_id"], json!(two.tenant.id));
    let first = customer.get(&format!("{path}?limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = customer.get(&format!("{path}?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!((&first["items"][0]["id"], &second["items"][0]["id"]), (&json!(ids[0]), &json!(ids[1])));
    assert_eq!(one.tenant.staff.get(path).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_guest_changes_nothing_that_is_not_offered_any_more_and_asks_again_where_they_had_to() {
    let shop = Shop::with(json!({ "requires_approval": true })).await;
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let mut body = booking(&shop, "2031-05-05T09:00:00Z", None);
    body["and_then"] = json!([second]);
    let booked =
        guest.post(&format!("/api/v1/guest/appointments?organization_slug={slug}"), body).await.expect(201);
    let id = booked["id"].as_str().expect("an id").to_owned();
    shop.act(&id, "confirm", json!({})).await.expect(200);
    let reschedule = |start: &str| json!({ "token": booked["manage_token"], "starts_at": start });
    let path = "/api/v1/guest/appointment/reschedule";
    let moved = guest.post(path, reschedule("2031-05-05T10:00:00Z")).await.expect(200);
    assert_eq!(moved["status"], "pending", "what was confirmed was another time");
    let before = shop.get(&id).await;
    let offered = format!("/api/v1/services/{second}");
    shop.tenant.manager.patch(&offered, json!({ "bookable_online": false })).await.expect(200);
    guest.post(path, reschedule("2031-05-05T11:00:00Z")).await.refused(409, "service_unavailable");
    let cancel = json!({ "token": booked["manage_token"] });
    assert_eq!(shop.get(&id).await, before);
    guest.post("/api/v1/guest/appointment/calendar", cancel.clone()).await;
    // The longest notice of all services counts.
    let notice = json!({ "bookable_online": true, "cancellation_notice_minutes": 525_600 });
    shop.tenant.manager.patch(&offered, notice).await.expect(200);
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(20)).date_naive();
    let staff = json!({ "starts_at": format!("{soon}T09:00:00Z") });
    shop.act(&id, "reschedule", staff).await.expect(200);
    guest.post("/api/v1/guest/appointment/cancel", cancel).await.refused(409, "too_late");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn link_outlives_the_keys_of_tokens_and_dies_with_its_own() {
    let shop = Shop::new().await;
    let slug = slug(&shop).await;
    let key = |n: u8| SigningKey::from_bytes([n; 32]);
    let serve = async |tokens: &[SigningKey], links: &[SigningKey]| {
        let tokens = std::sync::Arc::new(Tokens::new(tokens, links).expect("keys"));
        tokio::task::spawn_blocking(move || system().another(|parts| parts.tokens = tokens))
            .await
            .expect("no panic")
    };
    let view = async |server: &Server, token: &Value| {
        let body = json!({ "token": token });
        Actor::nobody().at(server.address()).post("/api/v1/guest/appointment", body).await
    };
    // As docs/deploy.md says: the next one at the end, in front, alone; the keys of tokens are exchanged at once meanwhile.
    let first = serve(&[key(1)], &[key(11)]).await;
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let booked = Actor::nobody()
        .at(first.address())
        .post(&path, booking(&shop, "2031-05-05T09:00:00Z", None))
        .await
        .expect(201);
    let old = &booked["manage_token"];
    let second = serve(&[key(2)], &[key(11), key(12)]).await;
    view(&second, old).await.expect(200);
    let third = serve(&[key(2)], &[key(12), key(11)]).await;
    let new = view(&third, old).await.expect(200)["manage_token"].clone();
    view(&second, &new).await.expect(200);
    let last = serve(&[key(2)], &[key(12)]).await;
    view(&last, &new).await.expect(200);
    view(&last, old).await.refused(401, "token_invalid");
    // Neither kind of key signs for the other.
    let swapped = serve(&[key(12)], &[key(2)]).await;
    view(&swapped, &new).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn guest_says_what_the_service_requires() {
    let shop = Shop::with(json!({ "guest_requires": ["email", "phone"] })).await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let listed = guest.get(&format!("/api/v1/guest/services?organization_slug={slug}")).await.expect(200);
    assert_eq!(listed["items"][0]["guest_requires"], json!(["email", "phone"]));
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let mut body = booking(&shop, "2031-05-05T09:00:00Z", None);
    guest.post(&path, body.clone()).await.invalid("contact.email", "required");
    body["contact"]["email"] = json!(format!("g{}@example.com", Uuid::new_v4().simple()));
    guest.post(&path, body.clone()).await.invalid("contact.phone", "required");
    body["contact"]["phone"] = json!("+1 555 0100");
    guest.post(&path, body).await.expect(201);
    // Of a visit, every service may require something.
    let free = shop.tenant.service_with(json!({ "name": "Free", "duration_minutes": 30 })).await;
    let mut visit = booking(&shop, "2031-05-05T11:00:00Z", None);
    (visit["service_id"], visit["and_then"]) = (json!(free), json!([shop.service]));
    guest.post(&path, visit).await.invalid("contact.email", "required");
    let service = format!("/api/v1/services/{}", shop.service);
    for (wrong, field, code) in [
        (json!({ "guest_requires": ["fax"] }), "guest_requires[0]", "invalid_value"),
        (json!({ "guest_requires": ["email", "email", "phone"] }), "guest_requires", "too_many"),
    ] {
        shop.tenant.manager.patch(&service, wrong).await.invalid(field, code);
    }
    // Staff book whom they like.
    shop.book("2031-05-05T13:00:00Z").await;
    let nothing = json!({ "guest_requires": [] });
    let changed = shop.tenant.manager.patch(&service, nothing).await.expect(200);
    assert_eq!(changed["guest_requires"], json!([]));
    guest.post(&path, booking(&shop, "2031-05-05T15:00:00Z", None)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_of_one_address_or_email_book_so_often_and_no_more() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    let other = Shop::new().await;
    let settings = "/api/v1/organizations/me/settings";
    let before = shop.tenant.viewer.get(settings).await.expect(200);
    assert_eq!(
        before["guests"],
        json!({ "bookings_per_address": 20, "bookings_per_email": 5, "match_by_verified_email": false })
    );
    let limits = json!({ "guests": { "bookings_per_address": 6, "bookings_per_email": 2 } });
    let after = shop.tenant.admin.patch(settings, limits.clone()).await.expect(200);
    assert_eq!(
        (&after["guests"]["bookings_per_address"], &after["guests"]["bookings_per_email"]),
        (&json!(6), &json!(2))
    );
    shop.tenant
        .admin
        .patch(settings, json!({ "guests": { "bookings_per_email": 0 } }))
        .await
        .invalid("guests.bookings_per_email", "out_of_range");
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/appointments?organization_slug={}", slug(&shop).await);
    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    for (hour, status) in [(9, 201), (10, 201), (11, 429)] {
        let body = booking(&shop, &format!("2031-05-05T{hour:02}:00:00Z"), Some(&email));
        let answer = guest.post(&path, body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 429 {
            let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!((86_000..=86_400).contains(&seconds), "{seconds}");
            answer.refused(429, "guest_limit");
        }
    }
    // All at once, without any address: four of six are left for this hour. What was refused did not count.
    let answers = join_all((0..8).map(|n| {
        let start = format!("2031-05-06T{:02}:00:00Z", 9 + n);
        guest.post(&path, booking(&shop, &start, None))
    }))
    .await;
    let booked = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(booked, 4, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 429)), "{answers:?}");
    // Another organization counts for itself, and those who work there do not count.
    let there = format!("/api/v1/guest/appointments?organization_slug={}", slug(&other).await);
    guest.post(&there, booking(&other, "2031-05-05T09:00:00Z", Some(&email))).await.expect(201);
    shop.book("2031-05-07T09:00:00Z").await;
}

#[tokio::test]
async fn guest_holds_and_confirms_with_one_link() {
    let shop = Shop::with(json!({ "guest_requires": ["email"] })).await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/holds?organization_slug={slug}");
    let wanted = json!({ "service_id": shop.service, "starts_at": "2031-05-05T09:00:00Z" });
    let held = guest.post(&path, wanted.clone()).await.expect(201);
    guest.post(&path, wanted.clone()).await.refused(409, "slot_unavailable");
    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let mut confirm = json!({
        "token": held["manage_token"], "contact": { "first_name": "Guest", "last_name": "One" },
    });
    guest.post("/api/v1/guest/hold/confirm", confirm.clone()).await.invalid("contact.email", "required");
    confirm["contact"]["email"] = json!(email);
    let booked = guest.post("/api/v1/guest/hold/confirm", confirm.clone()).await.expect(201);
    assert_eq!((&booked["id"], &booked["status"]), (&held["id"], &json!("confirmed")));
    assert!(system().mail_to(&email).await.contains("2031-05-05 09:00 (UTC)"));
    let again = guest.post("/api/v1/guest/hold/confirm", confirm).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], booked["id"]);
    assert_eq!(system().mails_to(&email, 1).await.len(), 1, "told once");
    // Another, given back.
    let mut later = wanted.clone();
    later["starts_at"] = json!("2031-05-05T11:00:00Z");
    let other = guest.post(&path, later.clone()).await.expect(201);
    let link = json!({ "token": other["manage_token"] });
    guest.post("/api/v1/guest/hold/release", link.clone()).await.expect(204);
    guest.post("/api/v1/guest/hold/release", link).await.refused(404, "not_found");
    guest.post(&path, later).await.expect(201);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn guest_waits_accepts_declines_and_leaves_with_one_link() {
    let shop = Shop::new().await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    let join = async |name: &str| {
        let wanted = json!({
            "service_id": shop.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": {
                "first_name": "Guest",
                "last_name": name,
                "email": format!("g{}@example.com", Uuid::new_v4().simple()),
            },
        });
        let joined = guest.post(&path, wanted).await.expect(201);
        assert_eq!(joined["status"], "waiting");
        json!({ "token": joined["manage_token"] })
    };
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let (one, two, three) = (join("One").await, join("Two").await, join("Three").await);
    let entry = "/api/v1/guest/waitlist-entry";
    guest.post(&format!("{entry}/accept"), one.clone()).await.refused(409, "nothing_offered");
    guest.post(&format!("{entry}/decline"), one.clone()).await.refused(409, "nothing_offered");
    shop.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(
        guest.post(entry, one.clone()).await.expect(200)["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    assert_eq!(guest.post(entry, two.clone()).await.expect(200)["status"], "waiting");
    guest.post(&format!("{entry}/accept"), two.clone()).await.refused(409, "nothing_offered");
    let declined = guest.post(&format!("{entry}/decline"), one.clone()).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let booked = guest.post(&format!("{entry}/accept"), two.clone()).await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["status"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("confirmed"))
    );
    // The link of the entry manages what came of it.
    let viewed = guest.post("/api/v1/guest/appointment", two.clone()).await.expect(200);
    assert_eq!(viewed["id"], booked["id"]);
    guest.post("/api/v1/guest/appointment/cancel", two).await.expect(200);
    assert_eq!(guest.post(entry, three.clone()).await.expect(200)["status"], "offered");
    let left = guest.post(&format!("{entry}/withdraw"), three.clone()).await.expect(200);
    assert_eq!(left["status"], "withdrawn");
    guest.post(&format!("{entry}/withdraw"), three).await.refused(409, "not_waiting");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guest_takes_one_seat_of_a_session_with_one_email() {
    let shop = Shop::with(json!({ "capacity": 5 })).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/appointments?organization_slug={}", slug(&shop).await);
    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let body = booking(&shop, "2031-05-05T09:00:00Z", Some(&email));
    let answers = join_all((0..3).map(|_| guest.post(&path, body.clone()))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409], "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == 409).expect("one refused");
    assert_eq!(refused.body["code"], "already_booked");
    let booked = answers.iter().find(|answer| answer.status == 201).expect("one booked").body.clone();
    // Another address takes another seat, and another session has one for both.
    let other = format!("g{}@example.com", Uuid::new_v4().simple());
    guest.post(&path, booking(&shop, "2031-05-05T09:00:00Z", Some(&other))).await.expect(201);
    let later = guest.post(&path, booking(&shop, "2031-05-05T10:00:00Z", Some(&email))).await.expect(201);
    // Nor by moving into it. Given back, it can be taken again.
    let target = json!({ "token": later["manage_token"], "starts_at": "2031-05-05T09:00:00Z" });
    guest.post("/api/v1/guest/appointment/reschedule", target.clone()).await.refused(409, "already_booked");
    let token = json!({ "token": booked["manage_token"] });
    guest.post("/api/v1/guest/appointment/cancel", token).await.expect(200);
    guest.post("/api/v1/guest/appointment/reschedule", target).await.expect(200);
    // Those who work there book families.
    for _ in 0..2 {
        let contact = json!({ "first_name": "Guest", "last_name": "Child", "email": email });
        let body =
            json!({ "service_id": shop.service, "starts_at": "2031-05-05T09:00:00Z", "contact": contact });
        shop.tenant.staff.post("/api/v1/appointments", body).await.expect(201);
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn guest_books_once_the_mailed_link_is_opened() {
    let shop = Shop::with(json!({ "guest_verification": "email" })).await;
    let slug = slug(&shop).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    guest
        .post(&path, booking(&shop, "2031-05-05T09:00:00Z", None))
        .await
        .invalid("contact.email", "required");
    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let held = guest.post(&path, booking(&shop, "2031-05-05T09:00:00Z", Some(&email))).await.expect(202);
    assert_eq!((held.get("manage_token"), &held["starts_at"]), (None, &json!("2031-05-05T09:00:00Z")));
    // Held, and nobody's appointment yet.
    let listed = shop.tenant.viewer.get("/api/v1/appointments").await.expect(200);
    assert_eq!(listed["items"], json!([]));
    let other = booking(&shop, "2031-05-05T09:00:00Z", Some("other@example.com"));
    guest.post(&path, other).await.refused(409, "slot_unavailable");
    let mail = system().mail_to(&email).await;
    assert!(mail.contains("Service with Ada, 2031-05-05 09:00 (UTC), is held for you until"), "{mail}");
    let token = mail.split("verify-booking#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let link = json!({ "token": token.expect("a link") });
    let booked = guest.post("/api/v1/guest/appointment/verify", link.clone()).await.expect(200);
    assert_eq!(booked["status"], "confirmed");
    // Opened again, it shows the same.
    let again = guest.post("/api/v1/guest/appointment/verify", link).await.expect(200);
    assert_eq!(again["id"], booked["id"]);
    let seen = shop.get(booked["id"].as_str().expect("an id")).await;
    let contact = format!("/api/v1/contacts/{}", seen["contact_id"].as_str().expect("an id"));
    assert_eq!(shop.tenant.viewer.get(&contact).await.expect(200)["email"], json!(email));
    // No other way past the link.
    let hold = format!("/api/v1/guest/holds?organization_slug={slug}");
    let wanted = json!({ "service_id": shop.service, "starts_at": "2031-05-05T11:00:00Z" });
    guest.post(&hold, wanted).await.refused(409, "verification_required");
    let wait = json!({
        "service_id": shop.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
        "contact": { "first_name": "Guest", "last_name": "One", "email": email },
    });
    let waitlist = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    guest.post(&waitlist, wait).await.refused(409, "verification_required");
    let mut visit = booking(&shop, "2031-05-05T14:00:00Z", Some(&email));
    visit["and_then"] = json!([shop.service]);
    guest.post(&path, visit).await.invalid("and_then", "not_supported");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn guest_is_matched_by_verified_email_where_that_is_wanted() {
    let shop = Shop::with(json!({ "guest_verification": "email" })).await;
    let guest = Actor::nobody();
    let path = format!("/api/v1/guest/appointments?organization_slug={}", slug(&shop).await);
    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let known = json!({ "first_name": "Known", "last_name": "Before", "email": email });
    let known = shop.tenant.staff.post("/api/v1/contacts", known).await.created();
    let before = shop.tenant.viewer.get(&format!("/api/v1/contacts/{known}")).await.expect(200);
    let mut mails = 0;
    let mut book = async |start: &str| {
        guest.post(&path, booking(&shop, start, Some(&email))).await.expect(202);
        // The link, and what was booked with it.
        let mail = system().mails_to(&email, mails + 1).await.pop().expect("a mail");
        let token =
            mail.split("verify-booking#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let link = json!({ "token": token.expect("a link") });
        let booked = guest.post("/api/v1/guest/appointment/verify", link).await;
        if booked.status == 200 {
            system().mails_to(&email, mails + 2).await;
            mails += 2;
            shop.get(booked.body["id"].as_str().expect("an id")).await["contact_id"].clone()
        } else {
            mails += 1;
            json!(booked.body["code"])
        }
    };
    assert_ne!(book("2031-05-05T09:00:00Z").await, json!(known), "not unless it is wanted");
    let wanted = json!({ "guests": { "match_by_verified_email": true, "bookings_per_email": 100 } });
    shop.tenant.admin.patch("/api/v1/organizations/me/settings", wanted).await.expect(200);
    // Two contacts have the address now: neither is taken for the other.
    assert_ne!(book("2031-05-05T10:00:00Z").await, json!(known));
    let superuser = system().superuser().await;
    superuser
        .execute(
            "update crm.contacts set email = null where tenant_id = $1 and id <> $2",
            &[&shop.tenant.id, &known.parse::<Uuid>().expect("an id")],
        )
        .await
        .expect("no other");
    // As if it were tomorrow: so many mails get to one address in an hour, and no more.
    superuser
        .execute("delete from messaging.mail_budgets where subject = sha256($1::text::bytea)", &[&email])
        .await
        .expect("a budget");
    assert_eq!(book("2031-05-05T11:00:00Z").await, json!(known));
    // So that one person is in one place at a time.
    shop.tenant.provider().await;
    assert_eq!(book("2031-05-05T11:15:00Z").await, json!("contact_busy"));
    let after = shop.tenant.viewer.get(&format!("/api/v1/contacts/{known}")).await.expect(200);
    assert_eq!(after, before, "nothing of it is overwritten");
    nothing_is_wrong(&shop.tenant).await;
}
