//! The rows that decide which starts can be booked, loaded by one statement for listing and for booking.

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

/// What booking loads of more rows, or of a longer time, is not turned into values on the thread that serves requests.
const FEW_ROWS: usize = 20;

const SHORT: TimeDelta = TimeDelta::days(8);

/// What is asked about: starts of services in a period.
#[derive(Clone, Copy)]
pub struct AvailabilityQuery<'a> {
    /// One, or several of a visit in their order. Services that do not exist are missing in the answer.
    pub services: &'a [Uuid],
    /// Only this provider. None: all that are active.
    pub provider: Option<Uuid>,
    /// Contacts whose own time counts.
    pub contacts: &'a [Uuid],
    pub from: DateTime<Utc>,
    /// The first instant after the period.
    pub to: DateTime<Utc>,
    /// Appointments whose own time counts as free.
    pub ignored: &'a [Uuid],
    pub now: DateTime<Utc>,
}

/// What was loaded.
struct Loaded {
    availability: Availability,
    /// Whether holds have expired and were not removed yet: their claims are left out, and stand in the way of a booking.
    holds_expired: bool,
}

impl Loaded {
    fn bookable(self) -> Result<Availability, Setback> {
        if self.holds_expired { Err(Setback::HoldsExpired) } else { Ok(self.availability) }
    }
}

/// Loads what decides, to list or suggest starts.
pub async fn to_list(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Availability, Failure> {
    Ok(load(tx, query, false).await?.availability)
}

/// Loads what decides, to book. The locks of booking are taken already.
pub async fn to_book(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Availability, Setback> {
    load(tx, query, false).await?.bookable()
}

/// Takes the locks of booking (`resources_lock.sql`) and loads what decides, to book.
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

/// The rows that decide, as the database has them.
pub struct Rows {
    rows: Vec<Row>,
    since: DateTime<Utc>,
    reach: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Rows {
    /// Of a listing: they are read later, when no connection is held.
    pub async fn of(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Self, Failure> {
        Self::load(tx, query, false).await
    }

    /// Turns them into values, to list.
    pub fn availability(self, deadline: &Deadline) -> Result<Availability, Failure> {
        Ok(self.read(deadline)?.availability)
    }

    async fn load(tx: &mut Tx, query: &AvailabilityQuery<'_>, booking: bool) -> Result<Self, Failure> {
        let AvailabilityQuery { services, provider, contacts, from, to, ignored, now } = *query;
        // An appointment that starts just before the end of the period may reach a day beyond it, a visit more; and half a
        // day of buffer may lie before the first.
        let since = from - TimeDelta::hours(12);
        let services_count = i32::try_from(services.len()).unwrap_or(1);
        let reach = to + TimeDelta::hours(24) * services_count;
        // Dates of whatever zone a schedule is in, the day before included, whose hours may reach over midnight.
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

    /// Turns them into values. Takes as long as they are many.
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
        // Once, and not once a provider.
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
