//! The description and the pages that show it. All is made once, compressed once, and has an entity tag; scripts and style
//! sheets stand under names that change with their content, so that browsers keep them.

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

/// A document that is the same for everyone.
struct Document {
    content_type: &'static str,
    cache_control: &'static str,
    etag: String,
    plain: Bytes,
    compressed: Bytes,
}

impl Document {
    fn new(content_type: &'static str, cache_control: &'static str, text: &str) -> Self {
        Self {
            content_type,
            cache_control,
            etag: format!("W/\"{}\"", digest(text)),
            plain: Bytes::copy_from_slice(text.as_bytes()),
            compressed: gzip(text.as_bytes(), Level::best()).into(),
        }
    }

    fn answer(&self, request: &Request) -> Result<Response> {
        let response = Response::builder()
            .header(ETAG, &self.etag)
            .header(CACHE_CONTROL, self.cache_control)
            .header(VARY, "Accept-Encoding");
        let held = headers::list(request.headers(), "If-None-Match")?.join(",");
        if conditional::matches(&held, &self.etag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        let response = response.header(CONTENT_TYPE, self.content_type);
        Ok(if accepts_gzip(request.headers()) {
            response.header(CONTENT_ENCODING, "gzip").body(self.compressed.clone())
        } else {
            response.body(self.plain.clone())
        })
    }
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
}

/// A document by the path it stands at.
struct Place {
    path: String,
    document: Document,
}

impl Endpoint for &'static Place {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.document.answer(&request)
    }
}

/// The routes of all documents.
pub fn routes(service: &OpenApiService<impl OpenApi, ()>) -> Route {
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();
    let places = PLACES.get_or_init(|| documents(&service.swagger_ui_html(), &service.redoc_html()));
    places.iter().fold(Route::new(), |route, place| route.at(&place.path, get(place)))
}

/// poem-openapi has the scripts and the style sheet in pages of its own.
fn documents(swagger_ui: &str, redoc: &str) -> Vec<Place> {
    let asset = |page: &str, tag: &str, name: &str, content_type| {
        let text = between(page, &format!("<{tag} charset=\"UTF-8\">"), &format!("</{tag}>"));
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        Place {
            path: format!("/docs/{stem}-{}.{extension}", digest(text)),
            document: Document::new(content_type, IMMUTABLE, text),
        }
    };
    let style = asset(swagger_ui, "style", "swagger-ui.css", "text/css; charset=utf-8");
    let script = asset(swagger_ui, "script", "swagger-ui.js", "text/javascript; charset=utf-8");
    let redoc_script = asset(redoc, "script", "redoc.js", "text/javascript; charset=utf-8");
    let page = |path: &str, html: &str| Place {
        path: path.to_owned(),
        document: Document::new("text/html; charset=utf-8", REVALIDATED, html),
    };
    let swagger_ui = SWAGGER_UI.replace("{style}", &style.path).replace("{script}", &script.path);
    let redoc = REDOC.replace("{script}", &redoc_script.path);
    let description = Place {
        path: "/openapi.json".to_owned(),
        document: Document::new("application/json", REVALIDATED, description::COMMITTED),
    };
    vec![page("/docs", &swagger_ui), page("/redoc", &redoc), description, style, script, redoc_script]
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inside, _)| inside)
}
