//! Finds an instant up to which all changes are visible, for clients that synchronize.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{error::Error, tx::Db};

/// How long an instant is reused. An older instant is still correct; it only lists a few more changes twice.
const KEPT: Duration = Duration::from_secs(1);

impl Db {
    /// An instant up to which every change by a request is visible to statements sent from now on. A change that is not
    /// yet visible, because its transaction is still open, has a later `updated_at`. Call it before the statement.
    ///
    /// Considers transactions of the server's roles, from all servers. It cannot see long transactions of the database
    /// owner (`appointd tenant import`).
    pub async fn as_of(&self) -> Result<DateTime<Utc>, Error> {
        let mut last = self.last_as_of.lock().await;
        if let Some((asked_at, as_of)) = *last
            && asked_at.elapsed() < KEPT
        {
            return Ok(as_of);
        }
        let as_of = self.gate(crate::sql!("app/as_of.sql" as (DateTime<Utc>,)), &[]).await?.0;
        *last = Some((Instant::now(), as_of));
        Ok(as_of)
    }
}
