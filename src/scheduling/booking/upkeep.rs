//! Regular upkeep that keeps tables small.

use crate::{
    db::{self, Db},
    sql,
};

/// Deletes the claims of appointments that ended long ago, one organization after the other.
pub async fn forget_past_claims(db: &Db) -> Result<(), db::Error> {
    let mut last = None::<uuid::Uuid>;
    loop {
        let row = db.gate(sql!("scheduling/claims_forget_past.sql"), &[&last]).await?;
        last = row.get(0);
        if last.is_none() {
            return Ok(());
        }
    }
}
