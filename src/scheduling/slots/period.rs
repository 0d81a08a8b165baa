//! The period of a listing, and what computing it costs.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::cost;
use crate::{
    db::{Context, Db},
    http::{
        computing::Place,
        problem::Failure,
        values::{InstantOrDate, TimeZone},
    },
    scheduling::hours::{period::check_length, wall_time},
};

/// A period, as a request gives it.
#[derive(Clone, Copy)]
pub struct RequestedPeriod {
    pub from: InstantOrDate,
    pub to: InstantOrDate,
    /// The time zone of dates. Defaults to the organization's.
    pub time_zone: Option<TimeZone>,
}

/// How much is computed for each day of a period.
#[derive(Clone, Copy)]
pub struct Extent {
    /// The number of providers. `None`: all active ones.
    pub providers: Option<u32>,
    /// How many listings are computed for each provider.
    pub times: usize,
    /// The maximum length of the period.
    pub days: i64,
}

/// A period that may be computed.
#[derive(Clone, Copy)]
pub struct Period {
    pub from: DateTime<Utc>,
    /// The end, exclusive.
    pub to: DateTime<Utc>,
    pub zone: Tz,
}

/// Checks the length of a period, counts its cost towards the rate limits, and waits until it may be computed. Nothing
/// is loaded before, and no database connection is held while the request waits.
pub async fn admit(
    db: &Db,
    context: Context,
    requested: RequestedPeriod,
    extent: Extent,
) -> Result<(Period, Place), Failure> {
    let (zone, providers) = cost::weigh(db, context, requested.time_zone, extent.providers).await?;
    let (from, to) = (wall_time::given(zone, requested.from), wall_time::given(zone, requested.to));
    check_length(zone, from, to, extent.days)?;
    let times = u32::try_from(extent.times).unwrap_or(u32::MAX);
    let place = cost::place(context, providers.saturating_mul(times), from, to, true).await?;
    Ok((Period { from, to, zone }, place))
}
