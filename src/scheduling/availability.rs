//! The rows that decide which starts are free, loaded by one statement for listing and for booking, and the listing.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, TimeDelta, Utc};
use chrono_tz::Tz;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    hours::{Hours, Interval},
    schedules,
    slots::{Calendar, Grid},
    wall_time,
};
use crate::{
    db::{Db, Tx},
    http::{
        Tag,
        caller::{Member, Viewer},
        json::Json,
        problem::{Computing, Failure, Problem, Refused},
        text::{InstantOrDate, TimeZone},
    },
    sql,
    tenancy::organizations,
};

/// The longest period that slots are listed for.
const LONGEST_PERIOD: TimeDelta = TimeDelta::days(62);

/// The most pairs of start and provider that are listed: some megabytes.
const MOST_SLOTS: usize = 50_000;

/// A start at which a service can be booked.
#[derive(Debug, Object, Serialize)]
pub struct Slot {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Who is free.
    pub provider_ids: Vec<Uuid>,
    /// How many can still be booked at this start.
    pub remaining: usize,
}

/// The starts in a period at which a service can be booked.
#[derive(Debug, Object, Serialize)]
pub struct Slots {
    /// The zone in which dates were read.
    pub time_zone: String,
    /// In order of time.
    pub items: Vec<Slot>,
}

pub struct SlotsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl SlotsApi {
    /// List free slots
    ///
    /// Every start at which the service can be booked, by the rules and the rows by which booking decides. Every active
    /// provider gives every active service. An inactive one has no slots, and nothing starts in the past.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_slots")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        service_id: Path<Uuid>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, itself not part of it: an instant, or a date in `time_zone`. At most 62 days after
        /// `from`.
        to: Query<InstantOrDate>,
        /// Only this provider; anybody where not given.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone that dates are in; the organization's where not given.
        time_zone: Query<Option<TimeZone>>,
    ) -> Result<Json<Slots>, Refused<Computing>> {
        let now = Utc::now();
        let mut tx = self.0.begin(&caller);
        let zone = match time_zone.0 {
            Some(zone) => zone.0,
            None => organizations::time_zone(&mut tx).await?.0,
        };
        let (from, to) = (instant(from.0, zone), instant(to.0, zone));
        if to <= from {
            Err(Problem::invalid_field("to", "invalid_value", "an instant or a date after from"))?;
        }
        if to - from > LONGEST_PERIOD {
            Err(Problem::invalid_field("to", "period_too_long", "at most 62 days after from"))?;
        }
        let availability = load(&mut tx, service_id.0, provider_id.0, from, to, now)
            .await?
            .ok_or_else(Problem::not_found)?;
        tx.commit().await?;
        if provider_id.0.is_some() && availability.providers.is_empty() {
            Err(unknown_provider())?;
        }
        // Milliseconds for many providers and a long period: not on the threads that serve requests.
        let items = tokio::task::spawn_blocking(move || availability.slots(from, to))
            .await
            .map_err(|error| {
                tracing::error!(%error, "computing slots panicked");
                Problem::internal()
            })?
            .ok_or_else(|| {
                let detail =
                    "a period with fewer slots: more than 50,000, of all providers together, are free";
                Problem::invalid_field("to", "period_too_long", detail)
            })?;
        Ok(Json(Slots { time_zone: zone.name().to_owned(), items }))
    }
}

/// 422 for a provider who does not exist or cannot be booked.
pub fn unknown_provider() -> Problem {
    Problem::invalid_field("provider_id", "not_found", "the id of a provider of the organization")
}

/// A date begins when its midnight does, or when clocks have jumped over that.
fn instant(given: InstantOrDate, zone: Tz) -> DateTime<Utc> {
    match given {
        InstantOrDate::Instant(instant) => instant,
        InstantOrDate::Date(date) => wall_time::instant(zone, date, 0),
    }
}

/// What decides which starts of a service are free in a period.
pub struct Availability {
    /// Whether the service can be booked at all.
    pub active: bool,
    pub grid: Grid,
    /// Everybody who can be booked, in a stable order.
    pub providers: Vec<ProviderTime>,
    now: DateTime<Utc>,
    from: DateTime<Utc>,
    reach: DateTime<Utc>,
}

/// A provider's hours and what is taken of them.
pub struct ProviderTime {
    pub id: Uuid,
    /// Whether the provider can be booked. Others are there only if asked for by id.
    pub active: bool,
    hours: Option<Hours>,
    busy: Vec<Interval>,
}

/// Loads it; none where there is no such service. Good for starts in `from` to `to`.
pub async fn load(
    tx: &mut Tx,
    service: Uuid,
    provider: Option<Uuid>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Availability>, Failure> {
    // An appointment that starts just before the end of the period may reach a day beyond it.
    let reach = to + TimeDelta::hours(24);
    // Dates of whatever zone a schedule is in, the day before included, whose hours may reach over midnight.
    let first = from.date_naive() - Days::new(2);
    let last = reach.date_naive() + Days::new(1);
    let rows = tx
        .all(sql!("scheduling/availability_get.sql"), &[&service, &provider, &from, &reach, &first, &last])
        .await?;
    let Some(service) = rows.first() else {
        return Ok(None);
    };
    let minutes = |column| TimeDelta::minutes(service.get::<_, i32>(column).into());
    let grid = Grid { duration: minutes(1), step: minutes(2) };
    let mut providers = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(id) = row.get::<_, Option<Uuid>>(3) else {
            continue;
        };
        let (starts, ends): (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>) = (row.get(11), row.get(12));
        let busy = starts
            .into_iter()
            .zip(ends)
            .map(|(starts_at, ends_at)| Interval { starts_at, ends_at })
            .collect();
        providers.push(ProviderTime { id, active: row.get(4), hours: schedules::hours(row, 5)?, busy });
    }
    Ok(Some(Availability { active: service.get(0), grid, providers, now, from, reach }))
}

impl Availability {
    /// The calendar of one of the providers.
    pub fn calendar(&self, provider: &ProviderTime) -> Calendar {
        let intervals =
            provider.hours.as_ref().map_or_else(Vec::new, |hours| hours.intervals(self.from, self.reach));
        Calendar::new(self.grid, self.now, intervals, provider.busy.clone())
    }

    /// The free slots in a period; none where they are too many to list.
    fn slots(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<Slot>> {
        let mut count = 0;
        let mut free: BTreeMap<DateTime<Utc>, Vec<Uuid>> = BTreeMap::new();
        if self.active {
            for provider in self.providers.iter().filter(|provider| provider.active) {
                let starts = self.calendar(provider).starts(from, to);
                count += starts.len();
                if count > MOST_SLOTS {
                    return None;
                }
                for start in starts {
                    free.entry(start).or_default().push(provider.id);
                }
            }
        }
        let slots = free
            .into_iter()
            .map(|(starts_at, provider_ids)| Slot {
                starts_at,
                ends_at: starts_at + self.grid.duration,
                remaining: provider_ids.len(),
                provider_ids,
            })
            .collect();
        Some(slots)
    }
}
