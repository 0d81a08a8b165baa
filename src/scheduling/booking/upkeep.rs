//! Regular upkeep that keeps tables small.

use uuid::Uuid;

use crate::{
    db::{self, WorkerDb},
    sql,
};

/// Deletes the claims of an organization's appointments that ended long ago.
pub async fn forget_past_claims(db: &WorkerDb, tenant: Uuid) -> Result<(), db::Error> {
    while db.gate(sql!("scheduling/claims_forget_past.sql" as (bool,)), &[&tenant]).await?.0 {}
    Ok(())
}
