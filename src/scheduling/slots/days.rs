//! The operation that lists the days with free slots.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    availability::{Availability, Enforcement, StartRequest},
    listing::{self, AT_ONCE, Effort, Following, People, SlotQuery, Stopped},
    period::{Period, RequestedPeriod},
};
use crate::{
    db::{Context, Db},
    http::{
        caller::{Member, Viewer},
        json::Json,
        problem::{ApiError, Failure, Listing, Problem},
        values::{InstantOrDate, TimeZone},
    },
};

/// A day with starts at which a service, or the services of a visit, can be booked.
#[derive(Debug, Object, PartialEq, Serialize)]
pub struct SlotDay {
    /// The date of the starts in the time zone of the answer.
    pub date: NaiveDate,
    /// Number of starts, regardless of how many providers are free at each.
    pub count: usize,
    /// The first start.
    pub first_starts_at: DateTime<Utc>,
}

/// The days with free slots in a period.
#[derive(Debug, Object, Serialize)]
pub struct SlotDays {
    /// The IANA time zone used for dates.
    pub time_zone: String,
    /// The days with free slots, ordered by date. Other days are not listed.
    pub items: Vec<SlotDay>,
}

pub struct SlotDaysApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl SlotDaysApi {
    /// List days with free slots
    ///
    /// The days of `GET /api/v1/services/{service_id}/slots`, for the month view of a booking page: each day with the
    /// number of its free starts. Limits, costs and errors are those of that operation; the answer itself has no limit
    /// of size. 503 `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/services/:service_id/slots/days", method = "get", operation_id = "list_slot_days")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
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
        /// The IANA time zone for dates. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// The id of a service that follows in the same visit. Can be repeated, up to four times.
        and_then: Query<Following>,
        /// The id of an appointment of this service to reschedule: its own time counts as free, and it does not count
        /// towards limits. The services of the visit are those of the appointment; `and_then` is ignored.
        reschedule_of: Query<Option<Uuid>>,
        /// The id of the contact: only starts at which it has no other appointment, unless the service sets
        /// `contact_may_overlap`.
        contact_id: Query<Option<Uuid>>,
    ) -> Result<Json<SlotDays>, ApiError<Listing>> {
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: reschedule_of.0,
            contact: contact_id.0,
            unavailable: false,
            online: false,
        };
        Ok(Json(list(&self.0, (&caller).into(), wanted, Utc::now()).await?))
    }
}

/// Lists days with free slots for the given context.
pub async fn list(
    db: &Db,
    context: Context,
    wanted: SlotQuery,
    now: DateTime<Utc>,
) -> Result<SlotDays, Failure> {
    listing::compute(db, context, wanted, now, |availability, people, period, deadline| {
        let items = availability.days(period, people, &mut Effort::new(deadline))?;
        Ok(SlotDays { time_zone: period.zone.name().to_owned(), items })
    })
    .await
}

impl Availability {
    /// The days of a period that have slots.
    pub fn days(
        &self,
        Period { from, to, zone }: Period,
        people: People,
        effort: &mut Effort<'_>,
    ) -> Result<Vec<SlotDay>, Problem> {
        let mut days = BTreeMap::new();
        let mut beginning = from;
        while beginning < to {
            let end = to.min(beginning + AT_ONCE);
            let starts = self
                .free_starts(beginning, end, people, effort)
                .map_err(|stopped| stopped.problem(from, beginning))?;
            for start in starts {
                let date = start.with_timezone(&zone).date_naive();
                let day = days.entry(date).or_insert(SlotDay { date, count: 0, first_starts_at: start });
                day.count += 1;
            }
            beginning = end;
        }
        Ok(days.into_values().collect())
    }

    /// The starts of the slots in a period, within the given effort. Costs less than the slots: one free provider is
    /// enough.
    pub(super) fn free_starts(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        People { with, contact }: People,
        effort: &mut Effort<'_>,
    ) -> Result<BTreeSet<DateTime<Utc>>, Stopped> {
        let mut free = BTreeSet::new();
        if self.services.iter().all(|rules| rules.active) {
            for provider in self.candidates() {
                for start in self.starts(provider, from, to) {
                    effort.spend()?;
                    let request =
                        StartRequest { start, with, contact, policy: Enforcement::Full, seat_seed: 0 };
                    if !free.contains(&start) && self.plan(provider, request).is_ok() {
                        free.insert(start);
                    }
                }
            }
        }
        Ok(free)
    }
}
