//! The OpenAPI document as we publish it: what poem-openapi writes, with what it cannot say put in. Written to
//! `openapi/openapi.json` by `appointd openapi`, reviewed there, and served byte for byte.

use serde_json::{Map, Value, json};

use super::caller::{ACCOUNT, COOKIE, FEATURE_PREFIX, ROLE_PREFIX};

mod components;
mod responses;
mod schemas;

pub use components::inlined;

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
        security_and_role(method, operation);
        parameters(operation);
        responses::idempotency(operation);
        responses::headers(operation);
    }
    schemas::complete(&mut document);
    responses::one_schema_of_success(&mut document);
    components::share(&mut document);
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

/// Tags in the order in which somebody new meets them; poem-openapi has them in that of the alphabet.
fn in_reading_order(document: &mut Value) {
    const ORDER: [&str; 5] = ["identity", "tenancy", "scheduling", "crm", "operations"];
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| ORDER.iter().position(|name| tag["name"] == **name));
    }
}

fn parameters(operation: &mut Map<String, Value>) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        // One example for a type is the same for the beginning and the end of a period.
        if let Some(schema) = parameter["schema"].as_object_mut() {
            schema.remove("example");
        }
        // A list may be empty, which in a query is said by leaving it out. poem-openapi calls it required.
        if parameter["in"] == "query" && parameter["schema"]["type"] == "array" {
            parameter["required"] = false.into();
            parameter["style"] = "form".into();
            // The only list there is.
            if parameter["name"] == "and_then" {
                parameter["schema"]["maxItems"] = 4.into();
            }
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
