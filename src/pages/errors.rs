//! Pages that only say something: problems, and what a form has led to.

use askama::Template;
use poem::{Response, http::StatusCode};

use super::{
    month::Link,
    shell::{self, Place, Shell},
    site::Site,
    visit::Visit,
};
use crate::{db::REQUEST, http::problem::Problem};

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    shell: Shell,
    heading: String,
    texts: Vec<String>,
    links: Vec<Link>,
    small: Option<String>,
}

/// A page with a heading, whose text has this key, and sentences.
pub fn message(
    status: StatusCode,
    shell: Shell,
    heading: &str,
    texts: Vec<String>,
    links: Vec<Link>,
) -> Result<Response, Problem> {
    let page = MessagePage { heading: shell.t(heading), shell, texts, links, small: None };
    shell::show(status, &page.shell, &page)
}

/// The page of a problem, and a way on.
pub async fn page(site: &Site, visit: &Visit, problem: &Problem) -> Result<Response, Problem> {
    if problem.status.is_redirection() {
        let mut response = Response::builder().status(problem.status).finish();
        response.headers_mut().extend(problem.headers.iter().cloned());
        return Ok(response);
    }
    let place = Place::of(&site.db, visit).await.ok();
    let language = visit.language(place.as_ref().map(|place| place.organization.language.as_str()));
    let heading = language.text(match problem.status {
        StatusCode::NOT_FOUND => "heading-404",
        StatusCode::UNAUTHORIZED => "heading-401",
        _ => "heading-problem",
    });
    let shell = match &place {
        Some(place) => Shell::of(visit, place, &heading),
        None => Shell::plain(visit, &heading),
    };
    let link = |path: String, text: &str| Link { href: path, text: language.text(text) };
    let links = match place {
        Some(_) => vec![link(visit.url("/book", &[]), "to-booking")],
        None => vec![link("/".to_owned(), "to-front")],
    };
    let request = REQUEST.try_with(|request| request.id.clone()).unwrap_or_default();
    let page = MessagePage {
        shell: shell.private(),
        heading,
        texts: vec![language.problem(problem)],
        links,
        small: Some(format!("{} · {} · {request}", problem.status.as_u16(), problem.code)),
    };
    let mut response = shell::show(problem.status, &page.shell, &page)?;
    response.headers_mut().extend(problem.headers.iter().cloned());
    Ok(response)
}
