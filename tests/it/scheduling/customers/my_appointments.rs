//! Customers with an account: what they can do themselves, and whose things they cannot reach.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::events;
use crate::{
    harness::{Actor, system},
    scheduling::booking::transitions::{Shop, nothing_is_wrong},
};

const PATH: &str = "/api/v1/my/appointments";

/// Makes the contact of a shop its customer's, as accepting an invitation does.
pub async fn link(shop: &Shop) -> Actor {
    let contact: Uuid = shop.contact.parse().expect("an id");
    system()
        .superuser()
        .await
        .execute(
            "update crm.contacts set account_id = $1 where id = $2",
            &[&shop.tenant.customer.account, &contact],
        )
        .await
        .expect("a contact");
    shop.tenant.customer.clone()
}

fn booking(shop: &Shop, start: &str) -> Value {
    json!({ "service_id": shop.service, "starts_at": start })
}

#[tokio::test]
async fn customer_finds_books_moves_and_cancels() {
    let shop =
        Shop::with(json!({ "requires_approval": true, "price_amount": 4500, "price_currency": "EUR" })).await;
    let hidden = shop
        .tenant
        .service_with(json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false }))
        .await;
    let customer = &shop.tenant.customer;
    customer.post(PATH, booking(&shop, "2031-05-05T09:00:00Z")).await.refused(409, "contact_missing");
    link(&shop).await;

    let services = customer.get("/api/v1/my/services").await.expect(200);
    assert_eq!(services["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&services["items"][0]["id"], &services["items"][0]["price_amount"]),
        (&json!(shop.service), &json!(4500))
    );
    let providers = customer.get("/api/v1/my/providers").await.expect(200);
    assert_eq!(providers["items"], json!([{ "id": shop.provider, "name": "Ada" }]));
    let period = "from=2031-05-05&to=2031-05-06";
    let slots = format!("/api/v1/my/services/{}/slots?{period}", shop.service);
    let listed = customer.get(&slots).await.expect(200);
    assert_eq!(listed["items"][0]["starts_at"], "2031-05-05T09:00:00Z");
    customer.get(&format!("/api/v1/my/services/{hidden}/slots?{period}")).await.refused(404, "not_found");

    let booked = customer.post(PATH, booking(&shop, "2031-05-05T09:00:00Z")).await;
    let id = booked.created();
    let own = format!("{PATH}/{id}");
    let seen = shop.get(&id).await;
    assert_eq!(
        (&seen["contact_id"], &seen["status"], &seen["created_by"]),
        (&json!(shop.contact), &json!("pending"), &json!(customer.account))
    );
    assert_eq!(customer.get(&own).await.expect(200)["status"], "pending");
    let calendar = customer.get(&format!("{own}/calendar.ics")).await;
    assert_eq!(events(&calendar.text).len(), 1);
    // What is taken is taken, also by themselves.
    customer.post(PATH, booking(&shop, "2031-05-05T09:00:00Z")).await.refused(409, "slot_unavailable");
    shop.tenant.provider().await;
    customer.post(PATH, booking(&shop, "2031-05-05T09:15:00Z")).await.refused(409, "contact_busy");
    let mut wrong = booking(&shop, "2031-05-05T10:00:00Z");
    wrong["service_id"] = json!(hidden);
    customer.post(PATH, wrong).await.invalid("service_id", "not_found");
    customer.post(PATH, booking(&shop, "2031-05-05T03:00:00Z")).await.invalid("starts_at", "outside_hours");

    // Confirmed was another time, so that it has to be confirmed again.
    shop.act(&id, "confirm", json!({})).await.expect(200);
    let own_time = customer.get(&format!("{slots}&reschedule_of={id}")).await.expect(200);
    assert_eq!(own_time["items"][0]["starts_at"], "2031-05-05T09:00:00Z");
    let moved =
        customer.post(&format!("{own}/reschedule"), json!({ "starts_at": "2031-05-05T10:00:00Z" })).await;
    let moved = moved.expect(200);
    assert_eq!(
        (&moved["id"], &moved["starts_at"], &moved["status"]),
        (&json!(id), &json!("2031-05-05T10:00:00Z"), &json!("pending"))
    );
    let cancelled = customer.post(&format!("{own}/cancel"), json!({ "reason": "Ill." })).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let seen = shop.get(&id).await;
    assert_eq!(
        (&seen["cancelled_by_kind"], &seen["cancelled_by"], &seen["cancellation_reason"]),
        (&json!("customer"), &json!(customer.account), &json!("Ill."))
    );
    customer.post(&format!("{own}/cancel"), json!({})).await.refused(409, "transition_not_allowed");
    let transitions =
        shop.tenant.viewer.get(&format!("/api/v1/appointments/{id}/transitions")).await.expect(200);
    assert_eq!(transitions["items"][1]["actor_role"], "customer");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn customer_keeps_to_the_notice_and_books_visits_and_seats() {
    let shop = Shop::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let customer = link(&shop).await;
    let second = shop.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let mut visit = booking(&shop, "2031-05-05T09:00:00Z");
    visit["and_then"] = json!([second]);
    let id = customer.post(PATH, visit).await.created();
    let own = format!("{PATH}/{id}");
    let seen = customer.get(&own).await.expect(200);
    assert_eq!(seen["segments"][1]["service_id"], json!(second));
    let moved =
        customer.post(&format!("{own}/reschedule"), json!({ "starts_at": "2031-05-05T11:00:00Z" })).await;
    assert_eq!(moved.expect(200)["segments"][1]["starts_at"], "2031-05-05T11:30:00Z");
    shop.shift(&id, Utc::now() + TimeDelta::minutes(59)).await;
    customer.post(&format!("{own}/cancel"), json!({})).await.refused(409, "too_late");
    let later = json!({ "starts_at": "2031-05-06T11:00:00Z" });
    customer.post(&format!("{own}/reschedule"), later).await.refused(409, "too_late");

    let course = json!({ "name": "Course", "duration_minutes": 60, "capacity": 3 });
    let course = shop.tenant.service_with(course).await;
    let mut seat = booking(&shop, "2031-05-07T09:00:00Z");
    seat["service_id"] = json!(course);
    // One person takes one seat.
    let answers = join_all((0..3).map(|_| customer.post(PATH, seat.clone()))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409], "{answers:?}");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn customer_who_asks_twice_with_one_key_is_served_once() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    let customer = link(&shop).await;
    let ask = async |key: &str| {
        let request = customer.request(reqwest::Method::POST, PATH).header("idempotency-key", key);
        let body = booking(&shop, "2031-05-05T09:00:00Z").to_string();
        customer.send(request.header("content-type", "application/json").body(body)).await
    };
    let (first, again) = (ask("one").await.expect(201), ask("one").await.expect(201));
    assert_eq!(first, again);
    ask("two").await.refused(409, "slot_unavailable");
}

#[tokio::test]
async fn customer_reaches_nothing_of_another_customer() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    let stranger = shop.tenant.contact().await;
    body["contact_id"] = json!(stranger);
    let other = shop.tenant.staff.post("/api/v1/appointments", body).await.created();
    let path = format!("{PATH}/{other}");
    customer.get(&path).await.refused(404, "not_found");
    customer.get(&format!("{path}/calendar.ics")).await.refused(404, "not_found");
    customer.post(&format!("{path}/cancel"), json!({})).await.refused(404, "not_found");
    let target = json!({ "starts_at": "2031-05-05T10:00:00Z" });
    customer.post(&format!("{path}/reschedule"), target).await.refused(404, "not_found");
    let slots = format!("/api/v1/my/services/{}/slots?from=2031-05-05&to=2031-05-06", shop.service);
    customer.get(&format!("{slots}&reschedule_of={other}")).await.invalid("reschedule_of", "not_found");
    let before = shop.get(&other).await;

    // The same with SQL: as the customer, about to change what is somebody else's.
    let own = shop.book("2031-05-05T11:00:00Z").await;
    let api = system().connect("appointd_api").await;
    let id: Uuid = other.parse().expect("an id");
    let enter = async || {
        api.batch_execute("rollback; begin").await.expect("a transaction");
        let (account, session) = (customer.account, customer.session);
        api.execute(
            "select app.enter_customer($1, $2, $3, $4, null, null, null)",
            &[&shop.tenant.id, &account, &session, &id],
        )
        .await
        .expect("a way in");
    };
    enter().await;
    let count = async |sql: &str| -> i64 {
        api.query_one(&format!("select count(*) from {sql}"), &[]).await.expect("a count").get(0)
    };
    assert_eq!(count("crm.contacts").await, 1);
    assert_eq!(count("scheduling.appointments").await, 1);
    for table in ["scheduling.holds", "scheduling.waitlist_entries", "scheduling.appointment_transitions"] {
        assert_eq!(count(table).await, 0, "{table}");
    }
    for (sql, rows) in [
        (format!("update scheduling.appointments set updated_at = now() where id = '{other}'"), Some(0)),
        (format!("update scheduling.appointments set updated_at = now() where id = '{own}'"), Some(0)),
        (format!("delete from scheduling.claims where appointment_id in ('{other}', '{own}')"), Some(0)),
        (
            format!(
                "insert into scheduling.appointments (id, service_id, provider_id, contact_id, starts_at, ends_at)
                 values ('{other}', '{}', '{}', '{stranger}', now(), now() + interval '1 hour')",
                shop.service, shop.provider
            ),
            None,
        ),
        (format!("insert into scheduling.resources (id, kind) values ('{stranger}', 'contact')"), None),
        (format!("update crm.contacts set first_name = 'X' where id = '{}'", shop.contact), Some(0)),
    ] {
        enter().await;
        assert_eq!(api.execute(&sql, &[]).await.ok(), rows, "{sql}");
    }
    api.batch_execute("rollback").await.expect("a rollback");
    assert_eq!(shop.get(&other).await, before);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn customer_holds_confirms_and_releases() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let hold = customer.post("/api/v1/my/holds", booking(&shop, "2031-05-05T09:00:00Z")).await.created();
    let path = format!("/api/v1/my/holds/{hold}");
    shop.tenant
        .staff
        .post("/api/v1/appointments", shop.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    let booked = customer.post(&format!("{path}/confirm"), json!({ "note": "Second floor." })).await;
    assert_eq!(booked.created(), hold, "one id for both");
    let seen = shop.get(&hold).await;
    assert_eq!(
        (&seen["contact_id"], &seen["status"], &seen["note"]),
        (&json!(shop.contact), &json!("confirmed"), &json!("Second floor."))
    );
    let again = customer.post(&format!("{path}/confirm"), json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.created(), hold);
    let mut holds = Vec::new();
    for hour in 10..13 {
        let start = format!("2031-05-05T{hour}:00:00Z");
        holds.push(customer.post("/api/v1/my/holds", booking(&shop, &start)).await.created());
    }
    let fourth = booking(&shop, "2031-05-05T14:00:00Z");
    customer.post("/api/v1/my/holds", fourth.clone()).await.refused(409, "too_many_holds");
    customer.delete(&format!("/api/v1/my/holds/{}", holds[0])).await.expect(204);
    customer.post("/api/v1/my/holds", fourth).await.expect(201);
    // Those of others are not theirs.
    let foreign = shop.hold("2031-05-05T15:00:00Z").await.created();
    customer.post(&format!("/api/v1/my/holds/{foreign}/confirm"), json!({})).await.refused(404, "not_found");
    customer.delete(&format!("/api/v1/my/holds/{foreign}")).await.refused(404, "not_found");
    shop.expire(&holds[1]).await;
    let late = customer.post(&format!("/api/v1/my/holds/{}/confirm", holds[1]), json!({})).await;
    assert!(matches!(late.status, 404 | 409), "{}", late.text);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn customer_waits_accepts_declines_and_leaves() {
    let shop = Shop::new().await;
    let customer = link(&shop).await;
    let path = "/api/v1/my/waitlist";
    let day = |day: u8| {
        json!({
            "service_id": shop.service,
            "from": format!("2031-05-{day:02}T00:00:00Z"),
            "to": format!("2031-05-{:02}T00:00:00Z", day + 1),
        })
    };
    let stranger = shop.tenant.contact().await;
    let book = async |day: u8| {
        let mut body = shop.body(&format!("2031-05-{day:02}T09:00:00Z"));
        body["contact_id"] = json!(stranger);
        shop.tenant.staff.post("/api/v1/appointments", body).await.created()
    };
    let (first, second) = (book(5).await, book(6).await);
    let mine = customer.post(path, day(5)).await.created();
    let other = customer.post(path, day(6)).await.created();
    let third = customer.post(path, day(8)).await.created();
    customer.post(&format!("{path}/{mine}/accept"), json!({})).await.refused(409, "nothing_offered");
    shop.act(&first, "cancel", json!({})).await.expect(200);
    let offered = customer.get(&format!("{path}/{mine}")).await.expect(200);
    assert_eq!(
        (&offered["status"], &offered["offer"]["starts_at"]),
        (&json!("offered"), &json!("2031-05-05T09:00:00Z"))
    );
    let listed = customer.get(path).await.expect(200);
    let ids: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(json!(ids), json!([mine, other, third]));
    assert_eq!(listed["items"][0]["offer"], offered["offer"]);
    let booked = customer.post(&format!("{path}/{mine}/accept"), json!({})).await.created();
    assert_eq!(booked, mine, "one id for both");
    assert_eq!(customer.get(&format!("{PATH}/{booked}")).await.expect(200)["status"], "confirmed");
    shop.act(&second, "cancel", json!({})).await.expect(200);
    let declined = customer.post(&format!("{path}/{other}/decline"), json!({})).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let left = customer.post(&format!("{path}/{third}/withdraw"), json!({})).await.expect(200);
    assert_eq!(left["status"], "withdrawn");
    customer.post(&format!("{path}/{third}/withdraw"), json!({})).await.refused(409, "not_waiting");
    // Somebody else's place in the line is not theirs.
    let mut entry = day(9);
    entry["contact_id"] = json!(stranger);
    let foreign = shop.tenant.staff.post("/api/v1/waitlist", entry).await.created();
    customer.get(&format!("{path}/{foreign}")).await.refused(404, "not_found");
    for verb in ["accept", "decline", "withdraw"] {
        customer.post(&format!("{path}/{foreign}/{verb}"), json!({})).await.refused(404, "not_found");
    }
    let mut wrong = day(9);
    wrong["to"] = json!("2031-05-01T00:00:00Z");
    customer.post(path, wrong).await.invalid("to", "invalid_value");
    nothing_is_wrong(&shop.tenant).await;
}
