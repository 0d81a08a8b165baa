//! Deletes what has expired, of all accounts.

use crate::{
    db::{self, WorkerDb},
    sql,
};

/// Deletes expired sessions and tokens, and counts of attempts.
pub async fn expired(db: &WorkerDb) -> Result<(), db::Error> {
    db.gate(sql!("identity/purge_expired.sql" as (i64,)), &[]).await?;
    Ok(())
}
