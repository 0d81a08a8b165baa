//! What holds for every operation, found by walking the description: an operation is covered the day it exists.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{
    Tenant, operations, snapshot,
    walking::{OPEN, actor_of, filled, id_of, send},
};

#[test]
fn every_operation_has_a_rule_and_the_table_of_them_is_current() {
    let mut text = String::from(
        "Who may call which operation: the lowest role, what the plan has to include, what an API key has to be good for.\n\
         `account`: every person who has signed in. Read from the description; each line is tried in tests/it/http/coverage.rs.\n\n",
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
async fn path_parameter_that_is_no_id_is_refused_by_name() {
    let tenant = Tenant::new().await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains('{')) {
        let path = filled(&operation.path, |_| "not-an-id".to_owned());
        let name = operation.path.split(['{', '}']).nth(1).expect("a parameter");
        // Who may not call it is told that first.
        send(actor_of(&tenant, &operation), &operation, &path).await.invalid(name, "invalid_value");
        // As a program writes it that has no id. At the end it would be the path of the list.
        if !operation.path.ends_with('}') {
            let path = filled(&operation.path, |_| String::new());
            send(actor_of(&tenant, &operation), &operation, &path).await.invalid(name, "invalid_value");
        }
    }
}

#[tokio::test]
async fn path_with_a_trailing_slash_answers_the_same() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        let path = filled(&operation.path, id_of(&furnished));
        let actor = actor_of(&tenant, &operation);
        let without = send(actor, &operation, &path).await;
        let with = send(actor, &operation, &format!("{path}/")).await;
        // These answer 404 to an owner with a token: an unknown host, no cookie.
        let absent = [
            "allow_certificate",
            "get_public_organization",
            "get_web_session",
            "read_calendar_feed",
            "list_online_services",
            "list_online_providers",
            "list_online_slots",
            "list_online_slot_days",
        ];
        let expected = match operation.id() {
            // The owner's token is no guest's.
            "get_as_guest"
            | "stream_as_guest"
            | "get_hold_as_guest"
            | "get_waitlist_entry_as_guest"
            | "list_slots_to_reschedule_as_guest" => 401,
            // Not the customer's.
            "get_my_hold" => 404,
            // No service.
            "get_availability" | "get_my_availability" | "get_online_availability" => 400,
            id if absent.contains(&id) => 404,
            _ => 200,
        };
        assert_eq!((with.status, without.status), (expected, expected), "{}", operation.id());
        if expected == 200 {
            // Another instant with each request.
            let [mut with, mut without] = [with, without];
            for answer in [&mut with, &mut without] {
                answer.body.as_object_mut().and_then(|body| body.remove("as_of"));
            }
            assert_eq!(with.body, without.body, "{}", operation.id());
        }
    }
}

#[tokio::test]
async fn example_of_every_body_is_valid() {
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
        // The ids in examples are unknown; everything else in them is valid.
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
            // Its state depends on the operations before.
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
            // A hold that the customer did not make.
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
async fn body_that_is_a_list_of_values_is_refused() {
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
