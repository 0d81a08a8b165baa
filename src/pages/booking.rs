//! Booking: choosing a service, a provider and a time. See [`details`](super::details) for the rest.

use std::sync::Arc;

use askama::Template;
use poem::{Response, http::StatusCode};
use poem_openapi::param::{Header, Query};
use serde_json::Value;
use uuid::Uuid;

use super::{
    formats::Shown,
    language::Language,
    month::{Day, Link, Month, Times, Weekday, Wish},
    shell::{self, Place, Shell, see_other},
    site::Site,
    visit::Visit,
};
use crate::{
    http::{
        caller::ManageToken,
        json::Json,
        page::Ids,
        problem::Problem,
        values::{IdempotencyKey, Instant, Slug},
    },
    scheduling::{
        catalog::service::Service,
        customers::{
            guest_holds::{GuestHold, GuestNewHold},
            online,
        },
        slots::guest_rules::GuestVerification,
    },
};

/// A step of booking.
pub struct Step {
    pub name: String,
    pub href: Option<String>,
    pub done: bool,
    pub current: bool,
}

/// The steps, of which `current` is shown. `addresses` lead back to those before.
pub fn steps(language: &Language, current: usize, addresses: &[String]) -> Vec<Step> {
    ["step-service", "step-time", "step-details"]
        .into_iter()
        .enumerate()
        .map(|(index, name)| Step {
            name: language.text(name),
            href: addresses.get(index).cloned(),
            done: index < current,
            current: index == current,
        })
        .collect()
}

/// What is booked, beside the steps.
pub struct Chosen {
    pub service: String,
    pub duration: String,
    pub provider: Option<String>,
    pub when: Option<Shown>,
    pub price: Option<String>,
    pub notice: String,
}

impl Chosen {
    pub fn of(place: &Place, service: &Service, provider: Option<String>, when: Option<Shown>) -> Self {
        let formats = &place.formats;
        let notice = match service.cancellation_notice_minutes {
            0 => formats.language.text("notice-none"),
            minutes => formats.language.with("notice", &[("duration", formats.minutes(minutes).into())]),
        };
        Self {
            service: service.name.clone(),
            duration: formats.minutes(service.duration_minutes),
            provider,
            when,
            price: price(place, service),
            notice,
        }
    }
}

fn price(place: &Place, service: &Service) -> Option<String> {
    Some(place.formats.price(service.price_amount?, service.price_currency.as_deref()?))
}

/// A service to choose.
struct Offered {
    href: String,
    name: String,
    description: Option<String>,
    about: String,
    price: Option<String>,
}

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesPage {
    shell: Shell,
    steps: Vec<Step>,
    services: Vec<Offered>,
}

/// The services of an organization.
pub async fn services(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let language = place.formats.language;
    let services = online::catalog(&site.db, place.looking(), &Ids::default()).await?;
    let offered = services.into_iter().filter(|service| service.active).map(|service| {
        let mut about = place.formats.minutes(service.duration_minutes);
        if service.requires_approval {
            about = format!("{about} · {}", language.text("approval"));
        }
        Offered {
            href: visit.url(&format!("/book/{}", service.id), &[]),
            price: price(&place, &service),
            about,
            name: service.name,
            description: service.description,
        }
    });
    let page = ServicesPage {
        shell: Shell::of(&visit, &place, &language.text("choose-service")).with_own_style(&place),
        steps: steps(language, 0, &[]),
        services: offered.collect(),
    };
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// A provider to choose, or anyone.
pub struct Person {
    pub name: String,
    pub initial: String,
    pub href: String,
    pub current: bool,
}

#[derive(Template)]
#[template(path = "when.html")]
pub struct WhenPage {
    pub shell: Shell,
    pub steps: Vec<Step>,
    pub chosen: Chosen,
    pub alert: Option<String>,
    pub alternatives: Vec<Shown>,
    pub people: Vec<Person>,
    pub action: String,
    pub key: String,
    pub with: String,
    pub month: String,
    pub earlier: Option<Link>,
    pub later: Option<Link>,
    pub weekdays: Vec<Weekday>,
    pub weeks: Vec<Vec<Option<Day>>>,
    pub day: Option<Times>,
    pub nothing: String,
    pub next_free: Option<Link>,
    pub zone_note: String,
    pub waitlist: Option<String>,
}

/// The service in the address. One of another organization is answered as one that does not exist.
pub async fn service(site: &Site, visit: &Visit, place: &Place) -> Result<Service, Problem> {
    let id = visit.service.ok_or_else(Problem::not_found)?;
    let found = online::catalog(&site.db, place.looking(), &Ids(Some(vec![id]))).await?;
    found.into_iter().find(|service| service.active).ok_or_else(Problem::not_found)
}

/// Those who perform a service: ids and names.
pub async fn performers(
    site: &Site,
    place: &Place,
    service: &Service,
) -> Result<Vec<(Uuid, String)>, Problem> {
    let staff = online::staff(&site.db, place.looking()).await?;
    let performs = |id: Uuid| service.provider_ids.is_empty() || service.provider_ids.contains(&id);
    Ok(staff.into_iter().filter(|one| performs(one.id)).map(|one| (one.id, one.name)).collect())
}

/// The chips of providers. `address` makes the address of the page from its parameters.
pub fn people(
    language: &Language,
    performers: &[(Uuid, String)],
    with: Option<Uuid>,
    address: impl Fn(&[(&str, &str)]) -> String,
) -> Vec<Person> {
    if performers.len() < 2 {
        return Vec::new();
    }
    let anyone = Person {
        name: language.text("anyone"),
        initial: "✳".to_owned(),
        href: address(&[]),
        current: with.is_none(),
    };
    let others = performers.iter().map(|(id, name)| Person {
        name: name.clone(),
        initial: name.chars().next().map(String::from).unwrap_or_default(),
        href: address(&[("with", &id.to_string())]),
        current: with == Some(*id),
    });
    std::iter::once(anyone).chain(others).collect()
}

/// The times of a service.
pub async fn when(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    show_times(&site, &visit, &place, None).await
}

/// The page of times, with the reason if a time could not be had.
pub async fn show_times(
    site: &Arc<Site>,
    visit: &Visit,
    place: &Place,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let language = place.formats.language;
    let service = service(site, visit, place).await?;
    let performers = performers(site, place, &service).await?;
    let wanted = visit.form.get("with").or(visit.query.get("with")).and_then(|with| with.parse().ok());
    let with: Option<Uuid> = wanted.filter(|with| performers.iter().any(|(id, _)| id == with));
    let with_text = with.map(|with| with.to_string()).unwrap_or_default();
    let path = format!("/book/{}", service.id);
    let address = |query: &[(&str, &str)]| {
        let kept = with.map(|_| ("with", with_text.as_str()));
        visit.url(&path, &kept.into_iter().chain(query.iter().copied()).collect::<Vec<_>>())
    };
    let wish = Wish { context: place.looking(), service: service.id, with, moved: None };
    let month = Month::of(site, visit, place, wish, address).await?;
    let name = |with: Uuid| performers.iter().find(|(id, _)| *id == with).map(|(_, name)| name.clone());
    let shell = Shell::of(visit, place, &language.text("choose-time")).with_own_style(place);
    let page = WhenPage {
        shell,
        steps: steps(language, 1, &[visit.url("/book", &[])]),
        chosen: Chosen::of(place, &service, with.and_then(name), None),
        alert: refused.map(|problem| language.problem(problem)),
        alternatives: refused.map(|problem| alternatives(place, problem)).unwrap_or_default(),
        people: people(language, &performers, with, |query| visit.url(&path, query)),
        action: visit.url(&format!("{path}/hold"), &[]),
        key: Uuid::new_v4().to_string(),
        with: with_text.clone(),
        month: month.name,
        earlier: month.earlier,
        later: month.later,
        weekdays: month.weekdays,
        weeks: month.weeks,
        day: month.times,
        nothing: month.nothing,
        next_free: month.next_free,
        zone_note: place.formats.zone_note(&place.organization.name),
        waitlist: Some(visit.url(&format!("{path}/waitlist"), &[])),
    };
    shell::show(refused.map_or(StatusCode::OK, |problem| problem.status), &page.shell, &page)
}

/// The starts that a problem names instead.
pub fn alternatives(place: &Place, problem: &Problem) -> Vec<Shown> {
    let listed = problem.extension.as_ref().and_then(|extension| extension.get("alternatives"));
    listed
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|other| Instant::parse(other.get("starts_at")?.as_str()?).ok())
        .map(|start| place.formats.at(start.0))
        .collect()
}

/// The start that a form names.
pub fn start(visit: &Visit, name: &str) -> Option<Instant> {
    visit.form.get(name).or(visit.query.get(name)).and_then(|start| Instant::parse(start).ok())
}

/// Keeps a time, and leads to the details.
pub async fn hold(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let service = service(&site, &visit, &place).await?;
    let Some(starts_at) = start(&visit, "starts_at") else {
        return Ok(see_other(&visit.url(&format!("/book/{}", service.id), &[])));
    };
    let details = format!("/book/{}/details", service.id);
    let start = place.formats.iso(starts_at.0);
    let with = visit.form.get("with").unwrap_or_default();
    // Whose address is verified, for them the time is kept until they open the link in an e-mail.
    if service.guest_verification == GuestVerification::Email {
        return Ok(see_other(&visit.url(&details, &[("starts_at", &start), ("with", with)])));
    }
    let provider = with.parse().ok();
    match keep(&site, &visit, service.id, provider, starts_at, visit.form.get("key")).await {
        Ok(hold) => {
            let named = name(&site, &hold.manage_token)?;
            Ok(see_other(&visit.url(&details, &[("starts_at", &start), ("with", with), ("hold", &named)])))
        }
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422 | 429) => {
            show_times(&site, &visit, &place, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// The name in addresses of what a token manages.
pub fn name(site: &Site, manage_token: &str) -> Result<String, Problem> {
    site.guests.name_hold(site.guests.managing(&ManageToken(manage_token.to_owned()))?)
}

/// Holds a time for the visitor. The same key holds it once.
pub async fn keep(
    site: &Site,
    visit: &Visit,
    service: Uuid,
    provider: Option<Uuid>,
    starts_at: Instant,
    key: Option<&str>,
) -> Result<GuestHold, Problem> {
    let key = key.and_then(|key| IdempotencyKey::parse(key).ok());
    let new = GuestNewHold { service_id: service, provider_id: provider, starts_at };
    let created = site
        .holds
        .hold(visit.client.clone(), Query(slug(visit)), Header(key), Header(None), Json(new))
        .await?;
    Ok(created.body)
}

/// The slug of the path, for operations.
pub fn slug(visit: &Visit) -> Option<Slug> {
    visit.slug.as_deref().and_then(|slug| Slug::parse(slug).ok())
}
