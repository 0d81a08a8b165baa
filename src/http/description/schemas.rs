//! Schemas as clients of several languages can use them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::walk::{operations, pascal_case};

/// Completes all schemas.
pub fn complete(document: &mut Value) {
    each_schema(document, &mut plain_formats);
    let requests = reachable(document, |operation| operation.get("requestBody"));
    let answers = reachable(document, |operation| operation.get("responses"));
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let kinds: BTreeMap<String, Value> =
        schemas.iter().map(|(name, schema)| (name.clone(), schema["type"].clone())).collect();
    for (name, schema) in schemas.iter_mut() {
        let Some(schema) = schema.as_object_mut() else {
            continue;
        };
        schema_details(name, schema, &kinds);
        // A request with a field that is not known is refused. An answer may get more fields in a later version.
        if schema.get("type").is_some_and(|kind| kind == "object")
            && requests.contains(name)
            && !answers.contains(name)
        {
            schema.insert("additionalProperties".into(), false.into());
        }
    }
    let named: Vec<(String, Value)> = schemas
        .iter_mut()
        .filter(|(name, _)| name.ends_with("Changes"))
        .flat_map(|(name, schema)| named_changes(name, schema))
        .collect();
    schemas.extend(named);
}

/// Names pages as a class is named: `ContactPage`, where poem-openapi writes `Page_Contact`.
pub fn name_pages(document: &mut Value) {
    each_schema(document, &mut |fields| {
        for (said, prefix) in [("$ref", "#/components/schemas/"), ("title", "")] {
            if let Some(Value::String(name)) = fields.get_mut(said)
                && let Some(items) = name.strip_prefix(&format!("{prefix}Page_"))
            {
                *name = format!("{prefix}{items}Page");
            }
        }
    });
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        *schemas = std::mem::take(schemas)
            .into_iter()
            .map(|(name, schema)| match name.strip_prefix("Page_") {
                Some(items) => (format!("{items}Page"), schema),
                None => (name, schema),
            })
            .collect();
    }
}

/// The names of the schemas that a part of any operation leads to.
pub fn reachable(
    document: &mut Value,
    part: impl Fn(&Map<String, Value>) -> Option<&Value>,
) -> BTreeSet<String> {
    let mut waiting: Vec<Value> =
        operations(document).filter_map(|(_, operation)| part(operation).cloned()).collect();
    let mut found = BTreeSet::new();
    while let Some(value) = waiting.pop() {
        each_reference(&value, &mut |name| {
            if found.insert(name.to_owned()) {
                waiting.push(document["components"]["schemas"][name].clone());
            }
        });
    }
    found
}

fn each_reference(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix("#/components/schemas/"))
            {
                found(name);
            }
            fields.values().for_each(|field| each_reference(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| each_reference(item, found)),
        _ => {}
    }
}

fn each_schema(value: &mut Value, complete: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            complete(fields);
            fields.values_mut().for_each(|field| each_schema(field, complete));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_schema(item, complete)),
        _ => {}
    }
}

/// The formats that OpenAPI 3.0 has: no unsigned numbers, and one name for dates.
fn plain_formats(schema: &mut Map<String, Value>) {
    let format = match schema.get("format").and_then(Value::as_str) {
        Some("naive-date") => "date",
        Some("uint64") => "int64",
        Some("int16" | "uint8" | "uint16" | "uint32") => "int32",
        _ => return,
    };
    if schema["format"].as_str().is_some_and(|format| format.starts_with("uint")) {
        schema.insert("minimum".into(), 0.into());
    }
    schema.insert("format".into(), format.into());
}

/// A property that can be null, or a list, as a schema of its own: in a request of changes absent, null and a value are
/// three things, and so are absent and an empty list. Generators of some languages tell them apart for a named schema
/// only.
fn named_changes(name: &str, schema: &mut Value) -> Vec<(String, Value)> {
    let mut named = Vec::new();
    for (field, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if property["nullable"] == true || property["type"] == "array" {
            let name = format!("{name}{}", pascal_case(field));
            let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
            named.push((name, std::mem::replace(property, reference)));
        }
    }
    named
}

fn schema_details(name: &str, schema: &mut Map<String, Value>, kinds: &BTreeMap<String, Value>) {
    integer_bounds(schema);
    // The same as the name.
    schema.remove("title");
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
        // Only a request of changes says something by null.
        let says_null = |field: &String| name.ends_with("Changes") && nullable.contains(field);
        example.retain(|field, value| !value.is_null() || says_null(field));
        example.values_mut().for_each(without_nulls);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            integer_bounds(property);
            description_beside_reference(property);
            // A default makes a property required in the types that some generators write, and a password would be left
            // out of them. The descriptions say what is the default.
            property.remove("default");
            property.remove("writeOnly");
            // OpenAPI 3.0 has `nullable` beside a type only, and poem-openapi writes none beside a reference.
            if property.get("nullable").is_some_and(|nullable| *nullable == true)
                && let Some(reference) = property.get("allOf").and_then(|parts| parts[0]["$ref"].as_str())
                && let Some(kind) = reference.rsplit('/').next().and_then(|name| kinds.get(name))
            {
                property.insert("type".into(), kind.clone());
            }
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
