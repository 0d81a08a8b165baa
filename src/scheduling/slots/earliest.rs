//! The operation that finds the first free start of each of several services.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use super::{
    availability::Availability,
    listing::{self, Effort, LONGEST_PERIOD, People, Stopped},
    load::{AvailabilityQuery, Rows},
    period::{self, Extent, Period, RequestedPeriod},
    problems::{unknown_provider, unknown_service},
};
use crate::{
    db::{Context, Db},
    http::{
        caller::{Member, Viewer},
        json::Json,
        problem::{ApiError, Failure, Listing},
        values::{InstantOrDate, List, TimeZone},
    },
};

/// The maximum number of services of one request, and of providers.
const MOST: usize = 10;

/// When a service can be booked in a period.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct ServiceAvailability {
    pub service_id: Uuid,
    /// Number of starts at which the service can be booked, regardless of how many providers are free at each.
    pub count: usize,
    /// The first start; absent if `count` is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_starts_at: Option<DateTime<Utc>>,
    /// The providers who are free at the first start.
    pub provider_ids: Vec<Uuid>,
}

/// When services can be booked in a period.
#[derive(Debug, Object, Serialize)]
pub struct ServicesAvailability {
    /// The IANA time zone used for dates.
    pub time_zone: String,
    /// The services, in the order of the request.
    pub items: Vec<ServiceAvailability>,
}

pub struct EarliestApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl EarliestApi {
    /// Find the first free start of services
    ///
    /// For each service, the first start and the number of starts of `GET /api/v1/services/{service_id}/slots`.
    ///
    /// 422 `not_found` on `service_id` or `provider_id` if one of them does not exist. 422 `period_too_long` on `to` if
    /// the period is longer than 62 days, or has more than 500,000 pairs of start and provider. 503
    /// `computation_timeout` if computing takes longer than 2 seconds. The request counts towards the rate limits as
    /// one request plus one for every 100 provider days of each service: a week of 20 providers and three services
    /// counts as 5.
    #[oai(path = "/availability", method = "get", operation_id = "get_availability")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        /// The id of a service. Can be repeated, up to ten times.
        service_id: Query<SearchedServices>,
        /// The beginning of the period: an instant, or a date in `time_zone`.
        from: Query<InstantOrDate>,
        /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 62 days after `from`.
        to: Query<InstantOrDate>,
        /// Only slots of this provider. Can be repeated, up to ten times. Defaults to all providers.
        provider_id: Query<SearchedProviders>,
        /// The IANA time zone for dates. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// The id of the contact: only starts at which it has no other appointment, unless the service sets
        /// `contact_may_overlap`.
        contact_id: Query<Option<Uuid>>,
    ) -> Result<Json<ServicesAvailability>, ApiError<Listing>> {
        let wanted = EarliestQuery {
            services: service_id.0,
            providers: provider_id.0,
            contact: contact_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            online: false,
        };
        Ok(Json(find(&self.0, (&caller).into(), wanted, Utc::now()).await?))
    }
}

/// The services of a search.
pub type SearchedServices = List<Uuid, 1, MOST>;

/// The providers of a search. Empty: all active ones.
pub type SearchedProviders = List<Uuid, 0, MOST>;

/// The parameters of a search.
pub struct EarliestQuery {
    pub services: SearchedServices,
    pub providers: SearchedProviders,
    /// The contact. `None`: a contact without other appointments.
    pub contact: Option<Uuid>,
    pub period: RequestedPeriod,
    /// Whether only services that customers may book online are searched.
    pub online: bool,
}

/// Finds the first start of each service for the given context.
pub async fn find(
    db: &Db,
    context: Context,
    wanted: EarliestQuery,
    now: DateTime<Utc>,
) -> Result<ServicesAvailability, Failure> {
    let EarliestQuery { services, providers, contact, period, online } = wanted;
    let (services, providers) = (distinct(services), distinct(providers));
    let number = u32::try_from(providers.len()).ok().filter(|number| *number > 0);
    let extent = Extent { providers: number, times: services.len(), days: LONGEST_PERIOD };
    let (period, place) = period::admit(db, context, period, extent).await?;
    let mut tx = db.begin(context);
    listing::check_contact(&mut tx, contact).await?;
    let query = AvailabilityQuery {
        services: &services,
        providers: &providers,
        contacts: contact.as_slice(),
        from: period.from,
        to: period.to,
        ignored: &[],
        now,
    };
    let rows = Rows::of_each(&mut tx, &query).await?;
    tx.commit().await?;
    place
        .compute(move |deadline| {
            let mut availability = rows.availability(deadline)?;
            let all = std::mem::take(&mut availability.services);
            if all.len() < services.len() || (online && all.iter().any(|rules| !rules.bookable_online)) {
                Err(unknown_service())?;
            }
            if availability.providers.len() < providers.len() {
                Err(unknown_provider())?;
            }
            // Each service is by itself: no other service of a visit needs the same provider.
            let people = People { with: None, contact };
            let mut effort = Effort::new(deadline);
            let mut items = Vec::with_capacity(all.len());
            for rules in all {
                let service_id = rules.id;
                availability.services = vec![rules];
                let found = availability.earliest(service_id, period, people, &mut effort);
                items.push(found.map_err(|stopped| stopped.problem(period.from, period.from))?);
            }
            Ok(ServicesAvailability { time_zone: period.zone.name().to_owned(), items })
        })
        .await
}

/// The ids in their order, each once.
fn distinct(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}

impl Availability {
    /// The first slot of the service in a period, and the number of all.
    fn earliest(
        &self,
        service_id: Uuid,
        Period { from, to, zone }: Period,
        people: People,
        effort: &mut Effort<'_>,
    ) -> Result<ServiceAvailability, Stopped> {
        let starts = self.free_starts(from, to, people, effort)?;
        let first = starts.first().copied();
        let slots = match first {
            Some(first) => {
                self.slots_of(first, first + TimeDelta::microseconds(1), people, zone, false, effort)?
            }
            None => Vec::new(),
        };
        let provider_ids = slots.into_iter().flat_map(|slot| slot.provider_ids).collect();
        Ok(ServiceAvailability { service_id, count: starts.len(), first_starts_at: first, provider_ids })
    }
}
