//! The calendar of staff: what one screen shows.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Tenant, booking::BookingFixture, system};

const DAY: &str = "from=2031-05-05&to=2031-05-06";

async fn calendar(tenant: &Tenant, query: &str) -> Value {
    tenant.viewer.get(&format!("/api/v1/calendar?{query}")).await.expect(200)
}

fn provider<'a>(calendar: &'a Value, id: &str) -> &'a Value {
    let providers = calendar["providers"].as_array().expect("providers");
    providers.iter().find(|provider| provider["id"] == id).expect("the provider")
}

fn span(from: &str, to: &str) -> Value {
    json!({ "starts_at": format!("2031-05-{from}:00Z"), "ends_at": format!("2031-05-{to}:00Z") })
}

#[tokio::test]
async fn calendar_shows_what_takes_time_and_what_is_open() {
    let fixture =
        BookingFixture::with(json!({ "buffer_before_minutes": 5, "buffer_after_minutes": 10 })).await;
    let tenant = &fixture.tenant;
    let idle = tenant.admin.post("/api/v1/providers", json!({ "name": "Idle" })).await.created();
    let booked = fixture.book("2031-05-05T09:30:00Z").await;
    let cancelled = fixture.book("2031-05-05T15:00:00Z").await;
    fixture.act(&cancelled, "cancel", json!({})).await.expect(200);
    let held = fixture.hold("2031-05-05T11:00:00Z").await.created();
    let expired = fixture.hold("2031-05-05T14:00:00Z").await.created();
    fixture.expire(&expired).await;
    // Touches the period and does not overlap it.
    fixture.book("2031-05-06T09:00:00Z").await;
    let off = json!({ "starts_at": "2031-05-05T12:00:00Z", "ends_at": "2031-05-05T13:00:00Z" });
    let off =
        tenant.staff.post(&format!("/api/v1/providers/{}/time-off", fixture.provider), off).await.created();
    let closure = json!({ "starts_on": "2031-05-06", "ends_on": "2031-05-07", "name": "Works" });
    let closure = tenant.manager.post("/api/v1/closures", closure).await.created();

    let shown = calendar(tenant, DAY).await;
    assert_eq!(
        (&shown["time_zone"], &shown["from"], &shown["to"]),
        (&json!("UTC"), &json!("2031-05-05T00:00:00Z"), &json!("2031-05-06T00:00:00Z"))
    );
    assert_eq!(shown["closures"], json!([]));
    let ada = provider(&shown, &fixture.provider);
    assert_eq!((&ada["name"], &ada["active"]), (&json!("Ada"), &json!(true)));
    assert_eq!(ada["open"], json!([span("05T09:00", "05T12:00"), span("05T13:00", "05T17:00")]));
    assert_eq!((&ada["time_off"][0]["id"], ada["time_off"].as_array().map(Vec::len)), (&json!(off), Some(1)));
    assert_eq!(
        ada["appointments"],
        json!([{
            "id": booked, "service_id": fixture.service, "service_name": "Service", "contact_id": fixture.contact,
            "contact_name": "Grace Hopper", "starts_at": "2031-05-05T09:30:00Z", "ends_at": "2031-05-05T10:00:00Z",
            "busy_from": "2031-05-05T09:25:00Z", "busy_until": "2031-05-05T10:10:00Z", "status": "confirmed",
            "allowed": ["cancel", "reschedule", "swap", "check_in", "start", "no_show"],
        }])
    );
    let hold = &ada["holds"][0];
    assert_eq!(ada["holds"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&hold["id"], &hold["service_name"], &hold["busy_from"], &hold["busy_until"]),
        (&json!(held), &json!("Service"), &json!("2031-05-05T10:55:00Z"), &json!("2031-05-05T11:40:00Z"))
    );
    assert_eq!((&ada["sessions"], &ada["busy_elsewhere"]), (&json!([]), &json!([])));
    let nothing = json!({
        "id": idle, "name": "Idle", "active": true, "open": [], "busy_elsewhere": [], "time_off": [],
        "appointments": [], "holds": [], "sessions": [],
    });
    assert_eq!(provider(&shown, &idle), &nothing);

    let closed = calendar(tenant, "from=2031-05-06T12:00:00Z&to=2031-05-08T10:00:00Z").await;
    assert_eq!(
        (&closed["closures"][0]["id"], &closed["closures"][0]["name"]),
        (&json!(closure), &json!("Works"))
    );
    assert_eq!(provider(&closed, &fixture.provider)["open"], json!([span("08T09:00", "08T10:00")]));

    // One provider, whatever the others have.
    let one = calendar(tenant, &format!("{DAY}&provider_id={}", fixture.provider)).await;
    assert_eq!(one["providers"], json!([ada]));
    // Who is inactive is shown while they have something to do.
    for id in [&fixture.provider, &idle] {
        let path = format!("/api/v1/providers/{id}");
        tenant.admin.patch(&path, json!({ "active": false })).await.expect(200);
    }
    let shown = calendar(tenant, DAY).await;
    assert_eq!(shown["providers"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["providers"][0]["active"], json!(false));
    assert_eq!(
        calendar(tenant, &format!("{DAY}&provider_id={idle}")).await["providers"][0]["id"],
        json!(idle)
    );
    assert_eq!(calendar(tenant, "from=2031-06-05&to=2031-06-06").await["providers"], json!([]));
}

#[tokio::test]
async fn calendar_shows_each_service_of_a_visit_at_the_provider_who_performs_it() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let second = tenant.provider().await;
    let path = format!("/api/v1/services/{}", fixture.service);
    tenant.manager.patch(&path, json!({ "provider_ids": [fixture.provider] })).await.expect(200);
    let colour = tenant
        .service_with(json!({ "name": "Colour", "duration_minutes": 60, "provider_ids": [second] }))
        .await;
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([colour]);
    let visit = tenant.staff.post("/api/v1/appointments", body).await.created();
    // Only the second service lies in the period.
    let shown = calendar(tenant, "from=2031-05-05T09:30:00Z&to=2031-05-05T12:00:00Z").await;
    assert_eq!(provider(&shown, &fixture.provider)["appointments"], json!([]));
    let entry = &provider(&shown, &second)["appointments"][0];
    assert_eq!(
        (&entry["id"], &entry["segment"], &entry["service_name"], &entry["starts_at"], &entry["ends_at"]),
        (
            &json!(visit),
            &json!(2),
            &json!("Colour"),
            &json!("2031-05-05T09:30:00Z"),
            &json!("2031-05-05T10:30:00Z")
        )
    );
    let first = &calendar(tenant, DAY).await;
    let first = &provider(first, &fixture.provider)["appointments"][0];
    assert_eq!((&first["id"], &first["segment"]), (&json!(visit), &json!(1)));
}

#[tokio::test]
async fn calendar_counts_the_seats_of_group_sessions() {
    let fixture = BookingFixture::with(json!({ "capacity": 5, "contact_may_overlap": true })).await;
    let first = fixture.book("2031-05-05T09:00:00Z").await;
    let second = fixture.seat("2031-05-05T09:00:00Z").await.created();
    fixture.hold("2031-05-05T09:00:00Z").await.created();
    fixture.book("2031-05-05T11:00:00Z").await;
    fixture.act(&second, "cancel", json!({})).await.expect(200);
    let shown = calendar(&fixture.tenant, DAY).await;
    let ada = provider(&shown, &fixture.provider);
    let session = |from: &str, to: &str, taken: i32| {
        let mut session = span(from, to);
        for (name, value) in [
            ("service_id", json!(fixture.service)),
            ("service_name", json!("Service")),
            ("seats_taken", json!(taken)),
            ("capacity", json!(5)),
        ] {
            session[name] = value;
        }
        session
    };
    assert_eq!(
        ada["sessions"],
        json!([session("05T09:00", "05T09:30", 2), session("05T11:00", "05T11:30", 1)])
    );
    assert_eq!((&ada["appointments"][0]["id"], &ada["appointments"][0]["seat"]), (&json!(first), &json!(1)));
    assert_eq!(ada["holds"][0]["seat"], 3);
}

#[tokio::test]
async fn calendar_follows_overrides_travels_and_clocks() {
    let tenant = Tenant::new().await;
    tenant.admin.patch("/api/v1/organizations/me", json!({ "time_zone": "Europe/Berlin" })).await.expect(200);
    let every_day = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        .map(|weekday| json!({ "weekday": weekday, "from": "01:00", "to": "04:00" }));
    let provider_id = tenant
        .provider_with(json!({
            "time_zone": "Europe/Berlin",
            "rules": every_day,
            "overrides": [
                { "date": "2031-10-24", "intervals": [] },
                { "date": "2031-10-25", "intervals": [{ "from": "22:00", "to": "02:00" }] },
            ],
            "travels": [{ "starts_on": "2031-10-27", "ends_on": "2031-10-27", "time_zone": "Asia/Kolkata" }],
        }))
        .await;
    let shown = calendar(&tenant, "from=2031-10-24&to=2031-10-28").await;
    let interval = |from: &str, to: &str| json!({ "starts_at": format!("2031-10-{from}:00Z"), "ends_at": format!("2031-10-{to}:00Z") });
    assert_eq!(
        provider(&shown, &provider_id)["open"],
        json!([
            // The hours of the 25th go on past midnight, and meet those of the 26th, on which clocks go back.
            interval("25T20:00", "26T03:00"),
            // In Kolkata.
            interval("26T19:30", "26T22:30"),
        ])
    );
    // A month whose clocks go back is no longer than another.
    let october = calendar(&tenant, "from=2031-10-01&to=2031-11-01").await;
    assert_eq!(
        (&october["from"], &october["to"]),
        (&json!("2031-09-30T22:00:00Z"), &json!("2031-10-31T23:00:00Z"))
    );
    let auckland = calendar(&tenant, "from=2031-10-01&to=2031-10-02&time_zone=Pacific/Auckland").await;
    assert_eq!(
        (&auckland["time_zone"], &auckland["from"]),
        (&json!("Pacific/Auckland"), &json!("2031-09-30T11:00:00Z"))
    );
}

/// Open time that nothing takes is where slots are.
#[tokio::test]
async fn calendar_and_slots_agree() {
    let fixture = BookingFixture::with(json!({ "slot_step_minutes": 30, "contact_may_overlap": true })).await;
    let tenant = &fixture.tenant;
    for start in ["09:00", "10:30", "16:30"] {
        fixture.book(&format!("2031-05-05T{start}:00Z")).await;
    }
    fixture.hold("2031-05-05T12:00:00Z").await.created();
    let off = json!({ "starts_at": "2031-05-05T13:00:00Z", "ends_at": "2031-05-05T14:00:00Z" });
    tenant.staff.post(&format!("/api/v1/providers/{}/time-off", fixture.provider), off).await.created();
    let shown = calendar(tenant, DAY).await;
    let ada = provider(&shown, &fixture.provider);
    let spans = |list: &str, from: &str, to: &str| -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let instant = |item: &Value, name: &str| {
            item[name].as_str().and_then(|at| at.parse().ok()).expect("an instant")
        };
        let items = ada[list].as_array().expect("a list");
        items.iter().map(|item| (instant(item, from), instant(item, to))).collect()
    };
    let open = spans("open", "starts_at", "ends_at");
    let mut busy = spans("appointments", "busy_from", "busy_until");
    busy.extend(spans("holds", "busy_from", "busy_until"));
    let half = TimeDelta::minutes(30);
    let midnight: DateTime<Utc> = "2031-05-05T00:00:00Z".parse().expect("an instant");
    let expected: Vec<_> = (0..48)
        .map(|n| midnight + half * n)
        .filter(|start| open.iter().any(|(from, to)| from <= start && *start + half <= *to))
        .filter(|start| !busy.iter().any(|(from, to)| *start < *to && *from < *start + half))
        .collect();
    assert_eq!(expected.len(), 10);
    let slots =
        tenant.viewer.get(&format!("/api/v1/services/{}/slots?{DAY}", fixture.service)).await.expect(200);
    let listed: Vec<DateTime<Utc>> = slots["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|slot| slot["starts_at"].as_str().and_then(|at| at.parse().ok()).expect("an instant"))
        .collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn calendar_refuses_what_is_no_period_and_has_a_size() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    for (query, field, code) in [
        ("to=2031-05-06", "from", "required"),
        ("from=2031-05-06&to=2031-05-05", "to", "invalid_value"),
        ("from=2031-05-05&to=2031-06-06", "to", "period_too_long"),
        ("from=2031-05-05&to=2031-05-06&time_zone=Mars", "time_zone", "unknown_time_zone"),
        ("from=2031-05-05&to=2031-05-06&provider_id=x", "provider_id", "invalid_value"),
    ] {
        tenant.viewer.get(&format!("/api/v1/calendar?{query}")).await.invalid(field, code);
    }
    let other = BookingFixture::new().await;
    let foreign = format!("/api/v1/calendar?{DAY}&provider_id={}", other.provider);
    tenant.viewer.get(&foreign).await.invalid("provider_id", "not_found");
    tenant.customer.get(&format!("/api/v1/calendar?{DAY}")).await.refused(403, "role_too_low");

    let insert = "insert into scheduling.appointments (
            tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at
        )
        select $1, gen_random_uuid(), $2, $3, $4, '2031-05-05T09:00Z', '2031-05-05T09:30Z' from generate_series(1, $5)";
    let id = |text: &str| text.parse::<Uuid>().expect("an id");
    let ids = [id(&fixture.service), id(&fixture.provider), id(&fixture.contact)];
    let superuser = system().superuser().await;
    superuser
        .execute(insert, &[&tenant.id, &ids[0], &ids[1], &ids[2], &5001])
        .await
        .expect("one more than there may be");
    tenant.viewer.get(&format!("/api/v1/calendar?{DAY}")).await.invalid("to", "period_too_long");
    assert_eq!(
        calendar(tenant, "from=2031-05-06&to=2031-05-07").await["providers"].as_array().map(Vec::len),
        Some(1)
    );
}
