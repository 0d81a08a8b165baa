//! Holds of guests. The link of a guest is for one id: the hold, and later the appointment booked from it, which has
//! the same id. See also [`super::guest_waitlist`].

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
    guest_access::{GuestAppointment, GuestToken, Guests, managed},
    online,
};
use crate::{
    crm::contacts::NewContact,
    db::Context,
    http::{
        caller::{Link, ManageToken},
        client::Client,
        if_match::IfMatch,
        json::{Created, Json, NoContent},
        limit::subscriber,
        problem::{ApiError, GuestReading, GuestWriting, Problem},
        values::{CaptchaToken, IdempotencyKey, Instant, Slug, Text},
    },
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::{Order, Who},
            claims::Labels,
            confirm::{self, Confirmation, HoldSelector},
            guest_request::GuestRequest,
            hold::{self, Hold},
            holds,
        },
        slots::availability::Enforcement,
    },
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
    pub token: ManageToken,
    /// The guest.
    pub contact: NewContact,
    /// A message for the organization, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for GuestHoldConfirmation {
    fn example() -> Self {
        Self { token: GuestToken::example().token, contact: NewContact::example(), note: None }
    }
}

pub struct GuestHoldsApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestHoldsApi {
    /// Hold a slot as a guest
    ///
    /// Reserves a free slot for 10 minutes, while the guest fills in a form. Confirming the hold before it expires
    /// always succeeds. Counts towards the organization's limits of guest bookings. Errors are those of `POST
    /// /api/v1/guest/appointments`. 409 `verification_required` if the service verifies e-mail addresses. 404
    /// `organization_not_found` if no active organization has the slug or host. 409 `slot_unavailable` if the time is
    /// taken, `too_many_holds` if the organization has 500 holds. 429 `guest_limit` if the limit of guest bookings is
    /// reached. 503 `captcha_unavailable` if the captcha cannot be checked.
    #[oai(path = "/holds", method = "post", operation_id = "hold_as_guest")]
    pub async fn hold(
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
        let guest = self.0.about(guest, hold.id).await?;
        let (location, body) = ("/api/v1/guest/hold".to_owned(), self.show_hold(guest, &hold)?);
        Ok(once.created(location, body))
    }

    /// Get a guest's hold
    ///
    /// 404 after the hold has expired.
    #[oai(path = "/hold", method = "get", operation_id = "get_hold_as_guest")]
    pub async fn get_hold(&self, link: Link) -> Result<Json<GuestHold>, ApiError<GuestReading>> {
        let guest = self.0.managing(&link.0)?;
        let hold = self.0.db.optional(guest, hold::GET, &[&managed(guest)?]).await?;
        Ok(Json(self.show_hold(guest, &hold.ok_or_else(Problem::not_found)?)?))
    }

    /// Release a guest's hold
    ///
    /// Frees its time immediately, or offers it to the waitlist.
    #[oai(path = "/hold/release", method = "post", operation_id = "release_hold_as_guest")]
    pub async fn release(
        &self,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<GuestToken>,
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
    pub async fn confirm(
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
        let body = self.0.show(guest, &named)?;
        Ok(Created { location: "/api/v1/guest/appointment".to_owned(), body, replayed })
    }
}

impl GuestHoldsApi {
    fn show_hold(&self, guest: Context, hold: &Hold) -> Result<GuestHold, Problem> {
        Ok(GuestHold {
            id: hold.id,
            service_id: hold.service_id,
            provider_id: hold.provider_id,
            starts_at: hold.starts_at,
            ends_at: hold.ends_at,
            expires_at: hold.expires_at,
            manage_token: self.0.link_to(guest)?,
        })
    }
}
