//! Booking services that verify the e-mail address of a guest: the time is held until the guest opens a link, and then
//! booked. The hold and its appointment have the same id, which the link contains.

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::{
    guest_access::{GuestAppointment, GuestToken, Guests, managed},
    online,
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, row},
    http::{
        if_match::Precondition,
        json::Json,
        problem::{ApiError, GuestWriting, Problem},
    },
    messaging::letters::{Item, Place, Unverified},
    operations::idempotency::Once,
    scheduling::booking::{
        book::Who,
        confirm::{self, Confirmation, HoldSelector},
        guest_booking::ToVerify,
        guest_request::GuestRequest,
        hold::Hold,
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
    /// seconds later. 409 `already_booked` or `contact_busy` if the contact has another appointment at this time. 429
    /// `guest_limit` if the limit of guest bookings is reached.
    #[oai(path = "/appointment/verify", method = "post", operation_id = "verify_as_guest")]
    pub async fn verify(
        &self,
        body: Json<GuestToken>,
    ) -> Result<Json<GuestAppointment>, ApiError<GuestWriting>> {
        let api = &self.0;
        let guest = api.managing(&body.0.token)?;
        let id = managed(guest)?;
        let mut tx = api.db.begin(guest);
        let sql = sql!("scheduling/guest_bookings_get.sql" as GuestBookingRow);
        let Some(GuestBookingRow { contact, note, contact_id }) = tx.optional(sql, &[&id]).await? else {
            tx.commit().await?;
            return Ok(Json(api.see(guest, id).await?));
        };
        let who = match contact_id {
            Some(known) => Who::Known(known),
            None => Who::New(&contact),
        };
        tx.commit().await?;
        let counted = GuestRequest::verified(guest.tenant, contact.email.as_deref());
        let confirmation = Confirmation {
            held: HoldSelector::By(id, Precondition::none()),
            who,
            note: note.as_deref(),
            guest: Some(&counted),
            once: &Once::without_key(),
        };
        confirm::confirm_alone(&api.db, &api.mailer, guest, &confirmation).await?;
        let named = online::named(&api.db, guest, id).await?;
        Ok(Json(api.show(guest, &named)?))
    }
}

/// Sends the link by e-mail that books the held time.
pub fn mail(api: &Guests, guest: Context, hold: &Hold, to_verify: ToVerify) -> Result<(), Problem> {
    let ToVerify { permit, notice } = to_verify;
    let token = api.link_to(guest)?;
    let letter = Unverified {
        place: &Place {
            id: guest.tenant,
            organization: notice.organization_name,
            time_zone: notice.time_zone,
        },
        item: Item {
            service: &notice.service_name,
            provider: &notice.provider_name,
            starts_at: hold.starts_at,
        },
        expires_at: hold.expires_at,
        link: &api.mailer.link("verify-booking", &token),
    };
    api.mailer.send_with_permit(permit, letter.text());
    Ok(())
}
