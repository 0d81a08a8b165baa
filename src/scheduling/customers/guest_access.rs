//! Guests: entering an organization as a guest, the guest's appointment and link, and the checks before a booking.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{my_appointment::MyAppointment, online};
use crate::{
    db::{self, Context, Db, FrontDoor, Pass},
    http::{
        caller::ManageToken,
        captcha::Captcha,
        client::{Client, Host},
        problem::{Failure, Problem},
        token::Tokens,
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::booking::{
        appointment::AppointmentStatus,
        named_appointment::{NamedAppointment, NamedSegment},
    },
    sql,
    tenancy::organizations,
};

/// An appointment, as a guest sees it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct GuestAppointment {
    pub id: Uuid,
    /// The name of the organization that customers see.
    pub organization_name: String,
    /// The IANA time zone of the organization, for showing times.
    pub time_zone: String,
    /// The service; for a visit, the first one.
    pub service_id: Uuid,
    pub service_name: String,
    /// The provider; for a visit, of the first service.
    pub provider_id: Uuid,
    pub provider_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// The services of the visit in order; absent for a single service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<NamedSegment>>,
    /// Until when the guest can move or cancel it. Absent if they no longer can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changeable_until: Option<DateTime<Utc>>,
    /// The token for viewing, moving and cancelling this appointment. Valid until 30 days after its end.
    pub manage_token: String,
}

/// The token of a guest's booking, hold or waitlist entry.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct GuestToken {
    /// The `manage_token` of the booking, hold or waitlist entry.
    pub token: ManageToken,
}

impl Example for GuestToken {
    fn example() -> Self {
        Self { token: ManageToken("eyJ0eXAiOiJKV1Qi….eyJzdWIiOiIw….4pX".to_owned()) }
    }
}

/// The state of the operations for guests. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    pub db: Db,
    pub door: FrontDoor,
    pub tokens: Arc<Tokens>,
    pub mailer: Mailer,
    pub captcha: Captcha,
}

impl Guests {
    /// The context of a guest of the organization that the host leads to or the slug names.
    pub async fn guest(
        &self,
        client: &Client,
        slug: Option<&str>,
        appointment: Uuid,
    ) -> Result<Context, Failure> {
        let host = match &client.host {
            Host::Ours => None,
            Host::Tenant(name) => Some(name.as_str()),
        };
        if host.is_none() && slug.is_none() {
            let detail = "Add ?organization_slug=… with the slug of the organization, or call its own host.";
            Err(Problem::invalid_field("organization_slug", "required", detail))?;
        }
        let organization = organizations::public(&self.db, host, slug).await?;
        self.context(organization.ok_or_else(|| organizations::unknown(host, slug))?, appointment).await
    }

    /// Checks the captcha of a guest: 422 or 503 if it fails. A repeated request needs no captcha; returns its stored
    /// answer.
    pub async fn admit(
        &self,
        client: &Client,
        guest: Context,
        captcha_token: Option<&str>,
        once: &Once,
    ) -> Result<Option<Value>, Failure> {
        let kept = once.kept(&self.db, guest).await?;
        if kept.is_none() {
            self.captcha.check(captcha_token, client.address).await?;
        }
        Ok(kept)
    }

    /// The context of a guest with the link of an appointment, hold or waitlist entry.
    pub fn managing(&self, token: &ManageToken) -> Result<Context, Problem> {
        let (organization, id, proof) = self.tokens.managed(&token.0)?;
        Ok(context(organization, id, proof))
    }

    /// The context of a guest who holds a time, from the address of a page; `None` if it is of another organization.
    pub fn holding(&self, organization: Uuid, named: &str) -> Result<Option<Context>, Problem> {
        let (there, id, proof) = self.tokens.named_hold(named)?;
        Ok((there == organization).then(|| context(organization, id, proof)))
    }

    /// The name of a guest's hold in addresses of pages.
    pub fn name_hold(&self, guest: Context) -> Result<String, Problem> {
        match guest.who {
            db::Who::Guest { appointment, proof } => {
                self.tokens.name_hold(guest.tenant, appointment, proof, Utc::now())
            }
            _ => Err(Problem::internal()),
        }
    }

    /// An appointment as a guest sees it. The context may name another object.
    pub async fn see(&self, guest: Context, id: Uuid) -> Result<GuestAppointment, Failure> {
        let guest = self.about(guest, id).await?;
        let named = online::named(&self.db, guest, id).await?;
        Ok(self.show(guest, &named)?)
    }

    /// The context of the same guest for another object, such as the one that an earlier request has made.
    pub async fn about(&self, guest: Context, id: Uuid) -> Result<Context, Failure> {
        if managed(guest)? == id { Ok(guest) } else { self.context(guest.tenant, id).await }
    }

    /// The context of a guest who makes an object with this id, or who only looks for a time.
    async fn context(&self, tenant: Uuid, id: Uuid) -> Result<Context, Failure> {
        if id.is_nil() {
            return Ok(looking(tenant));
        }
        let sql = sql!("app/guests_proof.sql" as (Vec<u8>,));
        let (proof,) = self.door.gate(sql, &[&tenant, &id]).await?;
        let proof = Pass::read(&proof).ok_or_else(|| sql.unreadable("proof"))?;
        Ok(context(tenant, id, proof))
    }

    /// The token of the link to a guest's object.
    pub fn link_to(&self, guest: Context) -> Result<String, Problem> {
        match guest.who {
            db::Who::Guest { appointment, proof } => self.tokens.link_to(guest.tenant, appointment, proof),
            _ => Err(Problem::internal()),
        }
    }

    /// The appointment that the context names.
    pub fn show(&self, guest: Context, named: &NamedAppointment) -> Result<GuestAppointment, Problem> {
        // What customers with an account see, and the link.
        let seen = MyAppointment::from(named.clone());
        Ok(GuestAppointment {
            id: seen.id,
            organization_name: seen.organization_name,
            time_zone: seen.time_zone,
            service_id: seen.service_id,
            service_name: seen.service_name,
            provider_id: seen.provider_id,
            provider_name: seen.provider_name,
            starts_at: seen.starts_at,
            ends_at: seen.ends_at,
            status: seen.status,
            segments: seen.segments,
            changeable_until: seen.changeable_until,
            manage_token: self.link_to(guest)?,
        })
    }
}

/// The context of a guest who only looks for a time.
pub fn looking(tenant: Uuid) -> Context {
    context(tenant, Uuid::nil(), Pass::default())
}

fn context(tenant: Uuid, appointment: Uuid, proof: Pass) -> Context {
    let who = db::Who::Guest { appointment, proof };
    Context { tenant, who, needs: "guest", feature: Some("appointments") }
}

pub fn managed(guest: Context) -> Result<Uuid, Problem> {
    match guest.who {
        db::Who::Guest { appointment, .. } => Ok(appointment),
        _ => Err(Problem::internal()),
    }
}
