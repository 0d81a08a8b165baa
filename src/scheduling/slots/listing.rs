//! The operation that lists slots.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    availability::{Availability, Enforcement, StartRequest},
    load::{AvailabilityQuery, Rows},
    period::{self, Extent, Period, RequestedPeriod},
    problems::{UnavailableReason, check_length, unknown_provider},
};
use crate::{
    crm::contacts,
    db::{Context, Db, Tx},
    http::{
        caller::{Member, Viewer},
        computing::Deadline,
        json::SerializedJson,
        problem::{ApiError, Failure, Listing, Problem},
        values::{InstantOrDate, List, TimeZone},
    },
    sql,
};

/// The maximum period of a listing, in days.
pub const LONGEST_PERIOD: i64 = 62;

/// The maximum size of an answer, in bytes.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

/// The maximum number of pairs of start and provider that are tried for one answer.
const MOST_TRIES: usize = 500_000;

/// The period that is computed at once, so that the list is always complete up to some instant.
pub(super) const AT_ONCE: TimeDelta = TimeDelta::days(1);

/// The services that follow in a visit.
pub type Following = List<Uuid, 0, 4>;

/// A start at which a service, or the services of a visit, can be booked.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Slot {
    pub starts_at: DateTime<Utc>,
    /// The end, exclusive; with several services, the end of the last one.
    pub ends_at: DateTime<Utc>,
    /// `starts_at` in the time zone of the answer, with its offset.
    pub local_starts_at: String,
    /// Whether the start can be booked. Starts that cannot are listed only with `include=unavailable`.
    pub bookable: bool,
    /// The free providers; with several services, those who can perform the first one.
    pub provider_ids: Vec<Uuid>,
    /// Number of free seats at this start, of all providers together. Shared rooms and limits may allow fewer.
    pub remaining: usize,
    /// Why the start cannot be booked, for all providers together. Absent if it can be booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<UnavailableReason>>,
}

/// The slots in a period.
#[derive(Debug, Object, Serialize)]
pub struct Slots {
    /// The IANA time zone used for dates and `local_starts_at`.
    pub time_zone: String,
    /// The slots, ordered by start.
    pub items: Vec<Slot>,
}

/// What to list in addition to starts that can be booked.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum SlotInclude {
    /// Starts that cannot be booked, with the reasons.
    Unavailable,
}

pub struct SlotsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl SlotsApi {
    /// List free slots
    ///
    /// All starts at which the service can be booked. Booking applies the same rules to the same data. An inactive
    /// service has no slots. With `and_then`, the starts at which a visit of several services can be booked.
    ///
    /// 422 `period_too_long` on `to` if the period is longer than 62 days, or if the answer would exceed 2 MiB or
    /// 500,000 pairs of start and provider; the error then names a possible end of the period. 503
    /// `computation_timeout` if computing takes longer than 2 seconds. The request counts towards the rate limits as
    /// one request plus one for every 100 provider days: a month of 20 providers counts as 7.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_slots")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        service_id: Path<Uuid>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 62 days after `from`.
        to: Query<InstantOrDate>,
        /// Only slots of this provider, for all services. Defaults to all providers.
        provider_id: Query<Option<Uuid>>,
        /// The IANA time zone for dates and `local_starts_at`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// The id of a service that follows in the same visit. Can be repeated, up to four times.
        and_then: Query<Following>,
        /// The id of an appointment of this service to reschedule: its own time counts as free, and it does not count
        /// towards limits. The services of the visit are those of the appointment; `and_then` is ignored.
        reschedule_of: Query<Option<Uuid>>,
        /// The id of the contact: only starts at which it has no other appointment, unless the service sets
        /// `contact_may_overlap`.
        contact_id: Query<Option<Uuid>>,
        /// `unavailable` also lists starts that cannot be booked, with the reasons.
        include: Query<Option<SlotInclude>>,
    ) -> Result<SerializedJson<Slots>, ApiError<Listing>> {
        let now = Utc::now();
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: reschedule_of.0,
            contact: contact_id.0,
            unavailable: include.0.is_some(),
            online: false,
        };
        Ok(list(&self.0, (&caller).into(), wanted, now).await?)
    }
}

/// The parameters of a listing.
pub struct SlotQuery {
    pub services: Vec<Uuid>,
    pub provider: Option<Uuid>,
    pub period: RequestedPeriod,
    pub reschedule_of: Option<Uuid>,
    pub contact: Option<Uuid>,
    pub unavailable: bool,
    /// Whether only services that customers may book online are listed.
    pub online: bool,
}

/// Lists slots for the given context.
pub async fn list(
    db: &Db,
    context: Context,
    wanted: SlotQuery,
    now: DateTime<Utc>,
) -> Result<SerializedJson<Slots>, Failure> {
    let unavailable = wanted.unavailable;
    compute(db, context, wanted, now, move |availability, people, period, deadline| {
        availability.write(period, people, unavailable, deadline)
    })
    .await
}

/// Lists the slots of a short period as values, for pages. Each of them can be booked.
pub async fn values(
    db: &Db,
    context: Context,
    wanted: SlotQuery,
    now: DateTime<Utc>,
) -> Result<Vec<Slot>, Failure> {
    compute(db, context, wanted, now, |availability, people, Period { from, to, zone }, deadline| {
        let slots = availability.slots_of(from, to, people, zone, false, &mut Effort::new(deadline));
        Ok(slots.map_err(|stopped| stopped.problem(from, from))?)
    })
    .await
}

/// Loads what decides which starts can be booked, and computes an answer from it. The cost is known before anything is
/// loaded, and no database connection is held while the request waits for a computing thread or computes.
pub(super) async fn compute<T: Send + 'static>(
    db: &Db,
    context: Context,
    wanted: SlotQuery,
    now: DateTime<Utc>,
    answer: impl FnOnce(&Availability, People, Period, &Deadline) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let extent = Extent { providers: wanted.provider.map(|_| 1), times: 1, days: LONGEST_PERIOD };
    let (period, place) = period::admit(db, context, wanted.period, extent).await?;

    let mut tx = db.begin(context);
    check_contact(&mut tx, wanted.contact).await?;
    let mut wanted = wanted;
    if let Some(moved) = wanted.reschedule_of {
        let sql = sql!("scheduling/appointments_get_services.sql" as (Uuid, Vec<Uuid>));
        let (contact, services) = tx.optional(sql, &[&moved]).await?.unzip();
        let services = services.unwrap_or_default();
        if services.first() != wanted.services.first() {
            let detail = "expected the id of an appointment of this service";
            Err(Problem::invalid_field("reschedule_of", "not_found", detail))?;
        }
        wanted.services = services;
        // Defaults to the contact of the appointment.
        wanted.contact = wanted.contact.or(contact);
    }
    let query = AvailabilityQuery {
        services: &wanted.services,
        providers: wanted.provider.as_slice(),
        contacts: wanted.contact.as_slice(),
        from: period.from,
        to: period.to,
        ignored: wanted.reschedule_of.as_slice(),
        now,
    };
    let rows = Rows::of(&mut tx, &query).await?;
    tx.commit().await?;
    place
        .compute(move |deadline| {
            let availability = rows.availability(deadline)?;
            check(&wanted, &availability)?;
            let people = People { with: wanted.provider, contact: wanted.contact };
            answer(&availability, people, period, deadline)
        })
        .await
}

/// Checks that the contact exists, if one is given.
pub(super) async fn check_contact(tx: &mut Tx, contact: Option<Uuid>) -> Result<(), Failure> {
    if let Some(contact) = contact
        && !contacts::exists(tx, contact).await?
    {
        let detail = "expected the id of a contact of the organization";
        Err(Problem::invalid_field("contact_id", "not_found", detail))?;
    }
    Ok(())
}

/// Checks that the requested services and provider exist.
fn check(wanted: &SlotQuery, availability: &Availability) -> Result<(), Problem> {
    // The service in the path comes first: without it the answer is 404.
    match wanted.services.iter().position(|id| !availability.services.iter().any(|rules| rules.id == *id)) {
        Some(0) => return Err(Problem::not_found()),
        Some(_) => {
            let detail = "expected ids of services of the organization";
            return Err(Problem::invalid_field("and_then", "not_found", detail));
        }
        None => {}
    }
    if wanted.online && availability.services.iter().any(|rules| !rules.bookable_online) {
        return Err(Problem::not_found());
    }
    check_length(availability)?;
    if wanted.provider.is_some() && availability.providers.is_empty() {
        return Err(unknown_provider());
    }
    Ok(())
}

/// The people that slots are listed for.
#[derive(Clone, Copy, Default)]
pub struct People {
    /// The only provider. `None`: any.
    pub with: Option<Uuid>,
    /// The contact. `None`: a contact without other appointments.
    pub contact: Option<Uuid>,
}

/// Limits the effort of a computation.
pub struct Effort<'a> {
    deadline: &'a Deadline,
    tries: usize,
}

/// Why a computation was stopped.
pub enum Stopped {
    /// It exceeded the maximum of one answer.
    TooMuch,
    /// It exceeded its deadline.
    Late(Problem),
}

impl Stopped {
    /// The answer, if the period is complete up to `reached`.
    pub(super) fn problem(self, from: DateTime<Utc>, reached: DateTime<Utc>) -> Problem {
        match self {
            Self::TooMuch => too_long(from, reached),
            Self::Late(problem) => problem,
        }
    }
}

impl<'a> Effort<'a> {
    pub fn new(deadline: &'a Deadline) -> Self {
        Self { deadline, tries: 0 }
    }

    /// Counts one more try. Call it before each pair of start and provider.
    pub(super) fn spend(&mut self) -> Result<(), Stopped> {
        self.tries += 1;
        if self.tries > MOST_TRIES {
            return Err(Stopped::TooMuch);
        }
        self.deadline.check().map_err(Stopped::Late)
    }
}

impl Availability {
    /// Writes the slots in a period as JSON.
    fn write(
        &self,
        Period { from, to, zone }: Period,
        people: People,
        unavailable: bool,
        deadline: &Deadline,
    ) -> Result<SerializedJson<Slots>, Failure> {
        let broken = |_| Problem::internal();
        let mut effort = Effort::new(deadline);
        let mut bytes = b"{\"time_zone\":".to_vec();
        serde_json::to_writer(&mut bytes, zone.name()).map_err(broken)?;
        bytes.extend_from_slice(b",\"items\":[");
        let mut first = true;
        let mut beginning = from;
        while beginning < to {
            let end = to.min(beginning + AT_ONCE);
            let slots = self
                .slots_of(beginning, end, people, zone, unavailable, &mut effort)
                .map_err(|stopped| stopped.problem(from, beginning))?;
            for slot in slots {
                if !std::mem::take(&mut first) {
                    bytes.push(b',');
                }
                serde_json::to_writer(&mut bytes, &slot).map_err(broken)?;
                if bytes.len() + 2 > LARGEST_ANSWER {
                    return Err(too_long(from, slot.starts_at).into());
                }
            }
            beginning = end;
        }
        bytes.extend_from_slice(b"]}");
        Ok(SerializedJson::new(bytes))
    }

    /// The slots in a period; `None` if they are too many for one answer.
    pub fn slots(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        people: People,
        zone: Tz,
        unavailable: bool,
    ) -> Option<Vec<Slot>> {
        let deadline = Deadline::never();
        self.slots_of(from, to, people, zone, unavailable, &mut Effort::new(&deadline)).ok()
    }

    /// The slots in a period, within the given effort.
    pub fn slots_of(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        people: People,
        zone: Tz,
        unavailable: bool,
        effort: &mut Effort<'_>,
    ) -> Result<Vec<Slot>, Stopped> {
        #[derive(Default)]
        struct Found {
            ends_at: Option<DateTime<Utc>>,
            providers: Vec<Uuid>,
            remaining: usize,
            reasons: BTreeSet<UnavailableReason>,
        }
        let mut found: BTreeMap<DateTime<Utc>, Found> = BTreeMap::new();
        if self.services.iter().all(|rules| rules.active) {
            for provider in self.candidates() {
                for start in self.starts(provider, from, to) {
                    effort.spend()?;
                    let People { with, contact } = people;
                    let request =
                        StartRequest { start, with, contact, policy: Enforcement::Full, seat_seed: 0 };
                    match self.plan(provider, request) {
                        Ok(plan) => {
                            let slot = found.entry(start).or_default();
                            slot.ends_at = Some(plan.ends_at());
                            slot.providers.push(provider.id);
                            slot.remaining += plan.remaining;
                        }
                        Err(_) if !unavailable => {}
                        Err(error) => {
                            found.entry(start).or_default().reasons.insert(error.into());
                        }
                    }
                }
            }
        }
        let duration = self.duration();
        let slots = found.into_iter().map(|(starts_at, slot)| Slot {
            starts_at,
            ends_at: slot.ends_at.unwrap_or(starts_at + duration),
            local_starts_at: starts_at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, true),
            bookable: !slot.providers.is_empty(),
            reasons: slot.providers.is_empty().then(|| slot.reasons.into_iter().collect()),
            provider_ids: slot.providers,
            remaining: slot.remaining,
        });
        Ok(slots.collect())
    }
}

/// 422: the slots between `from` and `to` exceed one answer; those between `from` and `until` do not.
pub(super) fn too_long(from: DateTime<Utc>, until: DateTime<Utc>) -> Problem {
    let detail = if until > from {
        let until = until.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        format!("expected {until} or earlier: this period has more slots than one answer can contain")
    } else {
        "expected a shorter period, or a provider_id: this period has more slots than one answer can contain"
            .to_owned()
    };
    Problem::invalid_field("to", "period_too_long", detail)
}
