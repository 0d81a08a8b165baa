//! A request for a page: what it asks for and in which language, and whether a form comes from a page of ours.

use poem::{
    Request,
    http::{HeaderValue, Method, StatusCode, header},
};
use url::Url;
use uuid::Uuid;

use super::language::{self, LANGUAGES, Language};
use crate::http::{
    client::{Client, Host},
    headers,
    problem::Problem,
    values::Slug,
};

/// The maximum size of a form, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// Links that mail programs send requests to, from anywhere (RFC 8058).
const PROVED: &str = "/unsubscribe/";

/// The cookie of a guest who has opened a link: its token. Of the pages that manage, and of half an hour.
pub const LINK_COOKIE: &str = "__Host-appointd-guest";

/// Names and values of a query or a form.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The value with a name, without blanks at its ends. Empty is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// The value as it was sent, for passwords.
    pub fn exactly(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

/// A request for a page.
pub struct Visit {
    pub client: Client,
    /// The slug in a path of our own host.
    pub slug: Option<String>,
    /// What paths of the organization's pages begin with: nothing, or `/o/{slug}`.
    pub base: String,
    pub path: String,
    pub query: Fields,
    pub form: Fields,
    /// The service in the path.
    pub service: Option<Uuid>,
    /// The token of the link that the visitor has opened.
    pub link: Option<String>,
    pub wants_html: bool,
    /// The language that the address names; links keep it.
    pub chosen: Option<&'static Language>,
    accepted: Option<&'static Language>,
}

impl Visit {
    /// Reads a request. A form that does not come from a page of this host is refused. One that is sent to a link with
    /// a proof of its own is not read.
    pub async fn read(request: &mut Request) -> (Self, Result<(), Problem>) {
        let mut visit = Self::of(request);
        let read = match *request.method() {
            Method::POST if visit.path.starts_with(PROVED) => Ok(()),
            Method::POST => match check_origin(request) {
                Ok(()) => read_form(request).await.map(|form| visit.form = form),
                refused => refused,
            },
            _ => Ok(()),
        };
        (visit, read)
    }

    fn of(request: &Request) -> Self {
        let query = Fields::parse(request.uri().query().unwrap_or_default().as_bytes());
        let list = |name: &str| headers::list(request.headers(), name).unwrap_or_default();
        let slug = request
            .raw_path_param("slug")
            .map(|slug| Slug::parse(slug).map_or("?".to_owned(), |s| s.to_string()));
        let client = request.extensions().get::<Client>().cloned();
        Self {
            client: client.unwrap_or_else(|| Client {
                address: [0, 0, 0, 0].into(),
                user_agent: None,
                host: Host::Ours,
                from_inside: false,
            }),
            base: slug.as_ref().map(|slug| format!("/o/{slug}")).unwrap_or_default(),
            slug,
            path: request.uri().path().to_owned(),
            service: request.raw_path_param("service").and_then(|service| service.parse().ok()),
            link: list("Cookie")
                .into_iter()
                .flat_map(|line| line.split(';'))
                .find_map(|pair| pair.trim().strip_prefix(LINK_COOKIE)?.strip_prefix('='))
                .map(ToOwned::to_owned),
            wants_html: list("Accept").iter().any(|line| line.contains("text/html")),
            chosen: query.get("lang").and_then(language::of_tag),
            accepted: language::accepted(&list("Accept-Language")),
            query,
            form: Fields::default(),
        }
    }

    /// The language of the page: the chosen one, one that the browser accepts, that of the organization, English.
    pub fn language(&self, organization: Option<&str>) -> &'static Language {
        self.chosen
            .or(self.accepted)
            .or_else(|| organization.and_then(language::of_tag))
            .unwrap_or(&LANGUAGES[0])
    }

    /// The host that may lead to an organization.
    pub fn host(&self) -> Option<&str> {
        match &self.client.host {
            Host::Ours => None,
            Host::Tenant(name) => Some(name),
        }
    }

    /// The address of a page of the same organization, in the chosen language.
    pub fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        self.plain_url(&format!("{}{path}", self.base), query)
    }

    /// The address of a page that belongs to no organization's pages, in the chosen language.
    pub fn plain_url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let language = self.chosen.map(|language| ("lang", language.code));
        address(path, query.iter().copied().chain(language))
    }

    /// This page in another language.
    pub fn in_language(&self, code: &str) -> String {
        address(self.shown_path(), self.known().chain([("lang", code)]))
    }

    /// This page, for who opens the address that its form is sent to.
    pub fn shown(&self) -> String {
        self.plain_url(self.shown_path(), &self.known().collect::<Vec<_>>())
    }

    /// 307: the same page below another slug. Not for ever: the former slug is free again after some time.
    pub fn moved_to(&self, slug: &str) -> Problem {
        let rest = self.path.strip_prefix("/o/").and_then(|path| path.split_once('/'));
        let path = rest.map_or(format!("/o/{slug}"), |(_, rest)| format!("/o/{slug}/{rest}"));
        let query = self.query.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let detail = "The organization has another slug now.";
        let moved = Problem::new(StatusCode::TEMPORARY_REDIRECT, "moved", detail);
        match HeaderValue::from_str(&address(&path, query)) {
            Ok(location) => moved.with_header(header::LOCATION, location),
            Err(_) => Problem::not_found(),
        }
    }

    /// What a form is sent to is no page: the one that shows the form is.
    fn shown_path(&self) -> &str {
        const SENT_TO: [&str; 7] =
            ["/open", "/accept", "/decline", "/withdraw", "/hold", "/confirm", "/release"];
        SENT_TO.iter().find_map(|end| self.path.strip_suffix(end)).unwrap_or(&self.path)
    }

    /// The parameters that pages know. Others, such as those of advertisements, are left out of links.
    fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        const KNOWN: [&str; 9] =
            ["with", "month", "day", "hold", "starts_at", "booking", "mailed", "done", "until"];
        KNOWN.iter().filter_map(|name| Some((*name, self.query.get(name)?)))
    }
}

fn address<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(query);
    match pairs.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// Refuses a form of another site. Tenants are each other's neighbours on one site, so cookies do not tell them apart;
/// browsers say where a form comes from.
fn check_origin(request: &Request) -> Result<(), Problem> {
    let one = |name: &str| headers::one(request.headers(), name);
    let is_ours = match one("Sec-Fetch-Site")? {
        Some(site) => site == "same-origin",
        // Browsers send it over TLS and to this machine only; older ones do not.
        None => match (one("Origin")?, one("Host")?) {
            (Some(origin), Some(host)) => is_origin_of(origin, host),
            _ => false,
        },
    };
    if is_ours {
        return Ok(());
    }
    let detail = "The form was not sent by a page of this host.";
    Err(Problem::forbidden("foreign_form", detail))
}

/// Whether an origin is that of a host: with https, or on this machine.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else {
        return false;
    };
    let name = Url::parse(origin).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    let is_local = name.is_some_and(|name| {
        name == "localhost" || name.ends_with(".localhost") || name.starts_with("127.") || name == "[::1]"
    });
    rest.eq_ignore_ascii_case(host) && (scheme == "https" || (scheme == "http" && is_local))
}

async fn read_form(request: &mut Request) -> Result<Fields, Problem> {
    let bytes = request.take_body().into_bytes_limit(LARGEST_FORM).await.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The form is too large or incomplete.")
    })?;
    Ok(Fields::parse(&bytes))
}
