//! Holds and waitlist entries of guests. The link of a guest is for one id: the hold or waitlist entry, and later the
//! appointment booked from it, which has the same id.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    guest::{self, GuestAppointment, Guests, Managing, managed},
    guest_entry::{GuestNewWaitlistEntry, GuestOffer, GuestWaitlistEntry, NamedEntry},
    online::{self, LINK_OUTLIVES, link_expired},
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        caller::Link,
        client::Client,
        if_match::{IfMatch, Precondition},
        json::{Created, Json, NoContent},
        limit::subscriber,
        problem::{ApiError, Failure, GuestWriting, LinkReading, Problem},
        values::{CaptchaToken, IdempotencyKey, Instant, Slug, Text},
    },
    messaging::letters::{Place, Waiting},
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::{Order, Who},
            claims::Labels,
            confirm::{self, Confirmation, HoldSelector},
            guest_request::GuestRequest,
            hold::{self, Hold},
            holds,
            waitlist::{self, NewEntry},
            waitlist_entry::{WaitlistEntry, WaitlistStatus},
        },
        slots::availability::Enforcement,
    },
    sql,
};

/// A new hold by a guest, for 10 minutes.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestNewHold {
    pub service_id: Uuid,
    /// The provider. If omitted: the free provider with the fewest appointments that day.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The start: one that `GET /api/v1/guest/services/{service_id}/slots` lists.
    pub starts_at: Instant,
}

impl Example for GuestNewHold {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// A hold, as a guest sees it.
#[derive(Debug, Object, Serialize)]
pub struct GuestHold {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// When the hold expires; it can be confirmed until then.
    pub expires_at: DateTime<Utc>,
    /// The token for confirming and releasing this hold, and for managing the appointment booked from it.
    pub manage_token: String,
}

/// A confirmation of a hold by a guest.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestHoldConfirmation {
    /// The `manage_token` of the hold.
    pub token: String,
    /// The guest.
    pub contact: NewContact,
    /// A message for the organization, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for GuestHoldConfirmation {
    fn example() -> Self {
        Self { token: Managing::example().token, contact: NewContact::example(), note: None }
    }
}

pub struct GuestWaitsApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestWaitsApi {
    /// Hold a slot as a guest
    ///
    /// Reserves a free slot for 10 minutes, while the guest fills in a form. Confirming the hold before it expires
    /// always succeeds. Counts towards the organization's limits of guest bookings. Errors are those of `POST
    /// /api/v1/guest/appointments`. 409 `verification_required` if the service verifies e-mail addresses. 404
    /// `organization_not_found` if no active organization has the slug or host. 409 `slot_unavailable` if the time is
    /// taken, `too_many_holds` if the organization has 500 holds. 429 `guest_limit` if the limit of guest bookings is reached. 503
    /// `captcha_unavailable` if the captcha cannot be checked.
    #[oai(path = "/holds", method = "post", operation_id = "hold_as_guest")]
    async fn hold(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        /// The token from the captcha on the page, valid for one request. Required if the server uses a captcha.
        #[oai(name = "Captcha-Token")]
        captcha_token: Header<Option<CaptchaToken>>,
        body: Json<GuestNewHold>,
    ) -> Result<Created<GuestHold>, ApiError<GuestWriting>> {
        let id = Uuid::now_v7();
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), id).await?;
        // The body does not identify the guest, so the key is bound to their network.
        let network = subscriber(client.address);
        let once = Once::new(&guest, "hold_as_guest", idempotency_key.0, &(network, &body.0))?;
        self.0.admit(&client, guest, captcha_token.0.as_deref(), &once).await?;
        let order = Order {
            id: Some(id),
            services: vec![body.0.service_id],
            provider: body.0.provider_id,
            start: body.0.starts_at.0,
            who: Who::Unknown,
            note: None,
            labels: Labels::default(),
            policy: Enforcement::Full,
            online: true,
            guest: Some(GuestRequest::new(guest.tenant, client.address, None)),
        };
        let now = Utc::now();
        let (db, mailer, minutes) = (&self.0.db, &self.0.mailer, holds::DEFAULT_MINUTES);
        let hold = holds::hold(db, mailer, guest, &order, minutes, &once, now).await?;
        let (location, body) = ("/api/v1/guest/hold".to_owned(), self.show_hold(guest, &hold)?);
        Ok(once.created(location, body))
    }

    /// Get a guest's hold
    ///
    /// 404 after the hold has expired.
    #[oai(path = "/hold", method = "get", operation_id = "get_hold_as_guest")]
    async fn get_hold(&self, link: Link) -> Result<Json<GuestHold>, ApiError<LinkReading>> {
        let guest = self.0.managing(&link.0)?;
        let hold = self.0.db.optional(guest, hold::GET, &[&managed(guest)?]).await?;
        Ok(Json(self.show_hold(guest, &hold.ok_or_else(Problem::not_found)?)?))
    }

    /// Release a guest's hold
    ///
    /// Frees its time immediately, or offers it to the waitlist.
    #[oai(path = "/hold/release", method = "post", operation_id = "release_hold_as_guest")]
    async fn release(
        &self,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<Managing>,
    ) -> Result<NoContent, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        let precondition = if_match.on_view(|hold: &Hold| self.show_hold(guest, hold));
        holds::release(&self.0.db, &self.0.mailer, guest, managed(guest)?, &precondition).await?;
        Ok(NoContent)
    }

    /// Confirm a guest's hold
    ///
    /// Turns the hold into an appointment, which is `pending` if the service requires approval. 409 `hold_expired` or
    /// 404 after it has expired. 422 `required` on `contact.email` or `contact.phone` if the service requires it. 409
    /// `verification_required` if the service verifies e-mail addresses. 409 `already_booked` if the guest has a seat
    /// in the session. 429 `guest_limit` if the limit of guest bookings is reached.
    #[oai(path = "/hold/confirm", method = "post", operation_id = "confirm_hold_as_guest")]
    async fn confirm(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<GuestHoldConfirmation>,
    ) -> Result<Created<GuestAppointment>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        let id = managed(guest)?;
        let db = &self.0.db;
        let once = Once::new(&guest, "confirm_hold_as_guest", idempotency_key.0, &body.0)?;
        let counted = GuestRequest::of_email(guest.tenant, body.0.contact.email.as_deref());
        let confirmation = Confirmation {
            held: HoldSelector::By(id, if_match.on_view(|hold: &Hold| self.show_hold(guest, hold))),
            who: Who::New(&body.0.contact),
            note: body.0.note.as_deref(),
            guest: Some(&counted),
            once: &once,
        };
        let (_, replayed) = confirm::confirm_alone(db, &self.0.mailer, guest, &confirmation).await?;
        let named = online::named(db, guest, id).await?;
        let body = if replayed {
            self.0.show(guest.tenant, &named)?
        } else {
            self.0.booked(guest, &named, &body.0.contact)?
        };
        Ok(Created { location: "/api/v1/guest/appointment".to_owned(), body, replayed })
    }

    /// Join the waitlist as a guest
    ///
    /// Creates a waitlist entry and a contact, which needs an e-mail address: a link to view and withdraw the entry is
    /// sent there, and later the offers. Offers and errors are those of `POST /api/v1/waitlist`, such as 409
    /// `slots_available`. Counts towards the organization's limits of guest bookings. 409 `verification_required` if
    /// the service verifies e-mail addresses. 404 `organization_not_found` if no active organization has the slug or
    /// host. 409 `too_many_entries` or `already_waiting` as for staff. 429 `guest_limit` if the limit of guest bookings
    /// is reached. 503 `captcha_unavailable` if the captcha cannot be checked.
    #[oai(path = "/waitlist", method = "post", operation_id = "join_waitlist_as_guest")]
    async fn join(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        /// The token from the captcha on the page, valid for one request. Required if the server uses a captcha.
        #[oai(name = "Captcha-Token")]
        captcha_token: Header<Option<CaptchaToken>>,
        body: Json<GuestNewWaitlistEntry>,
    ) -> Result<Created<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        let id = Uuid::now_v7();
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), id).await?;
        let once = Once::new(&guest, "join_waitlist_as_guest", idempotency_key.0, &body.0)?;
        let GuestNewWaitlistEntry { service_id, provider_id, from, to, contact } = body.0;
        let kept = self.0.admit(&client, guest, captcha_token.0.as_deref(), &once).await?;
        if kept.is_none() && contact.email.is_none() {
            let detail = "expected an e-mail address; offers are sent to it";
            Err(Problem::invalid_field("contact.email", "required", detail))?;
        }
        let new = NewEntry {
            id,
            service: service_id,
            provider: provider_id,
            // A repeated request gets its stored answer even after the period.
            period: if kept.is_some() { (from.0, to.0) } else { waitlist::period(from, to)? },
            who: Who::New(&contact),
            guest: Some(GuestRequest::new(guest.tenant, client.address, contact.email.as_deref())),
            policy: Enforcement::Full,
        };
        let entry = waitlist::join(&self.0.db, guest, &new, &once).await?;
        let named = self.named(guest::context(guest.tenant, entry.id)).await?;
        let place = Place {
            id: guest.tenant,
            organization: named.organization_name.clone(),
            time_zone: named.time_zone,
        };
        let body = self.show(guest, named)?;
        if let (Some(email), false) = (&contact.email, once.is_replay()) {
            let letter = Waiting {
                place: &place,
                service: &body.service_name,
                provider: body.provider_name.as_deref(),
                from: body.from,
                to: body.to,
                link: &self.0.mailer.link("waitlist-entry", &body.manage_token),
            };
            self.0.mailer.send(letter.to(email));
        }
        Ok(once.created("/api/v1/guest/waitlist-entry".to_owned(), body))
    }

    /// Get a guest's waitlist entry
    #[oai(path = "/waitlist-entry", method = "get", operation_id = "get_waitlist_entry_as_guest")]
    async fn get(&self, link: Link) -> Result<Json<GuestWaitlistEntry>, ApiError<LinkReading>> {
        Ok(Json(self.see(self.0.managing(&link.0)?).await?))
    }

    /// Get a guest's waitlist entry by a token in the body
    #[oai(path = "/waitlist-entry", method = "post", operation_id = "view_waitlist_entry_as_guest")]
    async fn view(&self, body: Json<Managing>) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        Ok(Json(self.see(self.0.managing(&body.0.token)?).await?))
    }

    /// Accept a guest's offer
    ///
    /// Books the offered time. 409 `nothing_offered` if nothing is offered. 409 `hold_expired` if the offer has
    /// expired. 409 `contact_busy` or `already_booked` if you have another appointment at this time.
    #[oai(path = "/waitlist-entry/accept", method = "post", operation_id = "accept_offer_as_guest")]
    async fn accept(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<Managing>,
    ) -> Result<Created<GuestAppointment>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&body.0.token)?;
        let id = managed(guest)?;
        let once = Once::new(&guest, "accept_offer_as_guest", idempotency_key.0, &body.0)?;
        let confirmation = Confirmation::of_offer(id, &once, Precondition::none());
        let (_, replayed) = confirm::confirm_alone(&self.0.db, &self.0.mailer, guest, &confirmation).await?;
        let location = "/api/v1/guest/appointment".to_owned();
        Ok(Created { location, body: self.0.see(guest, id).await?, replayed })
    }

    /// Decline a guest's offer
    ///
    /// Offers the time to the next matching entry, or frees it. 409 `nothing_offered` if nothing is offered.
    #[oai(path = "/waitlist-entry/decline", method = "post", operation_id = "decline_offer_as_guest")]
    async fn decline(
        &self,
        body: Json<Managing>,
    ) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        self.leave(&body.0, WaitlistStatus::Declined).await
    }

    /// Leave the waitlist as a guest
    ///
    /// Withdraws the entry. Offered time is offered to the next matching entry. 409 `not_waiting` if the entry is no
    /// longer waiting.
    #[oai(path = "/waitlist-entry/withdraw", method = "post", operation_id = "withdraw_as_guest")]
    async fn withdraw(
        &self,
        body: Json<Managing>,
    ) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        self.leave(&body.0, WaitlistStatus::Withdrawn).await
    }
}

impl GuestWaitsApi {
    async fn leave(
        &self,
        link: &Managing,
        status: WaitlistStatus,
    ) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&link.token)?;
        // Before the change, because the link may have expired.
        self.named(guest).await?;
        let (db, mailer, id) = (&self.0.db, &self.0.mailer, managed(guest)?);
        waitlist::leave(db, mailer, guest, id, status, &Precondition::none()).await?;
        Ok(Json(self.see(guest).await?))
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

    /// The waitlist entry of a link. The link expires 30 days after the period.
    async fn named(&self, guest: Context) -> Result<NamedEntry, Failure> {
        let sql = sql!("scheduling/waitlist_get_named.sql" as NamedEntry);
        let named =
            self.0.db.optional(guest, sql, &[&managed(guest)?]).await?.ok_or_else(Problem::not_found)?;
        if Utc::now() > named.entry.entry.to + LINK_OUTLIVES {
            Err(link_expired())?;
        }
        Ok(named)
    }

    async fn see(&self, guest: Context) -> Result<GuestWaitlistEntry, Failure> {
        Ok(self.show(guest, self.named(guest).await?)?)
    }

    fn show(&self, guest: Context, named: NamedEntry) -> Result<GuestWaitlistEntry, Problem> {
        let NamedEntry { organization_name, time_zone, service_name, provider_name, .. } = named;
        let WaitlistEntry { id, service_id, provider_id, from, to, status, offer, .. } = named.entry.into();
        Ok(GuestWaitlistEntry {
            id,
            organization_name,
            time_zone: time_zone.name().to_owned(),
            service_id,
            service_name,
            provider_id,
            provider_name,
            from,
            to,
            status,
            offer: offer.zip(named.offered_provider_name).map(|(offer, provider_name)| GuestOffer {
                provider_id: offer.provider_id,
                provider_name,
                starts_at: offer.starts_at,
                expires_at: offer.expires_at,
            }),
            manage_token: self.0.tokens.link_to(guest.tenant, id)?,
        })
    }
}
