//! The codes of problems: which ones each operation can answer with, and what they mean.

use serde_json::{Map, Value, json};

use super::{responses, walk::operations};
use crate::http::problem;

/// The extension of a response with an error status that lists the codes of its problems.
pub const EXTENSION: &str = "x-problem-codes";

/// The extension of operations that need a guest's `manage_token`.
pub const GUEST_LINK: &str = "x-guest-link";

/// Writes the codes into the responses, and removes responses that the operation cannot give. Returns the codes.
pub fn complete(document: &mut Value) -> Vec<Value> {
    let problems = take_codes(document, "Problem", "ProblemCode", &json!(problem::PROBLEMS));
    take_codes(document, "FieldError", "FieldCode", &json!(problem::FIELDS));
    for (method, operation) in operations(document) {
        let named = named_codes(operation);
        let groups = groups(method, operation);
        let answers = |code: &&Value| {
            let group = code["answered_by"].as_str().unwrap_or_default();
            groups.contains(&group) || named.iter().any(|name| code["code"] == **name)
        };
        let mut codes: Vec<&Value> = problems.iter().filter(answers).collect();
        codes.sort_by_key(|code| text(code, "code"));
        codes.dedup_by_key(|code| text(code, "code"));
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        responses.retain(|status, response| {
            let is_error = status.starts_with(['4', '5']);
            let of_status: Vec<&&Value> =
                codes.iter().filter(|code| code["status"].as_u64() == status.parse().ok()).collect();
            if is_error {
                response["description"] = describe(&of_status).into();
                response[EXTENSION] = of_status.iter().map(|code| code["code"].clone()).collect();
            }
            !is_error || !of_status.is_empty()
        });
    }
    problems
}

/// The operation's own codes with their meanings, and the names of those that many operations have.
fn describe(codes: &[&&Value]) -> String {
    let is_own = |code: &&&&Value| ["named", "link", "if_match"].contains(&text(code, "answered_by"));
    let mut lines: Vec<String> = codes
        .iter()
        .filter(is_own)
        .map(|code| format!("- `{}`: {}", text(code, "code"), text(code, "meaning")))
        .collect();
    let general: Vec<String> =
        codes.iter().filter(|code| !is_own(code)).map(|code| format!("`{}`", text(code, "code"))).collect();
    if !general.is_empty() {
        lines.push(format!("- {}: see `ProblemCode`.", general.join(", ")));
    }
    lines.join("\n")
}

/// Makes a named schema of the codes of a schema, and returns the codes.
fn take_codes(document: &mut Value, schema: &str, name: &str, general: &Value) -> Vec<Value> {
    let schemas = &mut document["components"]["schemas"];
    let property = &mut schemas[schema]["properties"]["code"];
    let own = property["enum"].take();
    let lists = [general, &own];
    let mut codes: Vec<Value> = lists.into_iter().filter_map(Value::as_array).flatten().cloned().collect();
    // By status, because readers look for a code that they have met.
    codes.sort_by_key(|code| (code["status"].as_u64(), text(code, "code").to_owned()));
    let about = text(property, "description").to_owned();
    *property = json!({ "$ref": format!("#/components/schemas/{name}") });
    let meanings = codes.iter().map(|code| {
        let status = code.get("status").map(|status| format!(" ({status})")).unwrap_or_default();
        format!("\n- `{}`{status}: {}", text(code, "code"), text(code, "meaning"))
    });
    schemas[name] = json!({
        "type": "string",
        "description": format!("{about} Later versions may add codes.\n{}", meanings.collect::<String>()),
        "x-extensible-enum": codes.iter().map(|code| code["code"].clone()).collect::<Vec<_>>(),
        "example": codes.first().map(|code| code["code"].clone()),
    });
    codes
}

/// The words that the documentation of an operation marks as code.
fn named_codes(operation: &Map<String, Value>) -> Vec<String> {
    let description = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    description.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// The names of the groups ([`problem::AnsweredBy`]) that an operation belongs to.
fn groups(method: &str, operation: &Map<String, Value>) -> Vec<&'static str> {
    let role = operation.get("x-required-role").and_then(Value::as_str);
    let accepts_keys = operation.contains_key("x-required-scope");
    [
        ("all", true),
        ("body", operation.contains_key("requestBody")),
        ("signed_in", role.is_some()),
        ("organization", role.is_some_and(|role| role != "account")),
        ("changing", role.is_some() && method != "get"),
        ("api_keys", accepts_keys),
        ("people", role.is_some() && !accepts_keys),
        ("feature", operation.contains_key("x-required-feature")),
        ("link", operation.contains_key(GUEST_LINK)),
        ("if_match", responses::takes_if_match(operation)),
    ]
    .into_iter()
    .filter_map(|(group, belongs)| belongs.then_some(group))
    .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
