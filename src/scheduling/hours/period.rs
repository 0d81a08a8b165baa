//! The period that a request gives, whose bounds may be optional, as instants.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::wall_time;
use crate::{
    db::{Context, Db},
    http::{
        problem::{Failure, Problem},
        query,
        values::{InstantOrDate, TimeZone},
    },
    tenancy::organizations,
};

/// 3000-01-01, after everything an [`Instant`](crate::http::values::Instant) can be.
const END_OF_TIME: DateTime<Utc> = match DateTime::from_timestamp(32_503_680_000, 0) {
    Some(instant) => instant,
    None => DateTime::<Utc>::MAX_UTC,
};

/// 422 on `to` if a period ends before it begins.
pub fn check_order(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), Problem> {
    if to <= from {
        return Err(Problem::invalid_field(
            "to",
            "invalid_value",
            "expected an instant or a date after from",
        ));
    }
    Ok(())
}

/// 422 on `to` if a period ends before it begins, or is longer than so many days. The days are those of the clock: if
/// clocks go back in it, a period of whole days has an hour more.
pub fn check_length(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>, days: i64) -> Result<(), Problem> {
    check_order(from, to)?;
    let shown = |instant: DateTime<Utc>| instant.with_timezone(&zone).naive_local();
    if shown(to) - shown(from) > TimeDelta::days(days) {
        let detail = format!("expected an instant or a date at most {days} days after from");
        return Err(Problem::invalid_field("to", "period_too_long", detail));
    }
    Ok(())
}

/// The bounds of a period, as the request gives them.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub from: Option<InstantOrDate>,
    pub to: Option<InstantOrDate>,
    /// The time zone of dates. `None`: the organization's.
    pub time_zone: Option<TimeZone>,
}

impl Bounds {
    /// The first instant, and the first one after the period. Asks for the organization's time zone only if a date is
    /// given without one.
    pub async fn instants(
        self,
        db: &Db,
        context: Context,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
        let has_date =
            [self.from, self.to].iter().flatten().any(|bound| matches!(bound, InstantOrDate::Date(_)));
        let zone = match self.time_zone {
            Some(zone) => zone.0,
            None if has_date => {
                let mut tx = db.begin(context);
                let zone = organizations::time_zone(&mut tx).await?;
                tx.commit().await?;
                zone.0
            }
            None => Tz::UTC,
        };
        Ok(self.instants_in(zone))
    }

    /// The same, for lists: 422 on `to` if it is before `from`.
    pub async fn listed(self, db: &Db, context: Context) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
        let (from, to) = self.instants(db, context).await?;
        query::in_order(self.from.and(Some(from)), self.to.and(Some(to)))?;
        Ok((from, to))
    }

    /// The same, for dates in this time zone.
    pub fn listed_in(self, zone: Tz) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let (from, to) = self.instants_in(zone);
        query::in_order(self.from.and(Some(from)), self.to.and(Some(to)))?;
        Ok((from, to))
    }

    /// The first instant, and the first one after the period, for dates in this time zone.
    pub fn instants_in(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        let instant = |bound| wall_time::given(zone, bound);
        (self.from.map_or(DateTime::UNIX_EPOCH, instant), self.to.map_or(END_OF_TIME, instant))
    }
}
