//! The description and the pages that show it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{NaiveDate, Utc};
use futures_util::future::BoxFuture;
use poem::{Endpoint, Request, Response, Result, Route, get};
use poem_openapi::{OpenApi, OpenApiService, Webhook};

use crate::{
    api::App,
    db::{Db, FrontDoor},
    http::{
        description,
        document::{Document, REVALIDATED},
    },
};

const SWAGGER_UI: &str = include_str!("docs/swagger-ui.html");
/// What our page adds to Swagger UI.
const ADDITIONS: &str = include_str!("docs/swagger-ui.js");
const REDOC: &str = include_str!("docs/redoc.html");

/// What the description and its page show of demo data.
#[derive(Clone)]
pub struct Demo {
    /// The accounts that the page signs in, as JSON.
    pub sign_ins: String,
    /// Name and slug of the organizations that the front page links to.
    pub organizations: Vec<(String, String)>,
    /// Looks the examples up.
    pub examples: Arc<dyn Fn(Db, FrontDoor) -> BoxFuture<'static, Option<Examples>> + Send + Sync>,
}

/// What the examples of the description are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examples {
    /// The day of the appointments.
    pub day: NaiveDate,
    /// Values of properties, by name.
    pub values: Vec<(&'static str, String)>,
}

/// The description, with examples of today.
struct Description {
    db: Db,
    door: FrontDoor,
    demo: Option<Demo>,
}

impl Endpoint for Description {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        /// The one that was served last.
        static LAST: Mutex<Option<(Examples, Arc<Document>)>> = Mutex::new(None);
        let found = match &self.demo {
            Some(demo) => (demo.examples)(self.db.clone(), self.door.clone()).await,
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
pub fn routes(service: &OpenApiService<impl OpenApi, impl Webhook>, app: &App, demo: Option<&Demo>) -> Route {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    let pages = PAGES.get_or_init(|| Pages::new(&service.swagger_ui_html(), &service.redoc_html()));
    let sign_ins = demo.map_or("[]", |demo| &demo.sign_ins);
    let swagger_ui = Document::page("/docs", &pages.swagger_ui.replace("{sign_ins}", sign_ins));
    let all = pages.documents.iter().cloned().chain([Arc::new(swagger_ui)]);
    let description = Description { db: app.db.clone(), door: app.door.clone(), demo: demo.cloned() };
    all.fold(Route::new(), |route, document| route.at(document.path.clone(), get(document)))
        .at("/openapi.json", get(description))
}

impl Pages {
    fn new(swagger_ui: &str, redoc: &str) -> Self {
        const SCRIPT: &str = "text/javascript; charset=utf-8";
        let style = foreign(swagger_ui, "style", ("swagger-ui", "css"), "text/css; charset=utf-8");
        let script = foreign(swagger_ui, "script", ("swagger-ui", "js"), SCRIPT);
        let page = Document::asset(ADDITIONS, "/docs", ("page", "js"), SCRIPT);
        let redoc_script = foreign(redoc, "script", ("redoc", "js"), SCRIPT);
        let swagger_ui = SWAGGER_UI
            .replace("{style}", &style.path)
            .replace("{script}", &script.path)
            .replace("{page}", &page.path);
        let redoc = Document::page("/redoc", &REDOC.replace("{script}", &redoc_script.path));
        let documents = [redoc, style, script, page, redoc_script].map(Arc::new).into();
        Self { documents, swagger_ui }
    }
}

/// A script or style sheet, which poem-openapi has in a page of its own.
fn foreign(page: &str, tag: &str, name: (&str, &str), content_type: &'static str) -> Document {
    let text = between(page, &format!("<{tag} charset=\"UTF-8\">"), &format!("</{tag}>"));
    Document::asset(text, "/docs", name, content_type)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inside, _)| inside)
}
