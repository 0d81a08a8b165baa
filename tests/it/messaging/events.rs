//! What is an event, who reads it, and how it is followed.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, booking::BookingFixture, person, system};

const EVENTS: &str = "/api/v1/events";

/// All events that a person may read, by following them two at a time.
async fn follow(tenant: &Tenant, actor: &Actor, path: &str) -> Vec<Value> {
    system().publish(tenant.id).await;
    let (mut events, mut after) = (Vec::<Value>::new(), 0);
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut page = actor.get(&format!("{path}{separator}after={after}&limit=2")).await.expect(200);
        let items = page["items"].as_array_mut().expect("items");
        if items.is_empty() {
            return events;
        }
        events.append(items);
        after = page["next_after"].as_i64().expect("a position");
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn each_step_of_an_appointment_is_an_event_and_a_refused_one_is_none() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    fixture.act(&id, "confirm", json!({})).await.expect(200);
    fixture.act(&id, "confirm", json!({})).await.refused(409, "transition_not_allowed");
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    let note = json!({ "note": "Bring a towel." });
    fixture.tenant.staff.patch(&format!("/api/v1/appointments/{id}"), note).await.expect(200);
    fixture.shift(&id, Utc::now() - TimeDelta::minutes(5)).await;
    for action in ["check-in", "start", "complete", "undo"] {
        fixture.act(&id, action, json!({})).await.expect(200);
    }
    let other = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.act(&other, "decline", json!({})).await.expect(200);
    let third = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.act(&third, "cancel", json!({ "reason": "Ill." })).await.expect(200);

    let events = follow(&fixture.tenant, &fixture.tenant.viewer, &format!("{EVENTS}?subject_id={id}")).await;
    assert_eq!(
        types(&events),
        [
            "appointment.requested",
            "appointment.confirmed",
            "appointment.rescheduled",
            "appointment.updated",
            // The test moved it into the past.
            "appointment.rescheduled",
            "appointment.checked_in",
            "appointment.started",
            "appointment.completed",
            "appointment.undone",
        ]
    );
    let moved = &events[2];
    assert_eq!(moved["previous"]["starts_at"], "2031-05-05T09:00:00+00:00");
    assert_eq!(moved["data"]["starts_at"], "2031-05-05T10:00:00+00:00");
    let changed: BTreeSet<_> =
        moved["previous"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(changed, BTreeSet::from(["ends_at", "sequence", "starts_at"]));
    // Who and what, without asking again.
    let data = &moved["data"];
    assert_eq!(
        (&data["service_name"], &data["provider_name"], &data["contact_name"]),
        (&json!("Service"), &json!("Ada"), &json!("Grace Hopper"))
    );
    assert_eq!(
        (&moved["actor_kind"], &moved["actor_id"]),
        (&json!("account"), &json!(fixture.tenant.staff.account))
    );
    assert!(moved["request_id"].is_string() && data.get("guest_key").is_none(), "{moved}");
    for (subject, last) in [(&other, "appointment.declined"), (&third, "appointment.cancelled")] {
        let events =
            follow(&fixture.tenant, &fixture.tenant.viewer, &format!("{EVENTS}?subject_id={subject}")).await;
        assert_eq!(types(&events), ["appointment.requested", last]);
    }
}

#[tokio::test]
async fn holds_and_offers_are_events() {
    let fixture = BookingFixture::new().await;
    let hold = fixture.hold("2031-05-05T09:00:00Z").await.created();
    fixture.expire(&hold).await;
    system().sweep().await;
    let confirmed = fixture.hold("2031-05-05T09:00:00Z").await.created();
    let path = format!("/api/v1/holds/{confirmed}/confirm");
    let booked = fixture.tenant.staff.post(&path, json!({ "contact_id": fixture.contact })).await.created();
    let holds = follow(
        &fixture.tenant,
        &fixture.tenant.viewer,
        &format!("{EVENTS}?types=hold.created&types=hold.expired"),
    )
    .await;
    let told: Vec<_> =
        holds.iter().map(|event| (event["type"].as_str(), event["subject_id"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("hold.created"), Some(&*hold)),
            (Some("hold.expired"), Some(&*hold)),
            (Some("hold.created"), Some(&*confirmed)),
        ]
    );
    let events =
        follow(&fixture.tenant, &fixture.tenant.viewer, &format!("{EVENTS}?types=appointment.created")).await;
    assert_eq!(events[0]["subject_id"], json!(booked));
    assert_eq!(events[0]["data"]["hold_id"], json!(confirmed));

    let whole_day = json!({ "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z" });
    let first = fixture.join_waitlist(&whole_day).await;
    let second = fixture.join_waitlist(&whole_day).await;
    fixture.act(&booked, "cancel", json!({ "reason": "Ill." })).await.expect(200);
    fixture.answer_offer(&first, "decline").await.expect(200);
    fixture.waitlist_entry_once(&second, "offered").await;
    fixture.answer_offer(&second, "accept").await.expect(201);
    for (entry, last) in [(&first, "waitlist.passed_on"), (&second, "waitlist.accepted")] {
        let events =
            follow(&fixture.tenant, &fixture.tenant.viewer, &format!("{EVENTS}?subject_id={entry}")).await;
        // An appointment that was made of an entry has its id.
        let of_the_entry: Vec<_> =
            types(&events).into_iter().filter(|name| name.starts_with("waitlist.")).collect();
        assert_eq!(of_the_entry, ["waitlist.joined", "waitlist.offered", last]);
    }
}

#[tokio::test]
async fn changes_of_the_catalogue_and_of_people_are_events() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    for (path, body) in [
        (format!("/api/v1/services/{service}"), json!({ "name": "Shave" })),
        (format!("/api/v1/providers/{provider}"), json!({ "name": "Grace" })),
        (format!("/api/v1/contacts/{contact}"), json!({ "phone": "030 123" })),
        ("/api/v1/organizations/me".to_owned(), json!({ "time_zone": "Europe/Berlin" })),
        ("/api/v1/organizations/me/settings".to_owned(), json!({ "language": "de" })),
        (format!("/api/v1/members/{}", tenant.staff.account), json!({ "role": "viewer" })),
    ] {
        tenant.owner.patch(&path, body).await.expect(200);
    }
    tenant.owner.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    tenant.owner.delete(&format!("/api/v1/members/{}", tenant.manager.account)).await.expect(204);
    let events = follow(&tenant, &tenant.viewer, EVENTS).await;
    let of = |kind: &str| -> Vec<&str> {
        let of_kind = |name: &&str| name.split('.').next() == Some(kind);
        types(&events).into_iter().filter(of_kind).collect()
    };
    assert_eq!(of("service"), ["service.created", "service.updated"]);
    assert_eq!(of("provider"), ["provider.created", "provider.updated"]);
    assert_eq!(of("schedule"), ["schedule.created"]);
    assert_eq!(of("contact"), ["contact.created", "contact.updated", "contact.deleted"]);
    assert_eq!(of("organization"), ["organization.updated"]);
    assert_eq!(of("settings"), ["settings.updated"]);
    let members = of("member");
    assert_eq!(members[members.len() - 2..], ["member.updated", "member.deleted"]);
    let renamed = events.iter().find(|event| event["type"] == "service.updated").expect("an event");
    assert_eq!(
        (&renamed["previous"], &renamed["data"]["name"]),
        (&json!({ "name": "Haircut" }), &json!("Shave"))
    );
    let deleted = events.iter().find(|event| event["type"] == "contact.deleted").expect("an event");
    assert_eq!((&deleted["data"]["phone"], deleted.get("previous")), (&json!("030 123"), None));
}

#[tokio::test]
async fn positions_are_without_gaps_and_each_event_has_one() {
    let tenant = Tenant::new().await;
    for _ in 0..5 {
        tenant.contact().await;
    }
    let events = follow(&tenant, &tenant.admin, EVENTS).await;
    let positions: Vec<_> =
        events.iter().map(|event| event["position"].as_i64().expect("a number")).collect();
    assert_eq!(positions, (1..=i64::try_from(events.len()).expect("a number")).collect::<Vec<_>>());
    let page = tenant.admin.get(&format!("{EVENTS}?after={}", positions.len())).await.expect(200);
    assert_eq!(page, json!({ "items": [], "next_after": positions.len(), "oldest_position": 1 }));
}

#[tokio::test]
async fn event_is_read_by_those_who_may_read_the_object() {
    let fixture = BookingFixture::new().await;
    let (tenant, other) = (&fixture.tenant, Tenant::new().await);
    let customer = fixture.customer().await;
    let own = fixture.book("2031-05-05T09:00:00Z").await;
    let colleague = tenant.contact().await;
    let mut foreign = fixture.body("2031-05-05T10:00:00Z");
    foreign["contact_id"] = json!(colleague);
    foreign["note"] = json!("Allergic.");
    let foreign = tenant.staff.post("/api/v1/appointments", foreign).await.created();
    tenant
        .admin
        .post("/api/v1/invitations", json!({ "email": "new@x.example", "role": "staff" }))
        .await
        .created();
    let invited = "types=invitation.created";
    assert_eq!(follow(tenant, &tenant.viewer, &format!("{EVENTS}?{invited}")).await, Vec::<Value>::new());
    let seen = follow(tenant, &tenant.staff, &format!("{EVENTS}?{invited}")).await;
    assert_eq!(types(&seen), ["invitation.created"]);
    assert!(!seen[0].to_string().contains("token"), "{seen:?}");

    // A customer reads what happened to their own appointments, and of them what concerns a customer.
    let mine = follow(tenant, &customer, "/api/v1/my/events").await;
    let subjects: Vec<_> = mine.iter().map(|event| event["subject_id"].as_str()).collect();
    assert_eq!(subjects, [Some(&*own)]);
    let said: BTreeSet<_> =
        mine[0]["data"].as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = [
        "ends_at",
        "id",
        "provider_id",
        "provider_name",
        "service_id",
        "service_name",
        "starts_at",
        "status",
    ];
    assert_eq!(said, BTreeSet::from(expected));
    assert_eq!((mine[0].get("actor_id"), mine[0].get("request_id")), (None, None));
    let stranger = person(tenant.id, "customer").await;
    assert_eq!(follow(tenant, &stranger, "/api/v1/my/events").await, Vec::<Value>::new());
    customer.get(EVENTS).await.refused(403, "role_too_low");
    tenant.viewer.get("/api/v1/my/events").await.refused(403, "customer_required");
    // Of another organization nothing, by any way.
    for subject in [&own, &foreign] {
        let path = format!("{EVENTS}?subject_id={subject}");
        assert_eq!(follow(&other, &other.owner, &path).await, Vec::<Value>::new());
    }
    let theirs = follow(&other, &other.owner, EVENTS).await;
    assert!(theirs.iter().all(|event| !event.to_string().contains(&tenant.id.to_string())), "{theirs:?}");
}

#[tokio::test]
async fn position_that_is_not_kept_is_gone() {
    let tenant = Tenant::new().await;
    tenant.contact().await;
    tenant.contact().await;
    let events = follow(&tenant, &tenant.viewer, EVENTS).await;
    let last = events.last().expect("an event")["position"].as_i64().expect("a number");
    system()
        .superuser()
        .await
        .batch_execute(&format!(
            "delete from messaging.events where tenant_id = '{0}' and position < {last};
             update messaging.turns set oldest_position = {last} where tenant_id = '{0}'",
            tenant.id
        ))
        .await
        .expect("old events");
    tenant.viewer.get(&format!("{EVENTS}?after=0")).await.refused(410, "cursor_expired");
    tenant.viewer.get(&format!("{EVENTS}?after={}", last - 2)).await.refused(410, "cursor_expired");
    for path in [EVENTS.to_owned(), format!("{EVENTS}?after={}", last - 1)] {
        let page = tenant.viewer.get(&path).await.expect(200);
        assert_eq!((&page["oldest_position"], &page["next_after"]), (&json!(last), &json!(last)));
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    }
    tenant.customer.get("/api/v1/my/events?after=0").await.refused(410, "cursor_expired");
}

#[tokio::test]
async fn parameter_that_means_nothing_is_refused_by_name() {
    let tenant = Tenant::new().await;
    for (query, field, code) in [
        ("after=-1", "after", "out_of_range"),
        ("after=x", "after", "invalid_type"),
        ("limit=0", "limit", "out_of_range"),
        ("limit=501", "limit", "out_of_range"),
        ("types=contact.created&types=contact.eaten", "types", "invalid_value"),
        ("subject_id=x", "subject_id", "invalid_value"),
        ("cursor=x", "cursor", "unknown_parameter"),
    ] {
        tenant.viewer.get(&format!("{EVENTS}?{query}")).await.invalid(field, code);
    }
}
