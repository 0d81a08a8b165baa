//! Streams: who listens in this process, what wakes them, and when they end. One connection to the database hears from
//! the publishers in which organizations events were published. That is only a hint: each stream also looks by itself
//! from time to time, when it proves that its listener still may listen.
//!
//! A stream is a task that hands what is new to the connection of its client, one batch at a time. While the client
//! does not read, the task waits with one batch in hand: it holds no connection to the database, and nothing is kept
//! for it.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use hyper::body::Bytes;
use poem::http::{HeaderValue, StatusCode, header};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use super::feed::Feed;
use crate::{
    db::{
        DatabaseUrl, REQUEST, Request,
        listen::{Heard, listen},
    },
    http::{
        event_stream::EventStream,
        problem::{Failure, Problem},
        secret,
    },
    metrics,
};

/// The channel on which publishers tell the ids of organizations: see `sql/queries/messaging/events_add.sql`.
const CHANNEL: &str = "appointd_events";

/// How often streams look for events while notifications are not heard.
const POLLING: Duration = Duration::from_secs(1);

/// The pause after a read that failed.
const BREATH: Duration = Duration::from_secs(1);

/// A stream whose rights could not be proven for so many beats ends.
const UNPROVEN: u32 = 4;

/// What a client waits before it connects again after the connection broke, in milliseconds.
const RECONNECT: u32 = 3000;

/// How many streams a process has at most, and how often each proves its rights.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of one account, API key or guest's link.
    pub caller: usize,
    pub organization: usize,
    pub process: usize,
    /// The time between two proofs; also the time after which a silent stream sends something.
    pub beat: Duration,
}

impl Bounds {
    /// The defaults of `appointd serve`.
    pub const DEFAULT: Self =
        Self { caller: 10, organization: 200, process: 5000, beat: Duration::from_secs(15) };
}

/// The streams of a process.
pub struct Live {
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
    tenants: Mutex<HashMap<Uuid, Listened>>,
    streams: AtomicUsize,
}

/// An organization that has streams.
struct Listened {
    /// The number of hints so far.
    hints: watch::Sender<u64>,
    streams: usize,
    callers: HashMap<Uuid, usize>,
    /// What members read, by their role.
    feeds: HashMap<String, Arc<Feed>>,
}

impl Live {
    /// Streams end when `stopping` says so.
    pub fn new(bounds: Bounds, stopping: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self { bounds, stopping, tenants: Mutex::default(), streams: AtomicUsize::new(0) })
    }

    /// Without hints and end, for the description.
    pub fn nowhere() -> Arc<Self> {
        Self::new(Bounds::DEFAULT, watch::channel(false).1)
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Listened>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a stream; 429 if too many are open. `caller` is the account, API key or object of a link.
    pub fn seat(self: &Arc<Self>, tenant: Uuid, caller: Uuid) -> Result<Seat, Problem> {
        let mut tenants = self.lock();
        if self.streams() >= self.bounds.process {
            return Err(too_many("of the server"));
        }
        let listened = tenants.entry(tenant).or_insert_with(|| Listened {
            hints: watch::Sender::new(0),
            streams: 0,
            callers: HashMap::new(),
            feeds: HashMap::new(),
        });
        if listened.streams >= self.bounds.organization {
            return Err(too_many("of the organization"));
        }
        let own = listened.callers.entry(caller).or_default();
        if *own >= self.bounds.caller {
            return Err(too_many("of one account, API key or link"));
        }
        *own += 1;
        listened.streams += 1;
        self.streams.fetch_add(1, Ordering::Relaxed);
        metrics::begin_stream();
        Ok(Seat { live: self.clone(), tenant, caller, hints: listened.hints.subscribe() })
    }

    /// Tells the streams of an organization that events may be new.
    fn hint(&self, tenant: Uuid) {
        if let Some(listened) = self.lock().get(&tenant) {
            listened.hints.send_modify(|hints| *hints += 1);
        }
    }

    fn hint_all(&self) {
        self.lock().values().for_each(|listened| listened.hints.send_modify(|hints| *hints += 1));
    }

    /// Listens for the hints of publishers, until the process stops. While none can be heard, and once after, streams
    /// look by themselves.
    pub async fn listen(&self, database: DatabaseUrl) {
        let heard = watch::Sender::new(false);
        let listening = listen(&database, CHANNEL, |event| match event {
            Heard::Listening => {
                heard.send_replace(true);
                self.hint_all();
            }
            Heard::Notification(tenant) => {
                if let Ok(tenant) = tenant.parse() {
                    self.hint(tenant);
                }
            }
            Heard::Lost => {
                heard.send_replace(false);
            }
        });
        let polling = async {
            let mut told = heard.subscribe();
            loop {
                let is_heard = timeout(POLLING, told.wait_for(|heard| *heard)).await.is_ok();
                if is_heard {
                    drop(told.wait_for(|heard| !*heard).await);
                } else {
                    self.hint_all();
                }
            }
        };
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = listening => {}
            () = polling => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }

    /// Begins a stream with its first batch. It ends when the process stops, when the token expires, when the source
    /// says so, and when the client is gone. `at` is where the client is before the first event.
    pub fn open<S: Source>(
        seat: Seat,
        source: S,
        at: &Bytes,
        first: Batch,
        expires_at: Option<DateTime<Utc>>,
    ) -> EventStream {
        let (events, sent) = mpsc::channel(1);
        let mut text = Vec::from(format!("retry: {RECONNECT}\n"));
        text.extend_from_slice(at);
        // The channel is empty.
        let _ = events.try_send(text.into());
        // What is read later is read for the same request: its host, its id, its scope.
        let request = REQUEST.try_with(Request::clone).unwrap_or_default();
        tokio::spawn(REQUEST.scope(request, run(seat, source, first, expires_at, events)));
        EventStream::new(sent)
    }
}

fn too_many(whose: &str) -> Problem {
    let detail = format!("The limit of open streams {whose} is reached. Close one, or try again later.");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "stream_limit", detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(30))
}

/// A stream's place.
pub struct Seat {
    live: Arc<Live>,
    tenant: Uuid,
    caller: Uuid,
    hints: watch::Receiver<u64>,
}

impl Seat {
    /// What members of a role read in the organization; it begins after `position` if none of them reads it
    /// yet.
    pub fn feed(&self, role: &str, position: i64) -> Arc<Feed> {
        let mut tenants = self.live.lock();
        let known = tenants.get_mut(&self.tenant).map(|listened| &mut listened.feeds);
        let Some(feeds) = known else {
            // Never: an organization with a seat is known.
            return Feed::new(position);
        };
        feeds.entry(role.to_owned()).or_insert_with(|| Feed::new(position)).clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut tenants = self.live.lock();
        self.live.streams.fetch_sub(1, Ordering::Relaxed);
        metrics::end_stream();
        let Some(listened) = tenants.get_mut(&self.tenant) else {
            return;
        };
        listened.streams -= 1;
        if listened.streams == 0 {
            tenants.remove(&self.tenant);
        } else if let Some(own) = listened.callers.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                listened.callers.remove(&self.caller);
            }
        }
    }
}

/// What is sent at once.
#[derive(Debug, Default)]
pub struct Batch {
    pub events: Vec<Bytes>,
    /// More can be read at once.
    pub more: bool,
    /// The code of the reason for which the stream ends after this.
    pub end: Option<&'static str>,
}

impl Batch {
    pub fn end(code: &'static str) -> Self {
        Self { end: Some(code), ..Self::default() }
    }

    fn text(&mut self) -> Option<Bytes> {
        match self.events.len() {
            0 => None,
            1 => self.events.pop(),
            _ => Some(std::mem::take(&mut self.events).concat().into()),
        }
    }
}

/// Why a source is read.
#[derive(Clone, Copy, Debug)]
pub struct Why {
    /// It has to prove that its listener still may listen: by a read of its own.
    pub prove: bool,
    /// The number of hints so far.
    pub hints: u64,
}

/// What a stream is read from.
pub trait Source: Send + 'static {
    /// How long it waits after a hint: one that is not read together with others reads less often.
    fn pause(&self) -> Duration;
    fn read(&mut self, why: Why) -> impl Future<Output = Result<Batch, Failure>> + Send;
    /// Says where the client is, so that a silent connection is not closed on the way.
    fn beat(&self) -> Bytes;
}

async fn run<S: Source>(
    mut seat: Seat,
    mut source: S,
    mut batch: Batch,
    expires_at: Option<DateTime<Utc>>,
    events: mpsc::Sender<Bytes>,
) {
    let mut stopping = seat.live.stopping.clone();
    let mut stopped = pin!(async move { drop(stopping.wait_for(|stop| *stop).await) });
    let mut expired = pin!(async {
        match expires_at.and_then(|at| (at - Utc::now()).to_std().ok()) {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    });
    let beat = seat.live.bounds.beat;
    let (mut proven, mut next) = (Instant::now(), Instant::now() + spread(beat));
    let end = loop {
        if let Some(text) = batch.text() {
            tokio::select! {
                sent = events.send(text) => if sent.is_err() { return },
                () = &mut stopped => break "stopping",
            }
        }
        if let Some(end) = batch.end {
            break end;
        }
        if !batch.more {
            tokio::select! {
                () = events.closed() => return,
                () = &mut stopped => break "stopping",
                () = &mut expired => break "token_expired",
                () = sleep_until(next) => {}
                changed = seat.hints.changed() => {
                    let pause = source.pause();
                    if changed.is_ok() && !pause.is_zero() {
                        tokio::select! {
                            () = tokio::time::sleep(spread(pause)) => {}
                            () = &mut stopped => break "stopping",
                        }
                    }
                }
            }
        }
        let why = Why { prove: Instant::now() >= next, hints: *seat.hints.borrow_and_update() };
        batch = match source.read(why).await {
            Ok(batch) => {
                if why.prove {
                    (proven, next) = (Instant::now(), Instant::now() + spread(beat));
                }
                batch
            }
            Err(failure) => {
                let problem = Problem::from(failure);
                let passing =
                    problem.status.is_server_error() || problem.status == StatusCode::TOO_MANY_REQUESTS;
                if !passing {
                    break problem.code;
                }
                if proven.elapsed() > beat * UNPROVEN {
                    break "unavailable";
                }
                tokio::time::sleep(BREATH).await;
                next = Instant::now();
                continue;
            }
        };
        if why.prove && batch.events.is_empty() && batch.end.is_none() {
            batch.events.push(source.beat());
        }
    };
    // They do not all come back at once.
    let retry = spread(Duration::from_secs(5)).as_millis();
    let text = format!("retry: {retry}\nevent: end\ndata: {{\"code\":\"{end}\"}}\n\n");
    // A client that does not read is not waited for.
    let _ = timeout(BREATH, events.send(text.into())).await;
}

/// Up to a half more or less, so that what began together does not stay together.
fn spread(time: Duration) -> Duration {
    let [a, b, ..] = secret::random();
    time.mul_f64(0.5 + f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX))
}
