//! Services that want to know that a guest can be reached: the time is held until the link that was mailed is opened, and
//! then booked. The hold, and the appointment that comes of it, have one id, which the link names.

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
        Tag,
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

/// How long a guest has to open the link.
const MINUTES: i32 = 30;

/// Time that is held until a guest opens the link that was mailed.
#[derive(Debug, Object, Serialize)]
pub struct UnverifiedBooking {
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    /// Until when the link has to be opened: `POST /api/v1/guest/appointment/verify`.
    pub expires_at: DateTime<Utc>,
}

impl From<Hold> for UnverifiedBooking {
    fn from(hold: Hold) -> Self {
        let Hold { service_id, provider_id, starts_at, ends_at, expires_at, .. } = hold;
        Self { service_id, provider_id, starts_at, ends_at, expires_at }
    }
}

/// What became of a booking of a guest.
#[derive(ApiResponse)]
pub enum GuestBooked {
    /// Booked.
    #[oai(status = 201)]
    Booked(
        Json<GuestAppointment>,
        /// The path of what was created.
        #[oai(header = "Location")]
        String,
        /// `true`: the answer to an earlier request with the same `Idempotency-Key`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
    /// Held, and not booked yet: a link was mailed that has to be opened first.
    #[oai(status = 202)]
    Held(
        Json<UnverifiedBooking>,
        /// `true`: the answer to an earlier request with the same `Idempotency-Key`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

pub struct GuestVerificationApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest", tag = "Tag::Scheduling")]
impl GuestVerificationApi {
    /// Verify the booking of a link
    ///
    /// Books what is held until the e-mail address of a guest is verified (`guest_verification` of the service): the page that the
    /// mailed link leads to calls it. Where the organization wants it (`match_by_verified_email`), the appointment is for
    /// the contact that has this address, if exactly one has; that contact stays as it is. Called again, it answers the
    /// appointment. 409 `hold_expired`, or 404 some seconds later, after the time to open the link has passed.
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
        // Opened twice at once: one of the two tells the guest.
        if before {
            return Ok(Json(api.show(guest.tenant, appointment)?));
        }
        Ok(Json(api.booked(guest, appointment, &contact).await?))
    }
}

/// Holds the time of an order, keeps what the guest said, and mails the link.
pub async fn hold(
    api: &Guests,
    guest: Context,
    order: &Order<'_>,
    contact: &NewContact,
    once: Option<&Once>,
) -> Result<UnverifiedBooking, Failure> {
    if order.services.len() > 1 {
        let detail = "nothing: a service that verifies e-mail addresses is booked alone";
        return Err(Problem::invalid_field("and_then", "not_supported", detail).into());
    }
    let Some(email) = &contact.email else {
        let detail = "the e-mail address of the guest: the service verifies it";
        return Err(Problem::invalid_field("contact.email", "required", detail).into());
    };
    let now = Utc::now();
    if !api.mailer.sends() {
        let detail = "This server sends no e-mail, so that it cannot verify your address. Please call the organization.";
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
