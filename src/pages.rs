//! Pages for people: booking at an organization, managing what was booked, and the pages that links in e-mails lead to.
//! They call the functions that the operations of the API call, with the same rules, and have no statements of their
//! own. They work without scripts; `assets/app.js` only adds to them.
//!
//! Reading order: [`visit`] (what is asked for), [`language`] and [`formats`] (texts, dates, prices), [`shell`] (the
//! frame and the headers), [`form`] (fields and their errors), then one file for each group of pages: [`booking`],
//! [`details`], [`manage`], [`verify`], [`waitlist`], [`unsubscribe`], [`account`], [`landing`]. Templates are in
//! `templates`, texts in `locales`.

pub mod account;
pub mod assets;
pub mod booking;
pub mod brand;
pub mod details;
pub mod errors;
pub mod form;
pub mod formats;
pub mod landing;
pub mod language;
pub mod manage;
pub mod month;
pub mod shell;
pub mod site;
pub mod unsubscribe;
pub mod verify;
pub mod visit;
pub mod waitlist;

use std::sync::Arc;

use poem::{Endpoint, Request, Response, Route, RouteMethod, endpoint::make, get, post};

use self::{site::Site, visit::Visit};
use crate::{api::App, http::problem::Problem};

/// The pages, in front of other routes.
pub fn routes(app: &App, demo: Vec<(String, String)>, route: Route) -> Route {
    let site = Arc::new(Site::new(app, demo));
    let mut route = assets::routes(route);
    // At the host of an organization, and below its slug at ours.
    for base in ["", "/o/:slug"] {
        let at = |path: &str| format!("{base}{path}");
        route = route
            .at(at("/book"), get(page(&site, booking::services)))
            .at(at("/book/:service"), get(page(&site, booking::when)))
            .at(at("/book/:service/hold"), sent_to(&site, booking::hold))
            .at(at("/book/:service/details"), get(page(&site, details::show)))
            .at(at("/book/:service/confirm"), sent_to(&site, details::confirm))
            .at(at("/book/:service/release"), sent_to(&site, details::release))
            .at(
                at("/book/:service/waitlist"),
                get(page(&site, waitlist::invite)).post(page(&site, waitlist::join)),
            )
            .at(at("/book/done"), get(page(&site, details::done)))
            .at(at("/book/check-mail"), get(page(&site, details::check_mail)))
            .at(at("/book/waiting"), get(page(&site, waitlist::joined)))
            .at(at("/book/calendar.ics"), get(page(&site, details::calendar)));
    }
    route
        .at("/o/:slug", get(page(&site, landing::organization)))
        .at("/manage-appointment", get(page(&site, manage::show)))
        .at("/manage-appointment/open", sent_to(&site, manage::open))
        .at("/manage-appointment/move", get(page(&site, manage::when)).post(page(&site, manage::reschedule)))
        .at("/manage-appointment/cancel", get(page(&site, manage::ask)).post(page(&site, manage::cancel)))
        .at("/manage-appointment/calendar.ics", get(page(&site, manage::calendar)))
        .at("/verify-booking", get(page(&site, verify::show)).post(page(&site, verify::verify)))
        .at("/verify-booking/open", sent_to(&site, manage::open))
        .at("/waitlist-entry", get(page(&site, waitlist::show)))
        .at("/waitlist-entry/open", sent_to(&site, manage::open))
        .at("/waitlist-entry/accept", sent_to(&site, waitlist::accept))
        .at("/waitlist-entry/decline", sent_to(&site, waitlist::decline))
        .at("/waitlist-entry/withdraw", sent_to(&site, waitlist::withdraw))
        .at(unsubscribe::PATH, get(page(&site, unsubscribe::show)).post(page(&site, unsubscribe::done)))
        .at("/forgot-password", get(page(&site, account::forgotten)).post(page(&site, account::send_reset)))
        .at("/reset-password", get(page(&site, account::new_password)).post(page(&site, account::reset)))
        .at("/verify-email", get(page(&site, account::unverified)).post(page(&site, account::verify)))
        .at("/accept-invitation", get(page(&site, account::invitation)))
        .at("/accept-invitation/open", sent_to(&site, account::look))
        .at("/accept-invitation/accept", sent_to(&site, account::accept))
}

/// What a form is sent to. Opened as a page, it leads to the form.
fn sent_to<F>(
    site: &Arc<Site>,
    handler: impl Fn(Arc<Site>, Arc<Visit>) -> F + Clone + Send + Sync + 'static,
) -> RouteMethod
where
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    post(page(site, handler)).get(page(site, landing::back))
}

/// The page at `/`.
pub fn front(app: &App, demo: Vec<(String, String)>) -> impl Endpoint<Output = Response> + use<> {
    let site = Arc::new(Site::new(app, demo));
    page(&site, landing::show)
}

/// A page as an endpoint. A problem is a page, too.
fn page<F, H>(site: &Arc<Site>, handler: H) -> impl Endpoint<Output = Response> + use<F, H>
where
    H: Fn(Arc<Site>, Arc<Visit>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let site = site.clone();
    make(move |mut request: Request| {
        let (site, handler) = (site.clone(), handler.clone());
        async move {
            let (visit, read) = Visit::read(&mut request).await;
            let visit = Arc::new(visit);
            let answer = match read {
                Ok(()) => handler(site.clone(), visit.clone()).await,
                Err(problem) => Err(problem),
            };
            match answer {
                Ok(response) => Ok::<_, poem::Error>(response),
                Err(problem) => Ok(errors::page(&site, &visit, &problem).await?),
            }
        }
    })
}
