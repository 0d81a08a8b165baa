//! What every request passes, from the outside in: an id and a span, its credentials, rate limits, the query's names, a
//! deadline, a net under panics; and on the way out every refusal, the framework's included, becomes a problem.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, IntoResponse as _, Middleware, Request, Response, Result,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, Method, StatusCode, Uri, Version, header},
};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    caller::{self, Credentials, Presented},
    client::{Client, Host, Network},
    cors,
    limit::{Limits, Told},
    problem::{Code, FieldError, LONGEST_NAME, MOST_ERRORS, Problem},
    routes::{Route, Routes},
    schema::split_refusal,
    token::Tokens,
};
use crate::{
    db::{self, Db, REQUEST},
    sql,
};

const REQUEST_ID: &str = "x-request-id";
/// A little more than PostgreSQL gives a statement.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the edge works with.
pub struct Surroundings {
    pub routes: Routes,
    pub tokens: Arc<Tokens>,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
    pub counts: Arc<Counts>,
    pub db: Db,
}

/// How many requests each organization has sent since somebody last asked.
#[derive(Default)]
pub struct Counts(Mutex<HashMap<Uuid, i64>>);

impl Counts {
    fn add(&self, organization: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(organization).or_default() += 1;
    }

    /// All of it, to be written down elsewhere.
    pub fn take(&self) -> HashMap<Uuid, i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes back what could not be written down, for the next time.
    pub fn put_back(&self, counts: impl IntoIterator<Item = (Uuid, i64)>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (organization, requests) in counts {
            *all.entry(organization).or_default() += requests;
        }
    }
}

/// The middleware around everything.
#[derive(Clone)]
pub struct Edge(pub Arc<Surroundings>);

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { around: self.0.clone(), inner }
    }
}

pub struct EdgeEndpoint<E> {
    around: Arc<Surroundings>,
    inner: E,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let request_id = request_id(&request);
        trim_trailing_slash(&mut request);
        let route = self.around.routes.find(request.uri().path());
        let method = request.method().clone();
        // Of the highest level, so that an error logged below it carries the id whatever the level of the log.
        let span = tracing::error_span!(
            "request",
            %request_id,
            tenant_id = tracing::field::Empty,
            account_id = tracing::field::Empty,
            key_id = tracing::field::Empty,
        );

        let mut told = Told::default();
        let (client, presented) =
            (self.around.network.client(&request), caller::present(&request, &self.around.tokens));
        record(&span, &presented);
        let organization = organization(&presented);
        let (origin, host) = (request.headers().get(header::ORIGIN).cloned(), client.host.clone());
        let address = client.address;
        let answering = self.answer(route, request, &request_id, client, presented, &mut told);
        let mut response = match answering.instrument(span.clone()).await {
            Ok(response) => response,
            Err(problem) => problem.render(&request_id),
        };
        // Not for those who were to wait: looking takes a query.
        let origin = match origin.filter(|_| response.status() != StatusCode::TOO_MANY_REQUESTS) {
            Some(origin) => self.allowed_origin(origin, &host, organization).instrument(span.clone()).await,
            None => None,
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        told.write(headers);
        if let Some(origin) = origin {
            cors::allow(headers, origin);
        }
        // Whoever was not let in has not used anything of the organization's.
        if let Some(organization) = organization
            && response.status() != StatusCode::UNAUTHORIZED
        {
            self.around.counts.add(organization);
        }

        // The path as it was sent may carry anything; the template cannot.
        tracing::info!(
            parent: &span,
            %method,
            route = route.map_or("-", |route| route.template.as_str()),
            operation = route.and_then(|route| route.operation_id(&method)),
            status = response.status().as_u16(),
            code = response.extensions().get::<Code>().map(|code| code.0),
            client = %address,
            duration_us = started.elapsed().as_micros() as u64,
            "request"
        );
        Ok(response)
    }
}

fn record(span: &tracing::Span, presented: &Presented) {
    match &presented.0 {
        Ok(Credentials::Person(claims)) => {
            span.record("account_id", tracing::field::display(claims.sub));
            if let Some(tenant) = claims.tenant_id {
                span.record("tenant_id", tracing::field::display(tenant));
            }
        }
        Ok(Credentials::Program(key)) => {
            span.record("key_id", tracing::field::display(key.second));
            span.record("tenant_id", tracing::field::display(key.first));
        }
        Err(_) => {}
    }
}

/// The organization a request says it is for.
fn organization(presented: &Presented) -> Option<Uuid> {
    match &presented.0 {
        Ok(Credentials::Person(claims)) => claims.tenant_id,
        Ok(Credentials::Program(key)) => Some(key.first),
        Err(_) => None,
    }
}

impl<E: Endpoint> EdgeEndpoint<E> {
    async fn answer(
        &self,
        route: Option<&Route>,
        mut request: Request,
        request_id: &str,
        client: Client,
        presented: Presented,
        told: &mut Told,
    ) -> Result<Response, Problem> {
        if let Some(problem) = without_host(&request) {
            return Err(problem);
        }
        self.limit(route, &request, &client, &presented, told).await?;
        if let Some(problem) = unknown_query(route, &request) {
            return Err(problem);
        }
        if let Some(preflight) = cors::preflight(&request) {
            return Ok(preflight);
        }
        let known = db::Request {
            id: request_id.to_owned(),
            host: match &client.host {
                Host::Ours => None,
                Host::Tenant(name) => Some(name.clone()),
            },
            scope: route.and_then(|route| route.scope(request.method())).map(ToOwned::to_owned),
            ..db::Request::default()
        };
        request.extensions_mut().insert(presented);
        request.extensions_mut().insert(client);
        let handled = AssertUnwindSafe(REQUEST.scope(known, self.inner.call(request))).catch_unwind();
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

    /// Counts a request towards every limit it is subject to, the widest first.
    async fn limit(
        &self,
        route: Option<&Route>,
        request: &Request,
        client: &Client,
        presented: &Presented,
        told: &mut Told,
    ) -> Result<(), Problem> {
        // Whoever watches over the server must not be told that it is busy.
        if route.is_some_and(|route| route.template.starts_with("/health/")) {
            return Ok(());
        }
        let limits = &self.around.limits;
        limits.address(client.address, told)?;
        match &presented.0 {
            Ok(Credentials::Person(claims)) => {
                limits.account(claims.sub, told)?;
            }
            Ok(Credentials::Program(key)) => {
                // Where keys open nothing, what looks like one is nobody's.
                let scope = route.and_then(|route| route.scope(request.method()));
                if scope.is_none() && *request.method() == Method::POST {
                    limits.anonymous(client.address, told)?;
                }
                limits.key(key.second, told)?;
            }
            Err(_) if *request.method() == Method::POST => limits.anonymous(client.address, told)?,
            Err(_) => {}
        }
        match limits.allowances.of(&self.around.db, presented).await {
            Some((tenant, rate)) => limits.organization(tenant, rate, told),
            None => Ok(()),
        }
    }

    /// The origin of a page that may read the answer: one of an organization's own hosts, asking for that organization.
    async fn allowed_origin(
        &self,
        origin: HeaderValue,
        host: &Host,
        organization: Option<Uuid>,
    ) -> Option<HeaderValue> {
        let name = self.around.network.origin(origin.to_str().ok()?)?;
        let at = async |name: &str| -> Option<Uuid> {
            let row = self.around.db.gate(sql!("tenancy/organizations_at.sql"), &[&name]).await.ok()?;
            row.get(0)
        };
        let owner = at(&name).await?;
        let host = match host {
            Host::Ours => None,
            Host::Tenant(name) => Some(at(name).await?),
        };
        let agree =
            organization.is_none_or(|asked| asked == owner) && host.is_none_or(|asked| asked == owner);
        agree.then_some(origin)
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
        } else if seen.iter().any(|seen| *seen == name)
            && !known.iter().any(|known| known.name == name && known.is_list)
        {
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
