//! Customers without an account, and with accounts in several organizations.

use appointd::{
    http::token::{SigningKey, Tokens},
    server::Server,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::lifecycle::{Shop, nothing_is_wrong};
use crate::harness::{Actor, system};

async fn slug(shop: &Shop) -> String {
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
    guest.get("/api/v1/guest/services").await.invalid("organization_slug", "required");
    guest.get("/api/v1/guest/services?organization_slug=nobody-at-all").await.refused(404, "not_found");

    let email = format!("g{}@example.com", Uuid::new_v4().simple());
    let booked = guest
        .post(&at("appointments", ""), booking(&shop, "2031-05-05T09:00:00Z", Some(&email)))
        .await
        .expect(201);
    assert_eq!(booked["status"], "confirmed");
    let token = booked["manage_token"].as_str().expect("a token").to_owned();
    let mail = system().mail_to(&email).await;
    assert!(mail.contains("Service with Ada, 2031-05-05 09:00 (UTC)"), "{mail}");
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
    guest.post("/api/v1/guest/appointment/cancel", cancel.clone()).await.refused(409, "service_unavailable");
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
    // As README says: the next one at the end, in front, alone; the keys of tokens are exchanged at once meanwhile.
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
