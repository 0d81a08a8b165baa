//! Versions of what is read: `ETag`, `If-None-Match` and `If-Match`, for every operation, found by walking the
//! description. Many requests at once: [`lost_updates`](crate::lost_updates).

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, Answer, Furnished, Operation, Tenant,
    booking::BookingFixture,
    document, operations, system,
    walking::{OPEN, actor_of, filled, id_of, parameters, send, send_with},
};

/// The schema of what a GET answers with.
fn schema_of(operation: &Operation) -> &'static Value {
    let schema = &operation.value["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    let place = schema.as_str().unwrap_or_default().trim_start_matches('#');
    document().pointer(place).unwrap_or(&Value::Null)
}

pub fn takes_if_match(operation: &Operation) -> bool {
    parameters(operation).contains(&"If-Match")
}

/// The operation that reads the object that another changes: at its path, or at the path in front of an action.
pub fn reading(operation: &Operation) -> Option<Operation> {
    let at = |path: &str| {
        operations().into_iter().find(|other| {
            let schema = &other.value["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
            let is_list = schema.as_str().is_none_or(|schema| schema.ends_with("Page"));
            other.method == "GET" && other.path == path && !is_list
        })
    };
    let (before, last) = operation.path.rsplit_once('/').expect("a path");
    match operation.method.as_str() {
        "GET" => None,
        "POST"
            if last.starts_with('{')
                || operations().iter().any(|other| other.method == "GET" && other.path == operation.path) =>
        {
            None
        }
        "POST" => at(before),
        _ => at(&operation.path),
    }
}

/// The path of an object of a furnished organization, with a hold that belongs to who asks for it.
pub fn path_of(operation: &Operation, furnished: &Furnished, my_hold: &str) -> String {
    let id = id_of(furnished);
    let mine = operation.role() == Some("customer");
    filled(&operation.path, |name| if mine && name == "hold_id" { my_hold.to_owned() } else { id(name) })
}

/// An organization with something of everything, also of its customer, who may book online.
pub async fn furnished() -> (Tenant, Furnished, String) {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let service = format!("/api/v1/services/{}", furnished.service);
    tenant.manager.patch(&service, json!({ "bookable_online": true })).await.expect(200);
    let hold = json!({ "service_id": furnished.service, "starts_at": "2031-05-05T15:00:00Z" });
    let my_hold = tenant.customer.post("/api/v1/my/holds", hold).await.created();
    (tenant, furnished, my_hold)
}

#[tokio::test]
async fn every_answer_to_a_get_has_a_version_and_is_not_sent_again_while_it_is_held() {
    let (tenant, furnished, my_hold) = furnished().await;
    let mut unchanged = 0;
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        if !operation.value["responses"]["200"]["content"]["application/json"].is_object() {
            continue;
        }
        // It says the time: no two answers are the same.
        let has_version = !schema_of(&operation)["properties"]["as_of"].is_object();
        for status in ["200", "304"] {
            let headers = &operation.value["responses"][status]["headers"];
            assert_eq!(headers["ETag"].is_object(), has_version, "{} {status}", operation.id());
        }
        assert_eq!(parameters(&operation).contains(&"If-None-Match"), has_version, "{}", operation.id());
        let path = path_of(&operation, &furnished, &my_hold);
        let actor = actor_of(&tenant, &operation);
        let first = send(actor, &operation, &path).await;
        if first.status != 200 {
            assert!(
                OPEN.contains(&operation.id())
                    || ["get_web_session", "get_availability", "get_my_availability"]
                        .contains(&operation.id()),
                "{}",
                operation.id()
            );
            continue;
        }
        if !has_version {
            assert!(!first.headers.contains_key("etag"), "{}", operation.id());
            continue;
        }
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{}: {etag}", operation.id());
        let again = send_with(actor, &operation, &path, ("if-none-match", &etag)).await;
        let counts = operation.id() == "get_usage";
        if again.status == 304 {
            assert_eq!(
                (again.text.as_str(), again.header("etag")),
                ("", etag.as_str()),
                "{}",
                operation.id()
            );
            assert!(!again.headers.contains_key("content-type"), "{}", operation.id());
            assert_eq!(again.header("cache-control"), first.header("cache-control"), "{}", operation.id());
            unchanged += 1;
        } else {
            assert!(counts, "{}: {}\n{}", operation.id(), first.text, again.text);
            assert_ne!(again.header("etag"), etag, "{}", operation.id());
        }
        if !counts {
            let head = Operation { method: "HEAD".to_owned(), ..operation.clone() };
            let answer = send(actor, &head, &path).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{}", operation.id());
            assert_eq!(answer.header("etag"), etag, "{}", operation.id());
            let unchanged = send_with(actor, &head, &path, ("if-none-match", &etag)).await;
            assert_eq!(unchanged.status, 304, "{}", operation.id());
        }
        let other = send_with(actor, &operation, &path, ("if-none-match", "\"another\", W/\"x\"")).await;
        assert_eq!(other.status, 200, "{}", operation.id());
    }
    assert!(unchanged > 40, "{unchanged}");
}

#[test]
fn every_change_of_an_object_that_can_be_read_takes_if_match() {
    // They send, or change what the person may do, not what anybody could have read before and edited.
    const WITHOUT: [&str; 12] = [
        "leave_organization",
        "restore_organization",
        "transfer_ownership",
        "switch_web_session",
        "send_test_webhook",
        "recover_webhooks",
        // The link in an e-mail.
        "verify_as_guest",
        // What guests see of these depends on the clock: until when they can change them.
        "cancel_as_guest",
        "reschedule_as_guest",
        "accept_offer_as_guest",
        "decline_offer_as_guest",
        "withdraw_as_guest",
    ];
    // Reads.
    const READING: [&str; 1] = ["get_calendar_as_guest"];
    let mut found = 0;
    for operation in operations() {
        let id = operation.id();
        let changes = reading(&operation).is_some() && !WITHOUT.contains(&id) && !READING.contains(&id);
        assert_eq!(takes_if_match(&operation), changes, "{id}");
        assert_eq!(operation.value["responses"]["412"].is_object(), changes, "{id}: 412");
        found += usize::from(changes);
    }
    assert!(found > 50, "{found}");
}

/// Tries a change with a version that is not the object's, and with the one that is.
async fn try_change(actor: &Actor, operation: &Operation, path: &str, object: &str) -> Answer {
    let id = operation.id();
    let before = actor.get(object).await;
    assert_eq!(before.status, 200, "{id}: {}", before.text);
    let etag = before.header("etag").to_owned();
    // An empty list has no version that is the object's (RFC 9110 sections 5.6.1 and 13.1.1).
    for outdated in ["\"another\"", &format!("W/{etag}"), "", " , "] {
        let refused = send_with(actor, operation, path, ("if-match", outdated)).await;
        // What fails whatever the version is may say that first (RFC 9110 section 13.2.1).
        if refused.status == 409 {
            return refused;
        }
        assert_eq!(refused.header("etag"), etag, "{id}: {}", refused.text);
        refused.refused(412, "precondition_failed");
        let after = actor.get(object).await;
        assert_eq!((&after.text, after.header("etag")), (&before.text, etag.as_str()), "{id}");
    }
    let malformed = send_with(actor, operation, path, ("if-match", "another")).await;
    assert_eq!(malformed.body["errors"][0]["field"], "If-Match", "{id}: {}", malformed.text);
    malformed.refused(400, "invalid_header");
    let list = format!("\"another\", {etag}");
    send_with(actor, operation, path, ("if-match", &list)).await
}

#[tokio::test]
async fn every_change_is_made_of_the_version_that_the_client_knows_and_of_no_other() {
    let (tenant, furnished, my_hold) = furnished().await;
    let mut changes: Vec<_> = operations().into_iter().filter(takes_if_match).collect();
    changes.retain(|operation| operation.role().is_some());
    // The appointment is cancelled by then, which is said first. They are tried below.
    changes.retain(|operation| {
        !["cancel_my_appointment", "reschedule_my_appointment"].contains(&operation.id())
    });
    // What ends an object, last; the organization after everything in it.
    changes.sort_by_key(|operation| {
        let path = &operation.path;
        let ends =
            operation.method == "DELETE" || ["/confirm", "/accept"].iter().any(|end| path.ends_with(end));
        (ends, operation.method == "DELETE", operation.id() == "delete_organization")
    });
    let (mut made, mut tried) = (BTreeSet::new(), 0);
    for operation in changes {
        let id = operation.id();
        let read = reading(&operation).expect("an object");
        let actor = actor_of(&tenant, &operation);
        let (path, object) =
            (path_of(&operation, &furnished, &my_hold), path_of(&read, &furnished, &my_hold));
        if id == "resend_invitation" {
            // At most once a minute.
            let sent =
                "update tenancy.invitations set sent_at = now() - interval '1 hour' where tenant_id = $1";
            system().superuser().await.execute(sent, &[&tenant.id]).await.expect("an invitation of before");
        }
        tried += 1;
        // Another operation has ended it.
        if actor.get(&object).await.status == 404 {
            continue;
        }
        let answer = try_change(actor, &operation, &path, &object).await;
        if answer.status >= 300 {
            // In whatever state the others left it, or in use.
            assert!(matches!(answer.status, 409 | 422), "{id}: {} {}", answer.status, answer.text);
            assert!(!matches!(operation.method.as_str(), "PATCH" | "PUT"), "{id}: {}", answer.text);
            continue;
        }
        made.insert(id.to_owned());
        assert_version_is_read(actor, &operation, &answer, &object).await;
    }
    assert!(tried > 45, "{tried}");
    for id in ["update_contact", "set_schedule", "cancel_appointment", "delete_closure", "confirm_my_hold"] {
        assert!(made.contains(id), "{id}: {made:?}");
    }
}

#[tokio::test]
async fn customer_changes_the_version_that_they_know() {
    let fixture = BookingFixture::with(json!({ "bookable_online": true })).await;
    let customer = fixture.customer().await;
    let body = fixture.own_body("2031-05-05T09:00:00Z");
    let object =
        format!("/api/v1/my/appointments/{}", customer.post("/api/v1/my/appointments", body).await.created());
    for (action, body) in
        [("reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })), ("cancel", json!({}))]
    {
        let act = async |etag: &str| {
            let request =
                customer.request(Method::POST, &format!("{object}/{action}")).header("if-match", etag);
            customer.send(request.header("content-type", "application/json").body(body.to_string())).await
        };
        act("\"another\"").await.refused(412, "precondition_failed");
        let etag = customer.get(&object).await.header("etag").to_owned();
        let changed = act(&etag).await;
        let read = customer.get(&object).await;
        assert_eq!((changed.status, &changed.text), (200, &read.text), "{action}");
        assert_eq!(changed.header("etag"), read.header("etag"), "{action}");
    }
}

/// What a change answers is what is read afterwards, byte for byte, and so is its version.
async fn assert_version_is_read(actor: &Actor, operation: &Operation, answer: &Answer, object: &str) {
    let described = &operation.value["responses"][answer.status.to_string()]["headers"]["ETag"];
    if !described.is_object() {
        return;
    }
    let at = if answer.status == 201 { answer.header("location") } else { object };
    let read = actor.get(at).await;
    assert_eq!(
        answer.header("etag"),
        read.header("etag"),
        "{}: {}\n{}",
        operation.id(),
        answer.text,
        read.text
    );
    // The answer may say more than is read later.
    if !["update_time_off", "create_time_off", "create_calendar_feed"].contains(&operation.id()) {
        assert_eq!(answer.text, read.text, "{}", operation.id());
    }
}

#[tokio::test]
async fn created_object_has_the_version_of_its_get() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let starts_at = |hour: u32| format!("2031-05-05T{hour:02}:00:00Z");
    let time_off = format!("/api/v1/providers/{provider}/time-off");
    for (path, body) in [
        ("/api/v1/services", json!({ "name": "Shave", "duration_minutes": 15, "provider_ids": [provider] })),
        ("/api/v1/providers", json!({ "name": "Grace", "account_id": tenant.staff.account })),
        ("/api/v1/contacts", json!({ "first_name": "Ada", "last_name": "King", "email": "Ada@Example.com" })),
        ("/api/v1/resources", json!({ "kind": "room", "name": "Room" })),
        ("/api/v1/closures", json!({ "starts_on": "2030-12-24", "ends_on": "2030-12-24", "name": "Closed" })),
        ("/api/v1/domains", json!({ "domain": format!("d{}.example.com", Uuid::new_v4().simple()) })),
        (
            "/api/v1/invitations",
            json!({ "email": format!("i{}@example.com", Uuid::new_v4().simple()), "role": "staff" }),
        ),
        ("/api/v1/calendar-feeds", json!({ "name": "Telephone" })),
        ("/api/v1/holds", json!({ "service_id": service, "starts_at": starts_at(9) })),
        (
            "/api/v1/appointments",
            json!({ "service_id": service, "and_then": [service], "contact_id": contact, "starts_at": starts_at(10) }),
        ),
        (
            "/api/v1/waitlist",
            json!({
                "service_id": service, "contact_id": contact, "from": starts_at(9), "to": starts_at(12),
                "override_rules": true,
            }),
        ),
        (&time_off, json!({ "starts_at": starts_at(10), "ends_at": starts_at(11) })),
    ] {
        let operations = operations();
        let operation = operations
            .iter()
            .find(|other| other.method == "POST" && filled(&other.path, |_| provider.clone()) == path)
            .expect("an operation");
        assert!(operation.value["responses"]["201"]["headers"]["ETag"].is_object(), "{path}");
        let created = tenant.owner.post(path, body).await;
        assert_eq!(created.status, 201, "{path}: {}", created.text);
        assert_version_is_read(&tenant.owner, operation, &created, "").await;
    }
}

#[tokio::test]
async fn guests_change_the_version_that_they_know() {
    let tenant = Tenant::new().await;
    let service = tenant
        .service_with(json!({
            "name": "Cut", "duration_minutes": 30, "bookable_online": true, "contact_may_overlap": true,
        }))
        .await;
    tenant.provider().await;
    let slug = tenant.viewer.get("/api/v1/organizations/me").await.expect(200)["slug"].clone();
    let slug = slug.as_str().expect("a slug");
    let contact = json!({ "first_name": "Guest", "last_name": "One", "email": format!("g@{slug}.example") });
    let make = async |path: &str, body: Value| {
        let answer =
            Actor::anonymous().post(&format!("/api/v1/guest/{path}?organization_slug={slug}"), body).await;
        answer.expect(201)["manage_token"].as_str().expect("a token").to_owned()
    };
    let booking =
        |hour: u32| json!({ "service_id": service, "starts_at": format!("2031-05-05T{hour:02}:00:00Z") });
    let booked = |hour: u32| {
        let mut body = booking(hour);
        body["contact"] = contact.clone();
        body
    };
    let wait = json!({
        "service_id": service, "contact": contact, "from": "2031-05-06T20:00:00Z", "to": "2031-05-06T23:00:00Z",
    });
    for (object, token, change) in [
        // Their versions depend on the clock: until when a guest can change them. They are read by version only.
        ("appointment", make("appointments", booked(9)).await, None),
        ("waitlist-entry", make("waitlist", wait).await, None),
        ("hold", make("holds", booking(12)).await, Some(("release", json!({})))),
        ("hold", make("holds", booking(13)).await, Some(("confirm", json!({ "contact": contact })))),
    ] {
        let guest = Actor::with_token(token.as_str());
        let object = format!("/api/v1/guest/{object}");
        let read = guest.get(&object).await;
        let etag = read.header("etag").to_owned();
        // Not by itself another one.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let again = guest.send(guest.request(Method::GET, &object).header("if-none-match", &etag)).await;
        assert_eq!(again.status, 304, "{object}");
        let Some((action, mut body)) = change else {
            continue;
        };
        body["token"] = token.into();
        let act = async |etag: &str| {
            let request = Actor::anonymous().request(Method::POST, &format!("{object}/{action}"));
            let request = request.header("content-type", "application/json").header("if-match", etag);
            guest.send(request.body(body.to_string())).await
        };
        act("\"another\"").await.refused(412, "precondition_failed");
        assert_eq!(guest.get(&object).await.text, read.text);
        let changed = act(&etag).await;
        assert!(changed.status < 300, "{object}/{action}: {}", changed.text);
        if changed.status == 200 {
            let read = guest.get(&object).await;
            assert_eq!((&changed.text, changed.header("etag")), (&read.text, read.header("etag")));
        }
    }
}

#[tokio::test]
async fn version_of_an_answer_in_gzip_does_for_both_headers() {
    let tenant = Tenant::new().await;
    let provider = tenant.provider().await;
    let path = format!("/api/v1/providers/{provider}/schedule");
    // Long enough to be compressed.
    let overrides: Vec<_> =
        (1..29).map(|day| json!({ "date": format!("2031-05-{day:02}"), "intervals": [] })).collect();
    let long = json!({ "time_zone": "UTC", "rules": [], "overrides": overrides });
    tenant.manager.put(&path, long).await.expect(200);
    let plain = tenant.manager.get(&path).await;
    let etag = plain.header("etag").to_owned();
    let zipped = tenant.manager.request(Method::GET, &path).header("accept-encoding", "gzip");
    let zipped = zipped.send().await.expect("the server answers");
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let of_gzip = zipped.headers()["etag"].to_str().expect("text").to_owned();
    assert_eq!(of_gzip, format!("{}-gzip\"", etag.trim_end_matches('"')));
    let get = tenant.manager.request(Method::GET, &path).header("if-none-match", &of_gzip);
    let held = tenant.manager.send(get).await;
    assert_eq!((held.status, held.header("etag")), (304, of_gzip.as_str()));
    let put = |etag: &str| {
        let request = tenant.manager.request(Method::PUT, &path).header("if-match", etag);
        request.header("content-type", "application/json").body(plain.text.clone())
    };
    tenant.manager.send(put(&of_gzip)).await.expect(200);
    tenant.manager.send(put("*")).await.expect(200);
}

#[tokio::test]
async fn schedule_that_was_never_set_has_the_version_of_an_empty_one() {
    let tenant = Tenant::new().await;
    let provider = tenant.admin.post("/api/v1/providers", json!({ "name": "Ada" })).await.created();
    let path = |provider: &str| format!("/api/v1/providers/{provider}/schedule");
    let put = |provider: &str, etag: &str| {
        let request = tenant.manager.request(Method::PUT, &path(provider)).header("if-match", etag);
        request.header("content-type", "application/json").body(r#"{ "time_zone": "UTC", "rules": [] }"#)
    };
    let etag = tenant.manager.get(&path(&provider)).await.header("etag").to_owned();
    tenant.manager.send(put(&provider, "\"another\"")).await.refused(412, "precondition_failed");
    tenant.manager.send(put(&provider, &etag)).await.expect(200);
    tenant.manager.send(put(&Uuid::now_v7().to_string(), "*")).await.refused(404, "not_found");
}
