//! Checks the query of a request against the API description, before the handler runs.

use poem::Request;
use serde_json::Value;
use uuid::Uuid;

use super::{
    page::Cursor,
    problem::{FieldError, LONGEST_NAME, MOST_ERRORS, Problem, summary},
    routes::{QueryParameter, Route},
    schema::split_serde_error,
    values::{Date, Instant, InstantOrDate, Slug, TimeZone},
};

/// All errors in the query: a misspelt filter must not count as no filter, nor a repeated parameter as its first value.
pub fn check(route: Option<&Route>, request: &Request) -> Option<Problem> {
    let known = route?.query_parameters(request.method())?;
    let query = request.uri().query().unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    let times = |seen: &[&str], name: &str| seen.iter().filter(|seen| **seen == name).count();
    let mut errors = Vec::new();
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
                errors.extend(mistake(parameter, &value));
            }
        }
    }
    let missing = known.iter().filter(|known| known.is_required && !seen.contains(&known.name.as_str()));
    errors.extend(missing.map(|known| required(&known.name)));
    errors.truncate(MOST_ERRORS);
    (!errors.is_empty()).then(|| invalid(errors))
}

fn names(known: &[QueryParameter]) -> String {
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
fn mistake(parameter: &QueryParameter, text: &str) -> Option<FieldError> {
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
        ("string", "cursor") => Cursor::parse(text).err(),
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

/// 400 for invalid parameters.
pub fn invalid(errors: Vec<FieldError>) -> Problem {
    Problem::bad_request("invalid_parameter", summary(&errors)).with_errors(errors)
}
