//! Booking services that verify the e-mail address of a guest: the time is held until the guest opens a link, and then
//! booked. The hold and its appointment have the same id, which the link contains.

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::{
    guest::{GuestAppointment, Guests, Managing, managed},
    online,
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        json::Json,
        name::Name,
        problem::{ApiError, GuestWriting, Problem},
        values::{EmailAddress, Text},
    },
    messaging::letters::{Item, Place, Unverified},
    scheduling::booking::{
        book::Who,
        guest_booking::ToVerify,
        guest_request::GuestRequest,
        hold::Hold,
        holds::{self, Confirmation, HoldSelector},
    },
    sql,
};

/// Time that is held until the guest opens the link in an e-mail.
#[derive(Debug, Object, Serialize)]
pub struct UnverifiedBooking {
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// When the hold expires. Until then the guest must open the link, whose page calls
    /// `POST /api/v1/guest/appointment/verify`.
    pub expires_at: DateTime<Utc>,
}

impl From<Hold> for UnverifiedBooking {
    fn from(hold: Hold) -> Self {
        let Hold { service_id, provider_id, starts_at, ends_at, expires_at, .. } = hold;
        Self { service_id, provider_id, starts_at, ends_at, expires_at }
    }
}

/// The result of a booking by a guest.
#[derive(ApiResponse)]
pub enum GuestBooked {
    /// The appointment was booked.
    #[oai(status = 201)]
    Booked(
        Json<GuestAppointment>,
        /// The path of the created object.
        #[oai(header = "Location")]
        String,
        /// `true` if this is the answer to an earlier request with the same `Idempotency-Key`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
    /// The time is held but not booked yet: the guest must open the link in an e-mail first.
    #[oai(status = 202)]
    Held(
        Json<UnverifiedBooking>,
        /// `true` if this is the answer to an earlier request with the same `Idempotency-Key`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

pub struct GuestVerificationApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestVerificationApi {
    /// Verify a guest's booking
    ///
    /// Books the time held for a guest whose e-mail address the service verifies (`guest_verification`). Called by the
    /// page that the link in the e-mail leads to. If the organization sets `match_by_verified_email` and exactly one
    /// contact has this address, the appointment is for that contact, who is not changed; otherwise a new contact is
    /// created. Calling it again returns the appointment. 409 `hold_expired` after the hold has expired, and 404 some
    /// seconds later.
    #[oai(path = "/appointment/verify", method = "post", operation_id = "verify_as_guest")]
    async fn verify(&self, body: Json<Managing>) -> Result<Json<GuestAppointment>, ApiError<GuestWriting>> {
        let api = &self.0;
        let guest = api.managing(&body.0.token)?;
        let id = managed(guest)?;
        let mut tx = api.db.begin(guest);
        let Some(row) = tx.optional(sql!("scheduling/guest_bookings_get.sql"), &[&id]).await? else {
            tx.commit().await?;
            return Ok(Json(api.see(guest, id).await?));
        };
        let text = |column: &str| row.get::<_, Option<&str>>(column);
        let unreadable = |_| Problem::internal();
        let contact = NewContact {
            first_name: Name::parse(text("first_name").unwrap_or_default()).map_err(unreadable)?,
            last_name: Name::parse(text("last_name").unwrap_or_default()).map_err(unreadable)?,
            email: text("email").map(EmailAddress::parse).transpose().map_err(unreadable)?,
            phone: text("phone").map(Text::parse).transpose().map_err(unreadable)?,
        };
        let who = match row.get::<_, Option<Uuid>>("contact_id") {
            Some(known) => Who::Known(known),
            None => Who::New(&contact),
        };
        tx.commit().await?;
        let counted = GuestRequest::verified(guest.tenant, text("email"));
        let confirmation = Confirmation {
            held: HoldSelector::By(id),
            who,
            note: text("note"),
            guest: Some(&counted),
            once: None,
        };
        let (_, before) = holds::confirm_alone(&api.db, &api.mailer, guest, &confirmation).await?;
        let named = online::named(&api.db, guest, id).await?;
        // If the link is opened twice at once, only one request sends the e-mail.
        Ok(Json(if before { api.show(guest.tenant, &named)? } else { api.booked(guest, &named, &contact)? }))
    }
}

/// Sends the link by e-mail that books the held time.
pub fn mail(api: &Guests, guest: Context, hold: &Hold, to_verify: ToVerify) -> Result<(), Problem> {
    let ToVerify { leave, notice } = to_verify;
    let token = api.tokens.link_to(guest.tenant, hold.id)?;
    let letter = Unverified {
        place: &Place::read(guest.tenant, &notice),
        item: Item {
            service: notice.get("service_name"),
            provider: notice.get("provider_name"),
            starts_at: hold.starts_at,
        },
        expires_at: hold.expires_at,
        link: &api.mailer.link("verify-booking", &token),
    };
    api.mailer.send_with_leave(leave, letter.text());
    Ok(())
}
