//! Mistakes: all of them at once, each said so that a beginner knows what would be right.

use std::sync::Arc;

use appointd::http::client::Network;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Answer, Tenant, operations, system,
    walking::{filled, id_of},
};

/// Field and code of every mistake.
fn mistakes(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let errors = answer.body["errors"].as_array().unwrap_or_else(|| panic!("mistakes: {}", answer.text));
    errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

fn expected(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn body_with_many_mistakes_is_refused_naming_all() {
    let tenant = Tenant::new().await;
    let body = json!({
        "first_name": "", "last_name": 1, "email": "no address", "nickname": "x", "phone": { "a": 1 },
    });
    let answer = tenant.staff.post("/api/v1/contacts", body).await;
    assert_eq!(answer.status, 422);
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(
        found,
        expected(&[
            ("email", "invalid_value"),
            ("first_name", "too_short"),
            ("last_name", "invalid_type"),
            ("nickname", "unknown_field"),
            ("phone", "invalid_type"),
        ])
    );
    let detail = answer.body["detail"].as_str().expect("a text");
    assert!(detail.contains("4 more mistakes"), "{detail}");

    let service = json!({ "service_id": "1", "starts_at": "tomorrow", "contact_id": 7, "provider_id": "x" });
    let answer = tenant.staff.post("/api/v1/appointments", service).await;
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(
        found.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(),
        ["contact_id", "provider_id", "service_id", "starts_at"]
    );
    assert!(answer.text.contains("expected a UUID, such as "), "{}", answer.text);

    let rules = json!({
        "time_zone": "Mars/Olympus",
        "rules": [
            { "weekday": "monday", "from": "09:00", "to": "12:00" },
            { "weekday": "moonday", "from": "9", "to": "12:00" },
            { "weekday": "friday", "to": "25:00" },
        ],
    });
    let provider = tenant.provider().await;
    let answer = tenant.manager.put(&format!("/api/v1/providers/{provider}/schedule"), rules).await;
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(
        found,
        expected(&[
            ("rules[1].from", "invalid_value"),
            ("rules[1].weekday", "invalid_value"),
            ("rules[2].from", "required"),
            ("rules[2].to", "invalid_value"),
            ("time_zone", "unknown_time_zone"),
        ])
    );
}

#[tokio::test]
async fn rules_across_fields_and_unknown_ids_are_named_at_once() {
    let tenant = Tenant::new().await;
    let unknown = uuid::Uuid::now_v7();
    let broken = json!({
        "duration_minutes": 1440, "buffer_before_minutes": 700, "bookable_from": "2027-02-01",
        "bookable_until": "2027-01-01", "price_amount": 5, "provider_ids": [unknown],
        "required_resources": [[unknown]],
    });
    let all = expected(&[
        ("bookable_until", "invalid_value"),
        ("duration_minutes", "out_of_range"),
        ("price_currency", "required"),
        ("provider_ids", "not_found"),
        ("required_resources", "not_found"),
    ]);
    let mut new = broken.clone();
    new["name"] = json!("Broken");
    let service = format!("/api/v1/services/{}", tenant.service().await);
    for answer in
        [tenant.manager.post("/api/v1/services", new).await, tenant.manager.patch(&service, broken).await]
    {
        assert_eq!(answer.status, 422, "{}", answer.text);
        let mut found = mistakes(&answer);
        found.sort();
        assert_eq!(found, all);
    }
    // One half is in the row, the other in the request.
    tenant.manager.patch(&service, json!({ "bookable_from": "2027-02-01" })).await.expect(200);
    let until = json!({ "bookable_until": "2027-01-01", "price_amount": 5 });
    let mut found = mistakes(&tenant.manager.patch(&service, until).await);
    found.sort();
    assert_eq!(found, expected(&[("bookable_until", "invalid_value"), ("price_currency", "required")]));

    let booking = json!({
        "service_id": unknown, "and_then": [unknown], "provider_id": unknown, "contact_id": unknown,
        "starts_at": "2031-05-05T09:00:00Z",
    });
    let all = expected(&[
        ("and_then[0]", "not_found"),
        ("contact_id", "not_found"),
        ("provider_id", "not_found"),
        ("service_id", "not_found"),
    ]);
    let mut found = mistakes(&tenant.staff.post("/api/v1/appointments", booking).await);
    found.sort();
    assert_eq!(found, all);
}

#[tokio::test]
async fn missing_required_fields_are_named_at_once() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let document: Value = serde_json::from_str(appointd::http::description::COMMITTED).expect("JSON");
    let mut tried = 0;
    for operation in operations() {
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = schema["$ref"].as_str() else { continue };
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema");
        let mut required: Vec<_> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| (name.as_str().expect("a name").to_owned(), "required".to_owned()))
            .collect();
        let actor = if operation.role() == Some("customer") { &tenant.customer } else { &tenant.owner };
        let path = filled(&operation.path, id_of(&furnished));
        let method: Method = operation.method.parse().expect("a method");
        if required.is_empty() {
            continue;
        }
        let answer = actor.with_body(method.clone(), &path, json!({})).await;
        let mut found = mistakes(&answer);
        found.sort();
        required.sort();
        assert_eq!(found, required, "{}: {}", operation.id(), answer.text);
        // And each that is of a wrong type.
        let wrong: serde_json::Map<_, _> =
            required.iter().map(|(name, _)| (name.clone(), json!({ "q7x9": 1 }))).collect();
        let answer = actor.with_body(method, &path, Value::Object(wrong)).await;
        let mut found: Vec<_> = mistakes(&answer)
            .into_iter()
            .map(|(field, _)| field.split(['.', '[']).next().unwrap_or_default().to_owned())
            .collect();
        found.sort();
        found.dedup();
        let names: Vec<_> = required.into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, names, "{}: {}", operation.id(), answer.text);
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn null_in_an_optional_field_is_taken_like_absent() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let document: Value = serde_json::from_str(appointd::http::description::COMMITTED).expect("JSON");
    let mut tried = 0;
    for operation in operations() {
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = schema["$ref"].as_str() else { continue };
        // In changes, null removes a value, and what has to have one refuses it.
        if reference.ends_with("Changes") {
            continue;
        }
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema");
        let required: Vec<_> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| (name.as_str().expect("a name").to_owned(), "invalid_type".to_owned()))
            .collect();
        let is_required = |name: &str| required.iter().any(|(required, _)| required == name);
        let mut body: serde_json::Map<_, _> = schema["properties"]
            .as_object()
            .expect("properties")
            .keys()
            .filter(|name| !is_required(name))
            .map(|name| (name.clone(), Value::Null))
            .collect();
        tried += body.len();
        // Nothing is made: this field is unknown.
        body.insert("q7x9".to_owned(), json!(1));
        let actor = if operation.role() == Some("customer") { &tenant.customer } else { &tenant.owner };
        let path = filled(&operation.path, id_of(&furnished));
        let method: Method = operation.method.parse().expect("a method");
        let answer = actor.with_body(method, &path, Value::Object(body)).await;
        let mut found: Vec<_> = mistakes(&answer).into_iter().map(|(field, _)| field).collect();
        found.sort();
        let mut expected: Vec<_> = required.into_iter().map(|(name, _)| name).collect();
        expected.push("q7x9".to_owned());
        expected.sort();
        assert_eq!(found, expected, "{}: {}", operation.id(), answer.text);
    }
    assert!(tried > 60, "{tried}");
}

#[tokio::test]
async fn list_of_a_wrong_length_is_named_with_the_other_mistakes() {
    let tenant = Tenant::new().await;
    let service = json!({
        "name": "",
        "duration_minutes": 30,
        "guest_requires": ["email", "post", "email"],
        "provider_ids": vec![tenant.provider().await; 201],
        "required_resources": [[], [1]],
    });
    let answer = tenant.manager.post("/api/v1/services", service).await;
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(
        found,
        expected(&[
            ("guest_requires", "too_many"),
            ("guest_requires[1]", "invalid_value"),
            ("name", "too_short"),
            ("provider_ids", "too_many"),
            ("required_resources[0]", "too_short"),
            ("required_resources[1][0]", "invalid_type"),
        ])
    );
    let key = json!({ "name": "", "role": "viewer", "scopes": vec!["crm:read"; 21] });
    let mut found = mistakes(&tenant.owner.post("/api/v1/api-keys", key).await);
    found.sort();
    assert_eq!(found, expected(&[("name", "too_short"), ("scopes", "too_many")]));

    let services = "&and_then=019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10".repeat(6);
    let path = format!("/api/v1/services/{}/slots?from=yesterday{services}", tenant.service().await);
    let answer = tenant.viewer.get(&path).await;
    assert_eq!(answer.status, 400);
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(found, expected(&[("and_then", "too_many"), ("from", "invalid_value"), ("to", "required")]));
}

#[tokio::test]
async fn more_than_twenty_mistakes_are_cut_at_twenty() {
    let tenant = Tenant::new().await;
    let body: serde_json::Map<_, _> = (0..40).map(|n| (format!("field{n}"), json!(n))).collect();
    let answer = tenant.staff.post("/api/v1/contacts", Value::Object(body)).await;
    assert_eq!(mistakes(&answer).len(), 20);
}

#[tokio::test]
async fn query_with_many_mistakes_is_refused_naming_all() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let path = format!(
        "/api/v1/services/{service}/slots?from=yesterday&provider_id=1&include=all&time_zone=Mars&nothing=1"
    );
    let answer = tenant.viewer.get(&path).await;
    assert_eq!(answer.status, 400);
    let mut found = mistakes(&answer);
    found.sort();
    assert_eq!(
        found,
        expected(&[
            ("from", "invalid_value"),
            ("include", "invalid_value"),
            ("nothing", "unknown_parameter"),
            ("provider_id", "invalid_value"),
            ("time_zone", "unknown_time_zone"),
            ("to", "required"),
        ])
    );
    let path = "/api/v1/appointments?limit=1000&status=open&from=x&to=y&cursor=z&sort=id";
    let answer = tenant.viewer.get(path).await;
    let mut found: Vec<_> = mistakes(&answer).into_iter().map(|(field, _)| field).collect();
    found.sort();
    assert_eq!(found, ["cursor", "from", "limit", "status", "to"]);
}

#[tokio::test]
async fn malformed_json_is_explained_and_not_repeated() {
    let anonymous = Actor::anonymous();
    for (body, what) in [
        (
            r#"{"email": "q7x9@example.com", "password": "q7x9",}"#,
            r#"trailing comma at line 1, column 50, near "…": "…",}. Remove the comma before } or ]."#,
        ),
        ("{'email': 'q7x9'}", "near {'…': '…'}. Names and strings are in double quotes."),
        (r#"{"email": 'q7x9'}"#, "Names and strings are in double quotes."),
        ("{email: 1}", "near {…: …}. Names are in double quotes."),
        (r#"{"email": None}"#, "other words are true, false and null."),
        (r#"{"email": "q7x9" "password": 1}"#, "A comma is missing"),
        (r#"{"email": 1 // q7x9"#, "JSON has no comments."),
        ("# q7x9\n{}", "JSON has no comments."),
        (r#"{"email": "q7x9""#, "It ends too early."),
        (r#"{"email": "q7x9"} q7x9"#, "Send one JSON value, and nothing after it."),
        ("email=q7x9&password=q7x9", "It begins with { or another JSON value."),
        ("{\"email\": \"q7x9\nq7x9\"}", r"write a new line as \n"),
        (r#"{"email": "\q7x9"}"#, r"write a backslash as \\."),
        ("", "The body is empty; expected JSON, such as {}."),
    ] {
        let request = anonymous.request(Method::POST, "/api/v1/auth/login");
        let answer = anonymous.send(request.header("content-type", "application/json").body(body)).await;
        assert!(!answer.text.contains("q7x9"), "{}", answer.text);
        let refused = answer.refused(400, "malformed_json");
        let detail = refused["detail"].as_str().expect("a text");
        assert!(detail.contains(what), "{body}: {detail}");
    }
}

#[tokio::test]
async fn json_of_another_media_type_is_refused_by_every_operation_saying_which_to_send() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let mut tried = 0;
    for operation in operations() {
        let Some(content) = operation.value["requestBody"]["content"].as_object() else { continue };
        let expected = content.keys().next().expect("a media type");
        let actor = match operation.role() {
            None => &Actor::anonymous(),
            Some("customer") => &tenant.customer,
            Some(_) => &tenant.owner,
        };
        let method: Method = operation.method.parse().expect("a method");
        let path = filled(&operation.path, id_of(&furnished));
        // The default of curl, another one, and none.
        for content_type in [Some("application/x-www-form-urlencoded"), Some("text/plain"), None] {
            let mut request =
                actor.request(method.clone(), &path).body(r#"{"email":"q7x9","password":"q7x9"}"#);
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            let answer = actor.send(request).await;
            assert!(!answer.text.contains("q7x9"), "{}", answer.text);
            if answer.status == 401 {
                continue;
            }
            let refused = answer.refused(415, "unsupported_media_type");
            let detail = refused["detail"].as_str().expect("a text");
            assert!(detail.starts_with("The body looks like JSON"), "{}: {detail}", operation.id());
            assert!(detail.contains(&format!("`Content-Type: {expected}`")), "{}: {detail}", operation.id());
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried} requests");
    let request = tenant.owner.request(Method::POST, "/api/v1/contacts").body("first_name=Ada");
    let refused = tenant.owner.send(request).await.refused(415, "unsupported_media_type");
    assert_eq!(
        refused["detail"],
        "This operation takes JSON: send it with `Content-Type: application/json`."
    );
}

#[tokio::test]
async fn unknown_query_parameter_is_refused_by_every_operation() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let actor = match operation.role() {
            None => &Actor::anonymous(),
            Some("customer") => &tenant.customer,
            Some(_) => &tenant.owner,
        };
        let method: Method = operation.method.parse().expect("a method");
        let path = format!("{}?nothing=1", filled(&operation.path, id_of(&furnished)));
        let answer = actor.send(actor.request(method, &path)).await;
        let found = mistakes(&answer);
        assert!(
            found.contains(&("nothing".to_owned(), "unknown_parameter".to_owned())),
            "{}: {}",
            operation.id(),
            answer.text
        );
    }
}

#[tokio::test]
async fn host_of_no_organization_is_named() {
    let network = Arc::new(Network { base_domain: Some("book.test".to_owned()), ..Network::default() });
    let server = system().another_server(|parts| parts.network = network).await;
    let anonymous = Actor::anonymous().at(server.address());
    for (host, query, expected) in [
        ("acmee.book.test", "", "No active organization was found with the host `acmee`."),
        ("hair.example", "", "No active organization was found with the host `hair.example`."),
        ("acmee.book.test", "?organization_slug=acme", "with the slug `acme` at the host of `acmee`."),
    ] {
        let request = anonymous.request(Method::GET, &format!("/api/v1/guest/services{query}"));
        let answer = anonymous.send(request.header("host", host)).await;
        let said = answer.refused(404, "organization_not_found");
        assert!(said["detail"].as_str().expect("a text").ends_with(expected), "{said}");
    }
}

#[tokio::test]
async fn caller_who_may_not_is_told_what_is_needed() {
    let tenant = Tenant::new().await;
    let said = tenant.staff.post("/api/v1/services", json!({})).await.refused(403, "role_too_low");
    assert_eq!(said["detail"], "This needs the role manager or a higher one; yours is staff.");
    let plan = json!({ "plan_type": "basic" });
    tenant.owner.patch("/api/v1/organizations/me/subscription", plan).await.expect(200);
    let said = tenant.owner.post("/api/v1/api-keys", json!({})).await.refused(403, "feature_not_in_plan");
    // Another test may add a plan that has it too.
    let detail = said["detail"].as_str().expect("a text");
    assert!(detail.starts_with("This needs the feature api_access, which the plan"), "{detail}");
    assert!(detail.contains(" enterprise "), "{detail}");
}
