//! What holds for every operation, found by walking the description: an operation is covered the day it exists.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Actor, Answer, Furnished, Operation, Tenant, operations, snapshot};

/// Values for the parameters of a path.
pub fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    path.split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => value(name),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

pub fn id_of(furnished: &Furnished) -> impl Fn(&str) -> String + '_ {
    |name| {
        let id = furnished.id(name);
        id.unwrap_or_else(|| panic!("a new kind of id: teach the harness where {name} comes from")).to_owned()
    }
}

/// The query an operation cannot do without.
pub fn query(operation: &Operation) -> &'static str {
    const NO_FEED: &str = concat!(
        "?token=appointd_calendar_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    );
    match operation.id() {
        // The services of an availability are tried where it is tested.
        "list_slots"
        | "list_my_slots"
        | "list_slot_days"
        | "list_my_slot_days"
        | "get_availability"
        | "get_my_availability"
        | "get_calendar" => "?from=2031-05-05&to=2031-05-06",
        "list_deletions" => "?since=2026-01-01T00:00:00Z",
        "allow_certificate" => "?domain=nobody.example.com",
        "get_public_organization" => "?slug=nobody",
        "list_online_services"
        | "list_online_providers"
        | "book_as_guest"
        | "hold_as_guest"
        | "join_waitlist_as_guest" => "?organization_slug=nobody",
        "list_online_slots" | "list_online_slot_days" | "get_online_availability" => {
            "?organization_slug=nobody&from=2031-05-05&to=2031-05-06"
        }
        "read_calendar_feed" => NO_FEED,
        _ => "",
    }
}

/// Somebody whose role the operation is for.
pub fn actor_of<'a>(tenant: &'a Tenant, operation: &Operation) -> &'a Actor {
    if operation.role() == Some("customer") { &tenant.customer } else { &tenant.owner }
}

/// Sends an operation with its example as its body.
pub async fn send(actor: &Actor, operation: &Operation, path: &str) -> Answer {
    let method: Method = operation.method.parse().expect("a method");
    let path = format!("{path}{}", query(operation));
    match operation.example() {
        Some(body) => actor.with_body(method, &path, body).await,
        None => actor.send(actor.request(method, &path)).await,
    }
}

/// Whoever asks, these answer.
pub const OPEN: [&str; 37] = [
    "register_account",
    "log_in",
    "grant_token",
    "refresh_tokens",
    "start_web_session",
    "get_key_set",
    "request_password_reset",
    "reset_password",
    "get_public_organization",
    "look_at_invitation",
    "register_invited",
    "allow_certificate",
    "get_liveness",
    "get_readiness",
    "read_calendar_feed",
    "list_online_services",
    "list_online_providers",
    "list_online_slots",
    "list_online_slot_days",
    "get_online_availability",
    "book_as_guest",
    "view_as_guest",
    "get_as_guest",
    "get_calendar_as_guest",
    "cancel_as_guest",
    "reschedule_as_guest",
    "hold_as_guest",
    "get_hold_as_guest",
    "release_hold_as_guest",
    "confirm_hold_as_guest",
    "join_waitlist_as_guest",
    "get_waitlist_entry_as_guest",
    "view_waitlist_entry_as_guest",
    "accept_offer_as_guest",
    "decline_offer_as_guest",
    "withdraw_as_guest",
    "verify_as_guest",
];

/// Would take away what the others need; that they work is tested where they belong.
pub fn takes_away(operation: &Operation) -> bool {
    operation.method == "DELETE"
        || ["leave_organization", "transfer_ownership", "log_out", "change_password"]
            .contains(&operation.id())
}

#[test]
fn every_operation_has_a_rule_and_the_table_of_them_is_current() {
    let mut text = String::from(
        "Who may call which operation: the lowest role, what the plan has to include, what an API key has to be good for.\n\
         `account`: everybody who has signed in. Read from the description; each line is tried in tests/it/coverage.rs.\n\n",
    );
    for operation in operations() {
        let rule = operation.role().unwrap_or("open");
        let known = ["open", "account", "customer", "viewer", "staff", "manager", "admin", "owner"];
        assert!(known.contains(&rule), "{}: {rule}", operation.id());
        assert_eq!(rule == "open", OPEN.contains(&operation.id()), "{}", operation.id());
        let extra = |name: &str| operation.value[name].as_str().unwrap_or("-").to_owned();
        let line = format!(
            "{:<28} {:<9} {:<17} {:<17} {:<7} {}",
            operation.id(),
            rule,
            extra("x-required-feature"),
            extra("x-required-scope"),
            operation.method,
            operation.path
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    snapshot("tests/it/operations.txt", &text);
}

#[tokio::test]
async fn every_path_parameter_that_is_no_id_is_named() {
    let tenant = Tenant::new().await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains('{')) {
        let path = filled(&operation.path, |_| "not-an-id".to_owned());
        let name = operation.path.split(['{', '}']).nth(1).expect("a parameter");
        // Who may not call it is told that first.
        send(actor_of(&tenant, &operation), &operation, &path).await.invalid(name, "invalid_value");
    }
}

#[tokio::test]
async fn every_path_answers_with_and_without_a_slash_at_its_end() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        let path = filled(&operation.path, id_of(&furnished));
        let actor = actor_of(&tenant, &operation);
        let without = send(actor, &operation, &path).await;
        let with = send(actor, &operation, &format!("{path}/")).await;
        // These answer 404 to an owner with a token: nobody's host, no cookie.
        let absent = [
            "allow_certificate",
            "get_public_organization",
            "get_web_session",
            "read_calendar_feed",
            "list_online_services",
            "list_online_providers",
            "list_online_slots",
            "list_online_slot_days",
            "get_online_availability",
        ];
        let expected = match operation.id() {
            // The owner's token is no guest's.
            "get_as_guest" | "get_hold_as_guest" | "get_waitlist_entry_as_guest" => 401,
            // Not the customer's.
            "get_my_hold" => 404,
            // No service.
            "get_availability" | "get_my_availability" => 422,
            id if absent.contains(&id) => 404,
            _ => 200,
        };
        assert_eq!((with.status, without.status), (expected, expected), "{}", operation.id());
        if expected == 200 {
            assert_eq!(with.body, without.body, "{}", operation.id());
        }
    }
}

#[tokio::test]
async fn every_example_of_a_body_follows_the_rules_of_its_type() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let mut all = operations();
    // Once the password is another, examples with the old one fail.
    all.sort_by_key(|operation| operation.id() == "change_password");
    for operation in all {
        let Some(example) = operation.example() else {
            continue;
        };
        assert!(example.is_object(), "{} has no example", operation.id());
        if operation.role().is_none() {
            // Tried where registering and signing in are.
            continue;
        }
        let actor = actor_of(&tenant, &operation);
        let answer = send(actor, &operation, &filled(&operation.path, id_of(&furnished))).await;
        // What they name is nobody's; everything else about them must do.
        match operation.id() {
            "create_appointment"
            | "create_hold"
            | "create_waitlist_entry"
            | "create_appointment_series"
            | "book_my_appointment"
            | "create_my_hold"
            | "create_my_waitlist_entry" => {
                answer.invalid("service_id", "not_found");
            }
            "swap_appointments" => answer.invalid("appointment_id", "not_found"),
            // In whatever state the others left it.
            "confirm_appointment"
            | "decline_appointment"
            | "check_in_appointment"
            | "start_appointment"
            | "complete_appointment"
            | "mark_appointment_no_show"
            | "undo_appointment_transition"
            | "reschedule_appointment"
            | "cancel_appointment"
            | "reschedule_my_appointment"
            | "cancel_my_appointment" => {
                let code = answer.body["code"].as_str().unwrap_or_default();
                let refused = answer.status == 409 && ["transition_not_allowed", "too_early"].contains(&code);
                // The schedule is another by then.
                let outside = operation.id() == "reschedule_appointment" && answer.status == 422;
                assert!(answer.status == 200 || refused || outside, "{}", answer.text);
            }
            // Nobody's hold.
            "confirm_my_hold" => drop(answer.refused(404, "not_found")),
            "accept_invitation" | "verify_email" => answer.invalid("token", "not_found"),
            "confirm_second_factor" => answer.invalid("code", "invalid_value"),
            "transfer_ownership" => answer.invalid("account_id", "not_found"),
            "switch_organization" => assert_eq!(answer.status, 404),
            "switch_web_session" => drop(answer.refused(409, "token_session")),
            "remove_second_factor" => drop(answer.refused(409, "second_factor_absent")),
            // Another test may have been here before.
            "create_organization" => assert!(matches!(answer.status, 201 | 409), "{}", answer.text),
            id => assert!(answer.status < 300, "{id}: {}", answer.text),
        }
    }
}

#[tokio::test]
async fn every_body_is_an_object_and_not_a_list_of_its_values() {
    fn lists(value: &Value) -> Vec<Value> {
        // The value with one of its objects, or that of a list in it, as a list.
        let mut variants = Vec::new();
        match value {
            Value::Object(fields) => {
                variants.push(fields.values().cloned().collect());
                for (name, field) in fields {
                    for variant in lists(field) {
                        let mut value = value.clone();
                        value[name] = variant;
                        variants.push(value);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    for variant in lists(item) {
                        let mut value = value.clone();
                        value[index] = variant;
                        variants.push(value);
                    }
                }
            }
            _ => {}
        }
        variants
    }
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(example) = operation.example() else {
            continue;
        };
        for body in lists(&example) {
            let path = filled(&operation.path, id_of(&furnished));
            let method: Method = operation.method.parse().expect("a method");
            let answer = actor_of(&tenant, &operation).with_body(method, &path, body.clone()).await;
            assert_eq!(answer.status, 422, "{} {body}: {}", operation.id(), answer.text);
        }
    }
}
