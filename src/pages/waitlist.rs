//! The waitlist: joining it where nothing is free, and the page behind the link of an entry: offers, accepted or
//! declined.

use std::sync::Arc;

use askama::Template;
use chrono::{Days, Utc};
use poem::{Response, http::StatusCode};
use poem_openapi::param::{Header, Query};

use super::{
    booking, errors,
    form::{Form, contact_fields, read_contact},
    manage::{self, Item},
    month::Link,
    shell::{self, Place, Shell, see_other},
    site::Site,
    visit::Visit,
};
use crate::{
    http::{
        caller::ManageToken,
        json::Json,
        problem::Problem,
        values::{IdempotencyKey, InstantOrDate},
    },
    scheduling::customers::{
        guest_access::GuestToken,
        guest_waitlist::{GuestNewWaitlistEntry, GuestWaitlistEntry},
    },
};

/// How many days ahead an entry from the page waits for a time.
const DAYS: u64 = 60;

#[derive(Template)]
#[template(path = "form.html")]
struct JoinPage {
    shell: Shell,
    heading: String,
    texts: Vec<String>,
    action: String,
    token: Option<String>,
    form: Form,
    submit: String,
    other: Option<Link>,
}

/// The form for joining.
pub async fn invite(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    show_form(&site, &visit, &place, None, None).await
}

fn form(visit: &Visit, place: &Place) -> Form {
    let mut form = Form::of(contact_fields(place.formats.language, true, false));
    for field in &mut form.fields {
        field.value = visit.form.get(field.id).unwrap_or_default().to_owned();
    }
    form
}

async fn show_form(
    site: &Site,
    visit: &Visit,
    place: &Place,
    checked: Option<Form>,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let (formats, language) = (&place.formats, place.formats.language);
    let service = booking::service(site, visit, place).await?;
    let until = formats.date(formats.date_of(Utc::now()) + Days::new(DAYS));
    let values = &[("service", service.name.as_str().into()), ("date", until.into())];
    let status = match (&checked, refused) {
        (_, Some(problem)) => problem.status,
        (Some(_), None) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, None) => StatusCode::OK,
    };
    let mut form = checked.unwrap_or_else(|| form(visit, place));
    if let Some(problem) = refused {
        form.refuse(language, problem);
    }
    let path = format!("/book/{}", service.id);
    let page = JoinPage {
        shell: Shell::of(visit, place, &language.text("waitlist-heading")).private(),
        heading: language.text("waitlist-heading"),
        texts: vec![language.with("waitlist-about", values)],
        action: visit.url(&format!("{path}/waitlist"), &[]),
        token: None,
        form,
        submit: language.text("waitlist-join"),
        other: Some(Link { href: visit.url(&path, &[]), text: language.text("to-times") }),
    };
    shell::show(status, &page.shell, &page)
}

/// Joins.
pub async fn join(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let service = booking::service(&site, &visit, &place).await?;
    let mut form = form(&visit, &place);
    let Some(contact) = read_contact(&mut form, place.formats.language) else {
        return show_form(&site, &visit, &place, Some(form), None).await;
    };
    let today = place.formats.date_of(Utc::now());
    let entry = GuestNewWaitlistEntry {
        service_id: service.id,
        provider_id: None,
        from: InstantOrDate::Date(today),
        to: InstantOrDate::Date(today + Days::new(DAYS)),
        time_zone: None,
        contact,
    };
    // The same form, sent twice, joins once: the key is bound to what it says.
    let key = IdempotencyKey::parse("page").ok();
    let slug = Query(booking::slug(&visit));
    let joined = site.waitlist.join(visit.client.clone(), slug, Header(key), Header(None), Json(entry)).await;
    match joined.map_err(Problem::from) {
        Ok(_) => Ok(see_other(&visit.url("/book/waiting", &[]))),
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422 | 429) => {
            show_form(&site, &visit, &place, Some(form), Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// After joining.
pub async fn joined(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let language = place.formats.language;
    let shell = Shell::of(&visit, &place, &language.text("waiting-heading")).private();
    let link = Link { href: visit.url("/book", &[]), text: language.text("to-booking") };
    errors::message(
        StatusCode::OK,
        shell,
        "waiting-heading",
        vec![language.text("waiting-mailed")],
        vec![link],
    )
}

/// A form of one button.
pub struct Button {
    pub action: String,
    pub text: String,
    pub second: bool,
}

#[derive(Template)]
#[template(path = "offer.html")]
pub struct OfferPage {
    pub shell: Shell,
    pub heading: String,
    pub about: String,
    pub said: Option<String>,
    pub item: Option<Item>,
    pub buttons: Vec<Button>,
    pub again: Option<String>,
    pub zone_note: String,
    pub open: String,
}

const PAGE: &str = "/waitlist-entry";

/// The entry, and what is offered to it.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((guest, token)) = manage::guest(&site, &visit)? else {
        return manage::open_link(&visit, "/waitlist-entry/open", None);
    };
    let place = Place::of_guest(&site.db, &visit, guest).await?;
    let entry = site.waitlist.view(Json(GuestToken { token })).await?.0;
    let page = offer(&visit, &place, &entry);
    shell::show(StatusCode::OK, &page.shell, &page)
}

fn offer(visit: &Visit, place: &Place, entry: &GuestWaitlistEntry) -> OfferPage {
    let (formats, language) = (&place.formats, place.formats.language);
    let button = |what: &str, second| Button {
        action: visit.plain_url(&format!("{PAGE}/{what}"), &[]),
        text: language.text(&format!("offer-{what}")),
        second,
    };
    let status = entry.status.name();
    let (heading, about, buttons) = match (&entry.offer, status) {
        (Some(offer), _) => (
            language.text("offer-heading"),
            language.with("offer-until", &[("at", formats.at(offer.expires_at).text.into())]),
            vec![button("accept", false), button("decline", true), button("withdraw", true)],
        ),
        (None, "waiting") => (
            language.text("waiting-heading"),
            language.with(
                "waiting-for",
                &[
                    ("service", entry.service_name.as_str().into()),
                    ("from", formats.date(formats.date_of(entry.from)).into()),
                    ("to", formats.date(formats.date_of(entry.to)).into()),
                ],
            ),
            vec![button("withdraw", true)],
        ),
        (None, status) => (
            language.text("waiting-ended"),
            language.text(&format!("waitlist-status-{}", status.replace('_', "-"))),
            Vec::new(),
        ),
    };
    let item = entry.offer.as_ref().map(|offer| {
        let names = (entry.service_name.as_str(), offer.provider_name.as_str());
        Item::of(formats, names, offer.starts_at, formats.at(offer.starts_at))
    });
    let base = if shell::is_ours(visit) { format!("/o/{}", place.organization.slug) } else { String::new() };
    let again = buttons.is_empty().then(|| visit.plain_url(&format!("{base}/book"), &[]));
    OfferPage {
        shell: Shell::of(visit, place, &heading).private(),
        heading,
        about,
        said: None,
        item,
        buttons,
        again,
        zone_note: formats.zone_note(&place.organization.name),
        open: visit.plain_url("/waitlist-entry/open", &[]),
    }
}

/// Accepts the offer: the appointment has the same link.
pub async fn accept(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some(token) = opened(&site, &visit)? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    site.waitlist.accept(Header(None), Json(GuestToken { token })).await?;
    Ok(see_other(&visit.plain_url("/manage-appointment", &[])))
}

/// Declines the offer.
pub async fn decline(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if let Some(token) = opened(&site, &visit)? {
        site.waitlist.decline(Header(None), Json(GuestToken { token })).await?;
    }
    Ok(see_other(&visit.plain_url(PAGE, &[])))
}

/// Leaves the waitlist.
pub async fn withdraw(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if let Some(token) = opened(&site, &visit)? {
        site.waitlist.withdraw(Header(None), Json(GuestToken { token })).await?;
    }
    Ok(see_other(&visit.plain_url(PAGE, &[])))
}

fn opened(site: &Site, visit: &Visit) -> Result<Option<ManageToken>, Problem> {
    Ok(manage::guest(site, visit)?.map(|(_, token)| token))
}
