//! The page at `/`: for browsers at our own host, what this is; at the host of an organization, its booking page.

use std::sync::Arc;

use askama::Template;
use poem::IntoResponse as _;
use poem::{Response, http::StatusCode, web::Redirect};

use super::{
    month::Link,
    shell::{self, Shell, see_other},
    site::Site,
    visit::Visit,
};
use crate::http::problem::Problem;

#[derive(Template)]
#[template(path = "landing.html")]
struct LandingPage {
    shell: Shell,
    organizations: Vec<Link>,
}

/// Programs are led to the description, as before pages for people existed.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if !visit.wants_html {
        return Ok(Redirect::temporary("/docs").into_response());
    }
    if !shell::is_ours(&visit) {
        return Ok(see_other(&visit.url("/book", &[])));
    }
    let organizations = site.demo.iter().map(|(name, slug)| Link {
        href: visit.plain_url(&format!("/o/{slug}/book"), &[]),
        text: name.clone(),
    });
    let heading = visit.language(None).text("landing-heading");
    let page = LandingPage { shell: Shell::plain(&visit, &heading), organizations: organizations.collect() };
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// The slug alone leads to the booking page.
pub async fn organization(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    Ok(see_other(&visit.url("/book", &[])))
}

/// Leads from the address that a form is sent to back to the form.
pub async fn back(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    Ok(see_other(&visit.shown()))
}
