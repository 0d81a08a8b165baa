//! Loads the rows that decide which starts can be booked, with one statement for both listing and booking.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    availability::{Availability, Provider, ServiceRules},
    diary::{Diary, Taken},
    setback::Setback,
};
use crate::{
    db::{Tx, Unread, row},
    http::{
        computing::{self, Deadline},
        problem::{Failure, Problem},
        values::{TimeZone, named_enum},
    },
    scheduling::hours::{
        schedules::HoursRow,
        working_hours::{Hours, Interval, Open, merged},
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
    /// Only these providers, also if they are inactive. Empty: all active ones.
    pub providers: &'a [Uuid],
    /// Contacts whose own appointments are considered.
    pub contacts: &'a [Uuid],
    pub from: DateTime<Utc>,
    /// The end of the period, exclusive.
    pub to: DateTime<Utc>,
    /// Appointments whose time counts as free.
    pub ignored: &'a [Uuid],
    pub now: DateTime<Utc>,
}

impl AvailabilityQuery<'_> {
    /// The provider, if only one is requested.
    pub fn only_provider(&self) -> Option<Uuid> {
        match self.providers {
            [only] => Some(*only),
            _ => None,
        }
    }
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
    let rows = Rows::load(tx, query, query.services.len(), booking).await?;
    let long = rows.rows.count() > FEW_ROWS || query.to - query.from > SHORT;
    computing::inside(tx, long, move |deadline| rows.read(deadline)).await
}

named_enum! {
    /// The kind of a resource.
    Kind {
        Provider = "provider",
        Contact = "contact",
        Room = "room",
        Equipment = "equipment",
    }
}

/// A row of `availability_get.sql`.
struct DecisiveRow {
    /// Only in the first row.
    about: Option<About>,
    /// `None` if nothing matches; the first row is returned nevertheless.
    who: Option<WhoseTime>,
}

row! {
    DecisiveRow { about: Option<About>, who: Option<WhoseTime> }
}

/// The services and the organization.
struct About {
    closed_from: Vec<NaiveDate>,
    closed_to: Vec<NaiveDate>,
    services: Option<Vec<ServiceRules>>,
    organization_time_zone: TimeZone,
    holds_expired: bool,
}

row! {
    About { closed_from, closed_to, services as json, organization_time_zone, holds_expired }
}

/// A provider, a contact, a room or a piece of equipment, and its taken time.
struct WhoseTime {
    id: Uuid,
    kind: Kind,
    active: bool,
    max_per_day: Option<i32>,
    max_per_week: Option<i32>,
    hours: Option<HoursRow>,
    off_starts: Vec<DateTime<Utc>>,
    off_ends: Vec<DateTime<Utc>>,
    taken: TakenRow,
}

row! {
    WhoseTime {
        id, kind, active, max_per_day, max_per_week, hours: Option<HoursRow>, off_starts, off_ends, taken: TakenRow
    }
}

/// The claims of a resource, and when its person is busy in other organizations.
struct TakenRow {
    starts: Vec<DateTime<Utc>>,
    ends: Vec<DateTime<Utc>>,
    service_starts: Vec<Option<DateTime<Utc>>>,
    service_ends: Vec<Option<DateTime<Utc>>>,
    group_keys: Vec<Option<Uuid>>,
    seats: Vec<i16>,
    elsewhere_starts: Option<Vec<DateTime<Utc>>>,
    elsewhere_ends: Option<Vec<DateTime<Utc>>>,
}

row! {
    TakenRow { starts, ends, service_starts, service_ends, group_keys, seats, elsewhere_starts, elsewhere_ends }
}

/// The loaded rows, not converted yet.
pub struct Rows {
    rows: Unread<DecisiveRow>,
    since: DateTime<Utc>,
    reach: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Rows {
    /// Loads the rows for a listing, which are converted after the connection is returned.
    pub async fn of(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Self, Failure> {
        Self::load(tx, query, query.services.len(), false).await
    }

    /// Loads the rows for a listing of each service by itself, not of a visit.
    pub async fn of_each(tx: &mut Tx, query: &AvailabilityQuery<'_>) -> Result<Self, Failure> {
        Self::load(tx, query, 1, false).await
    }

    /// Converts the rows for a listing.
    pub fn availability(self, deadline: &Deadline) -> Result<Availability, Failure> {
        Ok(self.read(deadline)?.availability)
    }

    /// `segments` is the number of services that follow one another.
    async fn load(
        tx: &mut Tx,
        query: &AvailabilityQuery<'_>,
        segments: usize,
        booking: bool,
    ) -> Result<Self, Failure> {
        let AvailabilityQuery { services, providers, contacts, from, to, ignored, now } = *query;
        let providers = (!providers.is_empty()).then_some(providers);
        // An appointment that starts just before the end of the period may end a day later, a visit even later; and the
        // first one may have half a day of buffer before it.
        let since = from - TimeDelta::hours(12);
        let reach = to + TimeDelta::hours(24) * i32::try_from(segments).unwrap_or(1);
        // Dates in any time zone, and the day before, whose hours may extend past midnight.
        let first = since.date_naive() - Days::new(2);
        let last = reach.date_naive() + Days::new(1);
        let rows = tx
            .unread(
                sql!("scheduling/availability_get.sql" as DecisiveRow),
                &[&services, &providers, &since, &reach, &first, &last, &ignored, &contacts, &booking],
            )
            .await?;
        Ok(Self { rows, since, reach, now })
    }

    /// Converts the rows. The time is proportional to their number.
    fn read(self, deadline: &Deadline) -> Result<Loaded, Failure> {
        let Self { rows, since, reach, now } = self;
        let mut about = None;
        let mut closed = Vec::new();
        let mut providers = Vec::with_capacity(rows.count());
        let mut resources = BTreeMap::new();
        let mut contacts = BTreeMap::new();
        for row in rows.read() {
            deadline.check()?;
            let DecisiveRow { about: first, who } = row?;
            if let Some(first) = first {
                // Merged once, not once per provider.
                closed = merged(first.closed());
                about = Some(first);
            }
            let Some(who) = who else {
                continue;
            };
            let diary = diary(who.taken);
            match who.kind {
                Kind::Provider => {}
                Kind::Contact => {
                    contacts.insert(who.id, diary);
                    continue;
                }
                Kind::Room | Kind::Equipment => {
                    resources.insert(who.id, diary);
                    continue;
                }
            }
            let open = who.hours.map_or_else(Vec::new, |row| Hours::from(row).intervals(since, reach));
            let away = intervals(who.off_starts, who.off_ends);
            // A check constraint keeps limits above zero.
            let limit = |limit: Option<i32>| limit.map(|limit| limit.unsigned_abs() as usize);
            providers.push(Provider {
                id: who.id,
                active: who.active,
                open: Open::new(open, closed.iter().copied().chain(away).collect()),
                diary,
                max_per_day: limit(who.max_per_day),
                max_per_week: limit(who.max_per_week),
            });
        }
        let about = about.ok_or_else(Problem::internal)?;
        Ok(Loaded {
            holds_expired: about.holds_expired,
            availability: Availability {
                services: about.services.unwrap_or_default(),
                providers,
                resources,
                contacts,
                zone: about.organization_time_zone.0,
                now,
            },
        })
    }
}

impl About {
    fn closed(&self) -> Vec<Interval> {
        let zone = self.organization_time_zone.0;
        let dates = self.closed_from.iter().zip(&self.closed_to);
        dates.map(|(first, last)| Interval::of_dates(zone, *first, *last)).collect()
    }
}

fn intervals(starts: Vec<DateTime<Utc>>, ends: Vec<DateTime<Utc>>) -> impl Iterator<Item = Interval> {
    starts.into_iter().zip(ends).map(|(starts_at, ends_at)| Interval { starts_at, ends_at })
}

fn diary(taken: TakenRow) -> Diary {
    let own = intervals(taken.starts, taken.ends)
        .zip(taken.service_starts.into_iter().zip(taken.service_ends))
        .zip(taken.group_keys)
        .zip(taken.seats)
        .map(|(((during, (service_starts_at, service_ends_at)), group_key), seat)| Taken {
            during,
            service_starts_at,
            service_ends_at,
            group_key,
            seat,
        });
    let elsewhere = taken.elsewhere_starts.unwrap_or_default();
    let elsewhere = intervals(elsewhere, taken.elsewhere_ends.unwrap_or_default()).map(|during| Taken {
        during,
        service_starts_at: None,
        service_ends_at: None,
        group_key: None,
        seat: 1,
    });
    Diary::new(own.chain(elsewhere).collect())
}
