//! Waitlist entries of guests. The link of a guest is for one id: the entry, and later the appointment booked from it,
//! which has the same id. See also [`super::guest_holds`].

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    guest_access::{GuestAppointment, GuestToken, Guests, managed},
    online::{LINK_OUTLIVES, link_expired},
};
use crate::{
    crm::contacts::NewContact,
    db::{Context, row},
    http::{
        caller::Link,
        client::Client,
        if_match::Precondition,
        json::{Created, Json, Replayable},
        problem::{ApiError, Failure, GuestReading, GuestWriting, Problem},
        values::{CaptchaToken, IdempotencyKey, InstantOrDate, Slug, TimeZone},
    },
    messaging::letters::{Place, Waiting},
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::Who,
            confirm::{self, Confirmation},
            guest_request::GuestRequest,
            waitlist::{self, NewEntry},
            waitlist_entry::{WaitlistEntry, WaitlistStatus, WholeEntry},
        },
        hours::period::Bounds,
        slots::availability::Enforcement,
    },
    sql,
};

/// A new waitlist entry of a guest.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestNewWaitlistEntry {
    pub service_id: Uuid,
    /// The requested provider. Defaults to any provider.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The earliest acceptable start: an instant, or a date in `time_zone`.
    pub from: InstantOrDate,
    /// The end of the period of acceptable starts, exclusive: an instant, or a date in `time_zone`. At most 366 days
    /// after `from`.
    pub to: InstantOrDate,
    /// The IANA time zone for dates. Defaults to the organization's time zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
    /// The guest. Offers are sent to the e-mail address, which is required.
    pub contact: NewContact,
}

impl Example for GuestNewWaitlistEntry {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "from": "2031-05-20T00:00:00Z",
            "to": "2031-05-27T00:00:00Z",
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Time that is offered to a guest's waitlist entry and held for it.
#[derive(Debug, Object, Serialize)]
pub struct GuestOffer {
    pub provider_id: Uuid,
    pub provider_name: String,
    pub starts_at: DateTime<Utc>,
    /// When the offer expires.
    pub expires_at: DateTime<Utc>,
}

/// A waitlist entry, as a guest sees it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct GuestWaitlistEntry {
    pub id: Uuid,
    /// The name of the organization that customers see.
    pub organization_name: String,
    /// The IANA time zone of the organization, for showing times.
    pub time_zone: String,
    pub service_id: Uuid,
    pub service_name: String,
    /// The requested provider. Absent if any provider is acceptable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_name: Option<String>,
    /// The earliest acceptable start.
    pub from: DateTime<Utc>,
    /// The end of the period of acceptable starts, exclusive.
    pub to: DateTime<Utc>,
    pub status: WaitlistStatus,
    /// The current offer. Absent if nothing is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<GuestOffer>,
    /// The token for viewing and withdrawing this entry, accepting and declining offers, and managing the appointment
    /// booked from it.
    pub manage_token: String,
}

/// A waitlist entry with the names that its guest sees.
pub struct NamedEntry {
    pub entry: WholeEntry,
    pub organization_name: String,
    pub time_zone: TimeZone,
    pub service_name: String,
    pub provider_name: Option<String>,
    pub offered_provider_name: Option<String>,
}

row! {
    NamedEntry {
        entry: WholeEntry, organization_name, time_zone, service_name, provider_name, offered_provider_name
    }
}

pub struct GuestWaitlistApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestWaitlistApi {
    /// Join the waitlist as a guest
    ///
    /// Creates a waitlist entry and a contact, which needs an e-mail address: a link to view and withdraw the entry is
    /// sent there, and later the offers. Offers and errors are those of `POST /api/v1/waitlist`, such as 409
    /// `slots_available`. Counts towards the organization's limits of guest bookings. 409 `verification_required` if
    /// the service verifies e-mail addresses. 404 `organization_not_found` if no active organization has the slug or
    /// host. 409 `too_many_entries` or `already_waiting` as for staff. 429 `guest_limit` if the limit of guest bookings
    /// is reached. 503 `captcha_unavailable` if the captcha cannot be checked.
    #[oai(path = "/waitlist", method = "post", operation_id = "join_waitlist_as_guest")]
    pub async fn join(
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
        let GuestNewWaitlistEntry { service_id, provider_id, from, to, time_zone, contact } = body.0;
        let bounds = Bounds { from: Some(from), to: Some(to), time_zone };
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
            period: match kept.is_some() {
                true => bounds.instants_in(Tz::UTC),
                false => waitlist::period(&self.0.db, guest, bounds).await?,
            },
            who: Who::New(&contact),
            guest: Some(GuestRequest::new(guest.tenant, client.address, contact.email.as_deref())),
            policy: Enforcement::Full,
        };
        let entry = waitlist::join(&self.0.db, &self.0.mailer, guest, &new, &once).await?;
        let guest = self.0.about(guest, entry.id).await?;
        let named = self.named(guest).await?;
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
    async fn get(&self, link: Link) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestReading>> {
        Ok(Json(self.see(self.0.managing(&link.0)?).await?))
    }

    /// Get a guest's waitlist entry by a token in the body
    #[oai(path = "/waitlist-entry", method = "post", operation_id = "view_waitlist_entry_as_guest")]
    pub async fn view(
        &self,
        body: Json<GuestToken>,
    ) -> Result<Json<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        Ok(Json(self.see(self.0.managing(&body.0.token)?).await?))
    }

    /// Accept a guest's offer
    ///
    /// Books the offered time. 409 `nothing_offered` if nothing is offered. 409 `hold_expired` if the offer has
    /// expired. 409 `contact_busy` or `already_booked` if you have another appointment at this time.
    #[oai(path = "/waitlist-entry/accept", method = "post", operation_id = "accept_offer_as_guest")]
    pub async fn accept(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestToken>,
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
    pub async fn decline(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestToken>,
    ) -> Result<Replayable<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        let change = ("decline_offer_as_guest", WaitlistStatus::Declined);
        self.leave(&body.0, change, idempotency_key.0).await
    }

    /// Leave the waitlist as a guest
    ///
    /// Withdraws the entry. Offered time is offered to the next matching entry. 409 `not_waiting` if the entry is no
    /// longer waiting.
    #[oai(path = "/waitlist-entry/withdraw", method = "post", operation_id = "withdraw_as_guest")]
    pub async fn withdraw(
        &self,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<GuestToken>,
    ) -> Result<Replayable<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        let change = ("withdraw_as_guest", WaitlistStatus::Withdrawn);
        self.leave(&body.0, change, idempotency_key.0).await
    }
}

impl GuestWaitlistApi {
    async fn leave(
        &self,
        link: &GuestToken,
        (operation, status): (&'static str, WaitlistStatus),
        key: Option<IdempotencyKey>,
    ) -> Result<Replayable<GuestWaitlistEntry>, ApiError<GuestWriting>> {
        let guest = self.0.managing(&link.token)?;
        let once = Once::new(&guest, operation, key, link)?;
        // Before the change, because the link may have expired.
        self.named(guest).await?;
        let (db, mailer, id) = (&self.0.db, &self.0.mailer, managed(guest)?);
        waitlist::leave(db, mailer, guest, id, (status, &Precondition::none(), &once)).await?;
        Ok(once.replayable(self.see(guest).await?))
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
            manage_token: self.0.link_to(guest)?,
        })
    }
}
