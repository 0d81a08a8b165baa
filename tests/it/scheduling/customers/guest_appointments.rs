//! Customers without an account: what they book, within which limits, and what they do with it.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, address,
    booking::{BookingFixture, expect_sound_bookings},
    guests::manage,
    merged, proofs, system,
};

#[tokio::test]
async fn guest_books_and_manages_with_the_link() {
    let fixture =
        BookingFixture::with(json!({ "price_amount": 4500, "price_currency": "EUR", "max_per_day": 20 }))
            .await;
    let hidden = fixture
        .tenant
        .service_with(json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false }))
        .await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let at = |path: &str, more: &str| format!("/api/v1/guest/{path}?organization_slug={slug}{more}");
    let listed = guest.get(&at("services", "")).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["price_amount"]),
        (&json!(fixture.service), &json!(4500))
    );
    let providers = guest.get(&at("providers", "")).await.expect(200);
    assert_eq!(providers["items"], json!([{ "id": fixture.provider, "name": "Ada" }]));
    let period = "&from=2031-05-05&to=2031-05-06";
    let slots = guest.get(&at(&format!("services/{}/slots", fixture.service), period)).await.expect(200);
    assert_eq!(slots["items"][0]["starts_at"], "2031-05-05T09:00:00Z");
    guest.get(&at(&format!("services/{hidden}/slots"), period)).await.refused(404, "not_found");
    let forgotten = guest.get("/api/v1/guest/services").await;
    let detail = forgotten.body["detail"].as_str().expect("a text").to_owned();
    assert_eq!(
        detail,
        "organization_slug: Add ?organization_slug=… with the slug of the organization, or call its own host."
    );
    forgotten.invalid("organization_slug", "required");
    let unknown = guest.get("/api/v1/guest/services?organization_slug=unknown-at-all").await;
    let unknown = unknown.refused(404, "organization_not_found");
    assert_eq!(unknown["detail"], "No active organization was found with the slug `unknown-at-all`.");

    let email = address();
    let booked = guest
        .post(&at("appointments", ""), fixture.guest_body("2031-05-05T09:00:00Z", Some(&email)))
        .await
        .expect(201);
    assert_eq!(booked["status"], "confirmed");
    let token = booked["manage_token"].as_str().expect("a token").to_owned();
    system().tell(fixture.tenant.id).await;
    let mail = system().mail_to(&email).await;
    assert!(mail.contains("Service with Ada, Monday 2031-05-05 09:00 (UTC)"), "{mail}");
    assert!(mail.contains("You can move or cancel it until Monday 2031-05-05 09:00 (UTC)"), "{mail}");
    assert!(
        system()
            .mail_to(&email)
            .await
            .contains(&format!("https://pages.example.com/manage-appointment#token={token}"))
    );
    // The organization sees that no member booked it.
    let seen = fixture.get(booked["id"].as_str().expect("an id")).await;
    assert_eq!((seen.get("created_by"), &seen["status"]), (None, &json!("confirmed")));
    guest
        .post(&at("appointments", ""), fixture.guest_body("2031-05-05T09:00:00Z", None))
        .await
        .refused(409, "slot_unavailable");
    let mut wrong = fixture.guest_body("2031-05-05T10:00:00Z", None);
    wrong["service_id"] = json!(hidden);
    guest.post(&at("appointments", ""), wrong).await.invalid("service_id", "not_found");
    guest
        .post(&at("appointments", ""), fixture.guest_body("2031-05-05T03:00:00Z", None))
        .await
        .invalid("starts_at", "outside_hours");

    let with = |more: Value| merged(json!({ "token": token }), &more);
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
    let access = fixture.tenant.owner.token.clone().expect("a token");
    guest.post("/api/v1/guest/appointment", json!({ "token": access })).await.refused(401, "token_invalid");
    Actor::with_token(token.clone()).get("/api/v1/appointments").await.refused(401, "token_invalid");
    let tampered = format!("{}x{}", &token[..60], &token[61..]);
    guest.post("/api/v1/guest/appointment", json!({ "token": tampered })).await.refused(401, "token_invalid");
    let cancelled =
        guest.post("/api/v1/guest/appointment/cancel", with(json!({ "reason": "Ill." }))).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let seen = fixture.get(booked["id"].as_str().expect("an id")).await;
    assert_eq!((&seen["cancelled_by_kind"], seen.get("cancelled_by")), (&json!("guest"), None));
    let path = format!("/api/v1/appointments/{}/transitions", booked["id"].as_str().expect("an id"));
    let transitions = fixture.tenant.viewer.get(&path).await.expect(200);
    assert_eq!(transitions["items"][1]["actor_role"], "guest");
    guest
        .post("/api/v1/guest/appointment/cancel", with(json!({})))
        .await
        .refused(409, "transition_not_allowed");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_cannot_change_after_the_deadline_and_cancels_before_it() {
    let fixture =
        BookingFixture::with(json!({ "cancellation_notice_minutes": 525_600, "requires_approval": true }))
            .await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(20)).date_naive();
    let body = fixture.guest_body(&format!("{soon}T09:00:00Z"), None);
    let booked = guest.post(&path, body).await.expect(201);
    assert_eq!(booked["status"], "pending");
    let token = json!({ "token": booked["manage_token"] });
    guest.post("/api/v1/guest/appointment/cancel", token.clone()).await.refused(409, "too_late");
    let mut reschedule = token.clone();
    reschedule["starts_at"] = json!(format!("{soon}T10:00:00Z"));
    guest.post("/api/v1/guest/appointment/reschedule", reschedule).await.refused(409, "too_late");
    // Staff are not held by it.
    let entry = json!({
        "service_id": fixture.service, "contact_id": fixture.contact, "from": format!("{soon}T09:00:00Z"),
        "to": format!("{soon}T09:15:00Z"),
    });
    let entry = fixture.tenant.staff.post("/api/v1/waitlist", entry).await.created();
    let service = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&service, json!({ "cancellation_notice_minutes": 60 })).await.expect(200);
    guest.post("/api/v1/guest/appointment/cancel", token).await.expect(200);
    let waiting = fixture.tenant.viewer.get(&format!("/api/v1/waitlist/{entry}")).await.expect(200);
    assert_eq!(waiting["status"], "offered");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_context_reads_one_appointment_by_sql() {
    let fixture = BookingFixture::new().await;
    let (mine, other) =
        (fixture.book("2031-05-05T09:00:00Z").await, fixture.book("2031-05-05T10:00:00Z").await);
    let there = BookingFixture::new().await;
    there.book("2031-05-05T09:00:00Z").await;
    let api = system().connect("appointd_api").await;
    let mine: Uuid = mine.parse().expect("an id");
    let [proof, _] = proofs(fixture.tenant.id, mine).await;
    let enter = format!(
        "begin; select app.enter_guest('{}', '{mine}', {proof}, null, null, null)",
        fixture.tenant.id
    );
    api.batch_execute(&enter).await.expect("a way in");
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
            .unwrap_or(0),
        0
    );
    api.batch_execute(&format!("rollback; {enter}")).await.expect("a way in");
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
async fn guest_move_needs_approval_again_and_services_that_are_online() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let second = fixture.tenant.service_with(json!({ "name": "Second", "duration_minutes": 30 })).await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let mut body = fixture.guest_body("2031-05-05T09:00:00Z", None);
    body["and_then"] = json!([second]);
    let booked =
        guest.post(&format!("/api/v1/guest/appointments?organization_slug={slug}"), body).await.expect(201);
    let id = booked["id"].as_str().expect("an id").to_owned();
    fixture.act(&id, "confirm", json!({})).await.expect(200);
    let reschedule = |start: &str| json!({ "token": booked["manage_token"], "starts_at": start });
    let path = "/api/v1/guest/appointment/reschedule";
    let moved = guest.post(path, reschedule("2031-05-05T10:00:00Z")).await.expect(200);
    assert_eq!(moved["status"], "pending", "what was confirmed was another time");
    let before = fixture.get(&id).await;
    let offered = format!("/api/v1/services/{second}");
    fixture.tenant.manager.patch(&offered, json!({ "bookable_online": false })).await.expect(200);
    guest.post(path, reschedule("2031-05-05T11:00:00Z")).await.refused(409, "service_unavailable");
    let cancel = json!({ "token": booked["manage_token"] });
    assert_eq!(fixture.get(&id).await, before);
    guest.post("/api/v1/guest/appointment/calendar", cancel.clone()).await;
    // The longest notice of all services counts.
    let notice = json!({ "bookable_online": true, "cancellation_notice_minutes": 525_600 });
    fixture.tenant.manager.patch(&offered, notice).await.expect(200);
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(20)).date_naive();
    let staff = json!({ "starts_at": format!("{soon}T09:00:00Z") });
    fixture.act(&id, "reschedule", staff).await.expect(200);
    guest.post("/api/v1/guest/appointment/cancel", cancel).await.refused(409, "too_late");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_without_required_fields_is_refused() {
    let fixture = BookingFixture::with(json!({ "guest_requires": ["email", "phone"] })).await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let listed = guest.get(&format!("/api/v1/guest/services?organization_slug={slug}")).await.expect(200);
    assert_eq!(listed["items"][0]["guest_requires"], json!(["email", "phone"]));
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    let mut body = fixture.guest_body("2031-05-05T09:00:00Z", None);
    guest.post(&path, body.clone()).await.invalid("contact.email", "required");
    body["contact"]["email"] = json!(address());
    guest.post(&path, body.clone()).await.invalid("contact.phone", "required");
    body["contact"]["phone"] = json!("+1 555 0100");
    guest.post(&path, body).await.expect(201);
    // Of a visit, every service may require something.
    let free = fixture.tenant.service_with(json!({ "name": "Free", "duration_minutes": 30 })).await;
    let mut visit = fixture.guest_body("2031-05-05T11:00:00Z", None);
    (visit["service_id"], visit["and_then"]) = (json!(free), json!([fixture.service]));
    guest.post(&path, visit).await.invalid("contact.email", "required");
    let service = format!("/api/v1/services/{}", fixture.service);
    for (wrong, field, code) in [
        (json!({ "guest_requires": ["fax"] }), "guest_requires[0]", "invalid_value"),
        (json!({ "guest_requires": ["email", "email", "phone"] }), "guest_requires", "too_many"),
    ] {
        fixture.tenant.manager.patch(&service, wrong).await.invalid(field, code);
    }
    // Staff book whom they like.
    fixture.book("2031-05-05T13:00:00Z").await;
    let nothing = json!({ "guest_requires": [] });
    let changed = fixture.tenant.manager.patch(&service, nothing).await.expect(200);
    assert_eq!(changed["guest_requires"], json!([]));
    guest.post(&path, fixture.guest_body("2031-05-05T15:00:00Z", None)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_beyond_the_limit_of_an_address_or_email_are_refused() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let other = BookingFixture::new().await;
    let settings = "/api/v1/organizations/me/settings";
    let before = fixture.tenant.viewer.get(settings).await.expect(200);
    assert_eq!(
        before["guests"],
        json!({ "bookings_per_address": 20, "bookings_per_email": 5, "match_by_verified_email": false })
    );
    let limits = json!({ "guests": { "bookings_per_address": 6, "bookings_per_email": 2 } });
    let after = fixture.tenant.admin.patch(settings, limits.clone()).await.expect(200);
    assert_eq!(
        (&after["guests"]["bookings_per_address"], &after["guests"]["bookings_per_email"]),
        (&json!(6), &json!(2))
    );
    fixture
        .tenant
        .admin
        .patch(settings, json!({ "guests": { "bookings_per_email": 0 } }))
        .await
        .invalid("guests.bookings_per_email", "out_of_range");
    let guest = Actor::anonymous();
    let path = fixture.guest_path("appointments").await;
    let email = address();
    for (hour, status) in [(9, 201), (10, 201), (11, 429)] {
        let body = fixture.guest_body(&format!("2031-05-05T{hour:02}:00:00Z"), Some(&email));
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
        guest.post(&path, fixture.guest_body(&start, None))
    }))
    .await;
    let booked = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(booked, 4, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 429)), "{answers:?}");
    // Another organization counts for itself, and those who work there do not count.
    let there = other.guest_path("appointments").await;
    guest.post(&there, other.guest_body("2031-05-05T09:00:00Z", Some(&email))).await.expect(201);
    fixture.book("2031-05-07T09:00:00Z").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guest_takes_one_seat_of_a_session_with_one_email() {
    let fixture = BookingFixture::with(json!({ "capacity": 5 })).await;
    let guest = Actor::anonymous();
    let path = fixture.guest_path("appointments").await;
    let email = address();
    let body = fixture.guest_body("2031-05-05T09:00:00Z", Some(&email));
    let answers = join_all((0..3).map(|_| guest.post(&path, body.clone()))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409], "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == 409).expect("one refused");
    assert_eq!(refused.body["code"], "already_booked");
    let booked = answers.iter().find(|answer| answer.status == 201).expect("one booked").body.clone();
    // Another address takes another seat, and another session has one for both.
    let other = address();
    guest.post(&path, fixture.guest_body("2031-05-05T09:00:00Z", Some(&other))).await.expect(201);
    let later = guest.post(&path, fixture.guest_body("2031-05-05T10:00:00Z", Some(&email))).await.expect(201);
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
            json!({ "service_id": fixture.service, "starts_at": "2031-05-05T09:00:00Z", "contact": contact });
        fixture.tenant.staff.post("/api/v1/appointments", body).await.expect(201);
    }
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn retry_after_changed_requirements_is_answered_as_before() {
    let fixture = BookingFixture::new().await;
    let path = format!("/api/v1/services/{}", fixture.service);
    let change = async |change: Value| fixture.tenant.manager.patch(&path, change).await.expect(200);
    let url = fixture.guest_path("appointments").await;
    let send = async |key: &str, body: &Value| {
        Actor::anonymous().post_with(&url, body, &[("idempotency-key", key)]).await
    };
    let first = fixture.guest_body("2031-05-05T09:00:00Z", Some(&address()));
    let booked = send("1", &first).await.expect(201);
    change(json!({ "guest_verification": "email", "guest_requires": ["phone"] })).await;
    let again = send("1", &first).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], booked["id"]);
    change(json!({ "guest_requires": [] })).await;
    let second = fixture.guest_body("2031-05-05T11:00:00Z", Some(&address()));
    let held = send("2", &second).await.expect(202);
    change(json!({ "guest_verification": "none" })).await;
    let again = send("2", &second).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(202), held);
}

#[tokio::test]
async fn appointment_of_a_service_gone_offline_can_be_cancelled() {
    let fixture = BookingFixture::new().await;
    let path = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&path, json!({ "name": "Renamed" })).await.expect(200);
    let booked =
        fixture.as_guest("appointments", fixture.guest_body("2031-05-05T11:00:00Z", Some(&address()))).await;
    let token = booked.expect(201)["manage_token"].clone();
    let entry = fixture.offered_to_guest(&address()).await;
    let before = manage("appointment/calendar", &token).await.text;
    assert!(before.contains("SUMMARY:Renamed") && before.contains("SEQUENCE:1"), "{before}");
    fixture.tenant.manager.patch(&path, json!({ "bookable_online": false })).await.expect(200);
    let after = manage("appointment/calendar", &token).await.text;
    assert!(after.contains("SUMMARY:Renamed") && after.contains("SEQUENCE:1"), "{after}");
    manage("appointment/cancel", &token).await.expect(200);
    // What was offered before can be accepted; the organization confirms it.
    let accepted = manage("waitlist-entry/accept", &entry["manage_token"]).await.expect(201);
    assert_eq!(accepted["status"], "pending");
}
