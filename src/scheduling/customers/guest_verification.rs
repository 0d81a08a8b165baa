//! Booking services that verify the e-mail address of a guest: the time is held until the guest opens a link, and then
//! booked. The hold and its appointment have the same id, which the link contains.

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::{
    guest::{GuestAppointment, Guests, Managing, managed},
    letters::{self, Place},
    online,
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        json::Json,
        name::Name,
        problem::{ApiError, Failure, Problem, Writing},
        values::{EmailAddress, Text},
    },
    messaging::mail::Mail,
    operations::idempotency::Once,
    scheduling::booking::{
        book::{Order, Who},
        guest_request::GuestRequest,
        hold::Hold,
        holds::{self, Confirmation, HoldSelector, ToVerify},
    },
    sql,
};

/// How long a guest can open the link, in minutes.
const MINUTES: i32 = 30;

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
    async fn verify(&self, body: Json<Managing>) -> Result<Json<GuestAppointment>, ApiError<Writing>> {
        let api = &self.0;
        let guest = api.managing(&body.0.token)?;
        let id = managed(guest)?;
        let mut tx = api.db.begin(guest);
        let Some(row) = tx.optional(sql!("scheduling/guest_bookings_get.sql"), &[&id]).await? else {
            tx.commit().await?;
            let appointment = online::appointment(&api.db, guest, id).await?;
            return Ok(Json(api.show(guest.tenant, appointment)?));
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
        let counted = GuestRequest::counted(guest.tenant, text("email"));
        let confirmation = Confirmation {
            held: HoldSelector::By(id),
            who,
            note: text("note"),
            guest: Some(&counted),
            once: None,
        };
        let (appointment, before) = holds::confirm_alone(&api.db, &api.mailer, guest, &confirmation).await?;
        // If the link is opened twice at once, only one request sends the e-mail.
        if before {
            return Ok(Json(api.show(guest.tenant, appointment)?));
        }
        Ok(Json(api.booked(guest, appointment, &contact).await?))
    }
}

/// Holds the time, stores the guest's details, and sends the link by e-mail.
pub async fn hold(
    api: &Guests,
    guest: Context,
    order: &Order<'_>,
    contact: &NewContact,
    once: Option<&Once>,
) -> Result<UnverifiedBooking, Failure> {
    if order.services.len() > 1 {
        let detail = "expected no further service; a service that verifies e-mail addresses is booked alone";
        return Err(Problem::invalid_field("and_then", "not_supported", detail).into());
    }
    let Some(email) = &contact.email else {
        let detail = "expected the e-mail address of the guest; the service verifies it";
        return Err(Problem::invalid_field("contact.email", "required", detail).into());
    };
    let now = Utc::now();
    if !api.mailer.sends() {
        let detail = "This server does not send e-mail and cannot verify your address. Please contact the organization.";
        return Err(Problem::unavailable("mail_unavailable", detail).into());
    }
    let (hold, to_verify) = holds::hold(&api.db, &api.mailer, guest, order, MINUTES, once, now).await?;
    let Some(ToVerify { leave, notice: row }) = to_verify else {
        return Ok(hold.into());
    };
    let Hold { id, starts_at, expires_at, .. } = hold;
    let token = api.tokens.link_to(guest.tenant, id)?;
    let letter = letters::Unverified {
        place: Place {
            id: guest.tenant,
            organization: row.get("organization_name"),
            time_zone: row.get("time_zone"),
        },
        service: row.get("service_name"),
        provider: row.get("provider_name"),
        starts_at,
        expires_at,
        link: &api.mailer.link("verify-booking", &token),
    };
    let Mail { subject, body, .. } = letter.to(email);
    api.mailer.send_with_leave(leave, subject, body);
    Ok(hold.into())
}
