//! A guest's appointment as it changes: what its link shows, again each time it is another.

use std::{sync::Arc, time::Duration};

use hyper::body::Bytes;
use poem_openapi::{OpenApi, param::Header};
use uuid::Uuid;

use super::guest_access::{Guests, managed};
use crate::{
    db::Context,
    http::{
        caller::Link,
        conditional,
        event_stream::{self, EventStream},
        problem::{ApiError, Failure, GuestReading, Problem},
        values::Text,
    },
    messaging::live::{Batch, Live, Source, Why},
};

/// How long it waits after a hint: most are about other appointments.
const PAUSE: Duration = Duration::from_millis(500);

pub struct GuestStreamApi {
    pub guests: Guests,
    pub live: Arc<Live>,
}

#[OpenApi(prefix_path = "/api/v1/guest")]
impl GuestStreamApi {
    /// Follow a guest's appointment as a stream
    ///
    /// What `GET /api/v1/guest/appointment` returns, as Server-Sent Events: once at the beginning, unless
    /// `Last-Event-ID` names this version, and again each time it has changed. An event named `end` is the last one,
    /// with the reason as `code`, such as `not_found` or `stopping` (the server stops): then connect again or, after
    /// `not_found`, do not. 429 `stream_limit` if the link has 10 streams open, or the organization 200, at one server.
    #[oai(path = "/appointment/stream", method = "get", operation_id = "stream_as_guest")]
    async fn stream(
        &self,
        link: Link,
        /// The `id` of the last event that the client has read. Browsers send it when they connect again.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<Text<1, 100>>>,
    ) -> Result<EventStream, ApiError<GuestReading>> {
        let guest = self.guests.managing(&link.0)?;
        let id = managed(guest)?;
        let version = last_event_id.0.map(|version| (*version).to_owned()).unwrap_or_default();
        let mut watched = Watched { guests: self.guests.clone(), guest, id, version };
        let at = watched.beat();
        let first = watched.look().await?;
        let seat = self.live.seat(guest.tenant, id)?;
        Ok(Live::open(seat, watched, &at, first, None))
    }
}

/// The appointment of a link.
struct Watched {
    guests: Guests,
    guest: Context,
    id: Uuid,
    /// Of what the client has.
    version: String,
}

impl Watched {
    /// The appointment, if it is another than the client has.
    async fn look(&mut self) -> Result<Batch, Failure> {
        let shown = self.guests.see(self.guest, self.id).await?;
        let data = serde_json::to_string(&shown).map_err(|_| Problem::internal())?;
        let version = conditional::etag(data.as_bytes()).trim_matches('"').to_owned();
        if version == self.version {
            return Ok(Batch::default());
        }
        self.version = version;
        Ok(Batch { events: vec![event_stream::event(&self.version, None, &data)], ..Batch::default() })
    }
}

impl Source for Watched {
    fn pause(&self) -> Duration {
        PAUSE
    }

    async fn read(&mut self, _: Why) -> Result<Batch, Failure> {
        self.look().await
    }

    fn beat(&self) -> Bytes {
        event_stream::position(&self.version)
    }
}
