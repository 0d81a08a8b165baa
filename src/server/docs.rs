//! The description and the pages that show it. Each is made once and has an entity tag; scripts and style sheets stand
//! under names that change with their content, so that browsers keep them.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::Compression as Level;
use hyper::body::Bytes;
use poem::{
    Endpoint, Request, Response, Result, Route, get,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
};
use poem_openapi::{OpenApi, OpenApiService};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::http::{
    compression::{accepts_gzip, gzip},
    conditional, description, headers,
};

const SWAGGER_UI: &str = include_str!("docs/swagger-ui.html");
const REDOC: &str = include_str!("docs/redoc.html");

/// What is asked for again each time, and answered with 304 while it is the same.
const REVALIDATED: &str = "no-cache";
/// What is never asked for again: another content has another name.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

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
    fn asset(page: &str, tag: &str, (stem, extension): (&str, &str), content_type: &'static str) -> Self {
        let text = between(page, &format!("<{tag} charset=\"UTF-8\">"), &format!("</{tag}>"));
        Self::new(format!("/docs/{stem}-{}.{extension}", digest(text)), content_type, IMMUTABLE, text)
    }
}

impl Endpoint for &'static Document {
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

/// The routes of all documents.
pub fn routes(service: &OpenApiService<impl OpenApi, ()>) -> Route {
    static DOCUMENTS: OnceLock<Vec<Document>> = OnceLock::new();
    let documents = DOCUMENTS.get_or_init(|| documents(&service.swagger_ui_html(), &service.redoc_html()));
    documents.iter().fold(Route::new(), |route, document| route.at(&document.path, get(document)))
}

fn documents(swagger_ui: &str, redoc: &str) -> Vec<Document> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    let style = Document::asset(swagger_ui, "style", ("swagger-ui", "css"), "text/css; charset=utf-8");
    let script = Document::asset(swagger_ui, "script", ("swagger-ui", "js"), SCRIPT);
    let redoc_script = Document::asset(redoc, "script", ("redoc", "js"), SCRIPT);
    let swagger_ui = SWAGGER_UI.replace("{style}", &style.path).replace("{script}", &script.path);
    let redoc = REDOC.replace("{script}", &redoc_script.path);
    let description = description::COMMITTED;
    vec![
        Document::page("/docs", &swagger_ui),
        Document::page("/redoc", &redoc),
        Document::new("/openapi.json".to_owned(), "application/json", REVALIDATED, description),
        style,
        script,
        redoc_script,
    ]
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inside, _)| inside)
}
