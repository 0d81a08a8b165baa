//! Completes the OpenAPI document that poem-openapi writes: adds security, headers and details that it cannot express.
//! `appointd openapi` writes the result to `openapi/openapi.json`, where it is reviewed; it is served byte for byte.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::caller::{ACCOUNT, COOKIE, FEATURE_PREFIX, LINK, MANAGE_TOKEN, ROLE_PREFIX};

mod clock;
mod codes;
mod components;
mod examples;
mod responses;
mod schemas;
mod walk;
mod webhooks;

use walk::operations;

pub use clock::{dated, day};
pub use components::inlined;
pub use examples::example;
pub use responses::takes_if_match;

/// The document this program was built with.
pub const COMMITTED: &str = include_str!("../../openapi/openapi.json");

/// The operations that are not published: see [`INTERNAL_PATHS`].
pub const INTERNAL: &str = include_str!("../../openapi/internal.json");

/// What the paths of operations begin with that only this machine and trusted proxies may call.
pub const INTERNAL_PATHS: &str = "/internal/";

/// [`COMMITTED`], read once.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(COMMITTED).unwrap_or_default());

/// The name of the schema of the scopes of API keys.
pub const SCOPE: &str = "Scope";

/// The two documents that describe all operations.
pub struct Documents {
    /// As in `openapi/openapi.json`.
    pub published: String,
    /// As in `openapi/internal.json`.
    pub internal: String,
}

/// Completes a document written by poem-openapi. `events` are the types of events and their meanings.
pub fn complete(raw: &str, events: &[(&str, &str)]) -> Documents {
    let mut document: Value = serde_json::from_str(raw).unwrap_or_default();
    document["openapi"] = "3.0.3".into();
    // Relative to where the description is served from.
    document["servers"] = json!([{ "url": "/" }]);
    security_schemes(&mut document);
    let with_token = schemas_with_manage_token(&document);
    responses::versions(&mut document);
    for (method, operation) in operations(&mut document) {
        parameter_groups(operation);
        security_and_role(method, operation, &with_token);
        parameters(operation);
        responses::idempotency(operation);
        responses::headers(operation);
        responses::announcements(operation);
    }
    tags_in_groups(&mut document);
    scopes(&mut document);
    let problems = codes::complete(&mut document);
    schemas::name_pages(&mut document);
    schemas::complete(&mut document);
    examples::complete(&mut document, &problems);
    webhooks::complete(&mut document, events);
    responses::one_schema_of_success(&mut document);
    let internal = take_internal(&mut document);
    Documents { published: text(document), internal: text(internal) }
}

fn text(mut document: Value) -> String {
    components::share(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Moves the operations that are not published into a document of their own.
fn take_internal(document: &mut Value) -> Value {
    let mut internal = document.clone();
    let keep = |document: &mut Value, wanted: bool| {
        if let Some(paths) = document["paths"].as_object_mut() {
            paths.retain(|path, _| path.starts_with(INTERNAL_PATHS) == wanted);
        }
    };
    keep(document, false);
    keep(&mut internal, true);
    internal["info"]["description"] =
        "The operations that only this machine and trusted proxies may call. They are not published.".into();
    if let Some(internal) = internal.as_object_mut() {
        internal.retain(|part, _| !["tags", "x-tagGroups", "x-webhooks"].contains(&part.as_str()));
    }
    components::keep_used(&mut internal);
    internal
}

/// Sorts the tags in the order of first use, where poem-openapi sorts them alphabetically, and groups them by module.
/// Each operation has its module as the first of two tags; only the second one stays.
fn tags_in_groups(document: &mut Value) {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (_, operation) in operations(document) {
        let (module, tag) = (operation["tags"][0].take(), operation["tags"][1].take());
        if groups.last().is_none_or(|(name, _)| *name != module) {
            groups.push((module, Vec::new()));
        }
        if let Some((_, tags)) = groups.last_mut().filter(|(_, tags)| !tags.contains(&tag)) {
            tags.push(tag.clone());
        }
        operation["tags"] = json!([tag]);
    }
    if let Some(tags) = document["tags"].as_array_mut() {
        let order: Vec<&Value> = groups.iter().flat_map(|(_, tags)| tags).collect();
        tags.sort_by_key(|tag| order.iter().position(|name| **name == tag["name"]));
    }
    let groups = groups.into_iter().map(|(name, tags)| json!({ "name": name, "tags": tags }));
    // Redoc shows the groups, and so does our page with Swagger UI.
    document["x-tagGroups"] = groups.collect();
}

/// Splits query parameters that are one object in the code, which some generators cannot read.
fn parameter_groups(operation: &mut Map<String, Value>) {
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    let parts = |parameter: Value| match parameter["schema"]["properties"].as_object() {
        None => vec![parameter],
        Some(properties) => {
            let part = |(name, schema): (&String, &Value)| {
                let mut schema = schema.clone();
                let mut lifted = |name| schema.as_object_mut().and_then(|schema| schema.remove(name));
                let (description, deprecated) = (lifted("description"), lifted("deprecated"));
                json!({
                    "name": name,
                    "schema": schema,
                    "in": parameter["in"],
                    "description": description,
                    "deprecated": deprecated,
                })
            };
            properties.iter().map(part).collect()
        }
    };
    *parameters = std::mem::take(parameters).into_iter().flat_map(parts).collect();
}

/// Lists the scopes that operations require, in the order of the operations.
fn scopes(document: &mut Value) {
    let mut scopes: Vec<Value> = Vec::new();
    for (_, operation) in operations(document) {
        let scope = operation.get("x-required-scope").filter(|scope| !scopes.contains(scope));
        scopes.extend(scope.cloned());
    }
    document["components"]["schemas"][SCOPE]["enum"] = scopes.into();
}

fn parameters(operation: &mut Map<String, Value>) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        // One example for a type is the same for the beginning and the end of a period.
        if let Some(schema) = parameter["schema"].as_object_mut() {
            schema.remove("example");
        }
        if parameter["in"] == "path" && !parameter["description"].is_string() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let object = name.trim_end_matches("_id").replace('_', " ");
            parameter["description"] = format!("The id of the {object}.").into();
        }
        // An empty list is sent by omitting the parameter. poem-openapi marks every list as required.
        if parameter["in"] == "query" && parameter["schema"]["type"] == "array" {
            parameter["required"] = parameter["schema"]["minItems"].is_number().into();
            parameter["style"] = "form".into();
            parameter["explode"] = true.into();
        }
        // Said by leaving it out, in every parameter.
        if let Some(parameter) = parameter.as_object_mut() {
            parameter
                .retain(|name, value| !matches!(name.as_str(), "deprecated" | "required") || *value == true);
            if !parameter.contains_key("style") {
                parameter.remove("explode");
            }
        }
    }
}

/// The ways to authenticate: a bearer token, a cookie, or the token of a guest's link.
fn security_schemes(document: &mut Value) {
    document["security"] = json!([{ "bearer": [] }, { "cookie": [] }]);
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
        LINK: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `manage_token` of a guest's appointment, hold or waitlist entry: from the answer that created it, or after `#token=` in the link of an e-mail. It gives access to that object only. Operations that change it take the token in the body, as `token`.",
        },
    });
}

/// The schemas of bodies in which guests send the token of their link.
fn schemas_with_manage_token(document: &Value) -> Vec<String> {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    schemas
        .filter(|(_, schema)| {
            schema["properties"].as_object().is_some_and(|properties| {
                properties.values().any(|property| property["format"] == MANAGE_TOKEN)
            })
        })
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect()
}

/// Replaces `role:staff` by the real security schemes, the extensions `x-required-…` and a sentence. An open operation
/// gets a sentence too.
fn security_and_role(method: &str, operation: &mut Map<String, Value>, with_token: &[String]) {
    let asked: Vec<String> = operation
        .get("security")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|scheme| scheme.as_object()?.keys().next().cloned())
        .collect();
    let with =
        |prefix: &str| asked.iter().find_map(|scheme| scheme.strip_prefix(prefix).map(ToOwned::to_owned));
    // Those of the document apply, unless the operation says otherwise.
    operation.remove("security");
    let mut sentences = Vec::new();
    if let Some(role) = with(ROLE_PREFIX) {
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
        operation.insert("x-required-role".into(), "account".into());
        sentences.push("Any signed-in account.".to_owned());
    } else if asked.iter().any(|scheme| scheme == LINK) {
        operation.insert("security".into(), json!([{ LINK: [] }]));
        operation.insert(codes::GUEST_LINK.into(), true.into());
        sentences.push("Authentication: the `manage_token` as bearer token.".to_owned());
    } else {
        operation.insert("security".into(), json!([]));
        let body = operation.get("requestBody").map(|body| &body["content"]["application/json"]["schema"]);
        let body = body.and_then(|schema| schema["$ref"].as_str());
        let takes_token = body.is_some_and(|body| with_token.iter().any(|schema| schema == body));
        if takes_token {
            operation.insert(codes::GUEST_LINK.into(), true.into());
            sentences.push("Authentication: the `manage_token` in the body.".to_owned());
        } else {
            sentences.push("No authentication.".to_owned());
        }
    }
    let sentence = sentences.join(" ");
    let description = match operation.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description}\n\n{sentence}"),
        None => sentence,
    };
    operation.insert("description".into(), description.into());
}
