//! Regular upkeep that keeps tables small.

use crate::{
    db::{self, Db},
    sql,
};

/// Deletes the claims of appointments that ended long ago, one organization after the other.
pub async fn forget_past_claims(db: &Db) -> Result<(), db::Error> {
    let mut last = None::<uuid::Uuid>;
    loop {
        (last,) =
            db.gate(sql!("scheduling/claims_forget_past.sql" as (Option<uuid::Uuid>,)), &[&last]).await?;
        if last.is_none() {
            return Ok(());
        }
    }
}
