//! The endpoint tree, and the threads that serve it.
//!
//! One thread accepts and deals connections out in turn to the others. Each of those is a world of its own: a
//! single-threaded runtime with its own pool, so that a request never crosses a core on its way to the database and
//! back. (Sharing one port by SO_REUSEPORT would do as well, but then a second server on the same port is not told.)

mod docs;
mod places;

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use poem::{
    Endpoint, EndpointExt as _, Response,
    endpoint::BoxEndpoint,
    http::{Request, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_postgres::Config as DatabaseUrl;

use crate::{
    api::{self, App},
    db::{self, Db},
    http::{
        captcha::Captcha,
        client::Network,
        compression::Compression,
        description,
        edge::{Counts, Edge, EdgeState},
        limit::Limits,
        routes::Routes,
        token::Tokens,
    },
    identity::passwords::Passwords,
    messaging::mail::Mailer,
    scheduling::booking::{expiry, upkeep},
    tenancy::{
        domains::{self, Dns},
        subscriptions,
    },
};

pub use places::{Capacity, Place, Places};

/// How long a connection may take to send the header of a request, and how long it may be idle between two.
const HEADER_DEADLINE: Duration = Duration::from_secs(30);
/// The same for a connection that comes when places are scarce.
const SHORT_HEADER_DEADLINE: Duration = Duration::from_secs(3);
/// How long a client may take no byte of its response.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// A header is rarely a tenth of this. hyper answers one that is longer by more than it happened to read at once with 431.
const LARGEST_HEADER: usize = 64 * 1024;
/// How long requests that are under way may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Where the process has no file descriptor left, accepting fails at once; asking again at once would burn a core.
const BREATH: Duration = Duration::from_millis(50);

/// How often what was counted is written down.
const COUNTING: Duration = Duration::from_secs(5);

/// How often verified domains are looked for that were not looked at since yesterday.
const CHECKING_DOMAINS: Duration = Duration::from_secs(60);

/// How often expired holds and freed time are looked for.
const SWEEPING: Duration = Duration::from_secs(5);

/// How often claims of the past are deleted.
const FORGETTING: Duration = Duration::from_secs(3600);

/// What a server is made of.
#[derive(Clone)]
pub struct Parts {
    pub database: DatabaseUrl,
    pub tokens: Arc<Tokens>,
    pub passwords: Arc<Passwords>,
    pub mailer: Mailer,
    /// The server to ask about domains; none: those of the system.
    pub dns: Option<SocketAddr>,
    pub captcha: Captcha,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
    /// Threads that serve requests.
    pub threads: usize,
    /// Connections to the database, shared out among the threads.
    pub connections: usize,
    /// Connections of clients.
    pub capacity: Capacity,
}

/// The endpoint tree. Tests and all threads of a server call the same.
pub fn build(app: &App, counts: &Arc<Counts>) -> BoxEndpoint<'static, Response> {
    let service = api::service(app);
    let routes = serde_json::from_str(description::COMMITTED)
        .map(|document| Routes::new(&description::inlined(&document)))
        .unwrap_or_default();
    docs::routes(&service)
        .nest("/", service)
        .with(Edge(Arc::new(EdgeState {
            routes,
            tokens: app.tokens.clone(),
            network: app.network.clone(),
            limits: app.limits.clone(),
            counts: counts.clone(),
            db: app.db.clone(),
        })))
        .with(Compression)
        .boxed()
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// Ctrl-C and SIGTERM. From the moment somebody listens they end nothing by themselves.
pub struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    pub fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

type Job = (TcpStream, SocketAddr, Place);

impl Server {
    /// Serves what comes in at `listener`.
    pub fn start(parts: Parts, listener: TcpListener) -> io::Result<Self> {
        // A thread without a connection to the database could serve nothing.
        let count = parts.threads.min(parts.connections).max(1);
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let (places, network) = (Places::new(parts.capacity), parts.network.clone());
        let mut threads = Vec::with_capacity(count + 1);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (sender, jobs) = mpsc::unbounded_channel();
            workers.push(sender);
            let runtime = single_threaded()?;
            let connections = parts.connections / count + usize::from(index < parts.connections % count);
            let parts = Parts { connections, ..parts.clone() };
            threads.push(
                thread::Builder::new()
                    .name(format!("http-{index}"))
                    .spawn(move || runtime.block_on(work(parts, address, jobs, index == 0)))?,
            );
        }
        let runtime = single_threaded()?;
        threads.push(
            thread::Builder::new()
                .name("accept".to_owned())
                .spawn(move || runtime.block_on(accept(listener, workers, &places, &network, stopping)))?,
        );
        Ok(Self { address, stop, threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets requests under way end, and returns when all have.
    pub fn stop(self) {
        // Fails where everybody who listens is gone already.
        let _ = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the server panicked");
            }
        }
    }
}

fn single_threaded() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

async fn accept(
    listener: TcpListener,
    workers: Vec<mpsc::UnboundedSender<Job>>,
    places: &Arc<Places>,
    network: &Network,
    mut stopping: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "cannot listen");
            return;
        }
    };
    let accepting = async {
        for worker in workers.iter().cycle() {
            let Some(free) = places.free().await else {
                return;
            };
            let mut failed_before = false;
            let (stream, peer) = loop {
                match listener.accept().await {
                    Ok(accepted) => break accepted,
                    Err(error) => {
                        if !failed_before {
                            tracing::warn!(%error, "cannot accept connections");
                        }
                        failed_before = true;
                        sleep(BREATH).await;
                    }
                }
            };
            // Closed without a word: who holds so many must not be written to as well.
            let Some(place) = places.take(free, peer.ip(), network.trusts(peer.ip())) else {
                continue;
            };
            // Responses are small; waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            // A thread that is gone has panicked; its connections are lost with it.
            if let Ok(stream) = stream.into_std() {
                let _ = worker.send((stream, peer, place));
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    // Dropping the channels tells the threads to drain.
}

async fn work(parts: Parts, address: SocketAddr, mut jobs: mpsc::UnboundedReceiver<Job>, sweeps: bool) {
    let db = Db::new(&parts.database, parts.connections);
    let mailer = parts.mailer.asking(db.clone()).signing(parts.tokens.clone());
    let app = App {
        db: db.clone(),
        tokens: parts.tokens,
        passwords: parts.passwords,
        mailer,
        dns: Dns::new(parts.dns),
        captcha: parts.captcha,
        network: parts.network,
        limits: parts.limits,
    };
    let counts = Arc::new(Counts::default());
    let endpoint = Arc::new(build(&app, &counts));
    let counting = tokio::spawn(write_counts(app.db.clone(), counts.clone()));
    let sweeping = sweeps.then(|| tokio::spawn(sweep(app.db.clone(), app.mailer.clone())));
    let checking = sweeps.then(|| tokio::spawn(check_domains(app.db.clone(), app.dns.clone())));
    let forgetting = sweeps.then(|| tokio::spawn(forget_past(app.db.clone())));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(LARGEST_HEADER);
    let graceful = GracefulShutdown::new();
    let (drain, draining) = watch::channel(false);

    while let Some((stream, peer, place)) = jobs.recv().await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
            continue;
        };
        let endpoint = endpoint.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let endpoint = endpoint.clone();
            async move {
                let request = (request, LocalAddr(address.into()), RemoteAddr(peer.into()), Scheme::HTTP);
                Ok::<_, Infallible>(hyper::Response::from(endpoint.get_response(request.into()).await))
            }
        });
        let deadline = if place.is_scarce() { SHORT_HEADER_DEADLINE } else { HEADER_DEADLINE };
        let mut http = http.clone();
        http.header_read_timeout(deadline);
        let (watcher, mut draining) = (graceful.watcher(), draining.clone());
        tokio::spawn(async move {
            let _place = place;
            // One that has not said a word need not be waited for.
            let spoken = tokio::select! {
                readable = timeout(deadline, stream.readable()) => matches!(readable, Ok(Ok(()))),
                _ = draining.wait_for(|draining| *draining) => false,
            };
            if !spoken {
                return;
            }
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_DEADLINE));
            // An error here is the client's: it went away, or spoke no HTTP, and was told if it could be.
            let _ = watcher.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await;
        });
    }
    drain.send_replace(true);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still in use after {DRAIN:?}, and were given up");
    }
    counting.abort();
    for task in [sweeping, checking, forgetting].into_iter().flatten() {
        task.abort();
    }
    write_down(&app.db, &counts).await;
}

/// Removes expired holds and offers freed time to the waitlist. Several servers do not get in each other's way.
async fn sweep(db: Db, mailer: Mailer) {
    loop {
        sleep(SWEEPING).await;
        if let Err(error) = expiry::sweep(&db, &mailer).await {
            tracing::warn!(%error, "expired holds and freed time could not be looked for");
        }
    }
}

/// Looks now and then whether the records of verified domains still stand.
async fn check_domains(db: Db, dns: Dns) {
    loop {
        sleep(CHECKING_DOMAINS).await;
        if let Err(error) = domains::check_due(&db, &dns).await {
            tracing::warn!(%error, "verified domains could not be looked at");
        }
    }
}

/// Has claims of the past deleted. Several servers do not get in each other's way.
async fn forget_past(db: Db) {
    loop {
        sleep(FORGETTING).await;
        if let Err(error) = upkeep::forget_past_claims(&db).await {
            tracing::warn!(%error, "claims of the past could not be deleted");
        }
    }
}

/// Writes down now and then how much each organization has asked.
async fn write_counts(db: Db, counts: Arc<Counts>) {
    loop {
        sleep(COUNTING).await;
        write_down(&db, &counts).await;
    }
}

async fn write_down(db: &Db, counts: &Counts) {
    let (organizations, requests): (Vec<_>, Vec<_>) = counts.take().into_iter().unzip();
    if organizations.is_empty() {
        return;
    }
    match subscriptions::add_requests(db, &organizations, &requests).await {
        Ok(()) => {}
        // Counted or not: better not at all than twice.
        Err(error @ db::Error::InDoubt) => tracing::warn!(%error, "requests may not have been counted"),
        Err(error) => {
            tracing::warn!(%error, "requests could not be counted yet");
            counts.put_back(organizations.into_iter().zip(requests));
        }
    }
}
