//! What a hold is, and how one is written.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::claims::taken;
use crate::{
    db::Tx,
    http::problem::{Failure, OnConstraint as _, Problem},
    scheduling::slots::availability::Allocation,
    sql,
};

/// Time that is kept for somebody.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Hold {
    pub id: Uuid,
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    /// Until when it can be confirmed.
    pub expires_at: DateTime<Utc>,
    /// Of an offer to somebody on the waitlist: to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waitlist_entry_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that made it. Absent: a guest or the waitlist did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
}

impl From<Row> for Hold {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            service_id: row.get(1),
            provider_id: row.get(2),
            starts_at: row.get(3),
            ends_at: row.get(4),
            expires_at: row.get(5),
            waitlist_entry_id: row.get(6),
            created_at: row.get(7),
            created_by: row.get(8),
        }
    }
}

/// Makes a hold of a single service, or of none of its time where some is taken. For an entry of the waitlist it is an offer.
pub async fn insert(
    tx: &mut Tx,
    id: Uuid,
    plan: &Allocation,
    seconds: f64,
    overridden: bool,
    entry: Option<Uuid>,
) -> Result<Option<Hold>, Failure> {
    let piece = plan.pieces[0];
    let created = tx
        .all(
            sql!("scheduling/holds_create.sql"),
            &[
                &id,
                &json!(plan.claims_of(id)),
                &piece.service,
                &piece.provider,
                &piece.starts_at,
                &piece.ends_at,
                &seconds,
                &overridden,
                &entry,
            ],
        )
        .await;
    let too_many = |detail: &'static str| Problem::conflict("too_many_holds", detail);
    let created = taken(created)
        .on_constraint("holds_too_many", || {
            too_many(
                "The organization has 500 holds that stand, as many as it may have. Confirm or release some.",
            )
        })
        .on_constraint("holds_too_many_of_customer", || {
            too_many("You hold three slots, as many as you may. Confirm or release one first.")
        });
    Ok(created?.pop().map(Hold::from))
}
