//! What streams of events are read from. Members of one role in one organization read the same events, so one of them
//! reads for all: the first that is woken, with its own rights. The others take what it has read. A listener that is
//! further behind than what is remembered reads by itself, and so does each when rights may have changed.

use std::{sync::Arc, time::Duration};

use hyper::body::Bytes;
use serde_json::json;

use super::{
    events::{self, Following},
    feed::{Feed, MOST_BYTES, Sent},
    live::{Batch, Seat, Source, Why},
};
use crate::{
    db::{Context, Db},
    http::{
        event_stream,
        problem::{Failure, Problem},
    },
};

/// How many events one read returns.
const MOST_READ: i64 = 50;

/// How long a customer's stream waits after a hint: it reads alone, and most hints are about others.
const PAUSE: Duration = Duration::from_millis(500);

/// A listener of the events of an organization.
pub struct Listener {
    db: Db,
    reader: Context,
    role: String,
    /// None for a customer, who reads alone.
    feed: Option<Arc<Feed>>,
    /// Only events of these types; none: all.
    types: Vec<String>,
    /// The client has been sent all events up to this position.
    position: i64,
    /// The last position when it began.
    began: i64,
}

impl Listener {
    /// A listener from a position on, or from now on, its seat and the first batch. Fails if the reader may not listen;
    /// only one that may is given a seat.
    pub async fn new(
        db: Db,
        reader: Context,
        seat: impl FnOnce() -> Result<Seat, Problem>,
        types: Vec<String>,
        position: Option<i64>,
    ) -> Result<(Seat, Self, Batch), Failure> {
        let is_customer = reader.needs == "customer";
        let following =
            events::after(&db, reader, is_customer, position.unwrap_or(i64::MAX), MOST_READ).await?;
        let seat = seat()?;
        let (role, last) = (following.role.clone(), following.last_position);
        let feed = (!is_customer).then(|| seat.feed(&role, last));
        let mut listener =
            Self { db, reader, role, feed, types, position: position.unwrap_or(last), began: last };
        let batch = listener.take(following)?;
        Ok((seat, listener, batch))
    }

    /// Where the client is.
    pub fn position(&self) -> Bytes {
        event_stream::position(&self.position.to_string())
    }

    async fn read_after(&self, position: i64) -> Result<Following, Failure> {
        events::after(&self.db, self.reader, self.feed.is_none(), position, MOST_READ).await
    }

    /// The batch of a read of its own.
    fn take(&mut self, following: Following) -> Result<Batch, Problem> {
        let Following { role, last_position, oldest_position, events } = following;
        if role != self.role {
            return Ok(Batch::end("role_changed"));
        }
        // Not kept any more; or not there yet, because the database was restored.
        if self.position + 1 < oldest_position || self.position > last_position {
            self.position = last_position;
            let data = json!({ "next_after": last_position }).to_string();
            let text = event_stream::event(&last_position.to_string(), Some("resync"), &data);
            return Ok(Batch { events: vec![text], ..Batch::default() });
        }
        let is_full = usize::try_from(MOST_READ).is_ok_and(|most| events.len() >= most);
        let sent = events.iter().map(Sent::new).collect::<Result<Vec<_>, _>>()?;
        let mut batch = self.send(&sent);
        batch.more |= is_full;
        if !batch.more {
            self.position = self.position.max(last_position);
        }
        Ok(batch)
    }

    /// As many of the events as are sent at once.
    fn send(&mut self, events: &[Arc<Sent>]) -> Batch {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        for event in events {
            if bytes > MOST_BYTES {
                batch.more = true;
                break;
            }
            self.position = event.position;
            if self.types.is_empty() || self.types.contains(&event.kind) {
                bytes += event.text.len();
                batch.events.push(event.text.clone());
            }
            if event.kind == "subscription.updated" && event.position > self.began {
                batch.end = Some("plan_changed");
                break;
            }
        }
        batch
    }

    /// The batch of what one has read for all; `None` if this listener has to read by itself.
    async fn share(&mut self, hints: u64) -> Result<Option<Batch>, Failure> {
        let Some(feed) = self.feed.clone() else {
            return Ok(None);
        };
        let mut recent = feed.0.lock().await;
        let mut is_full = false;
        if recent.hints < hints {
            let following = self.read_after(recent.up_to).await?;
            if following.role != self.role {
                return Ok(Some(Batch::end("role_changed")));
            }
            is_full = usize::try_from(MOST_READ).is_ok_and(|most| following.events.len() >= most);
            for event in &following.events {
                recent.add(Sent::new(event)?);
            }
            if !is_full {
                recent.up_to = recent.up_to.max(following.last_position);
                recent.hints = hints;
            }
        }
        if self.position < recent.after {
            return Ok(None);
        }
        let new: Vec<_> =
            recent.events.iter().filter(|event| event.position > self.position).cloned().collect();
        let up_to = recent.up_to;
        drop(recent);
        if new.iter().any(|event| event.changes_rights()) {
            return Ok(None);
        }
        let mut batch = self.send(&new);
        if !batch.more {
            self.position = self.position.max(up_to);
        }
        batch.more |= is_full;
        Ok(Some(batch))
    }
}

impl Source for Listener {
    fn pause(&self) -> Duration {
        if self.feed.is_some() { Duration::ZERO } else { PAUSE }
    }

    async fn read(&mut self, Why { prove, hints }: Why) -> Result<Batch, Failure> {
        if !prove && let Some(batch) = self.share(hints).await? {
            return Ok(batch);
        }
        let following = self.read_after(self.position).await?;
        Ok(self.take(following)?)
    }

    fn beat(&self) -> Bytes {
        self.position()
    }
}
