//! Guests: entering an organization as a guest, the guest's appointment and link, and the checks before a booking.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    letters::{self, Place},
    online,
};
use crate::{
    crm::contacts::NewContact,
    db::{self, Context, Db},
    http::{
        captcha::Captcha,
        client::{Client, Host},
        problem::{Failure, FieldError, Problem},
        token::Tokens,
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::appointment::{Appointment, AppointmentStatus},
        catalog::service::{GuestDetail, GuestVerification, Service},
    },
    sql,
    tenancy::organizations,
};

/// An appointment, as a guest sees it.
#[derive(Debug, Object, Serialize)]
pub struct GuestAppointment {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    /// The token for viewing, moving and cancelling this appointment. Valid until 30 days after its end.
    pub manage_token: String,
}

/// The token of a guest's booking, hold or waitlist entry.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example, rename = "GuestToken")]
pub struct Managing {
    /// The `manage_token` of the booking, hold or waitlist entry.
    pub token: String,
}

impl Example for Managing {
    fn example() -> Self {
        Self { token: "eyJ0eXAiOiJKV1Qi….eyJzdWIiOiIw….4pX".to_owned() }
    }
}

/// The state of the operations for guests. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    pub db: Db,
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
        Ok(context(organization.ok_or_else(|| organizations::unknown(host, slug))?, appointment))
    }

    /// The answer after a booking. Also sends it by e-mail if the guest gave an address.
    pub async fn booked(
        &self,
        guest: Context,
        appointment: Appointment,
        contact: &NewContact,
    ) -> Result<GuestAppointment, Failure> {
        let booked = self.show(guest.tenant, appointment)?;
        if let Some(email) = &contact.email
            && let Err(failure) = self.mail_booked(guest, &booked, email).await
        {
            // The booking stands, and the answer contains the link.
            tracing::error!(error = %Problem::from(failure), "a guest was not told by e-mail");
        }
        Ok(booked)
    }

    async fn mail_booked(
        &self,
        guest: Context,
        booked: &GuestAppointment,
        email: &str,
    ) -> Result<(), Failure> {
        let until = booked.starts_at - online::notice(&self.db, guest, booked.id).await?;
        let row = self.db.one(guest, sql!("scheduling/calendar_appointment.sql"), &[&booked.id]).await?;
        let letter = letters::Booked {
            place: Place {
                id: guest.tenant,
                organization: row.get("feed_name"),
                time_zone: row.get("time_zone"),
            },
            service: row.get("service_name"),
            provider: row.get("provider_name"),
            starts_at: booked.starts_at,
            pending: booked.status == AppointmentStatus::Pending,
            changeable_until: (until > Utc::now()).then_some(until),
            link: &self.mailer.link("manage-appointment", &booked.manage_token),
        };
        self.mailer.send(letter.to(email));
        Ok(())
    }

    /// Checks the captcha of a guest: 422 or 503 if it fails. A repeated request needs no captcha; returns its stored
    /// answer.
    pub async fn admit(
        &self,
        client: &Client,
        guest: Context,
        captcha_token: Option<&str>,
        once: Option<&Once>,
    ) -> Result<Option<Value>, Failure> {
        let kept = Once::kept(once, &self.db, guest).await?;
        if kept.is_none() {
            self.captcha.check(captcha_token, client.address).await?;
        }
        Ok(kept)
    }

    /// The context of a guest with the link of an appointment, hold or waitlist entry.
    pub fn managing(&self, token: &str) -> Result<Context, Problem> {
        let (organization, appointment) = self.tokens.managed(token)?;
        Ok(context(organization, appointment))
    }

    pub fn show(&self, organization: Uuid, appointment: Appointment) -> Result<GuestAppointment, Problem> {
        let manage_token = self.tokens.link_to(organization, appointment.id)?;
        Ok(GuestAppointment {
            id: appointment.id,
            service_id: appointment.service_id,
            provider_id: appointment.provider_id,
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            status: appointment.status,
            manage_token,
        })
    }
}

fn context(tenant: Uuid, appointment: Uuid) -> Context {
    Context { tenant, who: db::Who::Guest { appointment }, needs: "guest", feature: Some("appointments") }
}

pub fn managed(guest: Context) -> Result<Uuid, Problem> {
    match guest.who {
        db::Who::Guest { appointment } => Ok(appointment),
        _ => Err(Problem::internal()),
    }
}

/// Checks that the guest gave the details that the services require; 422 if not. Returns whether a service verifies
/// e-mail addresses. Unknown services are rejected later, when booking.
pub async fn says_enough(
    db: &Db,
    guest: Context,
    services: &[Uuid],
    contact: &NewContact,
) -> Result<bool, Failure> {
    let mut verifies = false;
    let mut missing = BTreeMap::new();
    for service in services {
        let Some(row) = db.optional(guest, sql!("scheduling/services_get.sql"), &[service]).await? else {
            continue;
        };
        let service = Service::try_from(row)?;
        let verified = service.guest_verification == GuestVerification::Email;
        verifies |= verified;
        if verified && contact.email.is_none() {
            missing.insert("contact.email", "your e-mail address: the service verifies it");
        }
        for detail in service.guest_requires {
            match detail {
                GuestDetail::Email if contact.email.is_none() => {
                    missing.insert("contact.email", "your e-mail address: the service requires it");
                }
                GuestDetail::Phone if contact.phone.is_none() => {
                    missing.insert("contact.phone", "your telephone number: the service requires it");
                }
                GuestDetail::Email | GuestDetail::Phone => {}
            }
        }
    }
    let missing: Vec<_> = missing
        .into_iter()
        .map(|(field, detail)| FieldError::new(field, "required", format!("expected {detail}")))
        .collect();
    if missing.is_empty() { Ok(verifies) } else { Err(Problem::invalid(missing).into()) }
}
