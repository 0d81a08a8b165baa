//! The page behind the link at the end of reminders and thanks: opening it changes nothing, the button does. Mail
//! programs send the same request as the button, without a session and from another site (RFC 8058): the link has a
//! proof of its own.

use std::sync::Arc;

use askama::Template;
use poem::{Response, http::StatusCode};

use super::{
    errors,
    shell::{self, Place, Shell},
    site::Site,
    visit::Visit,
};
use crate::{
    crm::preferences::{MessageKind, UnsubscribeLink},
    http::problem::Problem,
};

/// The path of the page, and the beginning of its address.
pub const PATH: &str = "/unsubscribe/:kind/:token";

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct UnsubscribePage {
    shell: Shell,
    heading: String,
    about: String,
    action: String,
    submit: String,
}

/// Asks whether to switch the messages off.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let link = link(&visit)?;
    let place = place(&site, &visit, link.look(&site.guests.door).await?).await?;
    let language = place.formats.language;
    let heading = language.text("unsubscribe-heading");
    let name = place.organization.name.as_str();
    let about = match link.kind {
        MessageKind::Reminders => "unsubscribe-reminders",
        MessageKind::Thanks => "unsubscribe-thanks",
    };
    let page = UnsubscribePage {
        shell: Shell::of(&visit, &place, &heading).private(),
        heading,
        about: language.with(about, &[("organization", name.into())]),
        action: visit.plain_url(&visit.path, &[]),
        submit: language.text("unsubscribe-it"),
    };
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// Switches them off.
pub async fn done(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let link = link(&visit)?;
    let place = place(&site, &visit, link.unsubscribe(&site.guests.door).await?).await?;
    let language = place.formats.language;
    let shell = Shell::of(&visit, &place, &language.text("unsubscribe-done-heading")).private();
    let texts = vec![language.text("unsubscribe-done")];
    errors::message(StatusCode::OK, shell, "unsubscribe-done-heading", texts, Vec::new())
}

fn link(visit: &Visit) -> Result<UnsubscribeLink, Problem> {
    let mut parts = visit.path.trim_start_matches('/').split('/').skip(1);
    let link = parts.next().zip(parts.next()).and_then(|(kind, token)| UnsubscribeLink::read(kind, token));
    link.ok_or_else(Problem::not_found)
}

/// The organization whose slug a valid link has led to.
async fn place(site: &Site, visit: &Visit, slug: Option<String>) -> Result<Place, Problem> {
    Place::with_slug(&site.db, visit, &slug.ok_or_else(Problem::not_found)?).await
}
