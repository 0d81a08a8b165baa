//! Creating: where what was created can be read, and how often it is created when it is asked for twice. Found by
//! walking the description: an operation is covered the day it exists.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, Answer, Furnished, Operation, Tenant,
    booking::BookingFixture,
    operations, system, uuids_of_body,
    walking::{filled, named, put},
};

/// What an `Idempotency-Key` is of no use for: their e-mail address or slug is taken by the first, so the second is a
/// 409 and does nothing; and what they answer is tokens, which are not kept.
const NAMED_BY_THEMSELVES: [&str; 3] = ["register_account", "register_invited", "create_organization"];

/// Operations that create something.
fn creating() -> impl Iterator<Item = Operation> {
    operations()
        .into_iter()
        .filter(|operation| operation.method == "POST" && operation.value["responses"]["201"].is_object())
}

/// The other POST operations without an `Idempotency-Key`, by what makes it of no use.
const REPEATABLE: [(&str, &[&str]); 5] = [
    (
        "change nothing",
        &[
            "look_at_invitation",
            "view_as_guest",
            "get_calendar_as_guest",
            "view_waitlist_entry_as_guest",
            "preview_message_template",
        ],
    ),
    (
        "answer with tokens or secrets, which are not kept",
        &[
            "log_in",
            "grant_token",
            "start_web_session",
            "refresh_tokens",
            "switch_organization",
            "switch_web_session",
            "begin_second_factor",
            "confirm_second_factor",
        ],
    ),
    (
        "say what shall be: sent again they find it so, or are refused",
        &[
            "log_out",
            "change_password",
            "reset_password",
            "verify_email",
            "remove_second_factor",
            "restore_organization",
            "leave_organization",
            "transfer_ownership",
            "accept_invitation",
            "accept_provider_link",
            "suspend_member",
            "reactivate_member",
            "revoke_api_key",
            "verify_domain",
            "release_hold_as_guest",
            "verify_as_guest",
            "reschedule_as_guest",
            "reschedule_my_appointment",
            "move_task",
            "requeue_job",
        ],
    ),
    (
        "send an e-mail again, within budgets",
        &["request_password_reset", "request_email_verification", "resend_invitation"],
    ),
    ("send what the receiver recognizes by its id", &["retry_webhook_delivery"]),
];

fn takes_key(operation: &Operation) -> bool {
    operation.value["parameters"]
        .as_array()
        .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"))
}

#[test]
fn every_post_takes_a_key_or_needs_none() {
    let mut without: Vec<&str> = REPEATABLE.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    without.extend(NAMED_BY_THEMSELVES);
    without.sort_unstable();
    let operations = operations();
    let posts = operations.iter().filter(|operation| operation.method == "POST");
    let mut found: Vec<_> =
        posts.filter(|operation| !takes_key(operation)).map(|operation| operation.id()).collect();
    found.sort_unstable();
    assert_eq!(found, without);
}

/// An organization to create in.
pub struct Setting {
    pub tenant: Tenant,
    pub furnished: Furnished,
    slug: String,
    /// Days that were given out.
    days: AtomicU32,
}

/// A request that creates something.
pub struct Creation {
    actor: Actor,
    path: String,
    body: Option<Value>,
}

impl Setting {
    pub async fn new() -> Self {
        let tenant = Tenant::new().await;
        let furnished = tenant.furnished().await;
        let online = json!({ "bookable_online": true });
        let path = format!("/api/v1/services/{}", furnished.service);
        tenant.manager.patch(&path, online).await.expect(200);
        let slug = tenant.slug().await;
        Self { tenant, furnished, slug, days: AtomicU32::new(1) }
    }

    /// A start that nothing else has, some time.
    fn start(&self) -> String {
        let day = self.days.fetch_add(1, Ordering::Relaxed);
        format!("2033-{:02}-{:02}T09:00:00Z", 1 + day / 28, 1 + day % 28)
    }

    /// Makes an entry of the waitlist and offers it a start: `join` is the request that joins, by `actor`.
    async fn offered(&self, actor: &Actor, path: &str, mut join: Value) -> Value {
        let (tenant, furnished, start) = (&self.tenant, &self.furnished, self.start());
        let booking = json!({
            "service_id": furnished.service, "contact_id": furnished.contact, "starts_at": start,
        });
        let appointment = tenant.staff.post("/api/v1/appointments", booking).await.created();
        join["service_id"] = json!(furnished.service);
        join["from"] = json!(start);
        join["to"] = json!(start.replace("T09:00", "T09:15"));
        let entry = actor.post(path, join).await.expect(201);
        let path = format!("/api/v1/appointments/{appointment}/cancel");
        tenant.staff.post(&path, json!({})).await.expect(200);
        entry
    }

    fn for_guests(&self, path: &str) -> String {
        format!("{path}?organization_slug={}", self.slug)
    }

    pub async fn creation(&self, operation: &Operation) -> Creation {
        let (tenant, furnished) = (&self.tenant, &self.furnished);
        let unique = Uuid::new_v4().simple().to_string();
        let mut creation = Creation {
            actor: tenant.owner.clone(),
            path: filled(&operation.path, |name| named(furnished, name)),
            body: operation.example(),
        };
        let body = creation.body.get_or_insert_with(|| json!({}));
        for place in uuids_of_body(operation).iter().filter(|place| place.matches('/').count() == 1) {
            put(body, place, &named(furnished, place.trim_start_matches('/')));
        }
        let fields = body.as_object_mut().expect("an object");
        fields.retain(|name, _| {
            !matches!(name.as_str(), "contact" | "and_then" | "provider_ids" | "account_id")
        });
        for (name, value) in [
            ("starts_at", self.start()),
            ("from", self.start()),
            ("email", format!("{unique}@example.com")),
            ("slug", format!("s{unique}")),
            ("subdomain", format!("s{unique}")),
            ("organization_slug", format!("s{unique}")),
            ("domain", format!("{unique}.example.com")),
            ("language", unique.bytes().take(3).map(|byte| char::from(b'a' + byte % 26)).collect()),
        ] {
            if let Some(field) = fields.get_mut(name) {
                *field = value.into();
            }
        }
        if let Some(from) = fields.get("from").and_then(Value::as_str).map(|from| from.replace("T09", "T10"))
        {
            fields.insert("to".to_owned(), from.into());
        }
        match operation.id() {
            // At night, when nothing is free that could be booked instead.
            "create_waitlist_entry" | "create_my_waitlist_entry" | "join_waitlist_as_guest" => {
                body["from"] = self.start().replace("T09", "T20").into();
                body["to"] = body["from"].as_str().expect("an instant").replace("T20", "T21").into();
                if operation.id() == "join_waitlist_as_guest" {
                    body["contact"] = guest(&unique);
                    creation.path = self.for_guests(&creation.path);
                    creation.actor = Actor::anonymous();
                }
            }
            // At a time of day of its own: it has the days of other weeks, too.
            "create_appointment_series" => body["starts_at"] = self.start().replace("T09", "T13").into(),
            "create_time_off" => {
                *body = json!({ "starts_at": "2034-01-01T00:00:00Z", "ends_at": "2034-01-02T00:00:00Z" });
            }
            "create_invitation" => {
                *body = json!({ "email": format!("{unique}@example.com"), "role": "staff" });
            }
            "confirm_hold" => {
                let hold = json!({ "service_id": furnished.service, "starts_at": self.start() });
                let hold = tenant.staff.post("/api/v1/holds", hold).await.created();
                creation.path = format!("/api/v1/holds/{hold}/confirm");
                *body = json!({ "contact_id": furnished.contact });
            }
            "accept_waitlist_offer" => {
                let join = json!({ "contact_id": furnished.contact });
                let entry = self.offered(&tenant.staff, "/api/v1/waitlist", join).await;
                creation.path = format!("/api/v1/waitlist/{}/accept", uuid(&entry));
                creation.body = None;
            }
            "accept_my_waitlist_offer" => {
                let entry = self.offered(&tenant.customer, "/api/v1/my/waitlist", json!({})).await;
                creation.path = format!("/api/v1/my/waitlist/{}/accept", uuid(&entry));
                creation.body = None;
            }
            "accept_offer_as_guest" => {
                let path = self.for_guests("/api/v1/guest/waitlist");
                let entry =
                    self.offered(&Actor::anonymous(), &path, json!({ "contact": guest(&unique) })).await;
                *body = json!({ "token": entry["manage_token"] });
                creation.actor = Actor::anonymous();
            }
            "confirm_my_hold" => {
                let hold = json!({ "service_id": furnished.service, "starts_at": self.start() });
                let hold = tenant.customer.post("/api/v1/my/holds", hold).await.created();
                creation.path = format!("/api/v1/my/holds/{hold}/confirm");
                creation.body = None;
            }
            "confirm_hold_as_guest" => {
                let path = self.for_guests("/api/v1/guest/holds");
                let hold = json!({ "service_id": furnished.service, "starts_at": self.start() });
                let hold = Actor::anonymous().post(&path, hold).await.expect(201);
                *body = json!({ "token": hold["manage_token"], "contact": guest(&unique) });
                creation.actor = Actor::anonymous();
            }
            "hold_as_guest" => {
                creation.path = self.for_guests(&creation.path);
                creation.actor = Actor::anonymous();
            }
            "register_invited" => {
                let email = format!("{unique}@example.com");
                let invitation = json!({ "email": email, "role": "staff" });
                tenant.admin.post("/api/v1/invitations", invitation).await.expect(201);
                body["token"] = system().token_mailed_to(&email).await.into();
                creation.actor = Actor::anonymous();
            }
            "register_account" => creation.actor = Actor::anonymous(),
            "book_as_guest" => {
                *body = json!({
                    "service_id": furnished.service,
                    "starts_at": self.start(),
                    "contact": guest(&unique),
                });
                creation.path = self.for_guests(&creation.path);
                creation.actor = Actor::anonymous();
            }
            _ => {}
        }
        if operation.role() == Some("customer") {
            creation.actor = tenant.customer.clone();
        }
        creation
    }
}

fn guest(unique: &str) -> Value {
    json!({ "first_name": "Guest", "last_name": "Star", "email": format!("{unique}@example.com") })
}

fn uuid(made: &Value) -> &str {
    made["id"].as_str().expect("an id")
}

impl Creation {
    pub async fn send(&self, key: Option<&str>) -> Answer {
        let mut request = self.actor.request(Method::POST, &self.path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &self.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.actor.send(request).await
    }
}

#[tokio::test]
async fn location_of_every_creation_answers_get() {
    let setting = Setting::new().await;
    for operation in creating() {
        let creation = setting.creation(&operation).await;
        let answer = creation.send(None).await;
        let location = answer.header("location").to_owned();
        let made = answer.expect(201);
        let token = made["access_token"].as_str().or(made["manage_token"].as_str());
        let actor = token.map_or(creation.actor, Actor::with_token);
        let found = actor.get(&location).await;
        assert_eq!(found.status, 200, "{} at {location}: {}", operation.id(), found.text);
        let id = found.body.get("id").or(found.body.get("organization_id"));
        if let Some(made) = made.get("id") {
            assert_eq!(id, Some(made), "{}", operation.id());
        }
    }
}

#[tokio::test]
async fn creation_repeated_with_a_key_is_done_once() {
    let setting = Setting::new().await;
    let mut tried = 0;
    for operation in creating() {
        let takes_key = takes_key(&operation);
        assert_ne!(takes_key, NAMED_BY_THEMSELVES.contains(&operation.id()), "{}", operation.id());
        if !takes_key {
            continue;
        }
        let key = Uuid::new_v4().to_string();
        let creation = setting.creation(&operation).await;
        let first = creation.send(Some(&key)).await;
        assert_eq!(first.header("idempotency-replayed"), "", "{}", operation.id());
        let location = first.header("location").to_owned();
        let first = first.expect(201);
        let again = creation.send(Some(&key)).await;
        assert_eq!(again.header("idempotency-replayed"), "true", "{}: {}", operation.id(), again.text);
        assert_eq!(again.header("location"), location, "{}", operation.id());
        let mut again = again.expect(201);
        // Secrets are shown once; a link is made again.
        for secret in ["key", "path"] {
            assert!(again[secret].is_null(), "{}", operation.id());
            if let Some(secret) = first.get(secret) {
                again["secret"] = secret.clone();
            }
        }
        assert_eq!(first["id"], again["id"], "{}", operation.id());
        let kept = |value: &Value| {
            let mut value = value.clone();
            let fields = value.as_object_mut().expect("an object");
            fields.retain(|name, _| !matches!(name.as_str(), "key" | "path" | "secret" | "manage_token"));
            value
        };
        assert_eq!(kept(&first), kept(&again), "{}", operation.id());
        // The same key for something else.
        let other = setting.creation(&operation).await;
        let answer = other.send(Some(&key)).await;
        match operation.id() {
            // Guests have no identity: another request with the same key counts as new.
            id if id.ends_with("_as_guest") => assert_ne!(answer.expect(201)["id"], first["id"]),
            _ if (&other.path, &other.body) == (&creation.path, &creation.body) => {
                assert_eq!(answer.expect(201)["id"], first["id"], "the same request");
            }
            _ => answer.invalid("Idempotency-Key", "used_before"),
        }
        tried += 1;
    }
    assert!(tried >= 26, "{tried}");
}

#[tokio::test]
async fn creations_at_once_with_one_key_are_done_once() {
    let setting = Setting::new().await;
    let contacts = creating().find(|operation| operation.id() == "create_contact").expect("an operation");
    let creation = setting.creation(&contacts).await;
    let key = Uuid::new_v4().to_string();
    let answers = futures_util::future::join_all((0..8).map(|_| creation.send(Some(&key)))).await;
    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.expect(201)["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn hold_confirmed_again_answers_its_appointment() {
    let setting = Setting::new().await;
    let confirm = creating().find(|operation| operation.id() == "confirm_hold").expect("an operation");
    let creation = setting.creation(&confirm).await;
    let first = creation.send(None).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let first = first.expect(201);
    let again = creation.send(None).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201), first);
    // An appointment that was no hold is none.
    let path = format!("/api/v1/holds/{}/confirm", setting.furnished.appointment);
    let body = json!({ "contact_id": setting.furnished.contact });
    setting.tenant.staff.post(&path, body).await.refused(404, "not_found");
}

#[tokio::test]
async fn status_changed_twice_with_one_key_is_changed_once() {
    let fixture = BookingFixture::with(json!({ "requires_approval": true })).await;
    let staff = &fixture.tenant.staff;
    for (day, action) in [(1, "confirm"), (2, "decline"), (3, "cancel")] {
        let id = fixture.book(&format!("2031-05-0{day}T09:00:00Z")).await;
        let path = format!("/api/v1/appointments/{id}/{action}");
        let key = Uuid::new_v4().to_string();
        let with = [("idempotency-key", key.as_str())];
        let reason = json!({ "reason": "Because." });
        let first = staff.post_with(&path, &reason, &with).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let first = first.expect(200);
        let again = staff.post_with(&path, &reason, &with).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(200), first);
        // What depends on the state of the appointment does not refuse a repetition.
        let mut held = with.to_vec();
        held.push(("if-match", "\"before\""));
        let again = staff.post_with(&path, &reason, &held).await;
        assert_eq!((again.header("idempotency-replayed"), again.status), ("true", 200));
        staff.post_with(&path, &json!({}), &with).await.invalid("Idempotency-Key", "used_before");
        staff.post(&path, reason).await.refused(409, "transition_not_allowed");
    }
}

#[tokio::test]
async fn guest_with_the_key_of_another_gets_a_booking_of_their_own() {
    let setting = Setting::new().await;
    let book = creating().find(|operation| operation.id() == "book_as_guest").expect("an operation");
    let (one, other) = (setting.creation(&book).await, setting.creation(&book).await);
    let first = one.send(Some("1")).await.expect(201);
    let answer = other.send(Some("1")).await;
    assert_eq!(answer.header("idempotency-replayed"), "");
    let second = answer.expect(201);
    assert_ne!(first["id"], second["id"]);
    assert_ne!(first["manage_token"], second["manage_token"]);
    // The first is mailed once, however often it is sent.
    let again = one.send(Some("1")).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
    let body = one.body.as_ref().expect("a body");
    let email = body["contact"]["email"].as_str().expect("an address");
    system().tell(setting.tenant.id).await;
    assert_eq!(system().mails_to(email, 1).await.len(), 1);
}
