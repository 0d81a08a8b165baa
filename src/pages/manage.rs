//! The pages behind the link of a guest: the appointment, moving and cancelling it, and confirming a booking.
//!
//! The secret of a link is behind `#`, which browsers do not send. The page posts it once; then a cookie of these pages
//! has it for half an hour, so that reloading and going back work and no address has the secret.

use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, Datelike as _, Utc};
use poem::{
    IntoResponse as _, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::param::Header;
use uuid::Uuid;

use super::{
    booking::{self, Chosen, WhenPage},
    form::{Field, Form},
    formats::{Formats, Shown},
    month::{Month, Wish},
    shell::{self, Place, Shell, see_other},
    site::Site,
    visit::{LINK_COOKIE, Visit},
};
use crate::{
    db::Context,
    http::{caller::ManageToken, json::Json, page::Ids, problem::Problem, values::Text},
    scheduling::{
        booking::appointment::{AppointmentAction, AppointmentStatus},
        customers::{
            calendar_feeds,
            guest_access::{self, GuestAppointment},
            guest_appointments::{GuestCancellation, GuestReschedule},
            online,
        },
    },
};

/// How long the cookie is kept, in seconds.
const KEPT: u32 = 30 * 60;

/// A service of what is shown.
pub struct Item {
    pub weekday: String,
    pub number: u32,
    pub when: Shown,
    pub service: String,
    pub provider: String,
}

impl Item {
    pub fn of(
        formats: &Formats,
        (service, provider): (&str, &str),
        from: DateTime<Utc>,
        when: Shown,
    ) -> Self {
        let date = formats.date_of(from);
        Self {
            weekday: formats.short_weekday(date),
            number: date.day(),
            when,
            service: service.to_owned(),
            provider: provider.to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "appointment.html")]
pub struct AppointmentPage {
    pub shell: Shell,
    pub heading: String,
    pub about: String,
    /// Whether it has just been booked.
    pub booked: bool,
    pub said: Option<String>,
    pub items: Vec<Item>,
    pub status: String,
    pub calendar: Option<String>,
    pub token: Option<String>,
    pub manage: String,
    pub move_to: Option<String>,
    pub cancel: Option<String>,
    pub again: Option<String>,
    pub note: String,
    pub zone_note: String,
    /// Whether the page opens the link of its address.
    pub opens: bool,
    pub open: String,
}

impl AppointmentPage {
    /// The appointment, without anything to do.
    pub fn of(visit: &Visit, place: &Place, appointment: &GuestAppointment) -> Self {
        let (formats, language) = (&place.formats, place.formats.language);
        let item = |service: &str, provider: &str, from, to| {
            Item::of(formats, (service, provider), from, formats.period(from, to))
        };
        let items = match &appointment.segments {
            Some(segments) => segments
                .iter()
                .map(|part| item(&part.service_name, &part.provider_name, part.starts_at, part.ends_at))
                .collect(),
            None => {
                let GuestAppointment { service_name, provider_name, starts_at, ends_at, .. } = appointment;
                vec![item(service_name, provider_name, *starts_at, *ends_at)]
            }
        };
        let status = appointment.status.name();
        let heading = match appointment.status {
            AppointmentStatus::Pending => "heading-pending",
            AppointmentStatus::Confirmed => "heading-booked",
            AppointmentStatus::CheckedIn
            | AppointmentStatus::InProgress
            | AppointmentStatus::Completed
            | AppointmentStatus::Cancelled
            | AppointmentStatus::Declined
            | AppointmentStatus::NoShow => "your-appointment",
        };
        let heading = language.text(heading);
        let note = match appointment.changeable_until {
            Some(until) => language.with("changeable-until", &[("at", formats.at(until).text.into())]),
            None => {
                language.with("not-changeable", &[("organization", place.organization.name.as_str().into())])
            }
        };
        Self {
            shell: Shell::of(visit, place, &heading).private(),
            heading,
            about: String::new(),
            booked: false,
            said: None,
            items,
            status: language.text(&format!("status-{}", status.replace('_', "-"))),
            calendar: None,
            token: None,
            manage: String::new(),
            move_to: None,
            cancel: None,
            again: None,
            note,
            zone_note: formats.zone_note(&place.organization.name),
            opens: false,
            open: String::new(),
        }
    }
}

#[derive(Template)]
#[template(path = "open_link.html")]
struct OpenLinkPage {
    shell: Shell,
    heading: String,
    open: String,
    form: Form,
}

/// The page that takes the secret of a link.
pub fn open_link(visit: &Visit, open: &str, refused: Option<&Problem>) -> Result<Response, Problem> {
    let language = visit.language(None);
    let heading = language.text("open-link-heading");
    let mut form = Form::of(vec![Field::new(language, "token", "off").most(4000)]);
    if let Some(problem) = refused {
        form.alert = Some(language.problem(problem));
    }
    let page = OpenLinkPage {
        shell: Shell::plain(visit, &heading).private(),
        heading,
        open: visit.plain_url(open, &[]),
        form,
    };
    let status = refused.map_or(StatusCode::OK, |problem| problem.status);
    shell::show(status, &page.shell, &page)
}

/// Opens a link: keeps its secret in the cookie, and leads to the page.
pub async fn open(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let token = visit.form.get("token").unwrap_or_default();
    // People paste all of the link, too.
    let token = token.rsplit_once("#token=").map_or(token, |(_, token)| token);
    if let Err(problem) = site.tokens.managed(token) {
        return open_link(&visit, &visit.path, Some(&problem));
    }
    let page = visit.path.trim_end_matches("/open");
    let mut response = see_other(&visit.plain_url(page, &[]));
    let cookie = format!("{LINK_COOKIE}={token}; Path=/; Max-Age={KEPT}; Secure; HttpOnly; SameSite=Strict");
    let value = HeaderValue::from_str(&cookie).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// The guest of the link that is open; `None` without one.
pub fn guest(site: &Site, visit: &Visit) -> Result<Option<(Context, ManageToken)>, Problem> {
    let Some(token) = &visit.link else {
        return Ok(None);
    };
    let token = ManageToken(token.clone());
    match site.guests.managing(&token) {
        Ok(guest) => Ok(Some((guest, token))),
        // Of an earlier key: the link in the e-mail is asked for again.
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The guest of the link that is open, and their organization. Without one: where a link is opened.
pub async fn opened(site: &Site, visit: &Visit) -> Result<Option<(Place, Context, ManageToken)>, Problem> {
    match guest(site, visit)? {
        Some((guest, token)) => Ok(Some((Place::of_guest(&site.db, visit, guest).await?, guest, token))),
        None => Ok(None),
    }
}

/// Where an appointment is shown.
pub const PAGE: &str = "/manage-appointment";

/// The appointment.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((place, guest, _)) = opened(&site, &visit).await? else {
        return open_link(&visit, "/manage-appointment/open", None);
    };
    let appointment = site.guests.see(guest, guest_access::managed(guest)?).await?;
    let mut page = AppointmentPage::of(&visit, &place, &appointment);
    let language = place.formats.language;
    page.said = match visit.query.get("done") {
        Some("moved") => Some(language.text("said-moved")),
        Some("cancelled") => Some(language.text("said-cancelled")),
        _ => None,
    };
    page.heading = language.text("your-appointment");
    let at = |path: &str| visit.plain_url(&format!("{PAGE}{path}"), &[]);
    match appointment.changeable_until {
        Some(_) => {
            page.move_to = Some(at("/move"));
            page.cancel = Some(at("/cancel"));
            page.calendar = Some(at("/calendar.ics"));
        }
        None => {
            let base = if shell::is_ours(&visit) {
                format!("/o/{}", place.organization.slug)
            } else {
                String::new()
            };
            page.again = Some(visit.plain_url(&format!("{base}/book"), &[]));
        }
    }
    page.opens = true;
    page.open = visit.plain_url("/manage-appointment/open", &[]);
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// The appointment for a calendar.
pub async fn calendar(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((guest, _)) = guest(&site, &visit)? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    let entry = calendar_feeds::one(&site.db, guest, guest_access::managed(guest)?).await?;
    Ok(as_file(entry.into_response()))
}

/// An answer that browsers keep as a file.
pub fn as_file(mut response: Response) -> Response {
    let name = HeaderValue::from_static("attachment; filename=\"appointment.ics\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Other times for the appointment.
pub async fn when(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    show_times(&site, &visit, None).await
}

async fn show_times(site: &Arc<Site>, visit: &Visit, refused: Option<&Problem>) -> Result<Response, Problem> {
    let Some((place, guest, _)) = opened(site, visit).await? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    let (id, language) = (guest_access::managed(guest)?, place.formats.language);
    let named = online::named(&site.db, guest, id).await?;
    online::check_change(guest, &named, AppointmentAction::Reschedule, Utc::now())?;
    let appointment = &named.appointment;
    let services = online::catalog(&site.db, guest, &Ids(Some(vec![appointment.service_id]))).await?;
    let Some(service) = services.into_iter().next() else {
        let detail = "The service is no longer bookable online.";
        return Err(Problem::conflict("service_unavailable", detail));
    };
    let performers = booking::performers(site, &place, &service).await?;
    let wanted = visit.form.get("with").or(visit.query.get("with"));
    let with: Option<Uuid> = wanted.and_then(|with| with.parse().ok());
    let with = with.filter(|with| performers.iter().any(|(known, _)| known == with));
    let with_text = with.map(|with| with.to_string()).unwrap_or_default();
    let path = "/manage-appointment/move";
    let address = |query: &[(&str, &str)]| {
        let kept = with.map(|_| ("with", with_text.as_str()));
        visit.plain_url(path, &kept.into_iter().chain(query.iter().copied()).collect::<Vec<_>>())
    };
    let wish = Wish { context: guest, service: service.id, with, moved: Some(id) };
    let month = Month::of(site, visit, &place, wish, address).await?;
    let current = place.formats.period(appointment.starts_at, appointment.ends_at);
    let page = WhenPage {
        shell: Shell::of(visit, &place, &language.text("other-time")).private(),
        steps: Vec::new(),
        chosen: Chosen::of(&place, &service, Some(named.provider_name.clone()), Some(current)),
        alert: refused.map(|problem| language.problem(problem)),
        alternatives: refused.map(|problem| booking::alternatives(&place, problem)).unwrap_or_default(),
        people: booking::people(language, &performers, with, |query| visit.plain_url(path, query)),
        action: visit.plain_url(path, &[]),
        key: String::new(),
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
        waitlist: None,
    };
    shell::show(refused.map_or(StatusCode::OK, |problem| problem.status), &page.shell, &page)
}

/// Moves the appointment. With anyone, it stays with its provider if that one is free.
pub async fn reschedule(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((guest, token)) = guest(&site, &visit)? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    let Some(starts_at) = booking::start(&visit, "starts_at") else {
        return Ok(see_other(&visit.plain_url("/manage-appointment/move", &[])));
    };
    let with: Option<Uuid> = visit.form.get("with").and_then(|with| with.parse().ok());
    let move_to = async |token: ManageToken, provider_id: Option<Uuid>| {
        let wanted = GuestReschedule { token, starts_at, provider_id };
        site.appointments.reschedule(Json(wanted)).await.map_err(Problem::from)
    };
    let mut moved = move_to(token.clone(), with).await;
    if with.is_none()
        && moved.as_ref().is_err_and(|problem| problem.code == "slot_unavailable")
        && let Some(other) = free_provider(&site, guest, starts_at.0).await?
    {
        moved = move_to(token, Some(other)).await;
    }
    match moved {
        Ok(_) => Ok(see_other(&visit.plain_url(PAGE, &[("done", "moved")]))),
        Err(problem) if problem.code == "too_late" || problem.code == "transition_not_allowed" => {
            Err(problem)
        }
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422) => {
            show_times(&site, &visit, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// Another provider to whom the appointment can be moved at this start.
async fn free_provider(
    site: &Arc<Site>,
    guest: Context,
    start: DateTime<Utc>,
) -> Result<Option<Uuid>, Problem> {
    let id = guest_access::managed(guest)?;
    let service = online::named(&site.db, guest, id).await?.appointment.service_id;
    let wish = Wish { context: guest, service, with: None, moved: Some(id) };
    super::month::free_at(site, wish, start).await
}

#[derive(Template)]
#[template(path = "cancel.html")]
struct CancelPage {
    shell: Shell,
    action: String,
    back: String,
    when: Shown,
    service: String,
    provider: String,
    form: Form,
}

/// Asks whether to cancel.
pub async fn ask(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    show_question(&site, &visit, None).await
}

async fn show_question(site: &Site, visit: &Visit, refused: Option<&Problem>) -> Result<Response, Problem> {
    let Some((place, guest, _)) = opened(site, visit).await? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    let language = place.formats.language;
    let named = online::named(&site.db, guest, guest_access::managed(guest)?).await?;
    online::check_change(guest, &named, AppointmentAction::Cancel, Utc::now())?;
    let appointment = site.guests.show(guest, &named)?;
    let reason = Field::new(language, "reason", "off").long(500).value(visit.form.get("reason"));
    let mut form = Form::of(vec![reason]);
    if let Some(problem) = refused {
        form.refuse(language, problem);
    }
    let page = CancelPage {
        shell: Shell::of(visit, &place, &language.text("cancel-question")).private(),
        action: visit.plain_url("/manage-appointment/cancel", &[]),
        back: visit.plain_url(PAGE, &[]),
        when: place.formats.period(appointment.starts_at, appointment.ends_at),
        service: appointment.service_name,
        provider: appointment.provider_name,
        form,
    };
    shell::show(refused.map_or(StatusCode::OK, |problem| problem.status), &page.shell, &page)
}

/// Cancels the appointment.
pub async fn cancel(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((_, token)) = guest(&site, &visit)? else {
        return Ok(see_other(&visit.plain_url(PAGE, &[])));
    };
    let reason = match visit.form.get("reason").map(Text::parse) {
        Some(Ok(reason)) => Some(reason),
        Some(Err(_)) => {
            let problem = Problem::invalid_field("reason", "invalid_value", "expected text");
            return show_question(&site, &visit, Some(&problem)).await;
        }
        None => None,
    };
    site.appointments.cancel(Header(None), Json(GuestCancellation { token, reason })).await?;
    Ok(see_other(&visit.plain_url(PAGE, &[("done", "cancelled")])))
}
