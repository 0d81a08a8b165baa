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
    db::{Context, row},
    http::{
        if_match::Precondition,
        json::Json,
        problem::{ApiError, Failure, Problem, Writing},
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

/// What a guest sent when their time was held.
struct GuestBookingRow {
    contact: NewContact,
    note: Option<String>,
    /// The contact with this address, if the organization books verified guests for the contacts they have.
    contact_id: Option<Uuid>,
}

row! {
    GuestBookingRow { contact: NewContact, note, contact_id }
}

row! {
    NewContact { first_name, last_name, email, phone }
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
        let sql = sql!("scheduling/guest_bookings_get.sql" as GuestBookingRow);
        let Some(GuestBookingRow { contact, note, contact_id }) = tx.optional(sql, &[&id]).await? else {
            tx.commit().await?;
            let appointment = online::appointment(&api.db, guest, id).await?;
            return Ok(Json(api.show(guest.tenant, appointment)?));
        };
        let who = match contact_id {
            Some(known) => Who::Known(known),
            None => Who::New(&contact),
        };
        tx.commit().await?;
        let counted = GuestRequest::counted(guest.tenant, contact.email.as_deref());
        let confirmation = Confirmation {
            held: HoldSelector::By(id),
            who,
            note: note.as_deref(),
            guest: Some(&counted),
            once: &Once::without_key(),
            precondition: &Precondition::none(),
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
    once: &Once,
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
    let Some(ToVerify { leave, notice }) = to_verify else {
        return Ok(hold.into());
    };
    let Hold { id, starts_at, expires_at, .. } = hold;
    let token = api.tokens.link_to(guest.tenant, id)?;
    let letter = letters::Unverified {
        place: Place {
            id: guest.tenant,
            organization: &notice.organization_name,
            time_zone: notice.time_zone,
        },
        service: &notice.service_name,
        provider: &notice.provider_name,
        starts_at,
        expires_at,
        link: &api.mailer.link("verify-booking", &token),
    };
    let Mail { subject, body, .. } = letter.to(email);
    api.mailer.send_with_leave(leave, subject, body);
    Ok(hold.into())
}
