//! What a search for slots costs, which is known before anything is loaded.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    db::{Context, Db},
    http::{
        computing::{self, Place},
        limit,
        problem::Failure,
        values::TimeZone,
    },
    sql,
};

/// How many provider days count as one request towards the rate limits.
const DAYS_A_REQUEST: u32 = 100;

/// The time zone for dates, and the number of providers whose slots are searched. `None`: all active ones.
pub async fn weigh(
    db: &Db,
    context: Context,
    zone: Option<TimeZone>,
    providers: Option<u32>,
) -> Result<(Tz, u32), Failure> {
    if let (Some(zone), Some(providers)) = (zone, providers) {
        return Ok((zone.0, providers));
    }
    let sql = sql!("scheduling/slots_weigh.sql" as (TimeZone, i64));
    let (home, active) = db.one(context, sql, &[]).await?;
    let active = u32::try_from(active).unwrap_or(u32::MAX);
    Ok((zone.unwrap_or(home).0, providers.unwrap_or(active)))
}

/// Waits for the turn of a search of so many providers in a period. `counts`: towards the rate limits.
pub async fn place(
    context: Context,
    providers: u32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    counts: bool,
) -> Result<Place, Failure> {
    let days = u32::try_from((to - from).num_days() + 1).unwrap_or(u32::MAX);
    let weight = providers.saturating_mul(days);
    if counts {
        limit::charge(1 + weight / DAYS_A_REQUEST)?;
    }
    computing::place(context.tenant, weight).await
}
