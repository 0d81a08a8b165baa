//! Errors of poem and poem-openapi as problems. Their texts may quote the request; ours do not.

use poem::{
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::error::{ParseParamError, ParsePathError};

use super::{
    problem::{FieldError, Problem},
    routes::Route,
    schema::split_serde_error,
};

/// An error of the framework's as a problem. `similar` is a path like the one that was asked, where that has no route.
pub fn problem(route: Option<&Route>, similar: Option<&str>, error: &poem::Error) -> Problem {
    if error.is::<NotFoundError>() {
        unknown_path(similar)
    } else if error.is::<MethodNotAllowedError>() {
        // The documentation pages are not operations.
        let allow = route.map_or_else(|| "GET, HEAD".to_owned(), Route::allow);
        let problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("This path takes {allow}."),
        );
        match HeaderValue::from_str(&allow) {
            Ok(allow) => problem.with_header(header::ALLOW, allow),
            Err(_) => problem,
        }
    } else if let Some(error) = error.downcast_ref::<ParsePathError>() {
        let name = error
            .name
            .strip_prefix("param")
            .and_then(|index| route?.path_parameter(index.parse().ok()?))
            .unwrap_or(error.name);
        super::deferred::invalid(vec![parameter_error(route, name, &error.reason)])
    } else if let Some(error) = error.downcast_ref::<ParseParamError>() {
        super::deferred::invalid(vec![parameter_error(route, error.name, &error.reason)])
    } else if error.status().is_client_error() {
        Problem::new(error.status(), "bad_request", "The request is malformed.")
    } else {
        tracing::error!(status = error.status().as_u16(), "an error of the framework");
        Problem::internal()
    }
}

/// No operation and no page has the path. `similar` is one that has, if it is likely that it was meant.
fn unknown_path(similar: Option<&str>) -> Problem {
    let detail = match similar {
        Some(path) => format!("No operation has this path. Did you mean {path}? /docs lists all operations."),
        None => "No operation has this path. Operations begin with /api/v1; /docs lists them.".to_owned(),
    };
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
}

/// poem-openapi says `failed to parse "string_uuid": … (occurred while parsing "…")`, and may quote the value.
fn parameter_error(route: Option<&Route>, name: &str, reason: &str) -> FieldError {
    let reason = reason.split(" (occurred while parsing").next().unwrap_or_default();
    if let Some((code, detail)) = split_serde_error(reason) {
        return FieldError::new(name, code, detail);
    }
    if reason.ends_with("expects an input value.") {
        return super::query::required(name);
    }
    let expected = match route.map(|route| route.values_of(name)).unwrap_or_default() {
        [] if reason.contains("\"string_uuid\"") => super::query::A_UUID.to_owned(),
        [] => "a value of the described form".to_owned(),
        values => format!("one of {}", values.join(", ")),
    };
    FieldError::new(name, "invalid_value", format!("expected {expected}"))
}
