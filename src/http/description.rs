//! The OpenAPI document as we publish it: what poem-openapi writes, with what it cannot say put in. Written to
//! `openapi/openapi.json` by `appointd openapi`, reviewed there, and served byte for byte.

use serde_json::{Map, Value, json};

use super::caller::{ACCOUNT, COOKIE, FEATURE_PREFIX, ROLE_PREFIX};

/// The document this program was built with.
pub const COMMITTED: &str = include_str!("../../openapi/openapi.json");

/// Completes a document of poem-openapi's.
pub fn complete(raw: &str) -> String {
    let mut document: Value = serde_json::from_str(raw).unwrap_or_default();
    document["openapi"] = "3.0.3".into();
    // Relative to where the description is served from.
    document["servers"] = json!([{ "url": "/" }]);
    in_reading_order(&mut document);
    security_schemes(&mut document);
    for (method, operation) in operations(&mut document) {
        parameter_groups(operation);
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

/// Tags in the order in which somebody new meets them; poem-openapi has them in that of the alphabet.
fn in_reading_order(document: &mut Value) {
    const ORDER: [&str; 5] = ["identity", "tenancy", "scheduling", "crm", "operations"];
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| ORDER.iter().position(|name| tag["name"] == **name));
    }
}

/// Query parameters that go together are one object in the code. Some generators cannot read such objects.
fn parameter_groups(operation: &mut Map<String, Value>) {
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    let parts = |parameter: Value| match parameter["schema"]["properties"].as_object() {
        None => vec![parameter],
        Some(properties) => {
            let part = |(name, schema): (&String, &Value)| {
                let mut schema = schema.clone();
                let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
                json!({
                    "name": name,
                    "schema": schema,
                    "in": parameter["in"],
                    "description": description,
                    "required": false,
                    "deprecated": false,
                    "explode": true,
                })
            };
            properties.iter().map(part).collect()
        }
    };
    *parameters = std::mem::take(parameters).into_iter().flat_map(parts).collect();
}

/// One example for a type is the same for the beginning and the end of a period.
fn parameters_without_examples(operation: &mut Map<String, Value>) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = parameter["schema"].as_object_mut() {
            schema.remove("example");
        }
        // A list may be empty, which in a query is said by leaving it out. poem-openapi calls it required.
        if parameter["in"] == "query" && parameter["schema"]["type"] == "array" {
            parameter["required"] = false.into();
        }
    }
}

/// What an `Idempotency-Key` does is the same everywhere.
fn idempotency(operation: &mut Map<String, Value>) {
    let mut takes_key = false;
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        if parameter["name"] == "Idempotency-Key" {
            takes_key = true;
            parameter["description"] = "Names this request: sent again with the same key and body, it does nothing more and is answered as the first time, with `Idempotency-Replayed: true`. 422 `used_before` if the key was sent with another body. Kept for 24 hours; a refused request keeps none.".into();
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

/// How to say who one is, whatever one is.
fn security_schemes(document: &mut Value) {
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of `POST /api/v1/auth/login`, good for 15 minutes and for one organization; or an API key of `POST /api/v1/api-keys`.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "The session of a browser, set by `POST /api/v1/auth/web-session`. A request that changes something repeats the `csrf_token` in the header `X-CSRF-Token`.",
        },
    });
}

/// `role:staff` becomes the schemes there are, the extensions `x-required-…` and a sentence. An open operation says so.
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
            "customer" => "For customers with an account.".to_owned(),
            "owner" => "Role: `owner`.".to_owned(),
            role => format!("Role: `{role}` or higher."),
        });
        // Keys come as admin at most, and never as a customer.
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
        sentences.push("For everybody who has signed in.".to_owned());
    } else {
        operation.insert("security".into(), json!([]));
        sentences.push("Open to everybody.".to_owned());
    }
    let sentence = sentences.join(" ");
    let description = match operation.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description}\n\n{sentence}"),
        None => sentence,
    };
    operation.insert("description".into(), description.into());
}

/// Headers that come with every response, or with every response of a status.
fn headers(operation: &mut Map<String, Value>) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, response) in responses {
        if !response["headers"].is_object() {
            response["headers"] = json!({});
        }
        // poem-openapi writes the names of headers in capitals.
        for name in ["Location", "ETag", "Last-Modified"] {
            let headers = response["headers"].as_object_mut();
            if let Some(header) = headers.and_then(|headers| headers.remove(&name.to_ascii_uppercase())) {
                response["headers"][name] = header;
            }
        }
        for (name, description) in [
            (
                "RateLimit-Policy",
                "The limits this request counted towards: requests (`q`) in so many seconds (`w`).",
            ),
            ("RateLimit", "What is left of them (`r`), and after how many seconds there is more (`t`)."),
        ] {
            response["headers"][name] = json!({
                "description": format!("{description} See draft-ietf-httpapi-ratelimit-headers."),
                "required": false,
                "schema": { "type": "string" },
            });
        }
        response["headers"]["X-Request-Id"] = json!({
            "description": "Names this request in the server's log. The client's own, where it sent one of at most 64 letters, digits, `-`, `_` and `.`.",
            "schema": { "type": "string" },
        });
        match status.as_str() {
            "401" => {
                response["headers"]["WWW-Authenticate"] = json!({
                    "description": "The challenge of RFC 6750.",
                    "schema": { "type": "string" },
                });
            }
            "429" | "503" => {
                response["headers"]["Retry-After"] = json!({
                    "description": "After how many seconds to try again.",
                    "schema": { "type": "integer", "minimum": 0 },
                });
            }
            _ => {}
        }
    }
}

fn schema_details(schema: &mut Map<String, Value>) {
    if schema.get("type").is_some_and(|kind| kind == "object") {
        // Unknown fields are refused coming in and never sent going out.
        schema.insert("additionalProperties".into(), false.into());
    }
    integer_bounds(schema);
    // What an example leaves out, poem-openapi writes as null.
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

/// poem-openapi writes the description of a field of a type of ours as another schema that the value has to fit, which
/// some generators cannot merge.
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
