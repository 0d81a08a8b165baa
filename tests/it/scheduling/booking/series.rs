use serde_json::{Value, json};

use crate::harness::{
    Tenant,
    booking::{APPOINTMENTS, BookingFixture, ThreadsTaken, expect_sound_bookings},
    merged, week,
};

const PATH: &str = "/api/v1/appointment-series";

async fn fixture_in_new_york() -> BookingFixture {
    let mut fixture = BookingFixture::new().await;
    fixture
        .tenant
        .admin
        .patch(&format!("/api/v1/providers/{}", fixture.provider), json!({ "active": false }))
        .await
        .expect(200);
    fixture.provider = fixture
        .tenant
        .provider_with(json!({ "time_zone": "America/New_York", "rules": week("09:00", "17:00") }))
        .await;
    fixture
}

fn body(fixture: &BookingFixture, start: &str, more: &Value) -> Value {
    let body = json!({
        "service_id": fixture.service, "contact_id": fixture.contact, "starts_at": start, "frequency": "weekly", "count": 4,
        "time_zone": "America/New_York",
    });
    merged(body, more)
}

fn starts(series: &Value) -> Vec<String> {
    let all = series["appointments"].as_array().expect("appointments").iter();
    all.map(|one| one["starts_at"].as_str().expect("a start").to_owned()).collect()
}

#[tokio::test]
async fn series_keeps_the_time_of_day_when_clocks_change() {
    let fixture = fixture_in_new_york().await;
    // Clocks go back on the second of November.
    let series =
        fixture.tenant.staff.post(PATH, body(&fixture, "2031-10-22T13:00:00Z", &json!({}))).await.expect(201);
    assert_eq!(
        starts(&series),
        ["2031-10-22T13:00:00Z", "2031-10-29T13:00:00Z", "2031-11-05T14:00:00Z", "2031-11-12T14:00:00Z"]
    );
    let id = series["id"].as_str().expect("an id");
    assert_eq!(fixture.tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200), series);
    let monthly = json!({ "frequency": "monthly", "count": 3 });
    let series =
        fixture.tenant.staff.post(PATH, body(&fixture, "2031-10-28T15:00:00Z", &monthly)).await.expect(201);
    assert_eq!(starts(&series), ["2031-10-28T15:00:00Z", "2031-11-28T16:00:00Z", "2031-12-28T16:00:00Z"]);
    let late = body(&fixture, "2031-10-29T16:00:00Z", &monthly);
    fixture.tenant.staff.post(PATH, late).await.invalid("starts_at", "invalid_value");
    let long = json!({ "frequency": "monthly", "every": 12, "count": 10 });
    fixture
        .tenant
        .staff
        .post(PATH, body(&fixture, "2031-10-28T16:00:00Z", &long))
        .await
        .invalid("count", "period_too_long");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn series_with_a_taken_start_is_refused_whole_and_names_it() {
    let fixture = fixture_in_new_york().await;
    let other = fixture.tenant.contact().await;
    let taken =
        json!({ "service_id": fixture.service, "contact_id": other, "starts_at": "2031-06-17T13:15:00Z" });
    fixture.tenant.staff.post("/api/v1/appointments", taken).await.expect(201);
    let before = fixture.tenant.viewer.get("/api/v1/appointments").await.expect(200);
    let problem = fixture
        .tenant
        .staff
        .post(PATH, body(&fixture, "2031-06-03T13:00:00Z", &json!({})))
        .await
        .refused(409, "slot_unavailable");
    assert_eq!(
        (&problem["errors"][0]["field"], &problem["errors"][0]["code"]),
        (&json!("occurrences[3]"), &json!("busy"))
    );
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1));
    // The contact's own time.
    let own = json!({ "service_id": fixture.service, "contact_id": fixture.contact, "starts_at": "2031-06-11T13:00:00Z" });
    let second = fixture.tenant.provider().await;
    let mut own = own;
    own["provider_id"] = json!(second);
    fixture.tenant.staff.post("/api/v1/appointments", own).await.expect(201);
    let more = json!({ "provider_id": fixture.provider });
    let problem = fixture
        .tenant
        .staff
        .post(PATH, body(&fixture, "2031-06-04T13:00:00Z", &more))
        .await
        .refused(409, "contact_busy");
    assert_eq!(problem["errors"][0]["field"], "occurrences[2]");
    let night = fixture.tenant.staff.post(PATH, body(&fixture, "2031-06-04T03:00:00Z", &more)).await;
    night.invalid("occurrences[1]", "outside_hours");
    let after = fixture.tenant.viewer.get("/api/v1/appointments").await.expect(200);
    let count = |list: &Value| list["items"].as_array().map(Vec::len).unwrap_or_default();
    assert_eq!(count(&after), count(&before) + 1, "nothing of a refused series is left");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn series_is_changed_in_one_or_from_one_on() {
    let fixture = fixture_in_new_york().await;
    let series =
        fixture.tenant.staff.post(PATH, body(&fixture, "2031-10-22T13:00:00Z", &json!({}))).await.expect(201);
    let ids: Vec<_> = series["appointments"]
        .as_array()
        .expect("appointments")
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect();
    let path = format!("{PATH}/{}", series["id"].as_str().expect("an id"));
    let now = async || starts(&fixture.tenant.viewer.get(&path).await.expect(200));
    // The first alone; then from the second on, a day later and two hours, by the clock of New York.
    fixture.act(&ids[0], "reschedule", json!({ "starts_at": "2031-10-22T14:00:00Z" })).await.expect(200);
    let following = json!({ "starts_at": "2031-10-30T15:00:00Z", "following": true });
    fixture.act(&ids[1], "reschedule", following).await.expect(200);
    assert_eq!(
        now().await,
        ["2031-10-22T14:00:00Z", "2031-10-30T15:00:00Z", "2031-11-06T16:00:00Z", "2031-11-13T16:00:00Z"]
    );
    // All or none: the last meets another appointment.
    let other = fixture.tenant.contact().await;
    let taken =
        json!({ "service_id": fixture.service, "contact_id": other, "starts_at": "2031-11-14T16:00:00Z" });
    fixture.tenant.staff.post("/api/v1/appointments", taken).await.expect(201);
    let following = json!({ "starts_at": "2031-10-31T15:00:00Z", "following": true });
    let problem = fixture.act(&ids[1], "reschedule", following).await.refused(409, "slot_unavailable");
    assert_eq!(problem["errors"][0]["field"], "occurrences[4]");
    assert_eq!(now().await[1], "2031-10-30T15:00:00Z");
    let cancelled = fixture.act(&ids[2], "cancel", json!({ "following": true })).await.expect(200);
    assert_eq!(cancelled["id"], json!(ids[2]));
    let states = fixture.tenant.viewer.get(&path).await.expect(200)["appointments"].clone();
    let states: Vec<_> =
        states.as_array().expect("appointments").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(states, ["confirmed", "confirmed", "cancelled", "cancelled"]);
    let alone = fixture.try_book("2031-12-01T16:00:00Z").await.created();
    fixture.act(&alone, "cancel", json!({ "following": true })).await.refused(409, "no_series");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn series_stays_within_known_years_and_keeps_its_seconds() {
    let fixture = fixture_in_new_york().await;
    let odd = json!({ "override_rules": true, "count": 2 });
    let series =
        fixture.tenant.staff.post(PATH, body(&fixture, "2031-05-05T13:00:30Z", &odd)).await.expect(201);
    assert_eq!(starts(&series), ["2031-05-05T13:00:30Z", "2031-05-12T13:00:30Z"]);
    let first = series["appointments"][0]["id"].as_str().expect("an id");
    let far = json!({ "starts_at": "2999-12-31T13:00:00Z", "following": true, "override_rules": true });
    fixture.act(first, "reschedule", far).await.invalid("starts_at", "out_of_range");
    let back = json!({ "starts_at": "1970-01-02T13:00:00Z", "override_rules": true });
    fixture.act(first, "reschedule", back).await.expect(200);
    let far = json!({ "starts_at": "2031-05-05T13:00:00Z", "following": true, "override_rules": true });
    fixture.act(first, "reschedule", far).await.invalid("starts_at", "out_of_range");
}

#[tokio::test]
async fn series_are_listed_without_their_appointments() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let service = tenant.service().await;
    tenant.provider().await;
    let (grace, alan) = (tenant.contact().await, tenant.contact().await);
    let mut ids = Vec::new();
    for (contact, day) in [(&grace, 5), (&alan, 6), (&grace, 7)] {
        let body = json!({
            "service_id": service, "contact_id": contact, "starts_at": format!("2031-05-{day:02}T09:00:00Z"),
            "frequency": "weekly", "count": 2,
        });
        ids.push(tenant.staff.post("/api/v1/appointment-series", body).await.created());
    }
    let listed = async |query: String| {
        let page = tenant.viewer.get(&format!("/api/v1/appointment-series?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        let ids: Vec<_> = items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
        (ids, items, page["next_cursor"].as_str().map(ToOwned::to_owned))
    };
    let (all, items, _) = listed(String::new()).await;
    assert_eq!(all, ids);
    assert_eq!((&items[0]["frequency"], &items[0]["count"]), (&json!("weekly"), &json!(2)));
    assert_eq!(items[0].get("appointments"), None);
    assert_eq!(listed(format!("contact_id={grace}")).await.0, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(listed(format!("ids={}&contact_id={grace}", ids[1])).await.0.len(), 0);
    let (first, _, cursor) = listed(format!("limit=1&contact_id={grace}")).await;
    let cursor = cursor.expect("another page");
    assert_eq!(first, ids[..1]);
    assert_eq!(listed(format!("limit=1&contact_id={grace}&cursor={cursor}")).await.0, ids[2..]);
    let appointments =
        tenant.viewer.get(&format!("/api/v1/appointments?series_id={}", ids[0])).await.expect(200);
    assert_eq!(appointments["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(other.viewer.get("/api/v1/appointment-series").await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_are_planned_and_moved_on_computing_threads() {
    let fixture = BookingFixture::new().await;
    let staff = &fixture.tenant.staff;
    // A short one, whose rows are few: only planning may wait.
    let daily = |start: &str, more: Value| {
        let body = json!({
            "service_id": fixture.service, "contact_id": fixture.contact, "starts_at": start,
            "frequency": "daily", "count": 3,
        });
        merged(body, &more)
    };
    let named = json!({ "provider_id": fixture.provider });
    let series = staff.post(PATH, daily("2031-05-05T09:00:00Z", named.clone())).await.expect(201);
    let first = series["appointments"][0]["id"].as_str().expect("an id");
    let path = format!("{APPOINTMENTS}/{first}/reschedule");
    let later = json!({ "starts_at": "2031-05-05T10:00:00Z", "following": true });
    let taken = ThreadsTaken::of(fixture.tenant.id);
    for (path, body) in [
        (PATH, daily("2031-05-05T12:00:00Z", named.clone())),
        (PATH, daily("2031-05-05T12:00:00Z", json!({}))),
        (&path, later.clone()),
    ] {
        staff.post(path, body).await.refused(503, "organization_busy");
    }
    // One appointment is planned where it is requested.
    fixture.try_book("2031-05-05T14:00:00Z").await.expect(201);
    taken.free().await;
    staff.post(PATH, daily("2031-05-05T12:00:00Z", named)).await.expect(201);
    assert_eq!(staff.post(&path, later).await.expect(200)["starts_at"], "2031-05-05T10:00:00Z");
    expect_sound_bookings(&fixture.tenant).await;
}
