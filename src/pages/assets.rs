//! The style sheet and the script of the pages, and the colours of organizations, under names that change with their
//! content.

use std::sync::{Arc, LazyLock};

use poem::{Response, Route, endpoint::make_sync, get, http::header};

use super::brand;
use crate::http::{
    document::{Document, IMMUTABLE},
    problem::Problem,
};

const CSS: &str = "text/css; charset=utf-8";

static STYLE: LazyLock<Arc<Document>> = LazyLock::new(|| {
    Arc::new(Document::asset(include_str!("assets/app.css"), "/assets", ("app", "css"), CSS))
});

static SCRIPT: LazyLock<Arc<Document>> = LazyLock::new(|| {
    let script = include_str!("assets/app.js");
    Arc::new(Document::asset(script, "/assets", ("app", "js"), "text/javascript; charset=utf-8"))
});

/// The path of the style sheet.
pub fn style() -> String {
    STYLE.path.clone()
}

/// The path of the script.
pub fn script() -> String {
    SCRIPT.path.clone()
}

/// The path of the colours of an organization, of which `color` is `#rrggbb`.
pub fn colors(color: &str) -> String {
    format!("/assets/brand-{}.css", color.trim_start_matches('#').to_ascii_lowercase())
}

pub fn routes(route: Route) -> Route {
    route
        .at(style(), get(STYLE.clone()))
        .at(script(), get(SCRIPT.clone()))
        // What it says follows from its name alone.
        .at(
            "/assets/:name",
            get(make_sync(|request| {
                let name = request.raw_path_param("name").unwrap_or_default();
                let color = name.strip_prefix("brand-").and_then(|name| name.strip_suffix(".css"));
                let sheet = color.and_then(brand::style_sheet).ok_or_else(Problem::not_found)?;
                Ok::<_, poem::Error>(
                    Response::builder()
                        .content_type(CSS)
                        .header(header::CACHE_CONTROL, IMMUTABLE)
                        .body(sheet),
                )
            })),
        )
}
