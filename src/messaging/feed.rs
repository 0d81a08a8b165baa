//! The latest events of an organization, as the members of one role read them and as they are sent.

use std::{collections::VecDeque, sync::Arc};

use hyper::body::Bytes;
use tokio::sync::Mutex;

use super::events::Event;
use crate::http::{event_stream, problem::Problem};

/// How many bytes of events are sent at once, and remembered by a feed.
pub const MOST_BYTES: usize = 64 * 1024;

/// An event as it is sent.
pub struct Sent {
    pub position: i64,
    pub kind: String,
    pub text: Bytes,
}

impl Sent {
    pub fn new(event: &Event) -> Result<Arc<Self>, Problem> {
        let data = serde_json::to_string(event).map_err(|error| {
            tracing::error!(%error, "an event could not be written");
            Problem::internal()
        })?;
        let text = event_stream::event(&event.position.to_string(), None, &data);
        Ok(Arc::new(Self { position: event.position, kind: event.kind.clone(), text }))
    }

    /// Whether it may change who may read what follows.
    pub fn changes_rights(&self) -> bool {
        let (subject, _) = self.kind.split_once('.').unwrap_or_default();
        matches!(subject, "member" | "organization" | "subscription")
    }
}

/// What members of one role read in one organization. The one that reads for all of them holds the lock.
pub struct Feed(pub Mutex<Recent>);

/// The latest events: all after `after` up to `up_to`.
pub struct Recent {
    pub events: VecDeque<Arc<Sent>>,
    bytes: usize,
    pub after: i64,
    pub up_to: i64,
    /// The number of hints before the last read.
    pub hints: u64,
}

impl Feed {
    pub fn new(position: i64) -> Arc<Self> {
        let recent = Recent { events: VecDeque::new(), bytes: 0, after: position, up_to: position, hints: 0 };
        Arc::new(Self(Mutex::new(recent)))
    }
}

impl Recent {
    pub fn add(&mut self, event: Arc<Sent>) {
        self.up_to = event.position;
        self.bytes += event.text.len();
        self.events.push_back(event);
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.text.len();
            self.after = oldest.position;
        }
    }
}
