//! The operations with which customers find days and services that have free slots. See also
//! [`super::my_appointments`].

use chrono::Utc;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};
use uuid::Uuid;

use super::my_appointments::linked_contact;
use crate::{
    db::Db,
    http::{
        caller::{Customer, Member},
        json::Json,
        problem::{ApiError, Listing},
        values::{InstantOrDate, TimeZone},
    },
    scheduling::{
        features::Appointments,
        slots::{
            days::{self, SlotDays},
            earliest::{self, EarliestQuery, SearchedProviders, SearchedServices, ServicesAvailability},
            listing::{Following, SlotQuery},
            period::RequestedPeriod,
        },
    },
};

pub struct MySlotsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/my")]
impl MySlotsApi {
    /// List the days I can book
    ///
    /// The days with free slots of a service that is bookable online. Limits and errors are those of `GET
    /// /api/v1/services/{service_id}/slots/days`. 503 `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/services/:service_id/slots/days", method = "get", operation_id = "list_my_slot_days")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn list_days(
        &self,
        caller: Member<Customer, Appointments>,
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
        /// The id of an appointment of the customer to reschedule: its own time counts as free, and it does not count
        /// towards limits.
        reschedule_of: Query<Option<Uuid>>,
    ) -> Result<Json<SlotDays>, ApiError<Listing>> {
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: reschedule_of.0,
            contact: linked_contact(&self.0, (&caller).into()).await?,
            unavailable: false,
            online: true,
        };
        Ok(Json(days::list(&self.0, (&caller).into(), wanted, Utc::now()).await?))
    }

    /// Find the first start of services I can book
    ///
    /// For each service, the first start at which the customer can book it. Limits and errors are those of `GET
    /// /api/v1/availability`. 503 `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/availability", method = "get", operation_id = "get_my_availability")]
    async fn availability(
        &self,
        caller: Member<Customer, Appointments>,
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
    ) -> Result<Json<ServicesAvailability>, ApiError<Listing>> {
        let wanted = EarliestQuery {
            services: service_id.0,
            providers: provider_id.0,
            contact: linked_contact(&self.0, (&caller).into()).await?,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            online: true,
        };
        Ok(Json(earliest::find(&self.0, (&caller).into(), wanted, Utc::now()).await?))
    }
}
