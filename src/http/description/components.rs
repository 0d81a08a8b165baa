//! Parts of the description that stand in several places are said once, in `components`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    schemas::reachable,
    walk::{operations, pascal_case},
};

/// The kinds of components that are shared, in the order in which they are: responses contain headers.
const SHARED: [&str; 3] = ["headers", "parameters", "responses"];

/// Puts each header, parameter and response that stands in several places into `components`.
pub fn share(document: &mut Value) {
    for kind in SHARED {
        let mut places: Vec<(String, String)> = Vec::new();
        for_each(document, kind, |name, value| places.push((name.to_owned(), value.to_string())));
        let mut counts: BTreeMap<&(String, String), usize> = BTreeMap::new();
        for place in &places {
            *counts.entry(place).or_default() += 1;
        }
        let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut components = Map::new();
        for place in &places {
            if counts[place] < 2 || names.contains_key(place) {
                continue;
            }
            let value: Value = serde_json::from_str(&place.1).unwrap_or_default();
            let name = free_name(&component_name(kind, &place.0, &value), &components);
            components.insert(name.clone(), value);
            names.insert(place.clone(), name);
        }
        for_each(document, kind, |name, value| {
            if let Some(component) = names.get(&(name.to_owned(), value.to_string())) {
                *value = json!({ "$ref": format!("#/components/{kind}/{component}") });
            }
        });
        document["components"][kind] = components.into();
    }
}

/// Removes the schemas and examples that no operation leads to.
pub fn keep_used(document: &mut Value) {
    let schemas = reachable(document, |operation| operation.get("responses"));
    let text = document["paths"].to_string();
    let components = &mut document["components"];
    if let Some(all) = components["schemas"].as_object_mut() {
        all.retain(|name, _| schemas.contains(name));
    }
    if let Some(all) = components.as_object_mut() {
        all.remove("requestBodies");
    }
    if let Some(all) = components["examples"].as_object_mut() {
        all.retain(|name, _| text.contains(&format!("#/components/examples/{name}\"")));
    }
}

/// The same document with every header, parameter and response where it belongs.
pub fn inlined(document: &Value) -> Value {
    let mut document = document.clone();
    let components = document["components"].clone();
    for kind in SHARED.into_iter().rev() {
        for_each(&mut document, kind, |_, value| {
            let component = value["$ref"]
                .as_str()
                .and_then(|reference| components.pointer(reference.trim_start_matches("#/components")));
            if let Some(component) = component {
                *value = component.clone();
            }
        });
    }
    document
}

/// Calls a function with each part of a kind, and with the name of the header or parameter, or the status.
fn for_each(document: &mut Value, kind: &str, mut found: impl FnMut(&str, &mut Value)) {
    for (_, operation) in operations(document) {
        if kind == "parameters" {
            for parameter in operation.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                found(&name, parameter);
            }
            continue;
        }
        for (status, response) in
            operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten()
        {
            if kind == "responses" {
                // Contents of success without a name differ from operation to operation; no name would say how.
                if !(status.starts_with('2') && response["content"].is_object())
                    || schema_name(response).is_some()
                {
                    found(status, response);
                }
                continue;
            }
            let headers = response.get_mut("headers").and_then(Value::as_object_mut);
            headers.into_iter().flatten().for_each(|(name, header)| found(name, header));
        }
    }
}

/// The name of the schema of a JSON response, unless that is a problem.
fn schema_name(response: &Value) -> Option<&str> {
    let schema = response.pointer("/content/application~1json/schema/$ref")?;
    schema.as_str()?.strip_prefix("#/components/schemas/")
}

fn component_name(kind: &str, name: &str, value: &Value) -> String {
    match (kind, schema_name(value)) {
        ("parameters", _) => pascal_case(name),
        // Not the name of the schema alone, which some generators would use twice.
        ("responses", Some(schema)) if name == "201" => format!("{schema}Created"),
        ("responses", Some(schema)) => format!("{schema}Success"),
        ("responses", None) => name
            .parse()
            .ok()
            .and_then(|status| poem::http::StatusCode::from_u16(status).ok())
            .and_then(|status| status.canonical_reason())
            .filter(|_| !name.starts_with(['4', '5']))
            .map_or_else(|| format!("Problem{name}"), |reason| reason.replace([' ', '-'], "")),
        _ => name.to_owned(),
    }
}

fn free_name(name: &str, taken: &Map<String, Value>) -> String {
    (1..)
        .map(|number| if number == 1 { name.to_owned() } else { format!("{name}_{number}") })
        .find(|name| !taken.contains_key(name))
        .unwrap_or_default()
}
