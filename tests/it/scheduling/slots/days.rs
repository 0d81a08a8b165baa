//! Days with free slots, and the first free start of several services: the same slots, said in fewer words.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, Tenant, booking::BookingFixture};

/// The days of listed slots: count and first start of each.
fn grouped(slots: &Value) -> Value {
    let mut days: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for slot in slots["items"].as_array().expect("items") {
        let date = slot["local_starts_at"].as_str().expect("a local start")[..10].to_owned();
        days.entry(date).or_insert((0, slot["starts_at"].clone())).0 += 1;
    }
    days.into_iter()
        .map(|(date, (count, first))| json!({ "date": date, "count": count, "first_starts_at": first }))
        .collect()
}

async fn both(actor: &Actor, path: &str, query: &str) -> (Value, Value) {
    let slots = actor.get(&format!("{path}?{query}")).await.expect(200);
    let days = actor.get(&format!("{path}/days?{query}")).await.expect(200);
    assert_eq!(days["time_zone"], slots["time_zone"]);
    (grouped(&slots), days["items"].clone())
}

async fn slug(tenant: &Tenant) -> String {
    let organization = tenant.viewer.get("/api/v1/organizations/me").await.expect(200);
    organization["slug"].as_str().expect("a slug").to_owned()
}

#[tokio::test]
async fn days_are_those_of_the_slots_for_staff_customers_and_guests() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    tenant.provider().await;
    let closure = json!({ "starts_on": "2031-05-07", "ends_on": "2031-05-08", "name": "Closed" });
    tenant.manager.post("/api/v1/closures", closure).await.expect(201);
    let slug = slug(&tenant).await;
    let (service, provider, appointment) = (&furnished.service, &furnished.provider, &furnished.appointment);
    let queries = [
        "from=2031-05-04&to=2031-05-12".to_owned(),
        "from=2031-05-05T09:40:00Z&to=2031-05-06T09:01:00Z".to_owned(),
        "from=2031-05-04&to=2031-05-12&time_zone=Pacific/Auckland".to_owned(),
        format!("from=2031-05-05&to=2031-05-06&provider_id={provider}"),
        format!("from=2031-05-05&to=2031-05-06&and_then={service}&and_then={service}"),
    ];
    for query in &queries {
        for (actor, path, extra) in [
            (&tenant.viewer, "/api/v1", String::new()),
            (&tenant.customer, "/api/v1/my", String::new()),
            (&Actor::anonymous(), "/api/v1/guest", format!("&organization_slug={slug}")),
        ] {
            let path = format!("{path}/services/{service}/slots");
            let (slots, days) = both(actor, &path, &format!("{query}{extra}")).await;
            assert!(slots.as_array().is_some_and(|days| !days.is_empty()), "{path} {query}");
            assert_eq!(days, slots, "{path} {query}");
        }
    }
    let path = format!("/api/v1/services/{service}/slots");
    let moved = format!("from=2031-05-05&to=2031-05-06&provider_id={provider}&reschedule_of={appointment}");
    let (slots, days) = both(&tenant.viewer, &path, &moved).await;
    // 31 starts, of which three overlap the hold; those of the appointment are free.
    assert_eq!((&days, &days[0]["count"]), (&slots, &json!(28)));
    let closed = both(&tenant.viewer, &path, "from=2031-05-07&to=2031-05-09").await;
    assert_eq!(closed, (json!([]), json!([])));
}

#[tokio::test]
async fn days_refuse_what_slots_refuse() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let other = Tenant::new().await.furnished().await;
    for query in [
        "to=2031-05-06".to_owned(),
        "from=2031-05-06&to=2031-05-06".to_owned(),
        "from=2031-05-05&to=2031-07-07".to_owned(),
        format!("from=2031-05-05&to=2031-05-06&provider_id={}", other.provider),
        format!("from=2031-05-05&to=2031-05-06&and_then={}", other.service),
        format!("from=2031-05-05&to=2031-05-06&contact_id={}", other.contact),
        format!("from=2031-05-05&to=2031-05-06&reschedule_of={}", other.appointment),
    ] {
        let path = format!("/api/v1/services/{}/slots", furnished.service);
        let slots = tenant.viewer.get(&format!("{path}?{query}")).await;
        let days = tenant.viewer.get(&format!("{path}/days?{query}")).await;
        assert!(slots.status >= 400, "{query}");
        assert_eq!((days.status, &days.body["errors"]), (slots.status, &slots.body["errors"]), "{query}");
    }
    let foreign = format!("/api/v1/services/{}/slots/days?from=2031-05-05&to=2031-05-06", other.service);
    tenant.viewer.get(&foreign).await.refused(404, "not_found");
}

#[tokio::test]
async fn period_of_days_may_contain_a_clock_change() {
    let fixture = BookingFixture::new().await;
    // 62 days, and an hour.
    let query = "from=2031-09-01&to=2031-11-02&time_zone=Europe/Berlin";
    let (slots, days) =
        both(&fixture.tenant.viewer, &format!("/api/v1/services/{}/slots", fixture.service), query).await;
    assert_eq!(days, slots);
    assert_eq!(days.as_array().map(Vec::len), Some(62));
}

#[tokio::test]
async fn availability_is_the_first_slot_and_the_number_of_each_service() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let tenant = &fixture.tenant;
    let second = tenant.provider().await;
    let hers = tenant
        .service_with(json!({
            "name": "Hers", "duration_minutes": 60, "slot_step_minutes": 60, "provider_ids": [second],
            "contact_may_overlap": true, "max_per_day": 1,
        }))
        .await;
    let inactive = tenant.service().await;
    let path = format!("/api/v1/services/{inactive}");
    tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(fixture.provider);
    tenant.staff.post("/api/v1/appointments", body.clone()).await.expect(201);
    body["service_id"] = json!(hers);
    body["provider_id"] = json!(second);
    tenant.staff.post("/api/v1/appointments", body).await.expect(201);

    let period = "from=2031-05-05&to=2031-05-07";
    let expected = async |service: &str, extra: &str| {
        let path = format!("/api/v1/services/{service}/slots?{period}{extra}");
        let slots = tenant.viewer.get(&path).await.expect(200)["items"].clone();
        let count = slots.as_array().map(Vec::len);
        let mut item = json!({ "service_id": service, "count": count, "provider_ids": [] });
        if count > Some(0) {
            item["first_starts_at"] = slots[0]["starts_at"].clone();
            item["provider_ids"] = slots[0]["provider_ids"].clone();
        }
        item
    };
    // In the order of the request; twice is once.
    let services =
        format!("&service_id={hers}&service_id={inactive}&service_id={}&service_id={hers}", fixture.service);
    for extra in
        [String::new(), format!("&provider_id={second}"), format!("&provider_id={}", fixture.provider)]
    {
        let found =
            tenant.viewer.get(&format!("/api/v1/availability?{period}{services}{extra}")).await.expect(200);
        assert_eq!(found["time_zone"], "UTC");
        let items = json!([
            expected(&hers, &extra).await,
            expected(&inactive, &extra).await,
            expected(&fixture.service, &extra).await,
        ]);
        assert_eq!(found["items"], items, "{extra}");
    }
    // On the next day: the limit of the first one is reached.
    assert_eq!(expected(&hers, "").await["first_starts_at"], "2031-05-06T09:00:00Z");
    assert_eq!(expected(&fixture.service, "").await["first_starts_at"], "2031-05-05T09:30:00Z");
    assert_eq!(expected(&inactive, "").await["count"], 0);

    let slug = slug(tenant).await;
    let guest = format!(
        "/api/v1/guest/availability?organization_slug={slug}&{period}&service_id={}",
        fixture.service
    );
    let mine = format!("/api/v1/my/availability?{period}&service_id={}", fixture.service);
    let item = expected(&fixture.service, "").await;
    assert_eq!(Actor::anonymous().get(&guest).await.expect(200)["items"], json!([item]));
    assert_eq!(tenant.customer.get(&mine).await.expect(200)["items"], json!([item]));
    // What cannot be booked online is not found there.
    let path = format!("/api/v1/services/{}", fixture.service);
    tenant.manager.patch(&path, json!({ "bookable_online": false })).await.expect(200);
    Actor::anonymous().get(&guest).await.invalid("service_id", "not_found");
    tenant.customer.get(&mine).await.invalid("service_id", "not_found");
}

#[tokio::test]
async fn availability_of_a_contact_leaves_out_when_it_is_elsewhere() {
    let fixture = BookingFixture::new().await;
    fixture.tenant.provider().await;
    fixture.book("2031-05-05T09:00:00Z").await;
    let path = format!("/api/v1/availability?from=2031-05-05&to=2031-05-06&service_id={}", fixture.service);
    let first = async |path: &str| {
        fixture.tenant.viewer.get(path).await.expect(200)["items"][0]["first_starts_at"].clone()
    };
    assert_eq!(first(&path).await, "2031-05-05T09:00:00Z");
    assert_eq!(first(&format!("{path}&contact_id={}", fixture.contact)).await, "2031-05-05T09:30:00Z");
}

#[tokio::test]
async fn availability_of_several_providers_is_that_of_each_together() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let evening = |from: &str| json!({ "time_zone": "UTC", "rules": [{ "weekday": "monday", "from": from, "to": "20:00" }] });
    let (late, later) =
        (tenant.provider_with(evening("18:00")).await, tenant.provider_with(evening("19:00")).await);
    let path = format!("/api/v1/availability?from=2031-05-05&to=2031-05-06&service_id={}", fixture.service);
    let of = async |query: String| {
        tenant.viewer.get(&format!("{path}{query}")).await.expect(200)["items"][0].clone()
    };
    let (one, two) = (of(format!("&provider_id={late}")).await, of(format!("&provider_id={later}")).await);
    assert_eq!((&one["count"], &two["count"]), (&json!(7), &json!(3)));
    let both = of(format!("&provider_id={later}&provider_id={late}&provider_id={late}")).await;
    // The starts of the second are among those of the first.
    assert_eq!(both, one);
    let all = of(String::new()).await;
    assert_eq!(all["first_starts_at"], "2031-05-05T09:00:00Z");
    let inactive = format!("/api/v1/providers/{late}");
    tenant.admin.patch(&inactive, json!({ "active": false })).await.expect(200);
    assert_eq!(of(format!("&provider_id={later}&provider_id={late}")).await, two);
    let eleven: String = (0..11).map(|_| format!("&provider_id={late}")).collect();
    tenant.viewer.get(&format!("{path}{eleven}")).await.invalid("provider_id", "too_many");
}

#[tokio::test]
async fn availability_refuses_what_it_cannot_find_and_too_much() {
    let tenant = Tenant::new().await;
    let (service, other) = (tenant.service().await, Tenant::new().await);
    let (foreign, stranger, own) = (other.service().await, other.provider().await, tenant.provider().await);
    let ten = (0..10).map(|_| format!("&service_id={}", Uuid::new_v4())).collect::<String>();
    for (query, field, code) in [
        ("from=2031-05-05&to=2031-05-06".to_owned(), "service_id", "required"),
        (format!("from=2031-05-05&to=2031-05-06&service_id={service}{ten}"), "service_id", "too_many"),
        (
            format!("from=2031-05-05&to=2031-05-06&service_id={service}&service_id={foreign}"),
            "service_id",
            "not_found",
        ),
        (
            format!("from=2031-05-05&to=2031-05-06&service_id={service}&provider_id={stranger}"),
            "provider_id",
            "not_found",
        ),
        (
            format!(
                "from=2031-05-05&to=2031-05-06&service_id={service}&provider_id={own}&provider_id={stranger}"
            ),
            "provider_id",
            "not_found",
        ),
        (format!("from=2031-05-05&to=2031-07-07&service_id={service}"), "to", "period_too_long"),
        (format!("to=2031-07-07&service_id={service}"), "from", "required"),
    ] {
        tenant.viewer.get(&format!("/api/v1/availability?{query}")).await.invalid(field, code);
    }
}
