//! What is done regularly for the whole server. No worker leads: for each time it is due, every worker tries to insert
//! the same row, and the one that does does it. The time is the database's. What was due while no worker ran is done
//! late, once, unless it is too late.

use std::{pin::Pin, str::FromStr as _, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;
use uuid::Uuid;

use super::queue::{Failed, Kind, NewJob};
use crate::{
    db::{self, WorkerDb},
    sql,
};

pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send + 'a>>;

/// Something that is done once for the whole server.
pub trait Task: Send + Sync {
    fn run(&self) -> Doing<'_, ()>;
}

/// The organizations in which something is to be done.
pub trait Tenants: Send + Sync {
    fn due(&self) -> Doing<'_, Vec<Uuid>>;
}

/// What is done when it is due.
#[derive(Clone)]
pub enum Work {
    Once(Arc<dyn Task>),
    /// A job in each of the organizations, unless it has such a job already.
    Each(Kind, Arc<dyn Tenants>),
}

/// Something that is done regularly.
#[derive(Clone)]
pub struct Cron {
    pub name: &'static str,
    /// As in a crontab, with seconds in front if it has six fields.
    pub pattern: &'static str,
    pub zone: Tz,
    /// After this it is not done any more.
    pub max_lateness: Duration,
    pub work: Work,
}

/// A time at which something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The time in the zone, without its offset: a time that occurs twice is one tick.
    pub name: String,
    pub due_at: DateTime<Utc>,
}

/// The latest tick of a pattern; `None` if it has none, or is no pattern. A time that a clock change skips is the first
/// instant after it.
pub fn latest_tick(pattern: &str, zone: Tz, now: DateTime<Utc>) -> Option<Tick> {
    let cron = croner::Cron::from_str(pattern).ok()?;
    let due = cron.find_previous_occurrence(&now.with_timezone(&zone), true).ok()?;
    let first = due.naive_local().and_local_timezone(zone).earliest().unwrap_or(due);
    Some(Tick { name: due.naive_local().format("%Y-%m-%dT%H:%M:%S").to_string(), due_at: first.to_utc() })
}

impl Cron {
    /// Does what is due and was not done, if no other worker does it. Returns the tick it has looked at.
    pub async fn look(
        &self,
        db: &WorkerDb,
        now: DateTime<Utc>,
        seen: Option<&Tick>,
    ) -> Result<Option<Tick>, db::Error> {
        let Some(tick) = latest_tick(self.pattern, self.zone, now).filter(|tick| Some(tick) != seen) else {
            return Ok(None);
        };
        let lateness = TimeDelta::from_std(self.max_lateness).unwrap_or(TimeDelta::MAX);
        let too_late = now - tick.due_at > lateness;
        let sql = sql!("messaging/ticks_begin.sql" as (bool,));
        let lease = self.max_lateness.as_secs_f64().clamp(60.0, 3600.0);
        let (begun,) = db.gate(sql, &[&self.name, &tick.name, &tick.due_at, &too_late, &lease]).await?;
        if begun {
            let done = self.work(db).await;
            if let Err(Failed(error)) = &done {
                tracing::warn!(name = self.name, error, "regular work failed");
            }
            let kept = (2.0 * self.max_lateness.as_secs_f64()).max(3600.0);
            let failed = done.is_err();
            db.gate(sql!("messaging/ticks_end.sql"), &[&self.name, &tick.name, &failed, &kept]).await?;
        }
        Ok(Some(tick))
    }

    async fn work(&self, db: &WorkerDb) -> Result<(), Failed> {
        match &self.work {
            Work::Once(task) => task.run().await,
            Work::Each(kind, tenants) => {
                for tenant in tenants.due().await? {
                    let mut tx = db.begin(tenant);
                    let job = NewJob { kind: *kind, key: Some(self.name), payload: json!({}), run_at: None };
                    match job.add(&mut tx).await {
                        Ok(_) => tx.commit().await?,
                        // Suspended meanwhile.
                        Err(db::Error::WrongHost) => {}
                        Err(error) => Err(error)?,
                    }
                }
                Ok(())
            }
        }
    }
}
