//! Completes the OpenAPI document that poem-openapi writes: adds security, headers and details that it cannot express.
//! `appointd openapi` writes the result to `openapi/openapi.json`, where it is reviewed; it is served byte for byte.

use serde_json::{Map, Value, json};

use super::caller::{ACCOUNT, COOKIE, FEATURE_PREFIX, ROLE_PREFIX};

/// The document this program was built with.
pub const COMMITTED: &str = include_str!("../../openapi/openapi.json");

/// Completes a document written by poem-openapi.
pub fn complete(raw: &str) -> String {
    let mut document: Value = serde_json::from_str(raw).unwrap_or_default();
    document["openapi"] = "3.0.3".into();
    // Relative to where the description is served from.
    document["servers"] = json!([{ "url": "/" }]);
    in_reading_order(&mut document);
    security_schemes(&mut document);
    for (method, operation) in operations(&mut document) {
        security_and_role(method, operation);
        parameters_without_examples(operation);
        idempotency(operation);
        headers(operation);
    }
    for schema in schemas(&mut document) {
        schema_details(schema);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.iter_mut())
        .filter_map(|(method, operation)| Some((method, operation.as_object_mut()?)))
}

fn schemas(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flat_map(|schemas| schemas.values_mut())
        .filter_map(Value::as_object_mut)
}

/// Sorts the tags in the order of first use; poem-openapi sorts them alphabetically.
fn in_reading_order(document: &mut Value) {
    const ORDER: [&str; 5] = ["identity", "tenancy", "scheduling", "crm", "operations"];
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| ORDER.iter().position(|name| tag["name"] == **name));
    }
}

/// Removes the examples of parameters: the example of a type would be the same for the beginning and the end of a
/// period.
fn parameters_without_examples(operation: &mut Map<String, Value>) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = parameter["schema"].as_object_mut() {
            schema.remove("example");
        }
        // An empty list is sent by omitting the parameter. poem-openapi marks it as required.
        if parameter["in"] == "query" && parameter["schema"]["type"] == "array" {
            parameter["required"] = false.into();
        }
    }
}

/// Describes `Idempotency-Key` in every operation that accepts it.
fn idempotency(operation: &mut Map<String, Value>) {
    let mut takes_key = false;
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if parameter["name"] == "Idempotency-Key" {
            takes_key = true;
            parameter["description"] = "A unique key for this request, such as a UUID. A repeated request with the same key and body changes nothing; it returns the first answer with `Idempotency-Replayed: true`. Keys are stored for 24 hours; a failed request stores none. 422 `used_before` if the key was sent with another body.".into();
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

/// The two ways to authenticate: a bearer token or a cookie.
fn security_schemes(document: &mut Value) {
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An `access_token` from `POST /api/v1/auth/login`, which is for one organization and expires after 15 minutes; or an API key from `POST /api/v1/api-keys`.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "The session cookie of a browser, set by `POST /api/v1/auth/web-session`. Requests that change data must repeat the `csrf_token` in the header `X-CSRF-Token`.",
        },
    });
}

/// Replaces `role:staff` by the real security schemes, the extensions `x-required-…` and a sentence. An open operation
/// gets a sentence too.
fn security_and_role(method: &str, operation: &mut Map<String, Value>) {
    let asked: Vec<String> = operation
        .get("security")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|scheme| scheme.as_object()?.keys().next().cloned())
        .collect();
    let with =
        |prefix: &str| asked.iter().find_map(|scheme| scheme.strip_prefix(prefix).map(ToOwned::to_owned));
    let schemes = json!([{ "bearer": [] }, { "cookie": [] }]);
    let mut sentences = Vec::new();
    if let Some(role) = with(ROLE_PREFIX) {
        operation.insert("security".into(), schemes);
        operation.insert("x-required-role".into(), role.as_str().into());
        sentences.push(match role.as_str() {
            "customer" => "Role: `customer`.".to_owned(),
            "owner" => "Role: `owner`.".to_owned(),
            role => format!("Role: `{role}` or higher."),
        });
        // API keys have at most the role admin, and never the role customer.
        if !matches!(role.as_str(), "owner" | "customer") {
            let verb = if method == "get" { "read" } else { "write" };
            let scope = format!("{}:{verb}", operation["tags"][0].as_str().unwrap_or_default());
            sentences.push(format!("Scope of API keys: `{scope}`."));
            operation.insert("x-required-scope".into(), scope.into());
        }
        if let Some(feature) = with(FEATURE_PREFIX) {
            sentences.push(format!("Feature of the plan: `{feature}`."));
            operation.insert("x-required-feature".into(), feature.into());
        }
    } else if asked.iter().any(|scheme| scheme == ACCOUNT) {
        operation.insert("security".into(), schemes);
        operation.insert("x-required-role".into(), "account".into());
        sentences.push("Any signed-in account.".to_owned());
    } else {
        operation.insert("security".into(), json!([]));
        sentences.push("No authentication.".to_owned());
    }
    let sentence = sentences.join(" ");
    let description = match operation.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description}\n\n{sentence}"),
        None => sentence,
    };
    operation.insert("description".into(), description.into());
}

/// Describes the headers of every response, and those of certain statuses.
fn headers(operation: &mut Map<String, Value>) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, response) in responses {
        if !response["headers"].is_object() {
            response["headers"] = json!({});
        }
        // poem-openapi writes header names in upper case.
        for name in ["Location", "ETag", "Last-Modified"] {
            let headers = response["headers"].as_object_mut();
            if let Some(header) = headers.and_then(|headers| headers.remove(&name.to_ascii_uppercase())) {
                response["headers"][name] = header;
            }
        }
        for (name, description) in [
            (
                "RateLimit-Policy",
                "The rate limits that this request counted towards: the number of requests (`q`) per period in seconds (`w`).",
            ),
            (
                "RateLimit",
                "The remaining requests of each limit (`r`), and the seconds until it allows more (`t`).",
            ),
        ] {
            response["headers"][name] = json!({
                "description": format!("{description} See draft-ietf-httpapi-ratelimit-headers."),
                "required": false,
                "schema": { "type": "string" },
            });
        }
        response["headers"]["X-Request-Id"] = json!({
            "description": "The id of this request, also written to the server's log. If the client sends an id of 1 to 64 letters, digits, `-`, `_` and `.`, it is used.",
            "schema": { "type": "string" },
        });
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
    }
}

fn schema_details(schema: &mut Map<String, Value>) {
    if schema.get("type").is_some_and(|kind| kind == "object") {
        // Requests with unknown fields are rejected, and responses contain none.
        schema.insert("additionalProperties".into(), false.into());
    }
    integer_bounds(schema);
    // poem-openapi writes fields that an example omits as null.
    let nullable: Vec<String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, property)| property["nullable"] == true)
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(example) = schema.get_mut("example").and_then(Value::as_object_mut) {
        example.retain(|name, value| !value.is_null() || nullable.contains(name));
        example.values_mut().for_each(without_nulls);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            integer_bounds(property);
            description_beside_reference(property);
        }
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// poem-openapi writes the description of a field beside a reference as a second schema in `allOf`, which some
/// generators cannot merge.
fn description_beside_reference(property: &mut Map<String, Value>) {
    let Some(parts) = property.get_mut("allOf").and_then(Value::as_array_mut) else {
        return;
    };
    parts.retain(|part| part.get("$ref").is_some());
}

/// poem-openapi writes the bounds of whole numbers as `1.0`.
fn integer_bounds(schema: &mut Map<String, Value>) {
    for bound in ["minimum", "maximum"] {
        if let Some(number) = schema.get(bound).and_then(Value::as_f64)
            && number.fract() == 0.0
        {
            schema.insert(bound.into(), (number as i64).into());
        }
    }
}
