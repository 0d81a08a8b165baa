//! The operation that shows staff a calendar: for each provider, the open hours and everything that takes time, in one
//! answer.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use chrono::{DateTime, Days, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::appointment::{AppointmentAction, AppointmentStatus, CancelledBy};
use crate::{
    db::{Context, Db, Unread, row},
    http::{
        caller::{Member, Viewer},
        computing::Deadline,
        json::SerializedJson,
        problem::{ApiError, Failure, Listing, Problem},
        values::{InstantOrDate, TimeZone},
    },
    scheduling::{
        hours::{
            closures::Closure,
            schedules::HoursRow,
            time_off::TimeOff,
            working_hours::{Hours, Interval, Open, merged},
        },
        slots::{
            period::{self, Extent, Period, RequestedPeriod},
            problems::unknown_provider,
        },
    },
    sql,
};

/// The maximum period of a calendar, in days.
const LONGEST_PERIOD: i64 = 31;

/// The maximum number of appointments of one answer.
const MOST_APPOINTMENTS: usize = 5000;

/// The maximum size of an answer, in bytes.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// The calendar of a period.
#[derive(Debug, Object, Serialize)]
pub struct Calendar {
    /// The IANA time zone in which the dates of the request were read.
    pub time_zone: String,
    /// The beginning of the period.
    pub from: DateTime<Utc>,
    /// The end of the period, exclusive.
    pub to: DateTime<Utc>,
    /// The closures in the period, ordered by first date.
    pub closures: Vec<Closure>,
    /// The providers, in the order in which they were created.
    pub providers: Vec<CalendarProvider>,
}

/// The calendar of a provider. What only overlaps the period is listed, too.
#[derive(Debug, Object, Serialize)]
pub struct CalendarProvider {
    pub id: Uuid,
    pub name: String,
    pub active: bool,
    /// The working hours in the period, without closures and time off, whether or not their time is taken. Adjacent
    /// intervals are merged.
    pub open: Vec<Interval>,
    /// When the provider is busy in other organizations, in whole quarters of an hour.
    pub busy_elsewhere: Vec<Interval>,
    /// Time off, ordered by start.
    pub time_off: Vec<TimeOff>,
    /// Appointments that are not cancelled or declined, ordered by start. A visit of several services has one entry for
    /// each service that the provider performs.
    pub appointments: Vec<CalendarAppointment>,
    /// Holds that have not expired, ordered by start.
    pub holds: Vec<CalendarHold>,
    /// Group sessions with at least one seat taken, ordered by start.
    pub sessions: Vec<CalendarSession>,
}

/// An appointment in a calendar, or one service of a visit.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarAppointment {
    /// The id of the appointment. The services of a visit have the same.
    pub id: Uuid,
    /// The number of the service in its visit, from 1. Absent for a single service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<i16>,
    pub service_id: Uuid,
    pub service_name: String,
    pub contact_id: Uuid,
    /// First and last name of the contact.
    pub contact_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// The beginning of the provider's time that is taken, with the buffer. Absent if no time is taken: for a no-show,
    /// and 35 days after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_from: Option<DateTime<Utc>>,
    /// The end of the provider's time that is taken, exclusive, with the buffer. Absent if `busy_from` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_until: Option<DateTime<Utc>>,
    pub status: AppointmentStatus,
    /// The actions that the status allows. Some require a role higher than `viewer`.
    #[serde(default)]
    pub allowed: Vec<AppointmentAction>,
    /// The number of the seat in a group session. Absent if the service has one seat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat: Option<i16>,
    /// The series the appointment belongs to. Absent if it belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_id: Option<Uuid>,
}

/// A hold in a calendar.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarHold {
    pub id: Uuid,
    pub service_id: Uuid,
    pub service_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// The beginning of the provider's time that is taken, with the buffer.
    pub busy_from: DateTime<Utc>,
    /// The end of the provider's time that is taken, exclusive, with the buffer.
    pub busy_until: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The waitlist entry that the slot is offered to. Absent if the hold is not an offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waitlist_entry_id: Option<Uuid>,
    /// The number of the seat in a group session. Absent if the service has one seat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat: Option<i16>,
}

/// A group session in a calendar.
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct CalendarSession {
    pub service_id: Uuid,
    pub service_name: String,
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive.
    pub ends_at: DateTime<Utc>,
    /// Number of seats taken, by appointments and by holds.
    pub seats_taken: i64,
    /// Number of seats of the service.
    pub capacity: i32,
}

/// A row of `calendar_get.sql`.
struct CalendarRow {
    /// Only in the first row.
    about: Option<CalendarAbout>,
    /// `None` if no provider is found; the first row is returned nevertheless.
    who: Option<ProviderRow>,
}

row! {
    CalendarRow { about: Option<CalendarAbout>, who: Option<ProviderRow> }
}

struct CalendarAbout {
    organization_time_zone: TimeZone,
    closures: Vec<Closure>,
    /// By provider. `None` if they are too many.
    appointments: Option<HashMap<Uuid, Vec<CalendarAppointment>>>,
    holds: HashMap<Uuid, Vec<CalendarHold>>,
    sessions: HashMap<Uuid, Vec<CalendarSession>>,
}

row! {
    CalendarAbout {
        organization_time_zone, closures as json, appointments as json, holds as json, sessions as json
    }
}

struct ProviderRow {
    id: Uuid,
    name: String,
    active: bool,
    hours: Option<HoursRow>,
    time_off: Vec<TimeOff>,
    elsewhere_starts: Option<Vec<DateTime<Utc>>>,
    elsewhere_ends: Option<Vec<DateTime<Utc>>>,
}

row! {
    ProviderRow {
        id, name, active, hours: Option<HoursRow>, time_off as json, elsewhere_starts, elsewhere_ends
    }
}

pub struct StaffCalendarApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl StaffCalendarApi {
    /// Get the calendar
    ///
    /// What a calendar shows of a period: the closures; and for each provider the open hours, time off, appointments,
    /// holds and group sessions. Active providers, and others who have an appointment or a hold in the period.
    ///
    /// 422 `period_too_long` on `to` if the period is longer than 31 days, or if the answer would exceed 5,000
    /// appointments or 4 MiB. 503 `computation_timeout` if computing takes longer than 2 seconds. The request counts
    /// towards the rate limits as one request plus one for every 100 provider days: a month of 20 providers counts as
    /// 7.
    #[oai(path = "/calendar", method = "get", operation_id = "get_calendar")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 31 days after `from`.
        to: Query<InstantOrDate>,
        /// Only this provider. Defaults to all providers.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone for dates. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
    ) -> Result<SerializedJson<Calendar>, ApiError<Listing>> {
        let requested = RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 };
        Ok(calendar(&self.0, (&caller).into(), requested, provider_id.0).await?)
    }
}

async fn calendar(
    db: &Db,
    context: Context,
    requested: RequestedPeriod,
    provider: Option<Uuid>,
) -> Result<SerializedJson<Calendar>, Failure> {
    let extent = Extent { providers: provider.map(|_| 1), times: 1, days: LONGEST_PERIOD };
    let (period, place) = period::admit(db, context, requested, extent).await?;
    let Period { from, to, .. } = period;
    // Dates in any time zone, and the day before, whose hours may extend past midnight.
    let first = from.date_naive() - Days::new(2);
    let last = to.date_naive() + Days::new(1);
    let limit = i64::try_from(MOST_APPOINTMENTS + 1).unwrap_or(i64::MAX);
    let mut tx = db.begin(context);
    let sql = sql!("scheduling/calendar_get.sql" as CalendarRow);
    let rows = tx.unread(sql, &[&provider, &from, &to, &first, &last, &limit]).await?;
    tx.commit().await?;
    place
        .compute(move |deadline| {
            let calendar = read(&rows, period, deadline)?;
            if provider.is_some() && calendar.providers.is_empty() {
                Err(unknown_provider())?;
            }
            write(&calendar)
        })
        .await
}

fn read(rows: &Unread<CalendarRow>, period: Period, deadline: &Deadline) -> Result<Calendar, Failure> {
    let Period { from, to, zone } = period;
    let whole = Interval { starts_at: from, ends_at: to };
    let mut about = None;
    let mut closed = Vec::new();
    let mut providers = Vec::with_capacity(rows.count());
    for row in rows.read() {
        deadline.check()?;
        let CalendarRow { about: first, who } = row?;
        if let Some(first) = first {
            closed = merged(first.closures.iter().map(|closure| first.dates(closure)));
            about = Some(first);
        }
        providers.extend(who.map(|who| who.calendar(whole, &closed)));
    }
    let mut about = about.ok_or_else(Problem::internal)?;
    let mut appointments = about.appointments.take().ok_or_else(too_long)?;
    for provider in &mut providers {
        provider.appointments = appointments.remove(&provider.id).unwrap_or_default();
        for appointment in &mut provider.appointments {
            appointment.allowed = appointment.status.allows(CancelledBy::Member).collect();
        }
        provider.holds = about.holds.remove(&provider.id).unwrap_or_default();
        provider.sessions = about.sessions.remove(&provider.id).unwrap_or_default();
    }
    let mut closures = std::mem::take(&mut about.closures);
    closures.retain(|closure| about.dates(closure).within(whole).is_some());
    Ok(Calendar { time_zone: zone.name().to_owned(), from, to, closures, providers })
}

impl CalendarAbout {
    fn dates(&self, closure: &Closure) -> Interval {
        Interval::of_dates(self.organization_time_zone.0, closure.starts_on, closure.ends_on)
    }
}

impl ProviderRow {
    /// The calendar of the provider without what the first row has.
    fn calendar(self, period: Interval, closed: &[Interval]) -> CalendarProvider {
        let away =
            self.time_off.iter().map(|off| Interval { starts_at: off.starts_at, ends_at: off.ends_at });
        let away = closed.iter().copied().chain(away).collect();
        let hours = self
            .hours
            .map_or_else(Vec::new, |row| Hours::from(row).intervals(period.starts_at, period.ends_at));
        let open = Open::new(hours, away);
        let elsewhere = self.elsewhere_starts.into_iter().flatten();
        let elsewhere = elsewhere.zip(self.elsewhere_ends.into_iter().flatten());
        CalendarProvider {
            id: self.id,
            name: self.name,
            active: self.active,
            open: open.open().iter().filter_map(|open| open.within(period)).collect(),
            busy_elsewhere: elsewhere.map(|(starts_at, ends_at)| Interval { starts_at, ends_at }).collect(),
            time_off: self.time_off,
            appointments: Vec::new(),
            holds: Vec::new(),
            sessions: Vec::new(),
        }
    }
}

/// An answer that is not larger than it may be.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.0.len() + part.len() > LARGEST_ANSWER {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(calendar: &Calendar) -> Result<SerializedJson<Calendar>, Failure> {
    let mut answer = Bounded(Vec::new());
    match serde_json::to_writer(&mut answer, calendar) {
        Ok(()) => Ok(SerializedJson::new(answer.0)),
        Err(error) if error.is_io() => Err(too_long().into()),
        Err(_) => Err(Problem::internal().into()),
    }
}

/// 422: the period has more than one answer can contain.
fn too_long() -> Problem {
    let detail =
        "expected a shorter period, or a provider_id: this period has more than one answer can contain";
    Problem::invalid_field("to", "period_too_long", detail)
}
