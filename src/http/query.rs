//! Checks path and query of a request, and whether it may have a condition, against the API description, before the
//! handler runs.

use poem::{Request, http::Uri};
use serde_json::Value;
use uuid::Uuid;

use super::{
    deferred::{self, DeferredError},
    headers, if_match,
    page::{Cursor, ListKey},
    problem::{FieldError, LONGEST_NAME, MOST_ERRORS, Problem},
    routes::{Parameter, Route},
    schema::split_serde_error,
    values::{Date, Instant, InstantOrDate, Slug, TimeZone},
};

/// Checks a request, and adds the mistakes to it. If its operation reads a body, corrects what is wrong.
pub fn find(route: Option<&Route>, request: &mut Request) {
    let Some(route) = route else { return };
    let Some(checked) = check(route, request) else {
        if let Some(problem) = unsupported_condition(route, request) {
            request.extensions_mut().insert(DeferredError { problem, with_body: false });
        }
        return;
    };
    let right = route.has_body(request.method()).then(|| corrected(route, request, &checked)).flatten();
    let with_body = right.is_some();
    if let Some(uri) = right {
        *request.uri_mut() = uri;
    }
    let problem = deferred::invalid(checked.errors);
    request.extensions_mut().insert(DeferredError { problem, with_body });
}

/// The request's path and query with what is right in them. `None` if a required parameter is missing.
fn corrected(route: &Route, request: &Request, checked: &Checked) -> Option<Uri> {
    let query = checked.right.as_ref()?;
    let nil = Uuid::nil().to_string();
    let parts: Vec<_> = route
        .parts(request.uri().path())
        .map(|(part, parameter)| match parameter {
            Some(name) if checked.errors.iter().any(|error| error.field == name) => nil.as_str(),
            _ => part,
        })
        .collect();
    format!("/{}?{query}", parts.join("/")).parse().ok()
}

/// The errors in path and query.
struct Checked {
    errors: Vec<FieldError>,
    /// The query without what is wrong in it; `None` if a required parameter is then missing.
    right: Option<String>,
}

/// All errors in path and query; `None` without any. A misspelt filter must not count as no filter, nor a repeated
/// parameter as its first value.
fn check(route: &Route, request: &Request) -> Option<Checked> {
    let known = route.query_parameters(request.method())?;
    let mut errors = errors_in_path(route, request);
    let mut right = Vec::new();
    let query = request.uri().query().unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    let times = |seen: &[&str], name: &str| seen.iter().filter(|seen| **seen == name).count();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if errors.len() == MOST_ERRORS {
            break;
        }
        match known.iter().find(|known| known.name == name) {
            None => errors.push(FieldError::new(
                name.chars().take(LONGEST_NAME).collect::<String>(),
                "unknown_parameter",
                names(known),
            )),
            Some(parameter) if times(&seen, &parameter.name) >= parameter.most => {
                let (code, detail) = match parameter.most {
                    1 => ("duplicate_parameter", "This parameter must be sent only once.".to_owned()),
                    most => ("too_many", format!("This parameter can be repeated up to {most} times.")),
                };
                let error = FieldError::new(name.as_ref(), code, detail);
                if !errors.contains(&error) {
                    errors.push(error);
                }
            }
            Some(parameter) => {
                seen.push(&parameter.name);
                match mistake(parameter, &value, request) {
                    Some(error) => errors.push(error),
                    None => right.push((name, value)),
                }
            }
        }
    }
    let missing = known.iter().filter(|known| known.is_required && !seen.contains(&known.name.as_str()));
    errors.extend(missing.map(|known| required(&known.name)));
    errors.truncate(MOST_ERRORS);
    if errors.is_empty() {
        return None;
    }
    let is_right = |known: &Parameter| right.iter().any(|(name, _)| *name == known.name);
    let complete = known.iter().all(|known| !known.is_required || is_right(known));
    let right =
        complete.then(|| form_urlencoded::Serializer::new(String::new()).extend_pairs(right).finish());
    Some(Checked { errors, right })
}

/// The framework decodes what is percent-encoded, and checks it.
fn errors_in_path(route: &Route, request: &Request) -> Vec<FieldError> {
    let known = route.path_parameters(request.method());
    let parts = route.parts(request.uri().path());
    parts
        .filter_map(|(part, name)| Some((part, known.iter().find(|known| Some(&*known.name) == name)?)))
        .filter(|(part, _)| !part.contains('%'))
        .filter_map(|(part, parameter)| mistake(parameter, part, request))
        .collect()
}

/// 400 if a request has an `If-Match` that its operation does not take: ignored, it would change a version that the
/// client does not know.
fn unsupported_condition(route: &Route, request: &Request) -> Option<Problem> {
    let is_sent = headers::has(request.headers(), if_match::NAME);
    (is_sent && route.refuses_if_match(request.method())).then(|| {
        let detail = "This operation takes no If-Match. Changes of objects that have an ETag take it.";
        let error = FieldError::new(if_match::NAME, "unknown_parameter", detail);
        Problem::bad_request("invalid_header", detail).with_errors(vec![error])
    })
}

fn names(known: &[Parameter]) -> String {
    match known {
        [] => "This operation has no query parameters.".to_owned(),
        known => {
            let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        }
    }
}

/// The error for a missing required parameter.
pub fn required(name: &str) -> FieldError {
    FieldError::new(name, "required", "This parameter is required.")
}

/// The value of a query parameter.
pub fn value(request: &Request, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(request.uri().query()?.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The error in one value, as far as its schema tells; the handler's types check the rest.
fn mistake(parameter: &Parameter, text: &str, request: &Request) -> Option<FieldError> {
    let wrong = |code: &str, detail: String| Some(FieldError::new(&*parameter.name, code, detail));
    if !parameter.values.is_empty() {
        let known = parameter.values.iter().any(|value| value == text);
        return if known {
            None
        } else {
            wrong("invalid_value", format!("expected one of {}", parameter.values.join(", ")))
        };
    }
    let schema = &parameter.schema;
    let refused = match (schema["type"].as_str()?, schema["format"].as_str().unwrap_or_default()) {
        ("string", "uuid") => {
            return match Uuid::parse_str(text) {
                Ok(_) => None,
                Err(_) => wrong("invalid_value", format!("expected {A_UUID}")),
            };
        }
        ("string", "date-time") => Instant::parse(text).err(),
        ("string", "date") => Date::parse(text).err(),
        ("string", "date-time-or-date") => InstantOrDate::parse(text).err(),
        ("string", "time-zone") => TimeZone::parse(text).err(),
        ("string", "slug") => Slug::parse(text).err(),
        ("string", "cursor") => Cursor::check(text, ListKey::of(request)).err(),
        ("integer", _) => {
            return whole_number(schema, text)
                .map(|(code, detail)| FieldError::new(&*parameter.name, code, detail));
        }
        _ => None,
    }?;
    let (code, detail) = split_serde_error(&refused)?;
    wrong(code, detail.to_owned())
}

/// How errors describe a UUID.
pub const A_UUID: &str = "a UUID, such as 019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10";

fn whole_number(schema: &Value, text: &str) -> Option<(&'static str, String)> {
    // poem-openapi writes whole bounds as 1.0.
    let bound = |name: &str| schema[name].as_f64().map(|bound| bound as i64);
    let (min, max) = (bound("minimum")?, bound("maximum")?);
    let expected = format!("expected a whole number from {min} to {max}");
    match text.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => None,
        Ok(_) => Some(("out_of_range", expected)),
        Err(_) => Some(("invalid_type", expected)),
    }
}

/// 422 on `to` if a period ends before it begins.
pub fn in_order<T: PartialOrd>(from: Option<T>, to: Option<T>) -> Result<(), Problem> {
    match (from, to) {
        (Some(from), Some(to)) if to < from => Err(Problem::invalid_field(
            "to",
            "invalid_value",
            "expected an instant or a date not before from",
        )),
        _ => Ok(()),
    }
}
