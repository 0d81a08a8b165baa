//! Customers with an account: what they book and change themselves, and whose appointments they cannot reach.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar_feeds::events;
use crate::harness::{
    booking::{BookingFixture, expect_sound_bookings},
    system,
};

const PATH: &str = "/api/v1/my/appointments";

#[tokio::test]
async fn customer_books_moves_and_cancels() {
    let fixture = BookingFixture::with(
        json!({ "requires_approval": true, "price_amount": 4500, "price_currency": "EUR" }),
    )
    .await;
    let hidden = fixture
        .tenant
        .service_with(json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false }))
        .await;
    let customer = &fixture.tenant.customer;
    customer.post(PATH, fixture.own_body("2031-05-05T09:00:00Z")).await.refused(409, "contact_missing");
    fixture.customer().await;

    let services = customer.get("/api/v1/my/services").await.expect(200);
    assert_eq!(services["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&services["items"][0]["id"], &services["items"][0]["price_amount"]),
        (&json!(fixture.service), &json!(4500))
    );
    let providers = customer.get("/api/v1/my/providers").await.expect(200);
    assert_eq!(providers["items"], json!([{ "id": fixture.provider, "name": "Ada" }]));
    let period = "from=2031-05-05&to=2031-05-06";
    let slots = format!("/api/v1/my/services/{}/slots?{period}", fixture.service);
    let listed = customer.get(&slots).await.expect(200);
    assert_eq!(listed["items"][0]["starts_at"], "2031-05-05T09:00:00Z");
    customer.get(&format!("/api/v1/my/services/{hidden}/slots?{period}")).await.refused(404, "not_found");

    let booked = customer.post(PATH, fixture.own_body("2031-05-05T09:00:00Z")).await;
    let id = booked.created();
    let own = format!("{PATH}/{id}");
    let seen = fixture.get(&id).await;
    assert_eq!(
        (&seen["contact_id"], &seen["status"], &seen["created_by"]),
        (&json!(fixture.contact), &json!("pending"), &json!(customer.account))
    );
    assert_eq!(customer.get(&own).await.expect(200)["status"], "pending");
    let calendar = customer.get(&format!("{own}/calendar.ics")).await;
    assert_eq!(events(&calendar.text).len(), 1);
    // What is taken is taken, also by themselves.
    customer.post(PATH, fixture.own_body("2031-05-05T09:00:00Z")).await.refused(409, "slot_unavailable");
    fixture.tenant.provider().await;
    customer.post(PATH, fixture.own_body("2031-05-05T09:15:00Z")).await.refused(409, "contact_busy");
    let mut wrong = fixture.own_body("2031-05-05T10:00:00Z");
    wrong["service_id"] = json!(hidden);
    customer.post(PATH, wrong).await.invalid("service_id", "not_found");
    customer.post(PATH, fixture.own_body("2031-05-05T03:00:00Z")).await.invalid("starts_at", "outside_hours");

    // Confirmed was another time, so that it has to be confirmed again.
    fixture.act(&id, "confirm", json!({})).await.expect(200);
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
    let seen = fixture.get(&id).await;
    assert_eq!(
        (&seen["cancelled_by_kind"], &seen["cancelled_by"], &seen["cancellation_reason"]),
        (&json!("customer"), &json!(customer.account), &json!("Ill."))
    );
    customer.post(&format!("{own}/cancel"), json!({})).await.refused(409, "transition_not_allowed");
    let transitions =
        fixture.tenant.viewer.get(&format!("/api/v1/appointments/{id}/transitions")).await.expect(200);
    assert_eq!(transitions["items"][1]["actor_role"], "customer");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn customer_books_visits_and_seats_and_cancels_within_the_notice() {
    let fixture = BookingFixture::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let customer = fixture.customer().await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let mut visit = fixture.own_body("2031-05-05T09:00:00Z");
    visit["and_then"] = json!([second]);
    let id = customer.post(PATH, visit).await.created();
    let own = format!("{PATH}/{id}");
    let seen = customer.get(&own).await.expect(200);
    assert_eq!(seen["segments"][1]["service_id"], json!(second));
    let moved =
        customer.post(&format!("{own}/reschedule"), json!({ "starts_at": "2031-05-05T11:00:00Z" })).await;
    assert_eq!(moved.expect(200)["segments"][1]["starts_at"], "2031-05-05T11:30:00Z");
    fixture.shift(&id, Utc::now() + TimeDelta::minutes(59)).await;
    customer.post(&format!("{own}/cancel"), json!({})).await.refused(409, "too_late");
    let later = json!({ "starts_at": "2031-05-06T11:00:00Z" });
    customer.post(&format!("{own}/reschedule"), later).await.refused(409, "too_late");

    let course = json!({ "name": "Course", "duration_minutes": 60, "capacity": 3 });
    let course = fixture.tenant.service_with(course).await;
    let mut seat = fixture.own_body("2031-05-07T09:00:00Z");
    seat["service_id"] = json!(course);
    // One person takes one seat.
    let answers = join_all((0..3).map(|_| customer.post(PATH, seat.clone()))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409], "{answers:?}");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn booking_repeated_by_a_customer_with_one_key_is_made_once() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let customer = fixture.customer().await;
    let body = fixture.own_body("2031-05-05T09:00:00Z");
    let ask = async |key: &str| customer.post_with(PATH, &body, &[("idempotency-key", key)]).await;
    let (first, again) = (ask("one").await.expect(201), ask("one").await.expect(201));
    assert_eq!(first, again);
    ask("two").await.refused(409, "slot_unavailable");
}

#[tokio::test]
async fn appointments_of_other_customers_are_not_found() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    let stranger = fixture.tenant.contact().await;
    body["contact_id"] = json!(stranger);
    let other = fixture.tenant.staff.post("/api/v1/appointments", body).await.created();
    let path = format!("{PATH}/{other}");
    customer.get(&path).await.refused(404, "not_found");
    customer.get(&format!("{path}/calendar.ics")).await.refused(404, "not_found");
    customer.post(&format!("{path}/cancel"), json!({})).await.refused(404, "not_found");
    let target = json!({ "starts_at": "2031-05-05T10:00:00Z" });
    customer.post(&format!("{path}/reschedule"), target).await.refused(404, "not_found");
    let slots = format!("/api/v1/my/services/{}/slots?from=2031-05-05&to=2031-05-06", fixture.service);
    customer.get(&format!("{slots}&reschedule_of={other}")).await.invalid("reschedule_of", "not_found");
    let before = fixture.get(&other).await;

    // The same by SQL, in the context of the customer.
    let own = fixture.book("2031-05-05T11:00:00Z").await;
    let api = system().connect("appointd_api").await;
    let id: Uuid = other.parse().expect("an id");
    let enter = async || {
        api.batch_execute("rollback; begin").await.expect("a transaction");
        let (account, session) = (customer.account, customer.session);
        api.execute(
            "select app.enter_customer($1, $2, $3, uuid_send($3), $4, null, null, null)",
            &[&fixture.tenant.id, &account, &session, &id],
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
                fixture.service, fixture.provider
            ),
            None,
        ),
        (format!("insert into scheduling.resources (id, kind) values ('{stranger}', 'contact')"), None),
        (format!("update crm.contacts set first_name = 'X' where id = '{}'", fixture.contact), Some(0)),
    ] {
        enter().await;
        assert_eq!(api.execute(&sql, &[]).await.ok(), rows, "{sql}");
    }
    api.batch_execute("rollback").await.expect("a rollback");
    assert_eq!(fixture.get(&other).await, before);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn customer_lists_appointments_of_all_organizations() {
    let (one, two, three) =
        (BookingFixture::new().await, BookingFixture::new().await, BookingFixture::new().await);
    let customer = &one.tenant.customer;
    let mut ids = Vec::new();
    for (fixture, start) in [(&one, "2031-05-06T09:00:00Z"), (&two, "2031-05-05T09:00:00Z")] {
        fixture.tenant.admit(customer.account, "customer").await;
        fixture.tenant.link_contact(&fixture.contact, customer.account).await;
        ids.push(fixture.book(start).await);
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
async fn customer_sees_names_and_until_when_to_change_in_every_answer() {
    let fixture = BookingFixture::with(json!({ "cancellation_notice_minutes": 60 })).await;
    let customer = fixture.customer().await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let organization = fixture.tenant.owner.get("/api/v1/organizations/me").await.expect(200);
    let expect = |seen: &Value, start: &str, until: Value| {
        for (name, value) in [
            ("organization_name", organization["name"].clone()),
            ("time_zone", organization["time_zone"].clone()),
            ("service_name", json!("Service")),
            ("provider_name", json!("Ada")),
            ("starts_at", json!(start)),
            ("changeable_until", until),
        ] {
            assert_eq!(seen[name], value, "{name}: {seen}");
        }
    };
    let (nine, eight) = ("2031-05-05T09:00:00Z", json!("2031-05-05T08:00:00Z"));
    let mut visit = fixture.own_body(nine);
    visit["and_then"] = json!([second]);
    let booked = customer.post(PATH, visit).await.expect(201);
    expect(&booked, nine, eight.clone());
    assert_eq!(
        (&booked["segments"][1]["service_name"], &booked["segments"][1]["provider_name"]),
        (&json!("Second"), &json!("Ada"))
    );
    let own = format!("{PATH}/{}", booked["id"].as_str().expect("an id"));
    expect(&customer.get(&own).await.expect(200), nine, eight.clone());
    expect(&customer.get(PATH).await.expect(200)["items"][0], nine, eight);
    let (eleven, ten) = ("2031-05-05T11:00:00Z", json!("2031-05-05T10:00:00Z"));
    let moved = customer.post(&format!("{own}/reschedule"), json!({ "starts_at": eleven })).await.expect(200);
    expect(&moved, eleven, ten);
    // What is no longer offered online keeps its name.
    let service = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&service, json!({ "bookable_online": false })).await.expect(200);
    let cancelled = customer.post(&format!("{own}/cancel"), json!({})).await.expect(200);
    expect(&cancelled, eleven, Value::Null);
    expect(&customer.get(PATH).await.expect(200)["items"][0], eleven, Value::Null);
    fixture.tenant.manager.patch(&service, json!({ "bookable_online": true })).await.expect(200);
    let hold = customer.post("/api/v1/my/holds", fixture.own_body(nine)).await.created();
    let confirmed = customer.post(&format!("/api/v1/my/holds/{hold}/confirm"), json!({})).await.expect(201);
    expect(&confirmed, nine, json!("2031-05-05T08:00:00Z"));
}
