//! Loads the rows that decide which starts can be booked, with one statement for both listing and booking.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    availability::{Availability, Provider},
    diary::{Diary, Taken},
    setback::Setback,
};
use crate::{
    db::Tx,
    http::{
        computing::{self, Deadline},
        problem::{Failure, Problem},
    },
    scheduling::hours::{
        schedules, wall_time,
        working_hours::{Interval, Open, merged},
    },
    sql,
};

/// More rows, or a longer period, are converted on a computing thread instead of the thread that serves requests.
const FEW_ROWS: usize = 20;

const SHORT: TimeDelta = TimeDelta::days(8);

/// A query for starts of services in a period.
#[derive(Clone, Copy)]
pub struct AvailabilityQuery<'a> {
    /// One service, or the services of a visit in their order. Services that do not exist are missing from the result.
    pub services: &'a [Uuid],
    /// Only this provider. `None`: all active ones.
    pub provider: Option<Uuid>,
    /// Contacts whose own appointments are considered.
    pub contacts: &'a [Uuid],
    pub from: DateTime<Utc>,
    /// The end of the period, exclusive.
    pub to: DateTime<Utc>,
    /// Appointments whose time counts as free.
    pub ignored: &'a [Uuid],
    pub now: DateTime<Utc>,
}

/// The loaded data.
struct Loaded {
    availability: Availability,
    /// Whether expired holds are not removed yet: their claims were not loaded, but would block a booking.
    holds_expired: bool,
}

impl Loaded {
    fn bookable(self) -> Result<Availability, Setback> {
        if self.holds_expired { Err(Setback::HoldsExpired) } else { Ok(self.availability) }
    }
}

/// Loads the data for listing or suggesting starts.
pub async fn to_list(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Availability, Failure> {
    Ok(load(tx, query, false).await?.availability)
}

/// Loads the data for booking. The locks must be taken already.
pub async fn to_book(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Availability, Setback> {
    load(tx, query, false).await?.bookable()
}

/// Takes the locks (`resources_lock.sql`) and loads the data for booking.
pub async fn locked_to_book(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Availability, Setback> {
    load(tx, query, true).await?.bookable()
}

async fn load(tx: &mut Tx, query: &AvailabilityQuery<'_>, booking: bool) -> Result<Loaded, Failure> {
    let rows = Rows::load(tx, query, booking).await?;
    match tx.context().map(|context| context.tenant) {
        Some(tenant) if rows.rows.len() > FEW_ROWS || query.to - query.from > SHORT => {
            computing::place_inside(tenant).compute(move |deadline| rows.read(deadline)).await
        }
        _ => rows.read(&Deadline::never()),
    }
}

/// The loaded rows, not converted yet.
pub struct Rows {
    rows: Vec<Row>,
    since: DateTime<Utc>,
    reach: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Rows {
    /// Loads the rows for a listing, which are converted after the connection is returned.
    pub async fn of(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Self, Failure> {
        Self::load(tx, query, false).await
    }

    /// Converts the rows for a listing.
    pub fn availability(self, deadline: &Deadline) -> Result<Availability, Failure> {
        Ok(self.read(deadline)?.availability)
    }

    async fn load(tx: &mut Tx, query: &AvailabilityQuery<'_>, booking: bool) -> Result<Self, Failure> {
        let AvailabilityQuery { services, provider, contacts, from, to, ignored, now } = *query;
        // An appointment that starts just before the end of the period may end a day later, a visit even later; and the
        // first one may have half a day of buffer before it.
        let since = from - TimeDelta::hours(12);
        let services_count = i32::try_from(services.len()).unwrap_or(1);
        let reach = to + TimeDelta::hours(24) * services_count;
        // Dates in any time zone, and the day before, whose hours may extend past midnight.
        let first = since.date_naive() - Days::new(2);
        let last = reach.date_naive() + Days::new(1);
        let rows = tx
            .all(
                sql!("scheduling/availability_get.sql"),
                &[&services, &provider, &since, &reach, &first, &last, &ignored, &contacts, &booking],
            )
            .await?;
        Ok(Self { rows, since, reach, now })
    }

    /// Converts the rows. The time is proportional to their number.
    fn read(self, deadline: &Deadline) -> Result<Loaded, Failure> {
        let Self { rows, since, reach, now } = self;
        let about = rows.first().ok_or_else(Problem::internal)?;
        let zone: Tz = about.get::<_, &str>("organization_time_zone").parse().unwrap_or(Tz::UTC);
        let asked: Option<serde_json::Value> = about.get("services");
        let services = asked
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| {
                tracing::error!(%error, "the rules of a service cannot be read");
                Problem::internal()
            })?
            .unwrap_or_default();
        let closed: Vec<Interval> = about
            .get::<_, Vec<NaiveDate>>("closed_from")
            .into_iter()
            .zip(about.get::<_, Vec<NaiveDate>>("closed_to"))
            .map(|(first, last)| Interval {
                starts_at: wall_time::instant(zone, first, 0),
                ends_at: wall_time::instant(zone, last, 1440),
            })
            .collect();
        // Merged once, not once per provider.
        let closed = merged(closed);
        let mut providers = Vec::with_capacity(rows.len());
        let mut resources = BTreeMap::new();
        let mut contacts = BTreeMap::new();
        for row in &rows {
            deadline.check()?;
            let Some(id) = row.get::<_, Option<Uuid>>("id") else {
                continue;
            };
            let diary = diary(row);
            match row.get::<_, &str>("kind") {
                "provider" => {}
                "contact" => {
                    contacts.insert(id, diary);
                    continue;
                }
                _ => {
                    resources.insert(id, diary);
                    continue;
                }
            }
            let intervals =
                schedules::hours(row, 10)?.map_or_else(Vec::new, |hours| hours.intervals(since, reach));
            let away = closed.iter().copied().chain(intervals_of(row, "off_starts", "off_ends")).collect();
            let limit = |name| row.get::<_, Option<i32>>(name).and_then(|limit| usize::try_from(limit).ok());
            providers.push(Provider {
                id,
                active: row.get("active"),
                open: Open::new(intervals, away),
                diary,
                max_per_day: limit("max_per_day"),
                max_per_week: limit("max_per_week"),
            });
        }
        Ok(Loaded {
            holds_expired: about.get("holds_expired"),
            availability: Availability { services, providers, resources, contacts, zone, now },
        })
    }
}

fn intervals_of(row: &Row, starts: &str, ends: &str) -> Vec<Interval> {
    let starts: Option<Vec<DateTime<Utc>>> = row.get(starts);
    let ends: Option<Vec<DateTime<Utc>>> = row.get(ends);
    starts
        .into_iter()
        .flatten()
        .zip(ends.into_iter().flatten())
        .map(|(starts_at, ends_at)| Interval { starts_at, ends_at })
        .collect()
}

fn diary(row: &Row) -> Diary {
    let serves: Vec<Option<DateTime<Utc>>> = row.get("serves");
    let serves_until: Vec<Option<DateTime<Utc>>> = row.get("serves_until");
    let keys: Vec<Option<Uuid>> = row.get("group_keys");
    let seats: Vec<i16> = row.get("seats");
    let own = intervals_of(row, "starts", "ends")
        .into_iter()
        .zip(serves.into_iter().zip(serves_until))
        .zip(keys)
        .zip(seats)
        .map(|(((during, (serves_at, serves_until)), group_key), seat)| Taken {
            during,
            serves_at,
            serves_until,
            group_key,
            seat,
        });
    let elsewhere = intervals_of(row, "elsewhere_starts", "elsewhere_ends").into_iter().map(|during| Taken {
        during,
        serves_at: None,
        serves_until: None,
        group_key: None,
        seat: 1,
    });
    Diary::new(own.chain(elsewhere).collect())
}
