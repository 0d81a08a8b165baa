//! Guests hold time and wait for it. The link of a guest names one thing: the hold or the entry of the waitlist, and later
//! the appointment that comes of it, which has the same id.

use chrono::{DateTime, Utc};
use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    guest::{GuestAppointment, Guests, Managing, managed, says_enough},
    online::{self, LINK_OUTLIVES, link_expired},
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{Context, Tx},
    http::{
        Tag, caller,
        client::Client,
        json::{Created, Json, NoContent},
        limit::subscriber,
        problem::{ApiError, Failure, Problem, Writing},
        values::{CaptchaToken, IdempotencyKey, Instant, Slug, Text},
    },
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::{Order, Who},
            guest_request::GuestRequest,
            hold::Hold,
            holds::{self, Confirmation, HoldSelector},
            waitlist::{self, NewEntry},
            waitlist_entry::{Offer, WaitlistEntry, WaitlistStatus},
        },
        slots::availability::Enforcement,
    },
    sql,
};

/// A slot that a guest holds for 10 minutes.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestNewHold {
    pub service_id: Uuid,
    /// The provider. If omitted: the free provider with the fewest appointments that day.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// One of the starts that are listed.
    pub starts_at: Instant,
}

impl Example for GuestNewHold {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2026-12-01T09:00:00+01:00",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// A hold as a guest sees it.
#[derive(Debug, Object, Serialize)]
pub struct GuestHold {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    /// Until when it can be confirmed.
    pub expires_at: DateTime<Utc>,
    /// Confirms and releases this hold, and manages the appointment that comes of it.
    pub manage_token: String,
}

/// A guest confirms a hold.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestHoldConfirmation {
    /// The `manage_token` of the hold.
    pub token: String,
    /// Who comes.
    pub contact: NewContact,
    /// What the organization should know.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for GuestHoldConfirmation {
    fn example() -> Self {
        Self { token: Managing::example().token, contact: NewContact::example(), note: None }
    }
}

/// What a guest waits for.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestNewWaitlistEntry {
    pub service_id: Uuid,
    /// The provider. If omitted: any.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The earliest start that suits.
    pub from: Instant,
    /// The instant before which it has to start, at most 366 days after `from`.
    pub to: Instant,
    /// Who waits. An offer is sent to the e-mail address, if it has one.
    pub contact: NewContact,
}

impl Example for GuestNewWaitlistEntry {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "from": "2031-05-05T00:00:00Z",
            "to": "2031-05-12T00:00:00Z",
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// An entry of the waitlist as a guest sees it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct GuestWaitlistEntry {
    pub id: Uuid,
    pub service_id: Uuid,
    /// The provider. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    /// The earliest start that suits.
    pub from: DateTime<Utc>,
    /// The instant before which it has to start.
    pub to: DateTime<Utc>,
    pub status: WaitlistStatus,
    /// What is held for the guest. Absent: nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Shows and ends this entry, accepts and declines its offers, and manages the appointment that comes of it.
    pub manage_token: String,
}

pub struct GuestWaitsApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest", tag = "Tag::Scheduling")]
impl GuestWaitsApi {
    /// Hold a slot as a guest
    ///
    /// Keeps a free slot for 10 minutes, while the guest fills in a form; confirming it before it expires always works. Refused as
    /// booking is; 409 `verification_required` where the service verifies e-mail addresses. Counts as a booking for the limits
    /// of guests.
    #[oai(path = "/holds", method = "post", operation_id = "hold_as_guest")]
    async fn hold(
        &self,
        client: Client,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        /// What the captcha on the page gave. Required where the server asks for it; good for one request.
        #[oai(name = "Captcha-Token")]
        captcha_token: Header<Option<CaptchaToken>>,
        body: Json<GuestNewHold>,
    ) -> Result<Created<GuestHold>, ApiError<Writing>> {
        let id = Uuid::now_v7();
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), id).await?;
        // The body says nothing of the guest: their network does.
        let network = subscriber(client.address);
        let once = Once::new(&guest, "hold_as_guest", idempotency_key.0, &(network, &body.0))?;
        let kept = self.0.admit(&client, guest, captcha_token.0.as_deref(), once.as_ref()).await?;
        if kept.is_none() && online::verifies(&self.0.db, guest, &[body.0.service_id]).await? {
            Err(verified_only())?;
        }
        let order = Order {
            id: Some(id),
            services: vec![body.0.service_id],
            provider: body.0.provider_id,
            start: body.0.starts_at.0,
            who: Who::Unknown,
            note: None,
            policy: Enforcement::Full,
            online: true,
            guest: Some(GuestRequest::new(guest.tenant, client.address, None)),
        };
        let now = Utc::now();
        let (db, mailer, minutes) = (&self.0.db, &self.0.mailer, holds::DEFAULT_MINUTES);
        let (hold, _) = holds::hold(db, mailer, guest, &order, minutes, once.as_ref(), now).await?;
        let (location, body) = ("/api/v1/guest/hold".to_owned(), self.show_hold(guest, &hold)?);
        Ok(Created { location, body, replayed: Once::is_replay(once.as_ref()) })
    }

    /// Get the hold of a link
    ///
    /// With the `manage_token` in the header: `Authorization: Bearer …`. 404 after it has expired.
    #[oai(path = "/hold", method = "get", operation_id = "get_hold_as_guest")]
    async fn get_hold(&self, request: &Request) -> Result<Json<GuestHold>, ApiError<Writing>> {
        let guest = self.0.managing(caller::bearer_token(request)?)?;
        let row = self.0.db.optional(guest, sql!("scheduling/holds_get.sql"), &[&managed(guest)?]).await?;
        Ok(Json(self.show_hold(guest, &row.ok_or_else(Problem::not_found)?.into())?))
    }

    /// Release the hold of a link
    ///
    /// Its time is free at once, or offered to the first on the waitlist.
    #[oai(path = "/hold/release", method = "post", operation_id = "release_hold_as_guest")]
    async fn release(&self, body: Json<Managing>) -> Result<NoContent, ApiError<Writing>> {
        let guest = self.0.managing(&body.0.token)?;
        holds::release(&self.0.db, &self.0.mailer, guest, managed(guest)?).await?;
        Ok(NoContent)
    }

    /// Confirm the hold of a link
    ///
    /// Makes it an appointment, `pending` where the service requires approval. 409 `hold_expired` or 404 after it has expired. 422 where
    /// the service requires more of a guest; 409 `verification_required` where it verifies e-mail addresses.
    #[oai(path = "/hold/confirm", method = "post", operation_id = "confirm_hold_as_guest")]
    async fn confirm(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestHoldConfirmation>,
    ) -> Result<Created<GuestAppointment>, ApiError<Writing>> {
        let guest = self.0.managing(&body.0.token)?;
        let id = managed(guest)?;
        let db = &self.0.db;
        let once = Once::new(&guest, "confirm_hold_as_guest", idempotency_key.0, &body.0)?;
        // One that was confirmed before is gone, and its appointment is answered.
        if let Some(row) = db.optional(guest, sql!("scheduling/holds_get.sql"), &[&id]).await?
            && says_enough(db, guest, &[Hold::from(row).service_id], &body.0.contact).await?
        {
            Err(verified_only())?;
        }
        let counted = GuestRequest::of_email(guest.tenant, body.0.contact.email.as_deref());
        let confirmation = Confirmation {
            held: HoldSelector::By(id),
            who: Who::New(&body.0.contact),
            note: body.0.note.as_deref(),
            guest: Some(&counted),
            once: once.as_ref(),
        };
        let (appointment, replayed) = holds::confirm_alone(db, &self.0.mailer, guest, &confirmation).await?;
        online::check_link(guest, &appointment)?;
        let body = if replayed {
            self.0.show(guest.tenant, appointment)?
        } else {
            self.0.booked(guest, appointment, &body.0.contact).await?
        };
        Ok(Created { location: "/api/v1/guest/appointment".to_owned(), body, replayed })
    }

    /// Join the waitlist as a guest
    ///
    /// As `POST /api/v1/waitlist` does for members; the contact needs an e-mail address. Counts as a booking for the limits of guests. 409
    /// `verification_required` where the service verifies e-mail addresses.
    #[oai(path = "/waitlist", method = "post", operation_id = "join_waitlist_as_guest")]
    async fn join(
        &self,
        client: Client,
        /// The organization. Not needed at its own host.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        /// What the captcha on the page gave. Required where the server asks for it; good for one request.
        #[oai(name = "Captcha-Token")]
        captcha_token: Header<Option<CaptchaToken>>,
        body: Json<GuestNewWaitlistEntry>,
    ) -> Result<Created<GuestWaitlistEntry>, ApiError<Writing>> {
        let id = Uuid::now_v7();
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), id).await?;
        let once = Once::new(&guest, "join_waitlist_as_guest", idempotency_key.0, &body.0)?;
        let GuestNewWaitlistEntry { service_id, provider_id, from, to, contact } = body.0;
        let kept = self.0.admit(&client, guest, captcha_token.0.as_deref(), once.as_ref()).await?;
        if kept.is_none() {
            waitlist::period(from, to)?;
            if contact.email.is_none() {
                let detail = "an e-mail address: offers are sent there";
                Err(Problem::invalid_field("contact.email", "required", detail))?;
            }
            if says_enough(&self.0.db, guest, &[service_id], &contact).await? {
                Err(verified_only())?;
            }
        }
        let counted = GuestRequest::new(guest.tenant, client.address, contact.email.as_deref());
        let entry = self.0.db.attempt(guest, async |mut tx: Tx, _| -> Result<WaitlistEntry, Failure> {
            let entry = Once::run(once.as_ref(), &mut tx, async |tx| {
                counted.count(tx).await?;
                let contact = contacts::create(tx, &contact).await?;
                let (service, provider, guest_key) = (service_id, provider_id, counted.key);
                let period = (from.0, to.0);
                waitlist::add(tx, &NewEntry { id, service, provider, contact, period, guest_key }).await
            })
            .await?;
            tx.commit().await?;
            Ok(entry)
        });
        let entry = entry.await?;
        let (location, body) = ("/api/v1/guest/waitlist-entry".to_owned(), self.show(guest, entry)?);
        Ok(Created { location, body, replayed: Once::is_replay(once.as_ref()) })
    }

    /// Get the waitlist entry of a link
    ///
    /// As `POST` does, with the `manage_token` in the header: `Authorization: Bearer …`.
    #[oai(path = "/waitlist-entry", method = "get", operation_id = "get_waitlist_entry_as_guest")]
    async fn get(&self, request: &Request) -> Result<Json<GuestWaitlistEntry>, ApiError<Writing>> {
        let guest = self.0.managing(caller::bearer_token(request)?)?;
        let row = self.0.db.optional(guest, sql!("scheduling/waitlist_get.sql"), &[&managed(guest)?]).await?;
        Ok(Json(self.show(guest, row.ok_or_else(Problem::not_found)?.into())?))
    }

    /// See the waitlist entry of a link
    #[oai(path = "/waitlist-entry", method = "post", operation_id = "view_waitlist_entry_as_guest")]
    async fn view(&self, body: Json<Managing>) -> Result<Json<GuestWaitlistEntry>, ApiError<Writing>> {
        let guest = self.0.managing(&body.0.token)?;
        let row = self.0.db.optional(guest, sql!("scheduling/waitlist_get.sql"), &[&managed(guest)?]).await?;
        Ok(Json(self.show(guest, row.ok_or_else(Problem::not_found)?.into())?))
    }

    /// Accept the offer of a link
    ///
    /// Books what is held. 409 `nothing_offered` if nothing is held for the guest, `hold_expired` if it is too late.
    #[oai(path = "/waitlist-entry/accept", method = "post", operation_id = "accept_offer_as_guest")]
    async fn accept(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<Managing>,
    ) -> Result<Created<GuestAppointment>, ApiError<Writing>> {
        let guest = self.0.managing(&body.0.token)?;
        let id = managed(guest)?;
        let once = Once::new(&guest, "accept_offer_as_guest", idempotency_key.0, &body.0)?;
        let (appointment, replayed) =
            waitlist::accept(&self.0.db, &self.0.mailer, guest, id, once.as_ref()).await?;
        online::check_link(guest, &appointment)?;
        let body = self.0.show(guest.tenant, appointment)?;
        let location = "/api/v1/guest/appointment".to_owned();
        Ok(Created { location, body, replayed })
    }

    /// Decline the offer of a link
    ///
    /// The time is offered to the next. 409 `nothing_offered` if nothing is held for the guest.
    #[oai(path = "/waitlist-entry/decline", method = "post", operation_id = "decline_offer_as_guest")]
    async fn decline(&self, body: Json<Managing>) -> Result<Json<GuestWaitlistEntry>, ApiError<Writing>> {
        self.leave(&body.0, WaitlistStatus::Declined).await
    }

    /// Leave the waitlist by a link
    ///
    /// What was held for the guest is offered to the next. 409 `not_waiting` if they do not wait any more.
    #[oai(path = "/waitlist-entry/withdraw", method = "post", operation_id = "withdraw_as_guest")]
    async fn withdraw(&self, body: Json<Managing>) -> Result<Json<GuestWaitlistEntry>, ApiError<Writing>> {
        self.leave(&body.0, WaitlistStatus::Withdrawn).await
    }
}

/// 409: the address of whoever holds or waits was not verified.
fn verified_only() -> Problem {
    let detail = "The service verifies e-mail addresses: guests book it by POST /api/v1/guest/appointments.";
    Problem::conflict("verification_required", detail)
}

impl GuestWaitsApi {
    async fn leave(
        &self,
        link: &Managing,
        status: WaitlistStatus,
    ) -> Result<Json<GuestWaitlistEntry>, ApiError<Writing>> {
        let guest = self.0.managing(&link.token)?;
        let entry = waitlist::leave(&self.0.db, &self.0.mailer, guest, managed(guest)?, status).await?;
        Ok(Json(self.show(guest, entry)?))
    }

    fn show_hold(&self, guest: Context, hold: &Hold) -> Result<GuestHold, Problem> {
        Ok(GuestHold {
            id: hold.id,
            service_id: hold.service_id,
            provider_id: hold.provider_id,
            starts_at: hold.starts_at,
            ends_at: hold.ends_at,
            expires_at: hold.expires_at,
            manage_token: self.0.tokens.link_to(guest.tenant, hold.id)?,
        })
    }

    fn show(&self, guest: Context, entry: WaitlistEntry) -> Result<GuestWaitlistEntry, Problem> {
        if Utc::now() > entry.to + LINK_OUTLIVES {
            Err(link_expired())?;
        }
        let manage_token = self.0.tokens.link_to(guest.tenant, entry.id)?;
        let WaitlistEntry { id, service_id, provider_id, from, to, status, offer, .. } = entry;
        Ok(GuestWaitlistEntry { id, service_id, provider_id, from, to, status, offer, manage_token })
    }
}
