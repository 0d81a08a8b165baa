//! The server: the endpoint tree, the threads that serve it, and background tasks.
//!
//! One thread accepts connections and distributes them to the others in turn. Each of those has a single-threaded
//! runtime and its own pool, so that a request never changes threads on its way to the database and back. (Sharing the
//! port with SO_REUSEPORT would work too, but then starting a second server on the same port would not fail.)

mod counting;
mod docs;
mod operator;
mod places;
mod stop_signal;
mod upkeep;

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
    Endpoint, EndpointExt as _, IntoResponse, Response,
    endpoint::BoxEndpoint,
    get,
    http::{HeaderValue, Request, header::CONNECTION, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    runtime,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use crate::{
    api::{self, App},
    db::{DatabaseUrl, Db, FrontDoor, WorkerDb},
    http::{
        captcha::Captcha,
        client::Network,
        compression::Compression,
        edge::{Counts, Edge, EdgeState},
        limit::Limits,
        routes,
        token::Tokens,
        versions::Versions,
    },
    identity::passwords::Passwords,
    messaging::{
        counts::WorkCounts,
        live::Live,
        mail::Mailer,
        publisher::{Describe, Follow, Publisher},
        webhooks::{addresses::Reach, secrets::SecretKeys, sender::Sender},
        worker::{PATIENCE, Worker},
    },
    operations::health::Stopping,
    pages,
    scheduling::{
        events::EventNames,
        notices::{planning::TellAboutAppointments, reminders::RemindOfAppointments},
    },
    tenancy::domains::Dns,
    work::events::Assignments,
};

pub use crate::messaging::live::Bounds;
use counting::{write_counts, write_down};
pub use docs::{Demo, Examples};
pub use operator::{OperatorListener, Shown};
pub use places::{Capacity, Place, Places};
pub use stop_signal::StopSignal;
use upkeep::Tools;

/// The stack of a thread that answers requests, in bytes, as much as a main thread has: without optimization the
/// futures of nested calls are large.
const STACK: usize = 8 << 20;
/// How long a connection may take to send the header of a request, and how long it may be idle between requests.
const HEADER_DEADLINE: Duration = Duration::from_secs(30);
/// The same, for a connection accepted while places are scarce.
const SHORT_HEADER_DEADLINE: Duration = Duration::from_secs(3);
/// How long a client may accept no byte of its response.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// The maximum size of a request's header. hyper answers a larger one with 431.
const LARGEST_HEADER: usize = 64 * 1024;
/// How long the server waits for current requests when it stops.
const DRAIN: Duration = Duration::from_secs(10);
/// The pause after accepting failed, such as without a free file descriptor, so that retrying does not use up a core.
const BREATH: Duration = Duration::from_millis(50);

/// Connections of each thread to the database, for what happens before the caller is known.
const DOOR_CONNECTIONS: usize = 2;

/// Connections of the worker to the database.
const WORKER_CONNECTIONS: usize = 4;

/// The components of a server.
#[derive(Clone)]
pub struct Parts {
    pub database: DatabaseUrl,
    /// The database as the front door; `None`: the process serves no requests.
    pub door: Option<DatabaseUrl>,
    /// The database as the worker; `None`: another process works in the background.
    pub worker: Option<DatabaseUrl>,
    pub tokens: Arc<Tokens>,
    pub passwords: Arc<Passwords>,
    pub mailer: Mailer,
    /// The DNS server for verifying domains; `None`: those of the system.
    pub dns: Option<SocketAddr>,
    pub captcha: Captcha,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
    /// What the secrets of webhook endpoints follow from.
    pub webhook_keys: SecretKeys,
    /// Where webhooks may be sent to.
    pub webhook_reach: Reach,
    /// How many jobs the worker runs at once.
    pub places: usize,
    /// Threads that serve requests.
    pub threads: usize,
    /// Connections to the database, divided among the threads.
    pub connections: usize,
    /// TLS for clients; `None`: HTTP without it.
    pub tls: Option<TlsAcceptor>,
    /// The limits of client connections.
    pub capacity: Capacity,
    /// The limits of streams.
    pub streams: Bounds,
    /// The demo data that the pages of the description know.
    pub demo: Option<Demo>,
}

/// Builds the endpoint tree. Tests and all threads of a server use it.
pub fn build(app: &App, counts: &Arc<Counts>, demo: Option<&Demo>) -> BoxEndpoint<'static, Response> {
    let service = api::service(app);
    let organizations = demo.map(|demo| demo.organizations.clone()).unwrap_or_default();
    let documents = docs::routes(&service, app, demo);
    let documents = pages::routes(app, organizations.clone(), documents);
    let front = Arc::new(get(pages::front(app, organizations)));
    let service = service.around(move |service, request| {
        let front = (request.uri().path() == "/").then(|| front.clone());
        async move {
            match front {
                Some(front) => front.call(request).await,
                None => service.call(request).await.map(IntoResponse::into_response),
            }
        }
    });
    documents
        .nest("/", service)
        .with(Versions(&routes::COMMITTED))
        .with(Edge(Arc::new(EdgeState {
            routes: &routes::COMMITTED,
            tokens: app.tokens.clone(),
            network: app.network.clone(),
            limits: app.limits.clone(),
            counts: counts.clone(),
            db: app.db.clone(),
            door: app.door.clone(),
        })))
        .with(Compression)
        .boxed()
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    stopping: Stopping,
    threads: Vec<JoinHandle<()>>,
    counts: Option<Arc<WorkCounts>>,
    live: Arc<Live>,
}

type Job = (TcpStream, SocketAddr, Place);

impl Server {
    /// Starts serving the connections of `listener`.
    pub fn start(parts: Parts, listener: TcpListener) -> io::Result<Self> {
        let door = parts.door.clone().ok_or_else(|| io::Error::other("no database as the front door"))?;
        // Every thread needs at least one connection to the database.
        let count = parts.threads.min(parts.connections).max(1);
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let stopping = Stopping::default();
        let (places, network) = (Places::new(parts.capacity), parts.network.clone());
        let live = Live::new(parts.streams, stopped.clone());
        let mut threads = Vec::with_capacity(count + 1);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (sender, jobs) = mpsc::unbounded_channel();
            workers.push(sender);
            let runtime = single_threaded()?;
            let connections = parts.connections / count + usize::from(index < parts.connections % count);
            let (parts, live) = (Parts { connections, ..parts.clone() }, live.clone());
            let door = FrontDoor::new(&door, DOOR_CONNECTIONS);
            let stopping = stopping.clone();
            threads.push(
                thread::Builder::new()
                    .name(format!("http-{index}"))
                    .stack_size(STACK)
                    .spawn(move || runtime.block_on(work(parts, door, live, stopping, address, jobs)))?,
            );
        }
        let mut counts = None;
        if let Some(database) = &parts.worker {
            let (runtime, worker, stopped) = (single_threaded()?, worker(&parts, database), stopped.clone());
            counts = Some(worker.counts.clone());
            let work = move || runtime.block_on(worker.run(stopped));
            threads.push(thread::Builder::new().name("worker".to_owned()).spawn(work)?);
        }
        let (runtime, listening, database) = (single_threaded()?, live.clone(), parts.database.clone());
        let listen = move || runtime.block_on(listening.listen(database));
        threads.push(thread::Builder::new().name("listen".to_owned()).spawn(listen)?);
        let runtime = single_threaded()?;
        threads.push(
            thread::Builder::new()
                .name("accept".to_owned())
                .spawn(move || runtime.block_on(accept(listener, workers, &places, &network, stopped)))?,
        );
        Ok(Self { address, stop, stopping, threads, counts, live })
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its worker has counted; `None` without one.
    pub fn work_counts(&self) -> Option<&Arc<WorkCounts>> {
        self.counts.as_ref()
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.live.streams()
    }

    /// To make it unready before it is stopped.
    pub fn stopping(&self) -> &Stopping {
        &self.stopping
    }

    /// Stops accepting connections, and returns when all current requests have ended.
    pub fn stop(self) {
        // Fails if all receivers are gone already.
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

/// Publishes the events of all modules, and adds the messages about them.
pub fn publisher(db: &WorkerDb) -> Publisher {
    let modules: [Arc<dyn Describe>; 2] = [Arc::new(EventNames), Arc::new(Assignments)];
    let messages: [Arc<dyn Follow>; 2] = [Arc::new(TellAboutAppointments), Arc::new(RemindOfAppointments)];
    Publisher::new(db.clone(), modules, messages)
}

/// The worker of a process.
pub fn worker(parts: &Parts, database: &DatabaseUrl) -> Worker {
    let db = Db::new(&parts.database, parts.places);
    let tools = Tools {
        worker: WorkerDb::new(database, WORKER_CONNECTIONS),
        mailer: parts.mailer.clone().asking(db.clone()).signing(parts.tokens.clone()),
        dns: Dns::new(parts.dns),
        webhooks: Sender::new(parts.webhook_reach.clone()),
        webhook_keys: parts.webhook_keys.clone(),
        db,
    };
    Worker {
        publisher: publisher(&tools.worker),
        handlers: upkeep::handlers(&tools),
        crons: upkeep::crons(&tools),
        places: parts.places,
        patience: PATIENCE,
        counts: Arc::default(),
        db: tools.worker,
    }
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
            // Closed without an answer: the address already has too many connections.
            let Some(place) = places.take(free, peer.ip(), network.trusts(peer.ip())) else {
                continue;
            };
            // Responses are small; waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            // Sending fails if the thread has panicked; the connection is then lost.
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

async fn work(
    parts: Parts,
    door: FrontDoor,
    live: Arc<Live>,
    stopping: Stopping,
    address: SocketAddr,
    mut jobs: mpsc::UnboundedReceiver<Job>,
) {
    let db = Db::new(&parts.database, parts.connections);
    let tls = parts.tls;
    let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let mailer = parts.mailer.asking(db.clone()).signing(parts.tokens.clone());
    let app = App {
        db,
        door,
        tokens: parts.tokens,
        passwords: parts.passwords,
        mailer,
        dns: Dns::new(parts.dns),
        captcha: parts.captcha,
        network: parts.network,
        limits: parts.limits,
        webhook_keys: parts.webhook_keys,
        webhook_reach: parts.webhook_reach,
        live,
        stopping: stopping.clone(),
    };
    let counts = Arc::new(Counts::default());
    let endpoint = Arc::new(build(&app, &counts, parts.demo.as_ref()));
    let counting = tokio::spawn(write_counts(app.door.clone(), counts.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(LARGEST_HEADER);
    let graceful = GracefulShutdown::new();
    let (drain, draining) = watch::channel(false);

    while let Some((stream, peer, place)) = jobs.recv().await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
            continue;
        };
        let (endpoint, stopping, scheme) = (endpoint.clone(), stopping.clone(), scheme.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (endpoint, stopping, scheme) = (endpoint.clone(), stopping.clone(), scheme.clone());
            async move {
                let request = (request, LocalAddr(address.into()), RemoteAddr(peer.into()), scheme);
                let mut response = endpoint.get_response(request.into()).await;
                // The client opens its next connection, and a load balancer leads it to another server.
                if stopping.has_begun() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        });
        let deadline = if place.is_scarce() { SHORT_HEADER_DEADLINE } else { HEADER_DEADLINE };
        let mut http = http.clone();
        http.header_read_timeout(deadline);
        let (watcher, mut draining, tls) = (graceful.watcher(), draining.clone(), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            // A connection that has not sent anything yet is not waited for.
            let spoken = tokio::select! {
                readable = timeout(deadline, stream.readable()) => matches!(readable, Ok(Ok(()))),
                _ = draining.wait_for(|draining| *draining) => false,
            };
            if !spoken {
                return;
            }
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_DEADLINE));
            let stream = Box::pin(stream);
            // An error here is the client's: it disconnected or did not send HTTP. It got an answer if possible.
            let Some(tls) = tls else {
                let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
                return;
            };
            let shaken = tokio::select! {
                shaken = timeout(deadline, tls.accept(stream)) => shaken,
                _ = draining.wait_for(|draining| *draining) => return,
            };
            if let Ok(Ok(stream)) = shaken {
                let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
            }
        });
    }
    drain.send_replace(true);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still in use after {DRAIN:?}, and were given up");
    }
    counting.abort();
    write_down(&app.door, &counts).await;
}
