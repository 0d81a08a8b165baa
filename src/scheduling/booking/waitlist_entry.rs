//! What a waitlist entry is, as it is created and answered.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    crm::contacts::NewContact,
    http::{
        json::present,
        values::{Instant, named_enum},
    },
};

named_enum! {
    /// Where somebody on the waitlist is.
    WaitlistStatus {
        /// Nothing was freed yet.
        Waiting = "waiting",
        /// Time is held for them.
        Offered = "offered",
        /// They took it.
        Booked = "booked",
        /// They did not want it.
        Declined = "declined",
        /// They did not answer in time.
        Expired = "expired",
        /// They do not wait any more.
        Withdrawn = "withdrawn",
    }
}

/// Time that is held for somebody on the waitlist.
#[derive(Debug, Object, Serialize)]
pub struct Offer {
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
}

/// Somebody on the waitlist.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WaitlistEntry {
    pub id: Uuid,
    pub service_id: Uuid,
    /// With whom; absent: anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    pub contact_id: Uuid,
    /// The earliest start that would do.
    pub from: DateTime<Utc>,
    /// The instant before which it has to start.
    pub to: DateTime<Utc>,
    pub status: WaitlistStatus,
    /// What is held for them, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for WaitlistEntry {
    fn from(row: Row) -> Self {
        let held: Option<Uuid> = row.try_get("hold_id").ok().flatten();
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            contact_id: row.get(3),
            from: row.get(4),
            to: row.get(5),
            status: WaitlistStatus::from_name(row.get(6)),
            appointment_id: row.get(7),
            created_at: row.get(8),
            updated_at: row.get(9),
            offer: held.map(|_| Offer {
                provider_id: row.get("offered_provider_id"),
                starts_at: row.get("offered_starts_at"),
                expires_at: row.get("offer_expires_at"),
            }),
        }
    }
}

/// Somebody who would come if time were freed.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewWaitlistEntry {
    pub service_id: Uuid,
    /// With whom; anybody where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The earliest start that would do.
    pub from: Instant,
    /// The instant before which it has to start, at most 366 days after `from`.
    pub to: Instant,
    /// Who waits: either a contact there is, or with `contact` a new one.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// Who waits: a contact to create. Give either this or `contact_id`.
    #[serde(default, deserialize_with = "present")]
    pub contact: Option<NewContact>,
}

impl Example for NewWaitlistEntry {
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
