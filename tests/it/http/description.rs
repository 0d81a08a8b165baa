//! The description: current, complete, and what the pages show.

mod clock;
mod examples;

use std::collections::BTreeSet;

use appointd::{api, http::description};
use chrono::Utc;
use serde_json::Value;

use crate::harness::{Actor, operations, resolve, snapshot};

fn committed() -> Value {
    serde_json::from_str(description::COMMITTED).expect("JSON")
}

/// Calls a function with each object in a value, and where it is.
fn each_object(value: &Value, at: &str, found: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            found(at, fields);
            for (name, field) in fields {
                each_object(field, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_object(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The names of the schemas that parts of operations lead to.
fn schemas_of(part: &str) -> BTreeSet<String> {
    let document = committed();
    let mut waiting: Vec<Value> =
        operations().iter().map(|operation| operation.value[part].clone()).collect();
    let mut names = BTreeSet::new();
    while let Some(value) = waiting.pop() {
        each_object(&value, "", &mut |_, object| {
            if let Some(name) = object
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix("#/components/schemas/"))
                && names.insert(name.to_owned())
            {
                waiting.push(document["components"]["schemas"][name].clone());
            }
        });
    }
    names
}

#[test]
fn committed_description_is_current() {
    let documents = api::description();
    snapshot("openapi/openapi.json", &documents.published);
    snapshot("openapi/internal.json", &documents.internal);
}

#[test]
fn each_path_is_described_once() {
    // poem-openapi writes a key twice if two impls share a path, and a reader of JSON keeps one of them.
    let raw = api::raw_description();
    let paths: Vec<_> = raw
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("\"/") && line.ends_with("\": {"))
        .collect();
    let different: BTreeSet<_> = paths.iter().collect();
    assert!(paths.len() > 10, "{raw:.200}");
    assert_eq!(paths.len(), different.len());
}

#[test]
fn every_operation_is_described_completely() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let id = operation.id();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let words: Vec<_> = id.split('_').collect();
        assert!(
            words.len() >= 2
                && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            "{id}"
        );
        let value = &operation.value;
        assert_eq!(value["tags"].as_array().map(Vec::len), Some(1), "{id}: a tag");
        assert!(value["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{id}: a summary");
        assert!(value["description"].as_str().is_some(), "{id}: a description");
        for parameter in value["parameters"].as_array().into_iter().flatten() {
            let about = parameter["description"].as_str().unwrap_or_default();
            assert!(about.ends_with(['.', ')']), "{id}: a description of {}", parameter["name"]);
        }
        let needs_none_or_a_link = value["security"].is_array();
        assert_eq!(needs_none_or_a_link, operation.role().is_none(), "{id}: security");
        let responses = value["responses"].as_object().expect("responses");
        for (status, response) in responses {
            assert!(
                response["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{id} {status}: a description"
            );
        }
        let mut wanted = vec!["500", "503"];
        if operation.role().is_some() {
            wanted.extend(["401", "403"]);
        }
        if operation.path.contains('{') {
            wanted.extend(["400", "404"]);
        }
        if value["requestBody"].is_object() {
            wanted.extend(["400", "408", "413", "415", "422"]);
        }
        for status in wanted {
            assert!(responses.contains_key(status), "{id} lacks {status}");
        }
    }
}

#[test]
fn codes_tell_to_send_what_their_operations_take() {
    let document = committed();
    let about = document["components"]["schemas"]["ProblemCode"]["description"].as_str().expect("text");
    let mut told = 0;
    for line in about.lines().filter(|line| line.starts_with("- ")) {
        let code = line.split('`').nth(1).expect("a code");
        let Some(name) = line.split_once("send `").and_then(|(_, rest)| rest.split('`').next()) else {
            continue;
        };
        for operation in operations() {
            let answers = operation.value["responses"].as_object().into_iter().flatten();
            let mut codes = answers.flat_map(|(_, answer)| answer["x-problem-codes"].as_array()).flatten();
            if !codes.any(|other| other == code) {
                continue;
            }
            let media_types = operation.value["requestBody"]["content"].as_object().into_iter().flatten();
            let mut schemas = media_types.map(|(_, content)| resolve(&content["schema"]));
            let takes = schemas.any(|schema| schema["properties"][name].is_object())
                || operation.value["parameters"]
                    .as_array()
                    .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name));
            assert!(takes, "{} takes no {name}: {line}", operation.id());
            told += 1;
        }
    }
    assert!(told > 0, "a code tells what to send");
}

#[test]
fn every_list_has_the_parameters_of_paging() {
    let document = committed();
    let shared = &document["components"]["parameters"];
    let mut lists = 0;
    for operation in operations() {
        let answer = &operation.value["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let is_page = answer.as_str().is_some_and(|name| name.ends_with("Page"));
        let parameters: Vec<_> = operation.value["parameters"].as_array().into_iter().flatten().collect();
        for parameter in [&shared["Limit"], &shared["Cursor"]] {
            assert_eq!(parameters.contains(&parameter), is_page, "{}: {parameter}", operation.id());
        }
        assert!(
            parameters.iter().all(|parameter| parameter["schema"]["type"] != "object"),
            "{}: parameters are written out",
            operation.id()
        );
        lists += usize::from(is_page);
    }
    assert!(lists > 20, "{lists} lists");
}

#[tokio::test]
async fn description_and_pages_are_served() {
    let anonymous = Actor::anonymous();
    let document = anonymous.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    assert_eq!(document.header("content-type"), "application/json");
    let committed = description::dated(description::COMMITTED, description::day(Utc::now()));
    assert_eq!(document.text, committed, "byte for byte, but for the dates of examples");
    let post = anonymous.post("/docs", serde_json::json!({})).await;
    assert_eq!(post.header("allow"), "GET, HEAD");
    post.refused(405, "method_not_allowed");
    for page in ["/docs", "/redoc", "/docs/"] {
        let answer = anonymous.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        assert!(!answer.text.contains("googleapis"), "{page} loads nothing from other hosts");
    }
}

#[test]
fn answers_may_get_more_fields_and_requests_may_not_have_unknown_ones() {
    let document = committed();
    let (requests, answers) = (schemas_of("requestBody"), schemas_of("responses"));
    assert!(requests.len() > 50 && answers.len() > 50, "{} {}", requests.len(), answers.len());
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let is_closed = schema["additionalProperties"] == false;
        if answers.contains(name) {
            assert!(!is_closed, "{name} is part of answers");
        } else if schema["type"] == "object" && schema["allOf"].is_null() && requests.contains(name) {
            // What refers to another schema is as open as that. A map has a schema of its values.
            let is_map = schema["additionalProperties"].is_object();
            assert!(is_closed || is_map, "{name} is part of requests alone");
        }
    }
}

#[test]
fn schemas_say_nothing_that_generators_stumble_over() {
    each_object(&committed(), "", &mut |at, object| {
        let format = object.get("format").and_then(Value::as_str).unwrap_or_default();
        assert!(!format.starts_with("uint") && format != "naive-date", "{at}: {format}");
        assert!(!object.get("writeOnly").is_some_and(Value::is_boolean), "{at}: writeOnly");
        if object.get("nullable").is_some_and(Value::is_boolean) {
            assert!(object.contains_key("type"), "{at}: nullable without a type");
        }
        if at.contains("/properties/") && object.get("type").is_some_and(Value::is_string) {
            assert!(!object.contains_key("default"), "{at}: a default");
        }
        if let Some(values) = object.get("enum").and_then(Value::as_array) {
            let names: BTreeSet<String> = values
                .iter()
                .map(|value| value.to_string().chars().filter(|c| c.is_alphanumeric()).collect::<String>())
                .map(|name| name.to_lowercase())
                .collect();
            assert_eq!(names.len(), values.len(), "{at}: values that differ in punctuation alone");
        }
    });
    for operation in operations() {
        let media_types =
            operation.value["requestBody"]["content"].as_object().map_or(0, serde_json::Map::len);
        assert!(media_types <= 1, "{}: {media_types} media types of a body", operation.id());
        let successes: BTreeSet<String> = operation.value["responses"]
            .as_object()
            .expect("responses")
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, response)| response["content"]["application/json"]["schema"].to_string())
            .filter(|schema| schema != "null")
            .collect();
        assert!(successes.len() <= 1, "{}: {successes:?}", operation.id());
    }
}

#[test]
fn operations_of_the_proxy_are_not_published() {
    let paths = |text: &str| -> Vec<String> {
        let document: Value = serde_json::from_str(text).expect("JSON");
        document["paths"].as_object().expect("paths").keys().cloned().collect()
    };
    let internal = |path: &String| path.starts_with(description::INTERNAL_PATHS);
    assert!(!description::COMMITTED.contains("/internal/"));
    assert!(!paths(description::COMMITTED).iter().any(internal));
    assert_eq!(paths(description::INTERNAL), ["/internal/tls/allow"]);
    assert!(operations().iter().any(|operation| internal(&operation.path)), "they are tried like all others");
}

#[test]
fn lists_of_requests_say_how_long_they_may_be() {
    let document = committed();
    let mut lists = 0;
    let mut is_bounded = |at: &str, object: &serde_json::Map<String, Value>| {
        if object.get("type").is_some_and(|kind| kind == "array") {
            assert!(object.contains_key("maxItems"), "{at}");
            lists += 1;
        }
    };
    for name in schemas_of("requestBody") {
        each_object(&document["components"]["schemas"][&name], &name, &mut is_bounded);
    }
    for operation in operations() {
        each_object(&operation.value["parameters"], operation.id(), &mut is_bounded);
    }
    assert!(lists > 15, "{lists}");
}

#[test]
fn optional_fields_of_what_is_made_may_be_null() {
    let document = committed();
    let mut tried = 0;
    // A form has no null.
    for name in schemas_of("requestBody") {
        if name.ends_with("Changes") || name == "PasswordGrant" {
            continue;
        }
        let schema = &document["components"]["schemas"][&name];
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            if !required.iter().any(|required| required == field) {
                assert_eq!(property["nullable"], true, "{name}.{field}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn schemas_are_named_as_classes_are() {
    let document = committed();
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        let is_pascal = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(is_pascal, "{name}");
    }
}

#[test]
fn description_is_small() {
    let (minified, operations) = (committed().to_string().len(), operations().len());
    assert!(minified <= 2_900 * operations, "{minified} bytes for {operations} operations");
}

#[test]
fn every_type_of_events_has_a_request_with_the_same_body() {
    let document = committed();
    let requests = document["x-webhooks"].as_object().expect("requests");
    let listed: BTreeSet<&str> = api::EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(requests.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    for (name, request) in requests {
        let body = resolve(&request["post"]["requestBody"]);
        let schema = &body["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/WebhookEvent", "{name}");
    }
    let schema = &document["components"]["schemas"]["WebhookEvent"];
    for field in ["id", "type", "timestamp", "organization_id", "actor", "subject_id", "data"] {
        assert!(schema["properties"][field].is_object() && schema["example"].get(field).is_some(), "{field}");
    }
}
