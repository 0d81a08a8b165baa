//! The operations that stream events.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Header, Query},
};

use super::{event_types::Catalogue, listener::Listener, live::Live};
use crate::{
    db::{Context, Db},
    http::{
        caller::{Customer, Member, Viewer},
        event_stream::EventStream,
        problem::{ApiError, Failure, Listing, Problem},
        values::{List, Text, Whole},
    },
};

pub struct EventStreamsApi {
    pub db: Db,
    pub catalogue: Catalogue,
    pub live: Arc<Live>,
}

impl EventStreamsApi {
    async fn open<R, F>(
        &self,
        caller: &Member<R, F>,
        types: Vec<String>,
        position: Option<i64>,
    ) -> Result<EventStream, Failure> {
        let reader = Context::from(caller);
        let actor = reader.actor().ok_or_else(Problem::internal)?;
        let seat = || self.live.seat(reader.tenant, actor);
        let (seat, listener, first) = Listener::new(self.db.clone(), reader, seat, types, position).await?;
        let at = listener.position();
        Ok(Live::open(seat, listener, &at, first, caller.expires_at()))
    }
}

#[OpenApi(prefix_path = "/api/v1")]
impl EventStreamsApi {
    /// Follow events as a stream
    ///
    /// The events of `GET /api/v1/events` as they are published, as Server-Sent Events. Each event has its position as
    /// `id`, and the object that the list contains as `data`. The stream begins after `Last-Event-ID`, else after
    /// `after`, else now: an event is missed in no case. An event named `resync` means that events after that position
    /// are not kept any more: read the lists again; the stream goes on after the `next_after` of its data. Every 15
    /// seconds at the latest the stream sends something. An event named `end` is the last one, with the reason as
    /// `code`: `token_expired`, `session_ended`, `api_key_invalid`, `role_too_low`, `role_changed`, `plan_changed`,
    /// `stopping` (the server stops) or `unavailable`. Then connect again, with new credentials if they have expired.
    /// 429 `stream_limit` if one account or API key has 10 streams open, or the organization 200, at one server.
    #[oai(path = "/events/stream", method = "get", operation_id = "stream_events")]
    async fn stream(
        &self,
        caller: Member<Viewer>,
        /// Begin after this position. Defaults to now.
        after: Query<Option<Whole>>,
        /// Only events of this type. Can be repeated, up to 50 times.
        types: Query<List<Text<1, 100>, 0, 50>>,
        /// The `id` of the last event that the client has read. Browsers send it when they connect again.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<Whole>>,
    ) -> Result<EventStream, ApiError<Listing>> {
        let types: Vec<String> = types.0.iter().map(|name| (**name).to_owned()).collect();
        if types.iter().any(|name| !self.catalogue.has(name)) {
            let detail = "expected types of GET /api/v1/event-types";
            Err(Problem::invalid_field("types", "invalid_value", detail))?;
        }
        Ok(self.open(&caller, types, last_event_id.0.or(after.0).map(|position| position.0)).await?)
    }

    /// Follow my events as a stream
    ///
    /// The events of `GET /api/v1/my/events` as they are published. Works like `GET /api/v1/events/stream`, also with
    /// 429 `stream_limit`.
    #[oai(path = "/my/events/stream", method = "get", operation_id = "stream_my_events")]
    async fn stream_mine(
        &self,
        caller: Member<Customer>,
        /// Begin after this position. Defaults to now.
        after: Query<Option<Whole>>,
        /// The `id` of the last event that the client has read. Browsers send it when they connect again.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<Whole>>,
    ) -> Result<EventStream, ApiError<Listing>> {
        let position = last_event_id.0.or(after.0).map(|position| position.0);
        Ok(self.open(&caller, Vec::new(), position).await?)
    }
}
