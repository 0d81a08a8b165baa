//! Mistakes in path and query, named with those in the body.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Tenant, operations, walking::filled};

/// The fields with mistakes.
fn fields(answer: &Answer) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().unwrap_or_else(|| panic!("mistakes: {}", answer.text));
    errors.iter().map(|error| error["field"].as_str().expect("a text")).collect()
}

/// No handler may run with what was corrected to read the body: with any body, the answer is the refusal.
#[tokio::test]
async fn mistakes_in_path_query_and_body_are_named_at_once() {
    let tenant = Tenant::new().await;
    let mut tried = 0;
    for operation in operations() {
        let content = &operation.value["requestBody"]["content"];
        let Some(media_type) = content.as_object().and_then(|content| content.keys().next()) else {
            continue;
        };
        let actor = if operation.role() == Some("customer") { &tenant.customer } else { &tenant.owner };
        let parameters = operation.value["parameters"].as_array().into_iter().flatten();
        let ids = parameters
            .filter(|parameter| parameter["in"] == "path" && parameter["schema"]["format"] == "uuid")
            .map(|parameter| parameter["name"].as_str().expect("a name").to_owned());
        let mut expected: Vec<String> = ids.collect();
        let path = filled(&operation.path, |_| "nonsense".to_owned());
        let path = format!("{path}?q8=1");
        expected.push("q8".to_owned());
        for (body, more) in [("{\"q7x9\":1}", Some("q7x9")), ("{}", None), ("", None), ("{", None)] {
            let method: Method = operation.method.parse().expect("a method");
            let mut request = actor.request(method, &path);
            if !body.is_empty() {
                request = request.header("content-type", media_type).body(body.to_owned());
            }
            let answer = actor.send(request).await;
            assert_eq!(answer.status, 400, "{} {body}: {}", operation.id(), answer.text);
            let found = fields(&answer);
            for name in &expected {
                assert!(found.contains(&name.as_str()), "{} {body}: {}", operation.id(), answer.text);
            }
            if let Some(more) = more.filter(|_| media_type == "application/json") {
                assert!(found.contains(&more), "{}: {}", operation.id(), answer.text);
            }
        }
        tried += 1;
    }
    assert!(tried > 80, "{tried}");
}

#[tokio::test]
async fn mistakes_in_the_query_are_named_with_those_in_the_body() {
    let tenant = Tenant::new().await;
    let answer = tenant
        .staff
        .patch("/api/v1/contacts/7?colour=red", json!({ "first_name": "", "nickname": "x" }))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let mut found = fields(&answer);
    found.sort_unstable();
    assert_eq!(found, ["colour", "contact_id", "first_name", "nickname"]);
    // A role that is too low comes first.
    let refused = tenant.viewer.patch("/api/v1/contacts/7", json!({ "first_name": "" })).await;
    refused.refused(403, "role_too_low");
}
