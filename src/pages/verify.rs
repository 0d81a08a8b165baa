//! The page behind the link of a booking that the guest has to confirm: opening the link books nothing, the button
//! does. Programs that check e-mails for harm open every link.

use std::sync::Arc;

use poem::{Response, http::StatusCode};

use super::{
    manage::{self, Item},
    shell::{self, Shell, see_other},
    site::Site,
    visit::Visit,
    waitlist::{Button, OfferPage},
};
use crate::{
    http::{caller::Link, json::Json, page::Ids, problem::Problem},
    scheduling::customers::{
        guest_access::{self, GuestToken},
        online,
    },
};

/// A booking that waits for the guest to confirm their address.
pub async fn show(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((place, guest, token)) = manage::opened(&site, &visit).await? else {
        return manage::open_link(&visit, "/verify-booking/open", None);
    };
    let (formats, language) = (&place.formats, place.formats.language);
    let hold = match site.holds.get_hold(Link(token)).await.map_err(Problem::from) {
        Ok(hold) => hold.0,
        // Booked already, or expired.
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            site.guests.see(guest, guest_access::managed(guest)?).await.map_err(|_| {
                Problem::conflict("hold_expired", "The hold has expired. Choose another slot.")
            })?;
            return Ok(see_other(&visit.plain_url(manage::PAGE, &[])));
        }
        Err(problem) => return Err(problem),
    };
    let services = online::catalog(&site.db, guest, &Ids(Some(vec![hold.service_id]))).await?;
    let staff = online::staff(&site.db, guest).await?;
    let service = services.into_iter().next().map(|service| service.name).unwrap_or_default();
    let provider = staff.into_iter().find(|one| one.id == hold.provider_id).map(|one| one.name);
    let when = formats.period(hold.starts_at, hold.ends_at);
    let page = OfferPage {
        shell: Shell::of(&visit, &place, &language.text("verify-heading")).private(),
        heading: language.text("verify-heading"),
        about: language.with("verify-until", &[("time", formats.time(hold.expires_at).into())]),
        said: None,
        item: Some(Item::of(formats, (&service, &provider.unwrap_or_default()), hold.starts_at, when)),
        buttons: vec![Button {
            action: visit.plain_url("/verify-booking", &[]),
            text: language.text("verify-it"),
            second: false,
        }],
        again: None,
        zone_note: formats.zone_note(&place.organization.name),
        open: visit.plain_url("/verify-booking/open", &[]),
    };
    shell::show(StatusCode::OK, &page.shell, &page)
}

/// Books what the guest has confirmed.
pub async fn verify(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let Some((_, token)) = manage::guest(&site, &visit)? else {
        return manage::open_link(&visit, "/verify-booking/open", None);
    };
    site.verification.verify(Json(GuestToken { token })).await?;
    Ok(see_other(&visit.plain_url(manage::PAGE, &[])))
}
