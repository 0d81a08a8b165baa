use std::sync::OnceLock;

use appointd::http::description::{COMMITTED, INTERNAL, inlined};
use serde_json::Value;

use crate::harness::Answer;

/// The published description, and the operations that are not published behind it: what holds for operations holds for
/// those, too.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let [mut document, mut internal] =
            [COMMITTED, INTERNAL].map(|text| inlined(&serde_json::from_str(text).expect("JSON")));
        let paths = document["paths"].as_object_mut().expect("paths");
        paths.append(internal["paths"].as_object_mut().expect("paths"));
        document
    })
}

/// Every scope of API keys.
pub fn scopes() -> Vec<&'static str> {
    let scopes = document()["components"]["schemas"]["Scope"]["enum"].as_array().expect("scopes");
    scopes.iter().map(|scope| scope.as_str().expect("a scope")).collect()
}

/// An operation of the description.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: String,
    /// As in the description: `/api/v1/contacts/{contact_id}`.
    pub path: String,
    pub value: Value,
}

impl Operation {
    pub fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    /// The lowest role it is open to; none if it needs no credentials.
    pub fn role(&self) -> Option<&str> {
        self.value["x-required-role"].as_str()
    }

    /// The example of its JSON body.
    pub fn example(&self) -> Option<Value> {
        let schema = &self.value["requestBody"]["content"]["application/json"]["schema"];
        schema.is_object().then(|| resolve(schema)["example"].clone())
    }
}

/// All of them.
pub fn operations() -> Vec<Operation> {
    all().to_vec()
}

pub fn all() -> &'static [Operation] {
    static ALL: OnceLock<Vec<Operation>> = OnceLock::new();
    ALL.get_or_init(|| {
        let paths = document()["paths"].as_object().expect("paths");
        paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().expect("a path item").iter().map(|(method, value)| Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    value: value.clone(),
                })
            })
            .collect()
    })
}

/// Where in the body of an operation there are ids: `/contact_id`, `/provider_ids/*`.
pub fn uuids_of_body(operation: &Operation) -> Vec<String> {
    fn walk(schema: &Value, at: &str, places: &mut Vec<String>) {
        let schema = resolve(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            walk(part, at, places);
        }
        if schema["format"] == "uuid" {
            places.push(at.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(property, &format!("{at}/{name}"), places);
        }
        if schema["items"].is_object() {
            walk(&schema["items"], &format!("{at}/*"), places);
        }
    }
    let mut places = Vec::new();
    walk(&operation.value["requestBody"]["content"]["application/json"]["schema"], "", &mut places);
    places
}

pub fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            document().pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere")
        }
        None => schema,
    }
}

/// Checks an answer against the description, where the path and method are described.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.trim_end_matches('/');
    let matching = all().iter().filter(|operation| {
        operation.method == method
            && operation.path.split('/').count() == path.split('/').count()
            && operation
                .path
                .split('/')
                .zip(path.split('/'))
                .all(|(template, part)| template.starts_with('{') || template == part)
    });
    // `/organizations/me` rather than `/organizations/{organization_id}`.
    let Some(operation) = matching.min_by_key(|operation| operation.path.matches('{').count()) else {
        return;
    };
    let response = &operation.value["responses"][answer.status.to_string()];
    assert!(
        response.is_object(),
        "{} answered {}, which is not described: {}",
        operation.id(),
        answer.status,
        answer.text
    );
    if answer.status >= 400 && method != "HEAD" {
        let codes = response["x-problem-codes"].as_array().expect("codes");
        assert!(
            codes.contains(&answer.body["code"]),
            "{} does not describe: {}",
            operation.id(),
            answer.text
        );
        let known = document()["components"]["schemas"]["FieldCode"]["x-extensible-enum"].as_array();
        for error in answer.body["errors"].as_array().into_iter().flatten() {
            assert!(known.expect("codes").contains(&error["code"]), "no field code of: {}", answer.text);
        }
    }
    let media_type = answer.header("content-type");
    let content = &response["content"];
    if content.is_null() {
        assert_eq!(answer.text, "", "{} {}", operation.id(), answer.status);
        return;
    }
    let schema = &content[media_type]["schema"];
    assert!(schema.is_object(), "{} {}: {media_type} is not described", operation.id(), answer.status);
    let mut mistakes = Vec::new();
    // What is not JSON is text.
    let body = if media_type.starts_with("text/") { answer.text.clone().into() } else { answer.body.clone() };
    compare("body", &body, schema, &mut mistakes);
    assert!(mistakes.is_empty(), "{}: {mistakes:#?}\n{}", operation.id(), answer.text);
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        if header["required"] == false {
            continue;
        }
        assert!(answer.headers.contains_key(name), "{} {} lacks {name}", operation.id(), answer.status);
    }
}

/// Where a value does not fit a schema of the description.
pub fn misfits(value: &Value, schema: &Value) -> Vec<String> {
    let mut mistakes = Vec::new();
    compare("it", value, schema, &mut mistakes);
    mistakes
}

/// As much of JSON Schema as the description uses.
fn compare(at: &str, value: &Value, schema: &Value, mistakes: &mut Vec<String>) {
    let schema = resolve(schema);
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        let fits = variants.iter().filter(|variant| {
            let mut mistakes = Vec::new();
            compare(at, value, variant, &mut mistakes);
            mistakes.is_empty()
        });
        if fits.count() != 1 {
            mistakes.push(format!("{at} is not one of {} schemas: {value}", variants.len()));
        }
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        compare(at, value, part, mistakes);
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        mistakes.push(format!("{at} is not of type {}: {value}", schema["type"]));
    }
    if let Some(variants) = schema["enum"].as_array()
        && !variants.contains(value)
    {
        mistakes.push(format!("{at} is none of {variants:?}: {value}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        compare(&format!("{at}[{index}]"), item, &schema["items"], mistakes);
    }
    let Some(fields) = value.as_object() else {
        return;
    };
    // What is described by reference was compared there.
    if schema["allOf"].is_array() && !schema["properties"].is_object() {
        return;
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(required.as_str().unwrap_or_default()) {
            mistakes.push(format!("{at} lacks {required}"));
        }
    }
    for (name, field) in fields {
        match schema["properties"].get(name) {
            Some(property) => compare(&format!("{at}.{name}"), field, property, mistakes),
            None if schema["additionalProperties"].is_object() => {}
            None => mistakes.push(format!("{at}.{name} is not described")),
        }
    }
}
