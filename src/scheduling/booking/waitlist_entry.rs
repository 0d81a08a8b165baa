//! Waitlist entries, as the API reads and creates them.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crm::contacts::NewContact,
    db::{Sql, Tx, row},
    http::{
        if_match::Precondition,
        json::or_default,
        problem::{Failure, Problem},
        values::{InstantOrDate, TimeZone, named_enum},
    },
    sql,
};

named_enum! {
    /// The status of a waitlist entry.
    WaitlistStatus {
        /// Waiting for an offer.
        Waiting = "waiting",
        /// Time is offered and held.
        Offered = "offered",
        /// The offer was accepted.
        Booked = "booked",
        /// The offer was declined.
        Declined = "declined",
        /// The offer expired.
        Expired = "expired",
        /// The entry was withdrawn.
        Withdrawn = "withdrawn",
    }
}

/// Time that is offered to a waitlist entry and held for it.
#[derive(Clone, Debug, Object, Serialize)]
pub struct WaitlistOffer {
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// When the offer expires.
    pub expires_at: DateTime<Utc>,
}

/// A waitlist entry: a contact who waits for time of a service.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WaitlistEntry {
    pub id: Uuid,
    pub service_id: Uuid,
    /// The requested provider; absent if any provider is acceptable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    pub contact_id: Uuid,
    /// The earliest acceptable start.
    pub from: DateTime<Utc>,
    /// The end of the period of acceptable starts, exclusive.
    pub to: DateTime<Utc>,
    pub status: WaitlistStatus,
    /// The current offer; absent if nothing is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<WaitlistOffer>,
    /// The appointment that was booked by accepting an offer. Absent if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    // As it is created: without an offer.
    WaitlistEntry {
        id, service_id, provider_id, contact_id, from = from_instant, to = to_instant, status, appointment_id,
        created_at, updated_at;
        offer: None
    }
}

row! {
    WaitlistOffer { provider_id = offered_provider_id, starts_at = offered_starts_at, expires_at = offer_expires_at }
}

/// An entry and its offer.
pub struct WholeEntry {
    pub entry: WaitlistEntry,
    offer: Option<WaitlistOffer>,
}

row! {
    WholeEntry { entry: WaitlistEntry, offer: Option<WaitlistOffer> }
}

impl From<WholeEntry> for WaitlistEntry {
    fn from(WholeEntry { entry, offer }: WholeEntry) -> Self {
        Self { offer, ..entry }
    }
}

pub const GET: Sql<WholeEntry> = sql!("scheduling/waitlist_get.sql" as WholeEntry);

/// Locks an entry and its offer, and fails with 412 if it is not what a change requires. The offer first, as those do
/// that accept or end it.
pub async fn require(
    tx: &mut Tx,
    id: Uuid,
    precondition: &Precondition<'_, WaitlistEntry>,
) -> Result<(), Failure> {
    if precondition.is_some() {
        tx.all(sql!("scheduling/holds_lock_of_entry.sql"), &[&id]).await?;
        tx.all(sql!("scheduling/waitlist_lock_row.sql"), &[&id]).await?;
        let entry = tx.optional(GET, &[&id]).await?;
        precondition.check(&entry.ok_or_else(Problem::not_found)?.into())?;
    }
    Ok(())
}

/// A new waitlist entry.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewWaitlistEntry {
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
    /// An existing contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// A new contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact: Option<NewContact>,
    /// Whether to join even if slots in the period are free. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for NewWaitlistEntry {
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
