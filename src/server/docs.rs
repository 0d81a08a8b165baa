//! The description and the pages that show it. Each is made once and has an entity tag; scripts and style sheets stand
//! under names that change with their content, so that browsers keep them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{NaiveDate, Utc};
use flate2::Compression as Level;
use futures_util::future::BoxFuture;
use hyper::body::Bytes;
use poem::{
    Endpoint, Request, Response, Result, Route, get,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
};
use poem_openapi::{OpenApi, OpenApiService, Webhook};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::{
    db::Db,
    http::{
        compression::{accepts_gzip, gzip},
        conditional, description, headers,
    },
};

const SWAGGER_UI: &str = include_str!("docs/swagger-ui.html");
/// What our page adds to Swagger UI.
const ADDITIONS: &str = include_str!("docs/swagger-ui.js");
const REDOC: &str = include_str!("docs/redoc.html");

/// What is asked for again each time, and answered with 304 while it is the same.
const REVALIDATED: &str = "no-cache";
/// What is never asked for again: another content has another name.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What the description and its page show of demo data.
#[derive(Clone)]
pub struct Demo {
    /// The accounts that the page signs in, as JSON.
    pub sign_ins: String,
    /// Looks the examples up.
    pub examples: Arc<dyn Fn(Db) -> BoxFuture<'static, Option<Examples>> + Send + Sync>,
}

/// What the examples of the description are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examples {
    /// The day of the appointments.
    pub day: NaiveDate,
    /// Values of properties, by name.
    pub values: Vec<(&'static str, String)>,
}

/// A document that is the same for everyone, and the path it stands at.
struct Document {
    path: String,
    content_type: &'static str,
    cache_control: &'static str,
    etag: String,
    plain: Bytes,
    /// Compressed as well as can be, when it is first asked for: that takes too long for a start.
    compressed: OnceCell<Bytes>,
}

impl Document {
    fn new(path: String, content_type: &'static str, cache_control: &'static str, text: &str) -> Self {
        Self {
            path,
            content_type,
            cache_control,
            etag: format!("W/\"{}\"", digest(text)),
            plain: Bytes::copy_from_slice(text.as_bytes()),
            compressed: OnceCell::new(),
        }
    }

    fn page(path: &str, html: &str) -> Self {
        Self::new(path.to_owned(), "text/html; charset=utf-8", REVALIDATED, html)
    }

    /// A script or style sheet, which poem-openapi has in a page of its own.
    fn foreign(page: &str, tag: &str, name: (&str, &str), content_type: &'static str) -> Self {
        let text = between(page, &format!("<{tag} charset=\"UTF-8\">"), &format!("</{tag}>"));
        Self::asset(text, name, content_type)
    }

    fn asset(text: &str, (stem, extension): (&str, &str), content_type: &'static str) -> Self {
        Self::new(format!("/docs/{stem}-{}.{extension}", digest(text)), content_type, IMMUTABLE, text)
    }
}

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let response = Response::builder().header(ETAG, &self.etag).header(CACHE_CONTROL, self.cache_control);
        let held = headers::list(request.headers(), "If-None-Match")?.join(",");
        if conditional::matches(&held, &self.etag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).header(VARY, "Accept-Encoding").finish());
        }
        let response = response.header(CONTENT_TYPE, self.content_type);
        if !accepts_gzip(request.headers()) {
            return Ok(response.body(self.plain.clone()));
        }
        let compress = || gzip(self.plain.clone(), Level::best());
        let compressed = self.compressed.get_or_try_init(compress).await?.clone();
        Ok(response.header(VARY, "Accept-Encoding").header(CONTENT_ENCODING, "gzip").body(compressed))
    }
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
}

/// The description, with examples of today.
struct Description {
    db: Db,
    demo: Option<Demo>,
}

impl Endpoint for Description {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        /// The one that was served last.
        static LAST: Mutex<Option<(Examples, Arc<Document>)>> = Mutex::new(None);
        let found = match &self.demo {
            Some(demo) => (demo.examples)(self.db.clone()).await,
            None => None,
        };
        let examples =
            found.unwrap_or_else(|| Examples { day: description::day(Utc::now()), values: Vec::new() });
        let document = {
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some((of, document)) if *of == examples => document.clone(),
                _ => {
                    let text = described(&examples);
                    let path = "/openapi.json".to_owned();
                    let document = Arc::new(Document::new(path, "application/json", REVALIDATED, &text));
                    *last = Some((examples, document.clone()));
                    document
                }
            }
        };
        document.call(request).await
    }
}

/// The committed description with these examples.
fn described(examples: &Examples) -> String {
    let mut text = description::dated(description::COMMITTED, examples.day);
    for (name, value) in &examples.values {
        if let Some(committed) = description::example(name) {
            text = text.replace(&description::dated(committed, examples.day), value);
        }
    }
    text
}

/// The pages, and what they are made of.
struct Pages {
    documents: Vec<Arc<Document>>,
    /// Without the accounts.
    swagger_ui: String,
}

/// The routes of all documents.
pub fn routes(service: &OpenApiService<impl OpenApi, impl Webhook>, db: &Db, demo: Option<&Demo>) -> Route {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    let pages = PAGES.get_or_init(|| Pages::new(&service.swagger_ui_html(), &service.redoc_html()));
    let sign_ins = demo.map_or("[]", |demo| &demo.sign_ins);
    let swagger_ui = Document::page("/docs", &pages.swagger_ui.replace("{sign_ins}", sign_ins));
    let all = pages.documents.iter().cloned().chain([Arc::new(swagger_ui)]);
    let description = Description { db: db.clone(), demo: demo.cloned() };
    all.fold(Route::new(), |route, document| route.at(document.path.clone(), get(document)))
        .at("/openapi.json", get(description))
}

impl Pages {
    fn new(swagger_ui: &str, redoc: &str) -> Self {
        const SCRIPT: &str = "text/javascript; charset=utf-8";
        let style = Document::foreign(swagger_ui, "style", ("swagger-ui", "css"), "text/css; charset=utf-8");
        let script = Document::foreign(swagger_ui, "script", ("swagger-ui", "js"), SCRIPT);
        let page = Document::asset(ADDITIONS, ("page", "js"), SCRIPT);
        let redoc_script = Document::foreign(redoc, "script", ("redoc", "js"), SCRIPT);
        let swagger_ui = SWAGGER_UI
            .replace("{style}", &style.path)
            .replace("{script}", &script.path)
            .replace("{page}", &page.path);
        let redoc = Document::page("/redoc", &REDOC.replace("{script}", &redoc_script.path));
        let documents = [redoc, style, script, page, redoc_script].map(Arc::new).into();
        Self { documents, swagger_ui }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inside, _)| inside)
}
