//! The operator's listener: metrics and health, at an address of its own that clients need not reach.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use poem::{
    Endpoint, EndpointExt as _, IntoEndpoint as _, Response, Route, endpoint::make_sync, get,
    listener::TcpAcceptor,
};
use poem_openapi::OpenApiService;
use prometheus_client::collector::Collector;
use tokio::{runtime, sync::watch};
use uuid::Uuid;

use crate::{
    db::{DatabaseUrl, Db, WorkerDb},
    http::{compression::Compression, problem::Problem},
    messaging::{counts::WorkCounts, work_metrics::WorkMetrics},
    metrics,
    operations::health::{HealthApi, Stopping},
};

/// How long a scrape that is under way may take when it stops.
const DRAIN: Duration = Duration::from_secs(1);

/// What is shown.
pub struct Shown {
    pub database: DatabaseUrl,
    /// The worker of this process: its database, and what it has counted.
    pub work: Option<(DatabaseUrl, Arc<WorkCounts>)>,
    pub stopping: Stopping,
}

/// The running listener.
pub struct OperatorListener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl OperatorListener {
    /// Serves on a thread of its own: requests of clients do not delay it.
    pub fn start(listener: TcpListener, shown: Shown) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            if let Err(error) = runtime.block_on(serve(listener, shown, stopped)) {
                tracing::error!(%error, "the listener for the operator ended");
            }
        };
        let thread = thread::Builder::new().name("operator".to_owned()).spawn(serve)?;
        Ok(Self { address, stop, thread })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn stop(self) {
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!("the listener for the operator panicked");
        }
    }
}

async fn serve(listener: TcpListener, shown: Shown, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
    // An error here would mean that the sender is gone: then it stops as well.
    let stopped = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let server = poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?);
    server.run_with_graceful_shutdown(tree(shown), stopped, Some(DRAIN)).await
}

/// Builds the endpoints. Must be called in the runtime that serves them.
fn tree(Shown { database, work, stopping }: Shown) -> impl Endpoint {
    let mut collectors: Vec<Box<dyn Collector>> = Vec::new();
    if let Some((database, counts)) = work {
        let work = WorkMetrics::new(counts);
        tokio::spawn(work.clone().watch(WorkerDb::new(&database, 1)));
        collectors.push(Box::new(work));
    }
    let registry = metrics::registry(collectors);
    let scrape = get(make_sync(move |_| {
        Response::builder().content_type(metrics::CONTENT_TYPE).body(metrics::encode(&registry))
    }));
    let health = OpenApiService::new(HealthApi::new(Db::new(&database, 1), stopping), "", "")
        .into_endpoint()
        .catch_error(|problem: Problem| async move { problem.render(&Uuid::now_v7().to_string()) });
    Route::new().at("/metrics", scrape).nest("/", health).with(Compression)
}
