//! Examples. Those of requests stand at the types of the requests. Those of answers are composed of the values in
//! `examples.json`, those of problems are in `problems.json`.

use std::{collections::BTreeSet, sync::LazyLock};

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    super::{caller::LINK, event_stream::EVENT_STREAM},
    codes,
    schemas::reachable,
    walk::operations,
};

/// The values of properties: of a property of one schema, or, at `*`, of all properties of a name. A property that is
/// not required is in an example if its schema has a value for it.
static VALUES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

/// By status and code: what a problem says beside its status. Other problems say their meaning.
static PROBLEMS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("problems.json")).unwrap_or_default());

/// The id of the request in the examples of problems.
const REQUEST: &str = "019a9c40-1f2b-7c3d-8e4f-5a6b7c8d9e0f";

/// A calendar with one appointment.
const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//appointd//EN\r\nBEGIN:VEVENT\r\n\
    UID:019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b14@appointd\r\nDTSTAMP:20310502T093000Z\r\nDTSTART:20310520T140000Z\r\n\
    DTEND:20310520T144500Z\r\nSUMMARY:Haircut\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// The example of all properties of a name.
pub fn example(name: &str) -> Option<&'static str> {
    VALUES["*"][name].as_str()
}

/// The beginning of a stream, and an event.
const STREAM: &str = "retry: 3000\nid: 41\n\nid: 42\ndata: {\"id\":\"7d3c2b1a-0f4e-4d6b-8a9c-1e2f3a4b5c6d\",\
    \"position\":42,\"type\":\"appointment.cancelled\"}\n\n";

/// The same, of a guest.
const STREAM_OF_GUEST: &str = "retry: 3000\nid: \n\nid: kX8J2wqVQ0mQm7c3bqk1mw\n\
    data: {\"id\":\"019a9c3e-5a16-7c1e-9f6b-2f1f4a3d9b16\",\"status\":\"confirmed\"}\n\n";

/// Adds all examples that types do not have, and one of each problem.
pub fn complete(document: &mut Value, codes: &[Value]) {
    for name in reachable(document, |operation| operation.get("responses")) {
        let schemas = &document["components"]["schemas"];
        let schema = &schemas[&name];
        if schema["type"] != "object" || schema["example"].is_object() {
            continue;
        }
        if let Some(example) = of_schema(schemas, &name) {
            document["components"]["schemas"][&name]["example"] = example;
        }
    }
    document["components"]["examples"] = problems(codes);
    for (_, operation) in operations(document) {
        parameters(operation);
        answers(operation);
    }
}

/// Adds the example of a schema that no operation leads to.
pub fn add(document: &mut Value, name: &str) {
    if let Some(example) = of_schema(&document["components"]["schemas"], name) {
        document["components"]["schemas"][name]["example"] = example;
    }
}

/// The example of a schema in `components`.
fn of_schema(schemas: &Value, name: &str) -> Option<Value> {
    let schema = &schemas[name];
    if !schema["example"].is_null() {
        return Some(schema["example"].clone());
    }
    if !schema["enum"].is_null() {
        return schema["enum"].get(0).cloned();
    }
    let own = &VALUES[name];
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut example = Map::new();
    for (field, property) in schema["properties"].as_object()? {
        let value = match own.get(field).filter(|value| !value.is_null()) {
            Some(value) => value.clone(),
            None if required.contains(field.as_str()) => of_property(schemas, field, property)?,
            None => continue,
        };
        example.insert(field.clone(), value);
    }
    Some(example.into())
}

fn of_property(schemas: &Value, field: &str, property: &Value) -> Option<Value> {
    let reference = property.get("$ref").or_else(|| property["allOf"].get(0)?.get("$ref"));
    if let Some(name) = reference.and_then(Value::as_str) {
        return of_schema(schemas, name.rsplit('/').next()?);
    }
    if let Some(value) = VALUES["*"].get(field).or_else(|| property.get("example")) {
        return Some(value.clone());
    }
    match property["type"].as_str()? {
        "array" => Some(json!([of_property(schemas, "", &property["items"])?])),
        "boolean" => Some(false.into()),
        _ => property["enum"].get(0).cloned(),
    }
}

/// Fills in what a request cannot do without: Swagger UI sends the examples of parameters.
fn parameters(operation: &mut Map<String, Value>) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        if (parameter["required"] == true || name == "organization_slug")
            && let Some(value) = VALUES["*"].get(name).cloned()
        {
            let is_list = parameter["schema"]["type"] == "array";
            parameter["example"] = if is_list { json!([value]) } else { value };
        }
    }
}

/// Adds examples where a schema has none: to calendars, and to problems one of each code that the operation can answer.
fn answers(operation: &mut Map<String, Value>) {
    let of_guest = operation.get("security").is_some_and(|security| security[0][LINK].is_array());
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (_, response) in responses.into_iter().flatten() {
        let codes = response[codes::EXTENSION].as_array().cloned();
        let contents = response.get_mut("content").and_then(Value::as_object_mut);
        for (media_type, content) in contents.into_iter().flatten() {
            if media_type.starts_with("text/calendar") {
                content["example"] = CALENDAR.into();
            } else if media_type == EVENT_STREAM {
                content["example"] = if of_guest { STREAM_OF_GUEST } else { STREAM }.into();
            }
            if let Some(codes) = &codes {
                let named = codes.iter().filter_map(Value::as_str).map(|code| {
                    (code.to_owned(), json!({ "$ref": format!("#/components/examples/{code}") }))
                });
                content["examples"] = named.collect::<Map<_, _>>().into();
            }
        }
    }
}

/// An example of each code.
fn problems(codes: &[Value]) -> Value {
    let mut examples = Map::new();
    for code in codes {
        let (name, status) = (code["code"].as_str().unwrap_or_default(), &code["status"]);
        let title = status.as_u64().and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
        let mut problem = Map::new();
        problem.insert("type".into(), "about:blank".into());
        problem.insert("title".into(), title.and_then(|status| status.canonical_reason()).into());
        problem.insert("status".into(), status.clone());
        problem.insert("code".into(), name.into());
        match PROBLEMS[status.to_string()][name].as_object() {
            Some(says) => problem.extend(says.clone()),
            None => {
                problem.insert("detail".into(), code["meaning"].clone());
            }
        }
        problem.insert("request_id".into(), REQUEST.into());
        examples.insert(name.to_owned(), json!({ "value": problem }));
    }
    examples.into()
}
