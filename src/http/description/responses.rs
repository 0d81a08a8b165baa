//! What all responses have in common: headers, and one schema for what succeeds.

use serde_json::{Map, Value, json};

use super::walk::{operations, pascal_case};

/// Describes `Idempotency-Key` in every operation that accepts it.
pub fn idempotency(operation: &mut Map<String, Value>) {
    let as_guest = operation["operationId"].as_str().is_some_and(|id| id.ends_with("_as_guest"));
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

/// An operation that succeeds with different schemas answers with one of them: some generators take one type per
/// operation.
pub fn one_schema_of_success(document: &mut Value) {
    let mut added = Map::new();
    for (_, operation) in operations(document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        let mut schemas: Vec<&mut Value> = responses
            .iter_mut()
            .filter(|(status, _)| status.starts_with('2'))
            .filter_map(|(_, response)| response.pointer_mut("/content/application~1json/schema"))
            .collect();
        let mut variants: Vec<Value> = schemas.iter().map(|schema| (**schema).clone()).collect();
        variants.dedup();
        if variants.len() < 2 {
            continue;
        }
        let name = format!("{}Answer", pascal_case(&id));
        for schema in &mut schemas {
            **schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        }
        let description = "The schema depends on the status: see the responses of the operation.";
        added.insert(name, json!({ "description": description, "oneOf": variants }));
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(added);
    }
}
