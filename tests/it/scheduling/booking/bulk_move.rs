//! Moving all appointments of a provider in a period.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Tenant,
    booking::{APPOINTMENTS, BookingFixture, expect_sound_bookings},
    system,
};

fn path(provider: &str) -> String {
    format!("/api/v1/providers/{provider}/appointments/move")
}

/// Books a service with a provider for a new contact.
async fn book(tenant: &Tenant, service: &str, provider: &str, start: &str) -> String {
    let body = json!({
        "service_id": service, "provider_id": provider, "contact_id": tenant.contact().await, "starts_at": start,
    });
    tenant.staff.post(APPOINTMENTS, body).await.created()
}

/// The ids and starts of moved appointments.
fn moved(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let moved = answer["moved"].as_array().expect("a list").iter();
    moved.map(|one| (text(&one["id"]), text(&one["starts_at"]))).collect()
}

/// The ids of kept appointments, and why.
fn kept(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let kept = answer["kept"].as_array().expect("a list").iter();
    kept.map(|one| (text(&one["appointment_id"]), text(&one["code"]))).collect()
}

fn pairs<const N: usize>(pairs: [(&String, &str); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(id, text)| (id.clone(), text.to_owned())).collect()
}

#[tokio::test]
async fn day_of_a_provider_moves_to_another_who_keeps_what_they_have() {
    let tenant = Tenant::new().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let service = tenant.service().await;
    let only_ada = json!({ "name": "Colour", "duration_minutes": 30, "provider_ids": [ada] });
    let only_ada = tenant.service_with(only_ada).await;
    let nine = book(&tenant, &service, &ada, "2031-05-05T09:00:00Z").await;
    let ten = book(&tenant, &service, &ada, "2031-05-05T10:00:00Z").await;
    let colour = book(&tenant, &only_ada, &ada, "2031-05-05T11:00:00Z").await;
    let begun = book(&tenant, &service, &ada, "2031-05-05T12:00:00Z").await;
    let tomorrow = book(&tenant, &service, &ada, "2031-05-06T09:00:00Z").await;
    let at_bea = book(&tenant, &service, &bea, "2031-05-05T10:15:00Z").await;
    system()
        .superuser()
        .await
        .execute(
            "update scheduling.appointments set status = 'checked_in' where id = $1::text::uuid",
            &[&begun],
        )
        .await
        .expect("an appointment");

    let day =
        json!({ "from": "2031-05-05", "to": "2031-05-06", "provider_id": bea, "reason": "Ada is ill." });
    let key = Uuid::now_v7().to_string();
    let headers = [("idempotency-key", key.as_str())];
    let answer = tenant.staff.post_with(&path(&ada), &day, &headers).await.expect(200);
    assert_eq!(moved(&answer), pairs([(&nine, "2031-05-05T09:00:00Z")]));
    assert_eq!(answer["moved"][0]["provider_id"], json!(bea));
    let reasons = [(&ten, "busy"), (&colour, "not_eligible"), (&begun, "transition_not_allowed")];
    assert_eq!(kept(&answer), pairs(reasons));
    assert!(answer["kept"][0]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    for (id, provider) in [(&ten, &ada), (&colour, &ada), (&begun, &ada), (&tomorrow, &ada), (&at_bea, &bea)]
    {
        let one = tenant.viewer.get(&format!("{APPOINTMENTS}/{id}")).await.expect(200);
        assert_eq!((&one["provider_id"], &one["sequence"]), (&json!(provider), &json!(0)));
    }
    let transitions = tenant.viewer.get(&format!("{APPOINTMENTS}/{nine}/transitions")).await.expect(200);
    let transition = &transitions["items"][0];
    assert_eq!(
        (&transition["action"], &transition["reason"], &transition["from_provider_id"]),
        (&json!("reschedule"), &json!("Ada is ill."), &json!(ada))
    );
    // Its time is free again; and the same request changes nothing more.
    book(&tenant, &service, &ada, "2031-05-05T09:00:00Z").await;
    let again = tenant.staff.post_with(&path(&ada), &day, &headers).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &answer));
    expect_sound_bookings(&tenant).await;
}

#[tokio::test]
async fn shifted_appointments_make_room_for_one_another() {
    let tenant = Tenant::new().await;
    let (service, ada) = (tenant.service().await, tenant.provider().await);
    let mut ids = Vec::new();
    for start in ["09:00", "09:30", "10:00", "11:00"] {
        ids.push(book(&tenant, &service, &ada, &format!("2031-05-05T{start}:00Z")).await);
    }
    let [nine, half, ten, eleven] = &ids[..] else { panic!("four") };
    let morning =
        |minutes: i64| json!({ "from": "2031-05-05", "to": "2031-05-05T10:30:00Z", "minutes": minutes });
    let later = tenant.staff.post(&path(&ada), morning(30)).await.expect(200);
    let all = [(nine, "2031-05-05T09:30:00Z"), (half, "2031-05-05T10:00:00Z"), (ten, "2031-05-05T10:30:00Z")];
    assert_eq!((moved(&later), kept(&later)), (pairs(all), vec![]));
    // The last cannot go on, so those behind it cannot either: each for the time that the next one keeps.
    let whole = json!({ "from": "2031-05-05", "to": "2031-05-05T10:45:00Z", "minutes": 30 });
    let blocked = tenant.staff.post(&path(&ada), whole).await.expect(200);
    assert_eq!(
        (moved(&blocked), kept(&blocked)),
        (vec![], pairs([(nine, "busy"), (half, "busy"), (ten, "busy")]))
    );
    let earlier = json!({ "from": "2031-05-05", "to": "2031-05-06", "minutes": -30 });
    let earlier = tenant.staff.post(&path(&ada), earlier).await.expect(200);
    let all = [
        (nine, "2031-05-05T09:00:00Z"),
        (half, "2031-05-05T09:30:00Z"),
        (ten, "2031-05-05T10:00:00Z"),
        (eleven, "2031-05-05T10:30:00Z"),
    ];
    assert_eq!((moved(&earlier), kept(&earlier)), (pairs(all), vec![]));
    // Out of the hours, unless the rules do not matter.
    let mut out = json!({ "from": "2031-05-05", "to": "2031-05-05T09:30:00Z", "minutes": -60 });
    let refused = tenant.staff.post(&path(&ada), out.clone()).await.expect(200);
    assert_eq!(kept(&refused), pairs([(nine, "outside_hours")]));
    out["override_rules"] = json!(true);
    let done = tenant.staff.post(&path(&ada), out).await.expect(200);
    assert_eq!(
        (moved(&done), done["moved"][0]["overridden"].clone()),
        (pairs([(nine, "2031-05-05T08:00:00Z")]), json!(true))
    );
    expect_sound_bookings(&tenant).await;
}

#[tokio::test]
async fn appointments_that_are_moved_by_days_keep_their_time_of_day() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let rules = json!([
        { "weekday": "friday", "from": "09:00", "to": "17:00" },
        { "weekday": "monday", "from": "09:00", "to": "17:00" },
    ]);
    let ada = tenant.provider_with(json!({ "time_zone": "Europe/Berlin", "rules": rules })).await;
    // Clocks go forward on 2031-03-30.
    let id = book(&tenant, &service, &ada, "2031-03-28T09:00:00+01:00").await;
    let wanted = json!({
        "from": "2031-03-28", "to": "2031-03-29", "time_zone": "Europe/Berlin", "days": 3, "minutes": 60,
    });
    let answer = tenant.staff.post(&path(&ada), wanted).await.expect(200);
    assert_eq!(moved(&answer), pairs([(&id, "2031-03-31T08:00:00Z")]));
    let back = json!({
        "from": "2031-03-31", "to": "2031-04-01", "time_zone": "Europe/Berlin", "days": -3, "minutes": -60,
    });
    let answer = tenant.staff.post(&path(&ada), back).await.expect(200);
    assert_eq!(moved(&answer), pairs([(&id, "2031-03-28T08:00:00Z")]));
}

#[tokio::test]
async fn seats_of_a_session_and_services_of_a_visit_are_moved_together() {
    let fixture =
        BookingFixture::with(json!({ "capacity": 3, "contact_may_overlap": true, "max_per_day": 2 })).await;
    let tenant = &fixture.tenant;
    let (ada, bea) = (&fixture.provider, tenant.provider().await);
    let mut seats = Vec::new();
    for _ in 0..3 {
        seats.push(book(tenant, &fixture.service, ada, "2031-05-05T09:00:00Z").await);
    }
    let single = tenant.service().await;
    let mut visit =
        json!({ "service_id": single, "and_then": [single], "starts_at": "2031-05-05T14:00:00Z" });
    (visit["provider_id"], visit["contact_id"]) = (json!(ada), json!(fixture.contact));
    let visit = tenant.staff.post(APPOINTMENTS, visit).await.created();
    // Fifteen minutes later overlaps where they are.
    let later = json!({ "from": "2031-05-05", "to": "2031-05-06", "minutes": 15 });
    let answer = tenant.staff.post(&path(ada), later).await.expect(200);
    assert_eq!((moved(&answer).len(), kept(&answer)), (4, vec![]));
    assert!(seats.iter().all(|id| moved(&answer).contains(&(id.clone(), "2031-05-05T09:15:00Z".to_owned()))));
    // To another provider, one of whose sessions has a seat left: none of the three fits, and all are named.
    for _ in 0..2 {
        book(tenant, &fixture.service, &bea, "2031-05-05T09:15:00Z").await;
    }
    let to_bea = json!({ "from": "2031-05-05", "to": "2031-05-06", "provider_id": bea });
    let answer = tenant.staff.post(&path(ada), to_bea).await.expect(200);
    assert_eq!(moved(&answer), pairs([(&visit, "2031-05-05T14:15:00Z")]));
    let segments = answer["moved"][0]["segments"].as_array().expect("segments");
    assert!(segments.len() == 2 && segments.iter().all(|segment| segment["provider_id"] == json!(bea)));
    let mut named = kept(&answer);
    named.sort();
    let mut all: Vec<_> = seats.iter().map(|id| (id.clone(), "capacity".to_owned())).collect();
    all.sort();
    assert_eq!(named, all);
    expect_sound_bookings(tenant).await;
}

#[tokio::test]
async fn move_that_cannot_be_read_or_reached_is_refused_as_a_whole() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (service, ada, bea) = (tenant.service().await, tenant.provider().await, tenant.provider().await);
    let id = book(&tenant, &service, &ada, "2031-05-05T09:00:00Z").await;
    let with = |changes: Value| {
        let mut body = json!({ "from": "2031-05-05", "to": "2031-05-06", "days": 1 });
        let fields = body.as_object_mut().expect("an object");
        fields.extend(changes.as_object().expect("an object").clone());
        body
    };
    let inactive = tenant.provider().await;
    let provider = format!("/api/v1/providers/{inactive}");
    tenant.admin.patch(&provider, json!({ "active": false })).await.expect(200);
    for (changes, field, code) in [
        (json!({ "days": 0 }), "provider_id", "required"),
        (json!({ "days": null, "provider_id": ada }), "provider_id", "required"),
        (json!({ "days": 367 }), "days", "out_of_range"),
        (json!({ "days": "one" }), "days", "invalid_type"),
        (json!({ "minutes": -1440 }), "minutes", "out_of_range"),
        (json!({ "to": "2031-05-05" }), "to", "invalid_value"),
        (json!({ "to": "2031-05-12T00:01:00Z" }), "to", "period_too_long"),
        (json!({ "from": "yesterday" }), "from", "invalid_value"),
        (json!({ "time_zone": "Mars/Base" }), "time_zone", "unknown_time_zone"),
        (json!({ "reason": "" }), "reason", "too_short"),
        (json!({ "weeks": 1 }), "weeks", "unknown_field"),
        (json!({ "provider_id": other.provider().await }), "provider_id", "not_found"),
        (json!({ "provider_id": inactive }), "provider_id", "inactive"),
    ] {
        tenant.staff.post(&path(&ada), with(changes)).await.invalid(field, code);
    }
    let several = tenant.staff.post(&path(&ada), with(json!({ "days": 367, "minutes": 1440 }))).await;
    let fields: Vec<_> = several.body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    assert_eq!(fields, [json!("days"), json!("minutes")]);
    tenant.staff.post(&path(&other.provider().await), with(json!({}))).await.refused(404, "not_found");
    tenant.viewer.post(&path(&ada), with(json!({}))).await.refused(403, "role_too_low");
    tenant.staff.post(&path(&bea), with(json!({}))).await.expect(200);
    let unchanged = tenant.viewer.get(&format!("{APPOINTMENTS}/{id}")).await.expect(200);
    assert_eq!(
        (&unchanged["starts_at"], &unchanged["sequence"]),
        (&json!("2031-05-05T09:00:00Z"), &json!(0))
    );
    // More than one request moves.
    system()
        .superuser()
        .await
        .execute(
            "insert into scheduling.appointments (tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at)
             select a.tenant_id, gen_random_uuid(), a.service_id, a.provider_id, a.contact_id,
                    '2031-07-01'::timestamptz + n * interval '1 minute', '2031-07-02'
             from scheduling.appointments as a, generate_series(1, 101) as n where a.id = $1::text::uuid",
            &[&id],
        )
        .await
        .expect("appointments");
    let many = with(json!({ "from": "2031-07-01", "to": "2031-07-02" }));
    tenant.staff.post(&path(&ada), many).await.invalid("to", "too_many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_moved_swapped_and_cancelled_at_once_take_no_time_twice_and_do_not_deadlock() {
    let tenant = Tenant::new().await;
    let before = system().deadlocks().await;
    let room =
        tenant.admin.post("/api/v1/resources", json!({ "kind": "room", "name": "One" })).await.created();
    let service = tenant
        .service_with(json!({
            "name": "Cut", "duration_minutes": 30, "slot_step_minutes": 15, "max_per_week": 500,
            "required_resources": [[room]],
        }))
        .await;
    let free = tenant.service().await;
    let mut providers = Vec::new();
    for _ in 0..3 {
        providers.push(tenant.provider().await);
    }
    let contact = tenant.contact().await;
    // What is freed is offered as well.
    let entry = json!({
        "service_id": service, "contact_id": contact, "from": "2031-05-05T00:00:00Z", "to": "2031-05-20T00:00:00Z",
        "override_rules": true,
    });
    tenant.staff.post("/api/v1/waitlist", entry).await.expect(201);
    for round in 0..4 {
        let day = 5 + round;
        let mut ids = Vec::new();
        for (n, provider) in providers.iter().enumerate() {
            for hour in 0..3 {
                let body = json!({
                    "service_id": if n == 0 { &service } else { &free }, "provider_id": provider,
                    "contact_id": contact, "starts_at": format!("2031-05-{day:02}T{:02}:00:00Z", 9 + hour),
                    "override_rules": true,
                });
                let answer = tenant.staff.post(APPOINTMENTS, body).await;
                if answer.status == 201 {
                    ids.push(answer.created());
                }
            }
        }
        let period = |changes: Value| {
            let mut body =
                json!({ "from": format!("2031-05-{day:02}"), "to": format!("2031-05-{:02}", day + 1) });
            body.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
            body
        };
        let mut requests = Vec::new();
        for n in 0..3 {
            // In a ring, so that each waits for the next.
            let next = &providers[(n + 1) % 3];
            requests.push((path(&providers[n]), period(json!({ "provider_id": next }))));
            requests.push((path(&providers[n]), period(json!({ "minutes": 30, "override_rules": true }))));
            requests.push((path(&providers[n]), period(json!({ "provider_id": next, "minutes": -15 }))));
        }
        let cancel = format!("/api/v1/providers/{}/appointments/cancel", providers[round % 3]);
        requests.push((cancel, period(json!({}))));
        for pair in ids.chunks_exact(2) {
            let swap = json!({ "appointment_id": pair[1] });
            requests.push((format!("{APPOINTMENTS}/{}/swap", pair[0]), swap));
        }
        requests.push((
            APPOINTMENTS.to_owned(),
            json!({
                "service_id": service, "contact_id": contact,
                "starts_at": format!("2031-05-{day:02}T09:30:00Z"),
            }),
        ));
        // A connection for each, opened before the race.
        let requests: Vec<_> = requests.into_iter().map(|request| (tenant.staff.clone(), request)).collect();
        let answers =
            join_all(requests.iter().map(|(staff, (path, body))| staff.post(path, body.clone()))).await;
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 201 | 409 | 422), "{answer:?}");
        }
        assert!(answers[..9].iter().all(|answer| answer.status == 200), "{answers:?}");
        expect_sound_bookings(&tenant).await;
    }
    assert_eq!(system().deadlocks().await, before);
}
