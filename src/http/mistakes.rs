//! Collects all errors in a body. serde stops at the first error; so it is corrected in a copy, with a valid value
//! according to the API description, and the copy is read again until no error is left.

use poem_openapi::types::Type;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::{
    description::DOCUMENT,
    problem::{FieldError, LONGEST_NAME, MOST_ERRORS},
    query::A_UUID,
    schema::split_serde_error,
};

/// The field name of errors that concern the whole body.
pub const BODY: &str = "body";

/// For a body longer than this only the first error is reported: each further error requires reading it again.
const LONG: usize = 32 * 1024;

/// `first` and the further errors in a body that cannot be read as `T`. `length` is the length of its text.
pub fn collect<T: DeserializeOwned + Type>(
    first: FieldError,
    mut body: Value,
    length: usize,
) -> Vec<FieldError> {
    let most = if length > LONG { 1 } else { MOST_ERRORS };
    let schema = schema_of(T::name().as_ref());
    let mut mistakes = vec![first];
    let mut mended = Vec::new();
    loop {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(body.clone()) else {
            break;
        };
        let message = error.inner().to_string();
        let mistake = explain(&error.path().to_string(), &message);
        // The same error again: the correction did not help.
        if mended.contains(&mistake) {
            break;
        }
        if !mistakes.contains(&mistake) {
            if mistakes.len() == most {
                break;
            }
            mistakes.push(mistake.clone());
        }
        if !mend(&mut body, error.path(), &mistake.code, &message, schema) {
            break;
        }
        mended.push(mistake);
    }
    mistakes
}

/// Translates a serde error about the field at `path`. Never quotes a value.
pub fn explain(path: &str, message: &str) -> FieldError {
    let path = if path == "." { "" } else { path };
    let whole = || if path.is_empty() { BODY.to_owned() } else { path.to_owned() };
    // serde_json ends its messages with a position, which is not part of our message.
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let shortened = || quoted(message).chars().take(LONGEST_NAME).collect::<String>();
    // The text before it quotes the value that was found.
    let expected = |message: &str| match message.rsplit_once(", expected ") {
        Some((_, expected)) if expected.starts_with("struct ") => "expected an object".to_owned(),
        Some((_, "a sequence")) => "expected a list".to_owned(),
        Some((_, "a boolean")) => "expected true or false".to_owned(),
        Some((_, "a formatted UUID string")) => format!("expected {A_UUID}"),
        Some((_, expected)) => format!("expected {expected}"),
        None if message.starts_with("UUID parsing failed") => format!("expected {A_UUID}"),
        None => "expected a value of the form the description says".to_owned(),
    };
    let child = |name: String| match path.is_empty() {
        true => name,
        false => format!("{path}.{name}"),
    };
    if message.starts_with("unknown field") {
        let name = shortened();
        // The path may already end with the field.
        let field = match path.rsplit('.').next() {
            Some(last) if last.starts_with(&name) => path.chars().take(4 * LONGEST_NAME).collect(),
            _ => child(name),
        };
        FieldError::new(field, "unknown_field", expected(message))
    } else if let Some((code, detail)) = split_serde_error(message) {
        FieldError::new(whole(), code, detail)
    } else if message.starts_with("missing field") {
        FieldError::new(child(shortened()), "required", "This field is required.")
    } else if message.starts_with("duplicate field") {
        FieldError::new(child(shortened()), "duplicate_field", "This field may be given once.")
    } else if message.starts_with("invalid type") {
        FieldError::new(whole(), "invalid_type", expected(message))
    } else {
        FieldError::new(whole(), "invalid_value", expected(message))
    }
}

/// The name that a serde error quotes.
fn quoted(message: &str) -> &str {
    message.split('`').nth(1).unwrap_or_default()
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Corrects the error at `path`; `false` if that is not possible.
fn mend(body: &mut Value, path: &Path, code: &str, message: &str, schema: &Value) -> bool {
    let Some(mut steps) = path
        .iter()
        .map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key)),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    let name = quoted(message);
    match code {
        "unknown_field" => {
            if matches!(steps.last(), Some(Step::Key(last)) if *last == name) {
                steps.pop();
            }
            let fields = at(body, &steps).and_then(Value::as_object_mut);
            fields.is_some_and(|fields| fields.shift_remove(name).is_some())
        }
        "required" => {
            let property = property(schema_at(schema, &steps), name);
            match at(body, &steps).and_then(Value::as_object_mut) {
                Some(fields) => fields.insert(name.to_owned(), right(property)).is_none(),
                None => false,
            }
        }
        _ => {
            let Some(last) = steps.pop() else {
                return false;
            };
            let parent = schema_at(schema, &steps);
            match (at(body, &steps), last) {
                (Some(Value::Object(fields)), Step::Key(name)) => {
                    let mut required = parent["required"].as_array().into_iter().flatten();
                    if required.any(|required| required.as_str() == Some(name)) {
                        fields.insert(name.to_owned(), right(property(parent, name)));
                        true
                    } else {
                        fields.shift_remove(name).is_some()
                    }
                }
                (Some(Value::Array(items)), Step::Index(index)) if index < items.len() => {
                    items[index] = right(resolve(&parent["items"]));
                    true
                }
                _ => false,
            }
        }
    }
}

fn at<'a>(body: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(body, |value, step| match step {
        Step::Key(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })
}

fn schema_at<'a>(schema: &'a Value, steps: &[Step]) -> &'a Value {
    steps.iter().fold(resolve(schema), |schema, step| match step {
        Step::Key(name) => property(schema, name),
        Step::Index(_) => resolve(&schema["items"]),
    })
}

fn schema_of(name: &str) -> &'static Value {
    &DOCUMENT["components"]["schemas"][name]
}

fn property<'a>(schema: &'a Value, name: &str) -> &'a Value {
    resolve(&schema["properties"][name])
}

/// The schema, with a reference resolved.
fn resolve(schema: &Value) -> &Value {
    let referring = match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => schema,
    };
    match referring["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        Some(name) => schema_of(name),
        None => schema,
    }
}

/// A value that fits a schema.
fn right(schema: &Value) -> Value {
    for exact in [&schema["example"], &schema["default"], &schema["enum"][0]] {
        if !exact.is_null() {
            return exact.clone();
        }
    }
    let bound = |name: &str| schema[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let fields = required.map(|name| (name.to_owned(), right(property(schema, name))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Some("array") => {
            let item = right(resolve(&schema["items"]));
            Value::Array(vec![item; bound("minItems").unwrap_or(0).min(MOST_ERRORS)])
        }
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("boolean") => false.into(),
        Some("string") => match schema["format"].as_str() {
            Some("uuid") => "00000000-0000-0000-0000-000000000000".into(),
            Some("date-time") => "2026-01-01T00:00:00Z".into(),
            Some("date") => "2026-01-01".into(),
            _ => "x".repeat(bound("minLength").unwrap_or(1).clamp(1, 100)).into(),
        },
        _ => Value::Null,
    }
}
