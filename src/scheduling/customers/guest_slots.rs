//! The operations with which guests find days and services that have free slots. See also
//! [`super::guest_appointments`].

use chrono::Utc;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};
use uuid::Uuid;

use super::guest_access::Guests;
use crate::{
    http::{
        client::Client,
        json::Json,
        problem::{ApiError, GuestReading},
        values::{InstantOrDate, Slug, TimeZone},
    },
    scheduling::slots::{
        days::{self, SlotDays},
        earliest::{self, EarliestQuery, SearchedProviders, SearchedServices, ServicesAvailability},
        listing::{Following, SlotQuery},
        period::RequestedPeriod,
    },
};

pub struct GuestSlotsApi(pub Guests);

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestSlotsApi {
    /// List days that can be booked online
    ///
    /// The days with free slots of a service that is bookable online. Limits and errors are those of `GET
    /// /api/v1/services/{service_id}/slots/days`. 404 `organization_not_found` if no active organization has the slug
    /// or host. 503 `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/services/:service_id/slots/days", method = "get", operation_id = "list_online_slot_days")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn list_days(
        &self,
        client: Client,
        service_id: Path<Uuid>,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
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
    ) -> Result<Json<SlotDays>, ApiError<GuestReading>> {
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let wanted = SlotQuery {
            services: std::iter::once(service_id.0).chain(and_then.0).collect(),
            provider: provider_id.0,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            reschedule_of: None,
            contact: None,
            unavailable: false,
            online: true,
        };
        Ok(Json(days::list(&self.0.db, guest, wanted, Utc::now()).await?))
    }

    /// Find the first start of services that can be booked online
    ///
    /// For each service, the first start at which it can be booked. Limits and errors are those of `GET
    /// /api/v1/availability`. 404 `organization_not_found` if no active organization has the slug or host. 503
    /// `computation_timeout` if computing takes longer than 2 seconds.
    #[oai(path = "/availability", method = "get", operation_id = "get_online_availability")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter")]
    async fn availability(
        &self,
        client: Client,
        /// The slug of the organization. Required unless the request's host leads to it.
        organization_slug: Query<Option<Slug>>,
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
    ) -> Result<Json<ServicesAvailability>, ApiError<GuestReading>> {
        let guest = self.0.guest(&client, organization_slug.0.as_deref(), Uuid::nil()).await?;
        let wanted = EarliestQuery {
            services: service_id.0,
            providers: provider_id.0,
            contact: None,
            period: RequestedPeriod { from: from.0, to: to.0, time_zone: time_zone.0 },
            online: true,
        };
        Ok(Json(earliest::find(&self.0.db, guest, wanted, Utc::now()).await?))
    }
}
