//! The middleware around every request, from the outside in: request id and span, credentials, rate limits, check of
//! the query, deadline, catching panics. Every error, including those of the framework, leaves as a problem.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, IntoResponse as _, Middleware, Request, Response, Result,
    http::{HeaderValue, Method, StatusCode, Uri, Version, header},
};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    caller::{self, Credentials, Presented, RequestedEntry},
    client::{Client, Host, Network},
    cors, deferred, framework, headers,
    limit::{self, Limits, RateLimit},
    problem::{Code, Problem, SESSION_ENDED},
    query,
    routes::{Route, Routes},
    token::Tokens,
    values::WebOrigin,
};
use crate::{
    db::{self, Db, Entered, Entry, FrontDoor, REQUEST},
    metrics::Active,
    sql,
};

const REQUEST_ID: &str = "X-Request-Id";
/// The deadline of a request, a little more than PostgreSQL's statement timeout.
const DEADLINE: Duration = Duration::from_secs(10);

/// The state of the edge.
pub struct EdgeState {
    pub routes: &'static Routes,
    pub tokens: Arc<Tokens>,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
    pub counts: Arc<Counts>,
    pub db: Db,
    pub door: FrontDoor,
}

/// The number of requests of each organization since the last [`take`](Self::take).
#[derive(Default)]
pub struct Counts(Mutex<HashMap<Uuid, i64>>);

impl Counts {
    fn add(&self, organization: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(organization).or_default() += 1;
    }

    /// Takes all counts, to be stored in the database.
    pub fn take(&self) -> HashMap<Uuid, i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back counts that could not be stored.
    pub fn put_back(&self, counts: impl IntoIterator<Item = (Uuid, i64)>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (organization, requests) in counts {
            *all.entry(organization).or_default() += requests;
        }
    }
}

/// The middleware around everything.
#[derive(Clone)]
pub struct Edge(pub Arc<EdgeState>);

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { state: self.0.clone(), inner }
    }
}

pub struct EdgeEndpoint<E> {
    state: Arc<EdgeState>,
    inner: E,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let active = Active::begin();
        let request_id = request_id(&request);
        trim_trailing_slash(&mut request);
        let route = self.state.routes.find(request.uri().path());
        let path = route.is_none().then(|| loggable(request.uri().path()));
        let method = request.method().clone();
        // Of the highest level, so that errors logged within it carry the id at every log level.
        let span = tracing::error_span!(
            "request",
            %request_id,
            // What the credentials claim, which may be forged ...
            claimed_tenant_id = tracing::field::Empty,
            claimed_account_id = tracing::field::Empty,
            claimed_key_id = tracing::field::Empty,
            // ... and who has entered the database.
            tenant_id = tracing::field::Empty,
            account_id = tracing::field::Empty,
            key_id = tracing::field::Empty,
        );

        let mut rate_limit = RateLimit::default();
        let entered = Arc::new(Entered::new(span.clone()));
        let head = self.read_headers(&request);
        let (mut origin, mut host, mut asked, mut session) = (None, Host::Ours, PageRequest::default(), None);
        let mut address = request.remote_addr().as_socket_addr().map(|peer| peer.ip().to_canonical());
        let answer = match head {
            Ok(head) => {
                record(&span, &head.presented);
                asked = PageRequest {
                    organization: claimed_organization(&head.presented),
                    slug: query::value(&request, "organization_slug"),
                    is_preflight: cors::is_preflight(&request),
                };
                session = claimed_session(&head.presented);
                origin = head.origin.clone();
                host = head.client.host.clone();
                address = Some(head.client.address);
                let answering = self.answer(route, request, &request_id, head, &entered, &mut rate_limit);
                answering.instrument(span.clone()).await
            }
            Err(problem) => Err(problem),
        };
        if let Some(session) = session {
            let ended = answer.as_ref().is_err_and(|problem| problem.code == SESSION_ENDED);
            self.state.limits.remember(session, ended, entered.anything());
        }
        let mut response = answer.unwrap_or_else(|problem| problem.render(&request_id));
        // Not after a rate limit: the check takes a query.
        let origin = match origin.filter(|_| response.status() != StatusCode::TOO_MANY_REQUESTS) {
            Some(origin) => self.allowed_origin(origin, &host, &asked).instrument(span.clone()).await,
            None => None,
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        rate_limit.write(headers);
        headers.extend(route.into_iter().flat_map(|route| route.announcement(&method)).cloned());
        if let Some(origin) = origin {
            cors::allow(headers, origin);
        }
        // Only requests that entered the tenant count as its usage.
        if let Some(tenant) = entered.as_member() {
            self.state.counts.add(tenant);
        }

        let status = response.status().as_u16();
        let code = response.extensions().get::<Code>().map(|code| code.0);
        let operation = route.and_then(|route| route.operation_id(&method));
        // The path as it was sent may carry anything; the template cannot. Without a template: its harmless characters.
        tracing::info!(
            parent: &span,
            %method,
            route = route.map_or("-", |route| route.template.as_str()),
            path,
            operation,
            status,
            code,
            client = address.map(tracing::field::display),
            duration_us = active.elapsed().as_micros() as u64,
            "request"
        );
        active.end(route.map(|route| route.template.as_str()).zip(operation), method.as_str(), status, code);
        Ok(response)
    }
}

fn record(span: &tracing::Span, presented: &Presented) {
    match &presented.0 {
        Ok(Credentials::Person(claims)) => {
            span.record("claimed_account_id", tracing::field::display(claims.sub));
            if let Some(tenant) = claims.tenant_id {
                span.record("claimed_tenant_id", tracing::field::display(tenant));
            }
        }
        Ok(Credentials::Program(key)) => {
            span.record("claimed_key_id", tracing::field::display(key.second));
            span.record("claimed_tenant_id", tracing::field::display(key.first));
        }
        Err(_) => {}
    }
}

/// The organization that the credentials claim.
fn claimed_organization(presented: &Presented) -> Option<Uuid> {
    match &presented.0 {
        Ok(Credentials::Person(claims)) => claims.tenant_id,
        Ok(Credentials::Program(key)) => Some(key.first),
        Err(_) => None,
    }
}

/// The session that the credentials claim.
fn claimed_session(presented: &Presented) -> Option<Uuid> {
    match &presented.0 {
        Ok(Credentials::Person(claims)) => Some(claims.sid),
        Ok(Credentials::Program(_)) | Err(_) => None,
    }
}

/// The organization that a request from a web page is about.
#[derive(Default)]
struct PageRequest {
    organization: Option<Uuid>,
    /// The parameter `organization_slug` of a guest's request.
    slug: Option<String>,
    is_preflight: bool,
}

/// The contents of a request's headers.
struct RequestHeaders {
    client: Client,
    presented: Presented,
    origin: Option<String>,
}

impl<E: Endpoint> EdgeEndpoint<E> {
    /// Checks and reads the headers of a request.
    fn read_headers(&self, request: &Request) -> Result<RequestHeaders, Problem> {
        headers::check(request.headers())?;
        let client = self.state.network.client(request)?;
        let presented = caller::present(request, &self.state.tokens);
        let origin = headers::one(request.headers(), "Origin")?.map(ToOwned::to_owned);
        Ok(RequestHeaders { client, presented, origin })
    }

    async fn answer(
        &self,
        route: Option<&Route>,
        mut request: Request,
        request_id: &str,
        RequestHeaders { client, presented, .. }: RequestHeaders,
        entered: &Arc<Entered>,
        rate_limit: &mut RateLimit,
    ) -> Result<Response, Problem> {
        if without_host(&request) {
            return Err(Problem::bad_request("host_missing", "An HTTP/1.1 request must have a Host header."));
        }
        self.limit(route, &request, &client, &presented, rate_limit).await?;
        if let Some(preflight) = cors::preflight(&request) {
            return Ok(preflight);
        }
        query::find(route, &mut request);
        // Operations that require credentials check those first.
        let is_open = route.is_none_or(|route| !route.wants_credentials(request.method()));
        if is_open {
            deferred::check(&request)?;
        }
        let known = db::Request {
            id: request_id.to_owned(),
            host: match &client.host {
                Host::Ours => None,
                Host::Tenant(name) => Some(name.clone()),
            },
            scope: route.and_then(|route| route.scope(request.method())).map(ToOwned::to_owned),
            entered: entered.clone(),
            ..db::Request::default()
        };
        let asked = RequestedEntry::default();
        let similar = match route {
            Some(_) => None,
            None => self.state.routes.similar(request.uri().path()),
        };
        request.extensions_mut().insert(presented);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(asked.clone());
        let handled = AssertUnwindSafe(REQUEST.scope(known.clone(), self.inner.call(request))).catch_unwind();
        match limit::charging(rate_limit, tokio::time::timeout(DEADLINE, handled)).await {
            Ok(Ok(Ok(output))) => Ok(output.into_response()),
            Ok(Ok(Err(error))) => {
                let problem = error
                    .downcast::<Problem>()
                    .unwrap_or_else(|error| framework::problem(route, similar, &error));
                let early = matches!(problem.status.as_u16(), 400 | 404 | 408 | 413 | 415 | 422);
                match asked.entry().filter(|_| early && !entered.anything()) {
                    Some(entry) => Err(REQUEST.scope(known, self.admission(entry, problem)).await),
                    None => Err(problem),
                }
            }
            Ok(Err(_panic)) => {
                // The panic hook has logged the location.
                tracing::error!("a handler panicked");
                Err(Problem::internal())
            }
            Err(_elapsed) => Err(Problem::unavailable(
                "timeout",
                "The request took longer than 10 seconds. It may have been executed; check before you try again.",
            )),
        }
    }

    /// For a request that failed before it entered: only callers who may call the operation learn what is wrong with
    /// it. Others learn that they may not call it.
    async fn admission(&self, entry: Entry, problem: Problem) -> Problem {
        match self.state.db.all(entry, sql!("app/admitted.sql"), &[]).await {
            Err(error) if error.is_refusal() => error.into(),
            _ => problem,
        }
    }

    /// Counts a request towards every limit that applies to it, the widest first.
    async fn limit(
        &self,
        route: Option<&Route>,
        request: &Request,
        client: &Client,
        presented: &Presented,
        rate_limit: &mut RateLimit,
    ) -> Result<(), Problem> {
        // Health checks are not limited.
        if route.is_some_and(|route| route.template.starts_with("/health")) {
            return Ok(());
        }
        let limits = &self.state.limits;
        limits.address(client.address, rate_limit)?;
        match &presented.0 {
            Ok(Credentials::Person(claims)) => {
                limits.account(claims.sub, rate_limit)?;
            }
            Ok(Credentials::Program(key)) => {
                // If the operation does not accept keys, the request counts as anonymous.
                let scope = route.and_then(|route| route.scope(request.method()));
                if scope.is_none() && *request.method() == Method::POST {
                    limits.anonymous(client.address, rate_limit)?;
                }
                // By the secret: a client that knows only the id of a key cannot use up its limit.
                limits.key(key.hash(), rate_limit)?;
            }
            Err(_) if *request.method() == Method::POST => limits.anonymous(client.address, rate_limit)?,
            Err(_) => {}
        }
        // A session that was refused entry the last time does not count towards the organization's limit.
        if claimed_session(presented).is_some_and(|session| limits.is_outside(session)) {
            return Ok(());
        }
        match limits.allowances.of(&self.state.door, presented).await {
            Some((tenant, rate)) => limits.organization(tenant, rate, rate_limit),
            None => Ok(()),
        }
    }

    /// Whether the organization that token, host or slug name trusts this origin. A preflight that names none is
    /// allowed: the request that follows is checked.
    async fn is_trusted(&self, origin: &str, host: &Host, asked: &PageRequest) -> bool {
        if WebOrigin::parse(origin).is_err() {
            return false;
        }
        let host = match host {
            Host::Ours => None,
            Host::Tenant(name) => Some(name.as_str()),
        };
        if asked.organization.is_none() && host.is_none() && asked.slug.is_none() {
            return asked.is_preflight;
        }
        let params: db::Params = &[&origin, &asked.organization, &host, &asked.slug];
        let answer = self.state.db.gate(sql!("app/origins_trusted.sql" as (bool,)), params).await;
        // If the database does not answer, no origin is trusted, and the request itself will report that.
        answer.is_ok_and(|(trusted,)| trusted)
    }

    /// The origin, if its pages may read the answer: a trusted origin, or one of the organization's own hosts.
    async fn allowed_origin(&self, origin: String, host: &Host, asked: &PageRequest) -> Option<HeaderValue> {
        let organization = asked.organization;
        if self.state.network.is_local_page(&origin) {
            return HeaderValue::try_from(origin).ok();
        }
        if self.is_trusted(&origin, host, asked).await {
            return HeaderValue::try_from(origin).ok();
        }
        let name = self.state.network.origin(&origin)?;
        let at = async |name: &str| -> Option<Uuid> {
            let sql = sql!("app/organizations_at.sql" as (Option<Uuid>,));
            self.state.db.gate(sql, &[&name]).await.ok()?.0
        };
        let owner = at(&name).await?;
        let host = match host {
            Host::Ours => None,
            Host::Tenant(name) => Some(at(name).await?),
        };
        let agree =
            organization.is_none_or(|asked| asked == owner) && host.is_none_or(|asked| asked == owner);
        HeaderValue::try_from(origin).ok().filter(|_| agree)
    }
}

/// The client's request id if it is safe to repeat, else a new one.
fn request_id(request: &Request) -> String {
    headers::one(request.headers(), REQUEST_ID)
        .ok()
        .flatten()
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// A path without a route, for the log: words and numbers, and `…` for what is longer or could be anything.
fn loggable(path: &str) -> String {
    const LONGEST: usize = 36;
    let is_word = |part: &str| {
        part.len() <= LONGEST && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let parts: Vec<_> = path.split('/').take(10).map(|part| if is_word(part) { part } else { "…" }).collect();
    parts.join("/")
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

/// Whether an HTTP/1.1 request lacks the required Host header (RFC 9112 section 3.2).
fn without_host(request: &Request) -> bool {
    request.version() == Version::HTTP_11 && !headers::has(request.headers(), "Host")
}
