//! Holds: the API object, and the statement that inserts one.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{appointment::CancelledBy, claims::on_taken};
use crate::{
    db::{Sql, Tx, row},
    http::{
        if_match::Precondition,
        problem::{Failure, OnConstraint as _, Problem},
    },
    scheduling::slots::{
        availability::Allocation,
        guest_rules::{GuestDetail, GuestVerification},
        setback::lost_race,
    },
    sql,
};

/// A slot that is reserved until it is confirmed or expires.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Hold {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// When the hold expires; it can be confirmed until then.
    pub expires_at: DateTime<Utc>,
    /// The waitlist entry that the slot is offered to. Absent if the hold is not an offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waitlist_entry_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that created the hold. Absent if a guest or the waitlist did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
}

row! {
    Hold {
        id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
    }
}

/// The time that a hold takes.
pub(super) struct HeldTime {
    pub id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

row! {
    HeldTime { id, starts_at, ends_at }
}

/// A locked hold, to be confirmed.
pub(super) struct LockedHold {
    pub id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub overridden: bool,
    pub waitlist_entry_id: Option<Uuid>,
    pub created_by: Option<Uuid>,
    pub stands: bool,
    pub requires_approval: bool,
    pub contact_may_overlap: bool,
    pub guest_requires: Vec<GuestDetail>,
    pub guest_verification: GuestVerification,
    /// The contact of the waitlist entry that it is an offer to.
    pub waiting_contact_id: Option<Uuid>,
    pub guest_key: Option<Uuid>,
    pub seat: Option<i16>,
}

row! {
    LockedHold {
        id, starts_at, ends_at, overridden, waitlist_entry_id, created_by, stands, requires_approval,
        contact_may_overlap, guest_requires, guest_verification, waiting_contact_id, guest_key, seat
    }
}

pub const GET: Sql<Hold> = sql!("scheduling/holds_get.sql" as Hold);

/// Fails with 412 if a locked hold is not what a change requires.
pub async fn require(tx: &mut Tx, id: Uuid, precondition: &Precondition<'_, Hold>) -> Result<(), Failure> {
    if precondition.is_some() {
        let hold = tx.optional(GET, &[&id]).await?;
        precondition.check(&hold.ok_or_else(Problem::not_found)?)?;
    }
    Ok(())
}

/// Inserts a hold for a single service; `None` if some of the time is taken. With a waitlist entry, the hold is an
/// offer.
pub async fn insert(
    tx: &mut Tx,
    id: Uuid,
    plan: &Allocation,
    seconds: f64,
    overridden: bool,
    entry: Option<Uuid>,
) -> Result<Hold, Failure> {
    let item = plan.items[0];
    let created = tx
        .one(
            sql!("scheduling/holds_create.sql" as Hold),
            &[
                &id,
                &json!(plan.claims_of(id)),
                &item.service,
                &item.provider,
                &item.starts_at,
                &item.ends_at,
                &seconds,
                &overridden,
                &entry,
            ],
        )
        .await;
    let too_many = |detail: &'static str| Problem::conflict("too_many_holds", detail);
    let by = tx.context().map(CancelledBy::from);
    on_taken(created, lost_race)
        .on_constraint("holds_too_many", || {
            too_many(match by {
                // They cannot release the holds of others.
                Some(CancelledBy::Customer | CancelledBy::Guest) => {
                    "No more slots can be held at the moment. Try again in some minutes, or book without a hold."
                }
                _ => "The organization has reached its limit of 500 holds. Confirm or release some.",
            })
        })
        .on_constraint("holds_too_many_of_customer", || {
            too_many("You have reached your limit of three holds. Confirm or release one first.")
        })
}
