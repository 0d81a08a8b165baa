//! The listing of slots.

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
    refusals::{Reason, check_length, unknown_provider},
};
use crate::{
    crm::contacts,
    db::{Context, Db},
    http::{
        Tag,
        caller::{Member, Viewer},
        computing::{self, Deadline},
        json::SerializedJson,
        limit,
        problem::{ApiError, Failure, Listing, Problem},
        values::{InstantOrDate, TimeZone},
    },
    scheduling::hours::wall_time,
    sql,
};

/// The longest period that slots are listed for.
const LONGEST_PERIOD: TimeDelta = TimeDelta::days(62);

/// The largest answer, in bytes.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

/// The most pairs of start and provider that are looked at for one answer.
const MOST_TRIES: usize = 500_000;

/// Starts of so much time are looked for at once: what is listed is complete up to some instant at any time.
const AT_ONCE: TimeDelta = TimeDelta::days(1);

/// So many providers' days of listing cost as much as a request does.
const DAYS_A_REQUEST: u32 = 100;

/// How many services a visit may have.
pub const MOST_SERVICES: usize = 5;

/// A start of a service.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Slot {
    pub starts_at: DateTime<Utc>,
    /// The first instant after it; of a visit of several services after the last.
    pub ends_at: DateTime<Utc>,
    /// `starts_at` as clocks of the time zone show it, with their offset.
    pub local_starts_at: String,
    /// Whether it can be booked. Others are listed only where asked for with `include=unavailable`.
    pub bookable: bool,
    /// Who is free; of a visit who can begin it.
    pub provider_ids: Vec<Uuid>,
    /// How many seats of all providers together are free at this start. Rooms they share and limits may allow fewer.
    pub remaining: usize,
    /// Of a start that cannot be booked: why, for any of the providers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<Reason>>,
}

/// The starts in a period at which a service can be booked.
#[derive(Debug, Object, Serialize)]
pub struct Slots {
    /// The zone in which dates were read.
    pub time_zone: String,
    /// In order of time.
    pub items: Vec<Slot>,
}

/// What may be listed beside what can be booked.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum SlotInclude {
    /// Starts that cannot be booked, with the reasons.
    Unavailable,
}

pub struct SlotsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl SlotsApi {
    /// List free slots
    ///
    /// Every start at which the service can be booked, by the rules and the rows by which booking decides. An inactive
    /// service has no slots. With `and_then`, the starts at which a visit of several services can be booked.
    ///
    /// An answer holds 2 MiB at most, of 500,000 pairs of start and provider at most. 422 `period_too_long` says until when
    /// the period may last instead. Computing takes 2 s at most: 503 `computation_timeout` otherwise. Towards the rate limits
    /// this counts as 1 request and 1 more for every 100 days of providers: a month of 20 providers counts as 7.
    #[oai(path = "/services/:service_id/slots", method = "get", operation_id = "list_slots")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
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
        /// A service that follows in the same visit. May be repeated, up to four times.
        and_then: Query<Vec<Uuid>>,
        /// An appointment of this service that is to be moved: its own time counts as free, and it does not count towards
        /// limits. Of a visit, the services that follow are its own.
        reschedule_of: Query<Option<Uuid>>,
        /// The contact that comes: only starts at which it has no other appointment, unless the service lets contacts overlap.
        contact_id: Query<Option<Uuid>>,
        /// `unavailable` lists starts that cannot be booked as well, with the reasons.
        include: Query<Option<SlotInclude>>,
    ) -> Result<SerializedJson<Slots>, ApiError<Listing>> {
        let now = Utc::now();
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            from: from.0,
            to: to.0,
            time_zone: time_zone.0,
            reschedule_of: reschedule_of.0,
            contact: contact_id.0,
            unavailable: include.0.is_some(),
            online: false,
        };
        Ok(list(&self.0, (&caller).into(), wanted, now).await?)
    }
}

/// What slots are listed for.
pub struct SlotQuery {
    pub services: Vec<Uuid>,
    pub provider: Option<Uuid>,
    pub from: InstantOrDate,
    pub to: InstantOrDate,
    pub time_zone: Option<TimeZone>,
    pub reschedule_of: Option<Uuid>,
    pub contact: Option<Uuid>,
    pub unavailable: bool,
    /// Whether only what customers may book themselves is listed.
    pub online: bool,
}

/// Lists the slots, as whoever may see them. What that costs is known before anything is loaded; no connection to the
/// database is held while it waits for its turn or is computed.
pub async fn list(
    db: &Db,
    context: Context,
    wanted: SlotQuery,
    now: DateTime<Utc>,
) -> Result<SerializedJson<Slots>, Failure> {
    if wanted.services.len() > MOST_SERVICES {
        Err(Problem::invalid_field("and_then", "too_many", "at most four services that follow"))?;
    }
    let (zone, providers) = match (wanted.time_zone, wanted.provider) {
        (Some(zone), Some(_)) => (zone.0, 1),
        (zone, provider) => {
            let row = db.one(context, sql!("scheduling/slots_weigh.sql"), &[]).await?;
            let home = TimeZone::parse(row.get(0)).unwrap_or(TimeZone(Tz::UTC));
            let active = u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX);
            (zone.unwrap_or(home).0, if provider.is_some() { 1 } else { active })
        }
    };
    let (from, to) = (instant(wanted.from, zone), instant(wanted.to, zone));
    if to <= from {
        Err(Problem::invalid_field("to", "invalid_value", "an instant or a date after from"))?;
    }
    if to - from > LONGEST_PERIOD {
        Err(Problem::invalid_field("to", "period_too_long", "at most 62 days after from"))?;
    }
    let days = u32::try_from((to - from).num_days() + 1).unwrap_or(u32::MAX);
    let weight = providers.saturating_mul(days);
    limit::charge(1 + weight / DAYS_A_REQUEST)?;
    let place = computing::place(context.tenant, weight).await?;

    let mut tx = db.begin(context);
    if let Some(contact) = wanted.contact
        && !contacts::exists(&mut tx, contact).await?
    {
        let detail = "the id of a contact of the organization";
        Err(Problem::invalid_field("contact_id", "not_found", detail))?;
    }
    let mut wanted = wanted;
    if let Some(moved) = wanted.reschedule_of {
        let row = tx.optional(sql!("scheduling/appointments_get_services.sql"), &[&moved]).await?;
        let services: Vec<Uuid> = row.as_ref().map(|row| row.get("service_ids")).unwrap_or_default();
        if services.first() != wanted.services.first() {
            let detail = "the id of an appointment of this service";
            Err(Problem::invalid_field("reschedule_of", "not_found", detail))?;
        }
        wanted.services = services;
        // Its own contact comes.
        wanted.contact = wanted.contact.or(row.map(|row| row.get("contact_id")));
    }
    let query = AvailabilityQuery {
        services: &wanted.services,
        provider: wanted.provider,
        contacts: wanted.contact.as_slice(),
        from,
        to,
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
            availability.write(from, to, people, zone, wanted.unavailable, deadline)
        })
        .await
}

/// Whether what is wanted exists.
fn check(wanted: &SlotQuery, availability: &Availability) -> Result<(), Problem> {
    // The service of the path first: it is the resource.
    match wanted.services.iter().position(|id| !availability.services.iter().any(|rules| rules.id == *id)) {
        Some(0) => return Err(Problem::not_found()),
        Some(_) => {
            let detail = "ids of services of the organization";
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

/// A date begins when its midnight does, or when clocks have jumped over that.
fn instant(given: InstantOrDate, zone: Tz) -> DateTime<Utc> {
    match given {
        InstantOrDate::Instant(instant) => instant,
        InstantOrDate::Date(date) => wall_time::instant(zone, date, 0),
    }
}

/// For whom slots are listed.
#[derive(Clone, Copy, Default)]
pub struct People {
    /// The only provider. None: any.
    pub with: Option<Uuid>,
    /// The contact that comes. None: a contact without other appointments.
    pub contact: Option<Uuid>,
}

/// How much of a computation may still be done.
pub struct Effort<'a> {
    deadline: &'a Deadline,
    tries: usize,
}

/// Why a computation stopped.
pub enum Stopped {
    /// It was more than is listed at once.
    TooMuch,
    /// It took too long.
    Late(Problem),
}

impl<'a> Effort<'a> {
    pub fn new(deadline: &'a Deadline) -> Self {
        Self { deadline, tries: 0 }
    }

    /// Before one more start of one provider is looked at.
    fn spend(&mut self) -> Result<(), Stopped> {
        self.tries += 1;
        if self.tries > MOST_TRIES {
            return Err(Stopped::TooMuch);
        }
        self.deadline.check().map_err(Stopped::Late)
    }
}

impl Availability {
    /// The slots in a period as JSON.
    fn write(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        people: People,
        zone: Tz,
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
            let slots = match self.slots_of(beginning, end, people, zone, unavailable, &mut effort) {
                Ok(slots) => slots,
                Err(Stopped::TooMuch) => return Err(too_long(from, beginning).into()),
                Err(Stopped::Late(problem)) => return Err(problem.into()),
            };
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

    /// The slots in a period; none where they are too many to list.
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

    /// The slots in a period, as far as the effort goes.
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
            reasons: BTreeSet<Reason>,
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
                        Err(refusal) => {
                            found.entry(start).or_default().reasons.insert(refusal.into());
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

/// 422: more than is listed at once lies between `from` and `to`, and less between `from` and `until`.
fn too_long(from: DateTime<Utc>, until: DateTime<Utc>) -> Problem {
    let detail = if until > from {
        let until = until.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        format!("{until} or earlier: more slots are in this period than one answer holds")
    } else {
        "a shorter period, or one provider_id: more slots are in this period than one answer holds".to_owned()
    };
    Problem::invalid_field("to", "period_too_long", detail)
}
