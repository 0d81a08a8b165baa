//! Booking: the guest's details while the time is kept, and the confirmation. Sent twice, a form books once: its hold
//! becomes one appointment. If the hold has expired, the time is held again if it is still free; if it is taken, the
//! form comes back with what was typed and with other times.

use std::sync::Arc;

use askama::Template;
use chrono::Utc;
use poem::{IntoResponse as _, Response, http::StatusCode};
use poem_openapi::param::{Header, Query};
use uuid::Uuid;

use super::{
    booking::{self, Chosen, Step},
    errors,
    form::{Field, Form, contact_fields, read_contact},
    formats::Shown,
    manage::{self, AppointmentPage},
    shell::{self, Place, Shell, see_other},
    site::Site,
    visit::Visit,
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        caller::{Link, ManageToken},
        if_match::IfMatch,
        json::Json,
        problem::Problem,
        values::{IdempotencyKey, Instant, Text},
    },
    scheduling::{
        catalog::service::Service,
        customers::{
            calendar_feeds,
            guest_access::{self, GuestAppointment, GuestToken},
            guest_appointments::GuestBooking,
            guest_holds::{GuestHold, GuestHoldConfirmation},
            guest_verification::GuestBooked,
        },
        slots::guest_rules::{GuestDetail, GuestVerification},
    },
};

/// Until when a time is kept.
struct Kept {
    iso: String,
    seconds: i64,
}

#[derive(Template)]
#[template(path = "details.html")]
struct DetailsPage {
    shell: Shell,
    steps: Vec<Step>,
    chosen: Chosen,
    form: Form,
    alternatives: Vec<Shown>,
    kept: String,
    kept_until: Option<Kept>,
    action: String,
    release: String,
    hold: String,
    key: String,
    starts_at: String,
    with: String,
    submit: String,
}

/// What a form or an address says of the booking.
struct Booking {
    service: Service,
    starts_at: Instant,
    with: Option<Uuid>,
    /// The hold: its name in addresses, and the guest who has it.
    hold: Option<(String, Context)>,
}

impl Booking {
    /// `None` without a start: nothing was chosen.
    async fn of(site: &Site, visit: &Visit, place: &Place) -> Result<Option<Self>, Problem> {
        let service = booking::service(site, visit, place).await?;
        let given = |name: &str| visit.form.get(name).or(visit.query.get(name));
        let Some(starts_at) = booking::start(visit, "starts_at") else {
            return Ok(None);
        };
        let hold = given("hold").and_then(|named| {
            let guest = site.guests.holding(place.organization.id, named).ok()??;
            Some((named.to_owned(), guest))
        });
        Ok(Some(Self { service, starts_at, with: given("with").and_then(|with| with.parse().ok()), hold }))
    }

    /// The form, with what was typed.
    fn form(&self, visit: &Visit, place: &Place) -> Form {
        let (language, service) = (place.formats.language, &self.service);
        let verifies = service.guest_verification == GuestVerification::Email;
        let requires = |detail| service.guest_requires.contains(&detail);
        let mut fields =
            contact_fields(language, verifies || requires(GuestDetail::Email), requires(GuestDetail::Phone));
        fields.push(Field::new(language, "note", "off").long(500));
        let typed = |field: Field| {
            let value = visit.form.get(field.id);
            field.value(value)
        };
        Form::of(fields.into_iter().map(typed).collect())
    }
}

/// The form for the details.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let Some(booking) = Booking::of(&site, &visit, &place).await? else {
        return Ok(see_other(&to_times(&visit)?));
    };
    let mut form = booking.form(&visit, &place);
    let held = match booking.hold {
        Some((_, guest)) => held(&site, guest).await,
        None => Ok(None),
    };
    match held {
        Ok(Some(hold)) => show_form(&site, &visit, &place, &booking, form, Some(&hold), None).await,
        // Booked already, in this tab or another.
        Ok(None) if booked(&site, &booking).await?.is_some() => to_done(&visit, &booking),
        Ok(None) => {
            if visit.query.get("hold").is_some() {
                form.alert = Some(place.formats.language.text("problem-hold_expired"));
            }
            show_form(&site, &visit, &place, &booking, form, None, None).await
        }
        Err(problem) => Err(problem),
    }
}

/// The hold while it stands.
async fn held(site: &Site, guest: Context) -> Result<Option<GuestHold>, Problem> {
    let link = Link(ManageToken(site.guests.link_to(guest)?));
    match site.holds.get_hold(link).await.map_err(Problem::from) {
        Ok(hold) => Ok(Some(hold.0)),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The appointment that the hold has become.
async fn booked(site: &Site, booking: &Booking) -> Result<Option<GuestAppointment>, Problem> {
    let Some((_, guest)) = booking.hold else {
        return Ok(None);
    };
    match site.guests.see(guest, guest_access::managed(guest)?).await.map_err(Problem::from) {
        Ok(appointment) => Ok(Some(appointment)),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => Ok(None),
        Err(problem) => Err(problem),
    }
}

async fn show_form(
    site: &Arc<Site>,
    visit: &Visit,
    place: &Place,
    booking: &Booking,
    form: Form,
    hold: Option<&GuestHold>,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let (formats, language) = (&place.formats, place.formats.language);
    let service = &booking.service;
    let performers = booking::performers(site, place, service).await?;
    let provider = hold.map(|hold| hold.provider_id).or(booking.with);
    let provider = provider.and_then(|id| performers.into_iter().find(|(known, _)| *known == id));
    let path = format!("/book/{}", service.id);
    let kept_until = hold.map(|hold| Kept {
        iso: formats.iso(hold.expires_at),
        seconds: (hold.expires_at - Utc::now()).num_seconds().max(0),
    });
    let kept = hold.map(|hold| language.with("kept", &[("time", formats.time(hold.expires_at).into())]));
    let when = match hold {
        Some(hold) => formats.period(hold.starts_at, hold.ends_at),
        None => formats.at(booking.starts_at.0),
    };
    let status = match refused {
        Some(problem) => problem.status,
        None if form.has_errors() => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let times = visit.url(&path, &[]);
    let page = DetailsPage {
        shell: Shell::of(visit, place, &language.text("your-details")).private(),
        steps: booking::steps(language, 2, &[visit.url("/book", &[]), times]),
        chosen: Chosen::of(place, service, provider.map(|(_, name)| name), Some(when)),
        form,
        alternatives: refused.map(|problem| booking::alternatives(place, problem)).unwrap_or_default(),
        kept: kept.unwrap_or_default(),
        kept_until,
        action: visit.url(&format!("{path}/confirm"), &[]),
        release: visit.url(&format!("{path}/release"), &[]),
        hold: booking.hold.as_ref().map(|(named, _)| named.clone()).unwrap_or_default(),
        key: Uuid::new_v4().to_string(),
        starts_at: formats.iso(booking.starts_at.0),
        with: booking.with.map(|with| with.to_string()).unwrap_or_default(),
        submit: language.text(if service.requires_approval { "ask-for-it" } else { "book-it" }),
    };
    shell::show(status, &page.shell, &page)
}

/// Books.
pub async fn confirm(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let Some(mut booking) = Booking::of(&site, &visit, &place).await? else {
        return Ok(see_other(&to_times(&visit)?));
    };
    let language = place.formats.language;
    let mut form = booking.form(&visit, &place);
    // Another time, because the first was taken.
    if let Some(instead) = booking::start(&visit, "instead") {
        booking = Booking { starts_at: instead, hold: None, ..booking };
    }
    let contact = read_contact(&mut form, language);
    let note = form.read(language, "note", Text::parse);
    let hold = match booking.hold {
        Some((_, guest)) => held(&site, guest).await?,
        None => None,
    };
    let Some(contact) = contact.filter(|_| !form.has_errors()) else {
        return show_form(&site, &visit, &place, &booking, form, hold.as_ref(), None).await;
    };
    let mailed = contact.email.is_some();
    let booked = match booking.service.guest_verification {
        GuestVerification::Email => book_unverified(&site, &visit, &booking, contact, note).await,
        GuestVerification::None => book(&site, &visit, &mut booking, contact, note).await,
    };
    match booked {
        Ok(Outcome::Booked { named }) => {
            let mailed = if mailed { "yes" } else { "" };
            Ok(see_other(&visit.url("/book/done", &[("booking", &named), ("mailed", mailed)])))
        }
        Ok(Outcome::Mailed { until }) => Ok(see_other(&visit.url("/book/check-mail", &[("until", &until)]))),
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422 | 429 | 503) => {
            form.refuse(language, &problem);
            let hold = match booking.hold {
                Some((_, guest)) => held(&site, guest).await?,
                None => None,
            };
            show_form(&site, &visit, &place, &booking, form, hold.as_ref(), Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

enum Outcome {
    /// Under this name in addresses.
    Booked { named: String },
    /// The guest opens a link first, until then.
    Mailed { until: String },
}

/// Books the held time. A hold that has expired is made again.
async fn book(
    site: &Site,
    visit: &Visit,
    booking: &mut Booking,
    contact: NewContact,
    note: Option<Text<1, 500>>,
) -> Result<Outcome, Problem> {
    let confirm = async |guest: Context| -> Result<Outcome, Problem> {
        let token = ManageToken(site.guests.link_to(guest)?);
        let confirmation = GuestHoldConfirmation { token, contact: contact.clone(), note: note.clone() };
        let confirmed = site.holds.confirm(Header(None), IfMatch::absent(), Json(confirmation)).await?;
        Ok(Outcome::Booked { named: booking::name(site, &confirmed.body.manage_token)? })
    };
    if let Some((_, guest)) = booking.hold {
        match confirm(guest).await {
            Err(problem) if matches!(problem.code, "hold_expired" | "not_found") => {}
            decided => return decided,
        }
    }
    let (service, key) = (booking.service.id, visit.form.get("key"));
    booking.hold = None;
    let hold = booking::keep(site, visit, service, booking.with, booking.starts_at, key).await?;
    let guest = site.guests.managing(&ManageToken(hold.manage_token))?;
    booking.hold = Some((site.guests.name_hold(guest)?, guest));
    confirm(guest).await
}

/// Asks for a booking that takes effect when the guest opens a link.
async fn book_unverified(
    site: &Site,
    visit: &Visit,
    booking: &Booking,
    contact: NewContact,
    note: Option<Text<1, 500>>,
) -> Result<Outcome, Problem> {
    let key = visit.form.get("key").and_then(|key| IdempotencyKey::parse(key).ok());
    let new = GuestBooking {
        service_id: booking.service.id,
        and_then: None,
        provider_id: booking.with,
        starts_at: booking.starts_at,
        contact,
        note,
    };
    let slug = Query(booking::slug(visit));
    let booked =
        site.appointments.book(visit.client.clone(), slug, Header(key), Header(None), Json(new)).await?;
    Ok(match booked {
        GuestBooked::Booked(appointment, ..) => {
            Outcome::Booked { named: booking::name(site, &appointment.0.manage_token)? }
        }
        GuestBooked::Held(hold, _) => Outcome::Mailed { until: hold.0.expires_at.to_rfc3339() },
    })
}

fn to_times(visit: &Visit) -> Result<String, Problem> {
    let service = visit.service.ok_or_else(Problem::not_found)?;
    Ok(visit.url(&format!("/book/{service}"), &[]))
}

fn to_done(visit: &Visit, booking: &Booking) -> Result<Response, Problem> {
    let (named, _) = booking.hold.as_ref().ok_or_else(Problem::not_found)?;
    Ok(see_other(&visit.url("/book/done", &[("booking", named)])))
}

/// Gives the held time back, and leads to the times.
pub async fn release(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let named = visit.form.get("hold");
    if let Some(guest) = named.and_then(|named| site.guests.holding(place.organization.id, named).ok()?) {
        let token = ManageToken(site.guests.link_to(guest)?);
        match site.holds.release(IfMatch::absent(), Json(GuestToken { token })).await.map_err(Problem::from) {
            Err(problem) if problem.status != StatusCode::NOT_FOUND => return Err(problem),
            _ => {}
        }
    }
    Ok(see_other(&to_times(&visit)?))
}

/// The guest whose appointment an address names.
fn named(site: &Site, visit: &Visit, place: &Place) -> Result<Context, Problem> {
    let named = visit.query.get("booking").ok_or_else(Problem::not_found)?;
    site.guests.holding(place.organization.id, named)?.ok_or_else(Problem::not_found)
}

/// The confirmation.
pub async fn done(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let guest = named(&site, &visit, &place)?;
    let appointment = site.guests.see(guest, guest_access::managed(guest)?).await?;
    let calendar = visit.query.get("booking").unwrap_or_default();
    let mut page = AppointmentPage::of(&visit, &place, &appointment);
    page.booked = true;
    page.about = place.formats.language.text(match visit.query.get("mailed") {
        Some(_) => "mailed",
        None => "not-mailed",
    });
    page.calendar = Some(visit.url("/book/calendar.ics", &[("booking", calendar)]));
    page.token = Some(appointment.manage_token);
    page.manage = visit.plain_url("/manage-appointment/open", &[]);
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// The appointment for a calendar.
pub async fn calendar(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let guest = named(&site, &visit, &place)?;
    let entry = calendar_feeds::one(&site.db, guest, guest_access::managed(guest)?).await?;
    Ok(manage::as_file(entry.into_response()))
}

/// After a booking that the guest has to confirm.
pub async fn check_mail(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let place = Place::of(&site.db, &visit).await?;
    let (formats, language) = (&place.formats, place.formats.language);
    let until = visit.query.get("until").and_then(|until| Instant::parse(until).ok());
    let text = match until {
        Some(until) => language.with("check-mail-until", &[("time", formats.time(until.0).into())]),
        None => language.text("check-mail"),
    };
    let shell = Shell::of(&visit, &place, &language.text("check-mail-heading")).private();
    errors::message(StatusCode::OK, shell, "check-mail-heading", vec![text], Vec::new())
}
