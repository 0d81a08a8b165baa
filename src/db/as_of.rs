//! Up to when everything that changed can be seen.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{error::Error, tx::Db};

/// How long an instant is given again. An older one is as true, and shows a little more twice.
const KEPT: Duration = Duration::from_secs(1);

impl Db {
    /// An instant up to which every change of a request is visible to a statement that is sent from now on: whatever is not
    /// yet, because its transaction is still under way, has a later `updated_at`. Call it before the statement.
    ///
    /// It looks at transactions of the server's role, of all servers. What the owner of the database does in long ones
    /// (`appointd tenant import`) it cannot see.
    pub async fn as_of(&self) -> Result<DateTime<Utc>, Error> {
        let mut last = self.last_as_of.lock().await;
        if let Some((asked_at, as_of)) = *last
            && asked_at.elapsed() < KEPT
        {
            return Ok(as_of);
        }
        let as_of = self.gate(crate::sql!("app/as_of.sql"), &[]).await?.get(0);
        *last = Some((Instant::now(), as_of));
        Ok(as_of)
    }
}
