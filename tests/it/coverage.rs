//! What holds for every operation, found by walking the description: an operation is covered the day it exists.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::harness::{Actor, Answer, Furnished, Operation, Tenant, operations};

/// Values for the parameters of a path.
fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    path.split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => value(name),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn id_of(furnished: &Furnished) -> impl Fn(&str) -> String + '_ {
    |name| match name {
        "service_id" => furnished.service.clone(),
        "provider_id" => furnished.provider.clone(),
        "contact_id" => furnished.contact.clone(),
        "appointment_id" => furnished.appointment.clone(),
        "invitation_id" => furnished.invitation.clone(),
        "api_key_id" => furnished.api_key.clone(),
        "domain_id" => furnished.domain.clone(),
        "session_id" => furnished.session.clone(),
        "account_id" => furnished.member.clone(),
        "organization_id" => furnished.organization.clone(),
        other => panic!("a new kind of id: teach this test where {other} comes from"),
    }
}

/// The query an operation cannot do without.
fn query(operation: &Operation) -> &'static str {
    match operation.id() {
        "list_slots" => "?from=2031-05-05&to=2031-05-06",
        "allow_certificate" => "?domain=nobody.example.com",
        "get_public_organization" => "?slug=nobody",
        _ => "",
    }
}

/// Sends an operation with its example as its body.
async fn send(actor: &Actor, operation: &Operation, path: &str) -> Answer {
    let method: Method = operation.method.parse().expect("a method");
    let path = format!("{path}{}", query(operation));
    match operation.example() {
        Some(body) => actor.with_body(method, &path, body).await,
        None => actor.send(actor.request(method, &path)).await,
    }
}

#[tokio::test]
async fn every_operation_but_the_open_ones_wants_credentials() {
    let open = ["register_account", "log_in", "get_liveness", "get_readiness"];
    for operation in operations() {
        let is_open = open.contains(&operation.id());
        assert_eq!(operation.role().is_none(), is_open, "{}", operation.id());
        if is_open {
            continue;
        }
        // Before anything is said about body or parameters.
        let path = filled(&operation.path, |_| "x".to_owned());
        let method: Method = operation.method.parse().expect("a method");
        let nobody = Actor::nobody();
        let answer = nobody.send(nobody.request(method.clone(), &path).body("{")).await;
        answer.refused(401, "credentials_missing");
        let forger = Actor::with_token("a.b.c");
        forger.send(forger.request(method, &path).body("{")).await.refused(401, "token_invalid");
    }
}

#[tokio::test]
async fn every_operation_refuses_the_role_below_its_own_and_no_other() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(lowest) = operation.role().map(ToOwned::to_owned) else {
            continue;
        };
        let path = filled(&operation.path, id_of(&furnished));
        let mut admitted = false;
        for (role, actor) in tenant.members() {
            admitted |= role == lowest;
            if admitted && operation.method == "DELETE" {
                // Would take away what the others need; that it works is tested where it belongs.
                continue;
            }
            let status = send(actor, &operation, &path).await.status;
            assert_eq!(status == 403, !admitted, "{} as {role}: {status}", operation.id());
        }
        assert!(admitted, "{} is for the role {lowest}", operation.id());
    }
}

#[tokio::test]
async fn every_operation_answers_the_same_for_what_is_foreign_and_what_is_missing() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let theirs = other.furnished().await;
    let everything = async || {
        let services = other.viewer.get("/api/v1/services").await.expect(200);
        let providers = other.viewer.get("/api/v1/providers").await.expect(200);
        let contacts = other.viewer.get("/api/v1/contacts").await.expect(200);
        let appointments = other.viewer.get("/api/v1/appointments").await.expect(200);
        [services, providers, contacts, appointments]
    };
    let before = everything().await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains('{')) {
        let missing =
            send(&tenant.owner, &operation, &filled(&operation.path, |_| Uuid::now_v7().to_string())).await;
        let foreign = send(&tenant.owner, &operation, &filled(&operation.path, id_of(&theirs))).await;
        let plain = |answer: &Answer| {
            let mut body = answer.body.clone();
            body["request_id"] = Value::Null;
            let headers: Vec<_> = answer
                .headers
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            (answer.status, body, headers)
        };
        assert_eq!(plain(&foreign), plain(&missing), "{}", operation.id());
        assert_eq!(foreign.status, 404, "{}: {}", operation.id(), foreign.text);
    }
    assert_eq!(everything().await, before, "nothing of theirs was touched");
}

#[tokio::test]
async fn every_path_parameter_that_is_no_id_is_named() {
    let tenant = Tenant::new().await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains('{')) {
        let path = filled(&operation.path, |_| "not-an-id".to_owned());
        let name = operation.path.split(['{', '}']).nth(1).expect("a parameter");
        send(&tenant.owner, &operation, &path).await.invalid(name, "invalid_value");
    }
}

#[tokio::test]
async fn every_path_answers_with_and_without_a_slash_at_its_end() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        let path = filled(&operation.path, id_of(&furnished));
        let without = send(&tenant.owner, &operation, &path).await;
        let with = send(&tenant.owner, &operation, &format!("{path}/")).await;
        assert_eq!(with.status, 200, "{}", operation.id());
        assert_eq!(with.body, without.body, "{}", operation.id());
    }
}

#[tokio::test]
async fn every_example_of_a_body_follows_the_rules_of_its_type() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(example) = operation.example() else {
            continue;
        };
        assert!(example.is_object(), "{} has no example", operation.id());
        if operation.role().is_none() {
            // Tried where registering and signing in are.
            continue;
        }
        let answer = send(&tenant.owner, &operation, &filled(&operation.path, id_of(&furnished))).await;
        let ours = operation.id() == "create_appointment";
        // Its service is nobody's; everything else about it must do.
        match ours {
            true => answer.invalid("service_id", "not_found"),
            false => assert!(answer.status < 300, "{}: {}", operation.id(), answer.text),
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
            let answer = tenant.owner.with_body(method, &path, body.clone()).await;
            assert_eq!(answer.status, 422, "{} {body}: {}", operation.id(), answer.text);
        }
    }
}

#[tokio::test]
async fn every_body_refuses_a_field_it_does_not_know() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(mut body) = operation.example() else {
            continue;
        };
        for name in ["tenant_id", "created_by", "kind"] {
            body[name] = "x".into();
            let path = filled(&operation.path, id_of(&furnished));
            let method: Method = operation.method.parse().expect("a method");
            tenant.owner.with_body(method, &path, body.clone()).await.invalid(name, "unknown_field");
            body.as_object_mut().expect("an object").remove(name);
        }
    }
}
