//! Waitlist entries, as guests create and see them.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crm::contacts::NewContact,
    db::row,
    http::values::{Instant, TimeZone},
    scheduling::booking::waitlist_entry::{WaitlistStatus, WholeEntry},
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
    /// The earliest acceptable start.
    pub from: Instant,
    /// The end of the period of acceptable starts, exclusive, at most 366 days after `from`.
    pub to: Instant,
    /// The guest. Offers are sent to the e-mail address, which is required.
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
