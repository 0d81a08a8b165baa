//! What every request passes, from the outside in: an id and a span, a net under panics, a deadline, the query's names;
//! and on the way out every refusal, the framework's included, becomes a problem.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, IntoResponse as _, Middleware, Request, Response, Result,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, StatusCode, Uri, Version, header},
};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    problem::{FieldError, LONGEST_NAME, MOST_ERRORS, Problem},
    routes::{Route, Routes},
    schema::split_refusal,
};

const REQUEST_ID: &str = "x-request-id";
/// A little more than PostgreSQL gives a statement.
const DEADLINE: Duration = Duration::from_secs(10);

/// The middleware around everything.
#[derive(Clone)]
pub struct Edge(pub Arc<Routes>);

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { routes: self.0.clone(), inner }
    }
}

pub struct EdgeEndpoint<E> {
    routes: Arc<Routes>,
    inner: E,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let request_id = request_id(&request);
        trim_trailing_slash(&mut request);
        let route = self.routes.find(request.uri().path());
        let method = request.method().clone();
        // Of the highest level, so that an error logged below it carries the id whatever the level of the log.
        let span = tracing::error_span!(
            "request",
            %request_id,
            tenant_id = tracing::field::Empty,
            account_id = tracing::field::Empty,
        );

        let mut response = match self.answer(route, request).instrument(span.clone()).await {
            Ok(response) => response,
            Err(problem) => problem.render(&request_id),
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));

        // The path as it was sent may carry anything; the template cannot.
        tracing::info!(
            parent: &span,
            %method,
            route = route.map_or("-", |route| route.template.as_str()),
            status = response.status().as_u16(),
            duration_us = started.elapsed().as_micros() as u64,
            "request"
        );
        Ok(response)
    }
}

impl<E: Endpoint> EdgeEndpoint<E> {
    async fn answer(&self, route: Option<&Route>, request: Request) -> Result<Response, Problem> {
        if let Some(problem) = without_host(&request).or_else(|| unknown_query(route, &request)) {
            return Err(problem);
        }
        let handled = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        match tokio::time::timeout(DEADLINE, handled).await {
            Ok(Ok(Ok(output))) => Ok(output.into_response()),
            Ok(Ok(Err(error))) => {
                Err(error.downcast::<Problem>().unwrap_or_else(|error| framework_problem(route, &error)))
            }
            Ok(Err(_panic)) => {
                // The panic hook has said where.
                tracing::error!("a handler panicked");
                Err(Problem::internal())
            }
            Err(_elapsed) => Err(Problem::unavailable(
                "timeout",
                "This took longer than 10 seconds and was given up. Whether anything was changed is not known: look \
                     before you try again.",
            )),
        }
    }
}

/// The client's id where it is harmless to repeat, else one of ours.
fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// `/contacts/` is `/contacts`.
fn trim_trailing_slash(request: &mut Request) {
    let path = request.uri().path();
    if path.len() < 2 || !path.ends_with('/') {
        return;
    }
    let trimmed = match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// RFC 9112 section 3.2: a request of HTTP/1.1 names its host, once.
fn without_host(request: &Request) -> Option<Problem> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    (request.version() == Version::HTTP_11 && hosts != 1)
        .then(|| Problem::bad_request("host_missing", "A request of HTTP/1.1 has one Host header."))
}

/// A misspelt filter must not pass for no filter, nor the first of two for both.
fn unknown_query(route: Option<&Route>, request: &Request) -> Option<Problem> {
    let query = request.uri().query().filter(|query| !query.is_empty())?;
    let known = route?.query_parameters(request.method())?;
    let mut seen: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if errors.len() == MOST_ERRORS {
            break;
        }
        if !known.iter().any(|known| known.name == name) {
            let detail = match known {
                [] => "This operation has no query parameters.".to_owned(),
                known => {
                    let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
                    format!("expected one of {}", names.join(", "))
                }
            };
            errors.push(FieldError::new(
                name.chars().take(LONGEST_NAME).collect::<String>(),
                "unknown_parameter",
                detail,
            ));
        } else if seen.iter().any(|seen| *seen == name) {
            errors.push(FieldError::new(
                name.as_ref(),
                "duplicate_parameter",
                "This parameter may be given once.",
            ));
        } else {
            seen.push(name.into_owned());
        }
    }
    (!errors.is_empty()).then(|| invalid_parameter(errors))
}

fn invalid_parameter(errors: Vec<FieldError>) -> Problem {
    Problem::bad_request("invalid_parameter", "The parameters are not as they must be; see errors.")
        .with_errors(errors)
}

/// What poem and poem-openapi refuse by themselves. Their own texts may quote the request; ours do not.
fn framework_problem(route: Option<&Route>, error: &poem::Error) -> Problem {
    if error.is::<NotFoundError>() {
        Problem::not_found()
    } else if error.is::<MethodNotAllowedError>() {
        // The pages are no operations.
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
        invalid_parameter(vec![parameter_error(route, name, &error.reason)])
    } else if let Some(error) = error.downcast_ref::<ParseParamError>() {
        invalid_parameter(vec![parameter_error(route, error.name, &error.reason)])
    } else if error.is::<ContentTypeError>() {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The Content-Type header must name a media type the operation takes, such as application/json.",
        )
    } else if error.status().is_client_error() {
        Problem::new(error.status(), "bad_request", "The request cannot be understood.")
    } else {
        tracing::error!(status = error.status().as_u16(), "an error of the framework");
        Problem::internal()
    }
}

/// poem-openapi says `failed to parse "string_uuid": … (occurred while parsing "…")`, and may quote the value.
fn parameter_error(route: Option<&Route>, name: &str, reason: &str) -> FieldError {
    let reason = reason.split(" (occurred while parsing").next().unwrap_or_default();
    if let Some((code, detail)) = split_refusal(reason) {
        return FieldError::new(name, code, detail);
    }
    if reason.ends_with("expects an input value.") {
        return FieldError::new(name, "required", "This parameter is required.");
    }
    let expected = match route.map(|route| route.values_of(name)).unwrap_or_default() {
        [] if reason.contains("\"string_uuid\"") => {
            "a UUID, such as 019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10".to_owned()
        }
        [] => "a value of the described form".to_owned(),
        values => format!("one of {}", values.join(", ")),
    };
    FieldError::new(name, "invalid_value", format!("expected {expected}"))
}
