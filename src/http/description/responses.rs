//! What all responses have in common: headers, and one schema for what succeeds.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    super::{deprecation, if_match},
    walk::{operations, pascal_case},
};

/// Describes `Idempotency-Key` in every operation that accepts it.
pub fn idempotency(operation: &mut Map<String, Value>) {
    // Without credentials, which would say whose key it is.
    let as_guest = !operation.contains_key("x-required-role");
    let mut takes_key = false;
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if parameter["name"] == "Idempotency-Key" {
            takes_key = true;
            // Guests have no identity, so that their keys are bound to the request: see `Once::new`.
            let (answer, another_body) = if as_guest {
                ("the object as it is now", "The same key with another body is another request.")
            } else {
                ("the first answer", "422 `used_before` if the key was sent with another body.")
            };
            parameter["description"] = format!("A unique key for this request, such as a UUID. A repeated request with the same key and body changes nothing; it returns {answer} with `Idempotency-Replayed: true`. Keys are stored for 24 hours; a failed request stores none. {another_body}").into();
        }
    }
    if takes_key {
        let header = json!({
            "description": "`true` if this is the answer to an earlier request with the same `Idempotency-Key`.",
            "required": false,
            "schema": { "type": "string", "enum": ["true"] },
        });
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten();
        for (_, response) in responses.filter(|(status, _)| status.starts_with('2')) {
            if !response["headers"].is_object() {
                response["headers"] = json!({});
            }
            if let Some(headers) = response["headers"].as_object_mut() {
                headers.retain(|name, _| !name.eq_ignore_ascii_case("Idempotency-Replayed"));
            }
            response["headers"]["Idempotency-Replayed"] = header.clone();
        }
    }
}

/// Describes the versions of what is answered. Every GET of JSON has an `ETag` and answers 304 to a client that has it,
/// unless the answer says the time.
/// Every operation that takes `If-Match` answers 412. The answer to a change has the `ETag` of its object if the object
/// can be changed with `If-Match`.
pub fn versions(document: &mut Value) {
    let single = schemas_of_single_objects(document);
    let moving = schemas_that_say_the_time(document);
    for (method, operation) in operations(document) {
        let takes_if_match = takes_if_match(operation);
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            if parameter["name"] == if_match::NAME {
                parameter["description"] = "The `ETag` of the version that the client knows, or several, comma-separated; `*` for any version. 412 if the object has another version by then, and nothing is changed. An empty list has no version: 412.".into();
            }
        }
        let reads =
            method == "get" && schema_of_success(operation).is_some_and(|schema| !moving.contains(&schema));
        if reads {
            let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
            parameters.as_array_mut().into_iter().for_each(|parameters| {
                parameters.push(json!({
                    "name": "If-None-Match",
                    "schema": { "type": "string" },
                    "in": "header",
                    "description": "The `ETag` of an earlier answer, or several, comma-separated. 304 if the content has one of them.",
                }));
            });
        }
        let is_single = schema_of_success(operation).is_some_and(|schema| single.contains(&schema));
        let etag = |description: &str| json!({ "description": description, "required": true, "schema": { "type": "string" } });
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        for (_, response) in
            responses.iter_mut().filter(|(status, _)| matches!(status.as_str(), "200" | "201"))
        {
            if (reads || is_single) && response["content"]["application/json"].is_object() {
                response["headers"]["ETag"] = etag(
                    "The version of the body. Send it as `If-None-Match` when reading again, or as `If-Match` when changing the object.",
                );
            }
        }
        if reads {
            responses.insert(
                "304".to_owned(),
                json!({
                    "description": "Not modified: the client has the current version, according to `If-None-Match`.",
                    "headers": { "ETag": etag("The version that the client has.") },
                }),
            );
        }
        if takes_if_match {
            let mut failed = responses.get("404").cloned().unwrap_or_default();
            failed["headers"]["ETag"] = json!({
                "description": "The version that the object has. Absent if the object does not exist.",
                "required": false,
                "schema": { "type": "string" },
            });
            responses.insert("412".to_owned(), failed);
        }
        responses.sort_keys();
    }
}

pub fn takes_if_match(operation: &Map<String, Value>) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.into_iter().flatten().any(|parameter| parameter["name"] == if_match::NAME)
}

/// The schema of the JSON that an operation answers with, as text.
fn schema_of_success(operation: &Map<String, Value>) -> Option<String> {
    let responses = operation.get("responses")?;
    ["200", "201"].iter().find_map(|status| {
        let schema = responses.get(status)?.pointer("/content/application~1json/schema")?;
        Some(schema.to_string())
    })
}

/// The schemas of the objects that an operation changes with `If-Match`: those that GET answers with, at the path of
/// the operation or, if the operation is an action such as `…/cancel`, at the path in front of it.
fn schemas_of_single_objects(document: &Value) -> BTreeSet<String> {
    let mut schemas = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let changes =
            item.as_object().into_iter().flatten().filter_map(|(_, operation)| operation.as_object());
        if !changes.into_iter().any(takes_if_match) {
            continue;
        }
        let before = path.rsplit_once('/').map_or("", |(before, _)| before);
        let read = [path.as_str(), before]
            .iter()
            .find_map(|path| document["paths"].get(*path)?.get("get")?.as_object());
        schemas.extend(read.and_then(schema_of_success));
    }
    schemas
}

/// The schemas of pages with `as_of`, no two of which are the same.
fn schemas_that_say_the_time(document: &Value) -> BTreeSet<String> {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let moving = schemas.filter(|(_, schema)| schema["properties"]["as_of"].is_object());
    moving.map(|(name, _)| json!({ "$ref": format!("#/components/schemas/{name}") }).to_string()).collect()
}

/// Describes the headers of certain statuses. Those of every response are described in `info`.
pub fn headers(operation: &mut Map<String, Value>) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, response) in responses {
        // poem-openapi writes header names in upper case.
        for name in ["Location", "ETag", "Last-Modified"] {
            let headers = response.get_mut("headers").and_then(Value::as_object_mut);
            if let Some(header) = headers.and_then(|headers| headers.remove(&name.to_ascii_uppercase())) {
                response["headers"][name] = header;
            }
        }
        match status.as_str() {
            "401" => {
                response["headers"]["WWW-Authenticate"] = json!({
                    "description": "The authentication challenge (RFC 6750).",
                    "schema": { "type": "string" },
                });
            }
            "429" | "503" => {
                response["headers"]["Retry-After"] = json!({
                    "description": "The number of seconds to wait before trying again.",
                    "schema": { "type": "integer", "minimum": 0 },
                });
            }
            _ => {}
        }
        if response.get("headers").and_then(Value::as_object).is_some_and(Map::is_empty)
            && let Some(response) = response.as_object_mut()
        {
            response.remove("headers");
        }
    }
}

/// Every answer of a deprecated operation announces its end, also those that only the description adds.
pub fn announcements(operation: &mut Map<String, Value>) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for name in deprecation::HEADERS {
        let Some(header) = responses.values().find_map(|response| response["headers"].get(name)).cloned()
        else {
            continue;
        };
        responses.values_mut().for_each(|response| response["headers"][name] = header.clone());
    }
}

/// An operation that succeeds with different schemas answers with one of them: some generators take one type per
/// operation.
pub fn one_schema_of_success(document: &mut Value) {
    let mut added = Map::new();
    let known = document["components"]["schemas"].clone();
    for (_, operation) in operations(document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        let mut contents: Vec<&mut Value> = responses
            .iter_mut()
            .filter(|(status, _)| status.starts_with('2'))
            .filter_map(|(_, response)| response.pointer_mut("/content/application~1json"))
            .collect();
        let mut variants: Vec<Value> = contents.iter().map(|content| content["schema"].clone()).collect();
        variants.dedup();
        if variants.len() < 2 {
            continue;
        }
        let name = format!("{}Answer", pascal_case(&id));
        for content in &mut contents {
            let variant =
                content["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
            content["example"] = variant.map(|variant| known[variant]["example"].clone()).unwrap_or_default();
            content["schema"] = json!({ "$ref": format!("#/components/schemas/{name}") });
        }
        let description = "The schema depends on the status: see the responses of the operation.";
        added.insert(name, json!({ "description": description, "oneOf": variants }));
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(added);
    }
}
