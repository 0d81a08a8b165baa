//! What the process counts, for Prometheus. Names and units follow the semantic conventions of OpenTelemetry where
//! these have any. No label names an organization, an account or anything else that a client chooses, so the number of
//! series is bounded.
//!
//! Counting is cheap and always on; the listener of `--operations-listen` shows the counts.

mod pools;
mod process;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use prometheus_client::{
    collector::Collector,
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use pools::{Pooled, watch_pool};

/// The type of the text that [`encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds. The smallest is what an answer from memory takes.
const REQUESTS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const STATEMENTS: [f64; 8] = [0.0005, 0.001, 0.0025, 0.005, 0.025, 0.1, 1.0, 8.0];
const WEBHOOKS: [f64; 7] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// The result of a webhook that was answered with 2xx.
const DELIVERED: &str = "delivered";

/// Names and values, in a fixed order.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

static ALL: LazyLock<All> = LazyLock::new(All::new);

struct All {
    requests: Histograms<3>,
    responses: Family<[(&'static str, String); 4], Counter>,
    active_requests: Gauge,
    problems: Family<Labels<1>, Counter>,
    statements: Histograms<1>,
    connection_waits: Histogram,
    connection_timeouts: Counter,
    tenant_share_timeouts: Counter,
    transactions: Family<Labels<1>, Counter>,
    transaction_retries: Counter,
    sqlstates: Family<[(&'static str, String); 2], Counter>,
    mails: Family<Labels<1>, Counter>,
    webhooks: Family<Labels<1>, Counter>,
    webhook_times: Histogram,
    streams: Gauge,
}

fn requests() -> Histogram {
    Histogram::new(REQUESTS)
}

fn statements() -> Histogram {
    Histogram::new(STATEMENTS)
}

impl All {
    fn new() -> Self {
        let all = Self {
            requests: Family::new_with_constructor(requests as fn() -> Histogram),
            responses: Family::default(),
            active_requests: Gauge::default(),
            problems: Family::default(),
            statements: Family::new_with_constructor(statements as fn() -> Histogram),
            connection_waits: statements(),
            connection_timeouts: Counter::default(),
            tenant_share_timeouts: Counter::default(),
            transactions: Family::default(),
            transaction_retries: Counter::default(),
            sqlstates: Family::default(),
            mails: Family::default(),
            webhooks: Family::default(),
            webhook_times: Histogram::new(WEBHOOKS),
            streams: Gauge::default(),
        };
        // A rate can be computed from the first event on only if the series was there before.
        for outcome in ["committed", "rolled_back", "in_doubt"] {
            drop(all.transactions.get_or_create(&[("outcome", outcome)]));
        }
        for result in ["sent", "retried", "failed", "unknown", "skipped", "over_budget", "dropped"] {
            drop(all.mails.get_or_create(&[("result", result)]));
        }
        drop(all.webhooks.get_or_create(&[("result", DELIVERED)]));
        all
    }

    fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from the header of a request to its answer, by operation",
            Unit::Seconds,
            self.requests.clone(),
        );
        registry.register("http_server_responses", "Answers by operation and status", self.responses.clone());
        registry.register(
            "http_server_active_requests",
            "Requests that are being answered",
            self.active_requests.clone(),
        );
        registry.register("appointd_problems", "Problems in answers, by code", self.problems.clone());
        registry.register_with_unit(
            "db_client_operation_duration",
            "Time of a statement with what is sent with it (BEGIN, entering, COMMIT), by the file of the statement",
            Unit::Seconds,
            self.statements.clone(),
        );
        registry.register_with_unit(
            "db_client_connection_wait_time",
            "Time that transactions waited for a connection of a pool",
            Unit::Seconds,
            self.connection_waits.clone(),
        );
        registry.register(
            "db_client_connection_timeouts",
            "Transactions that got no connection within 3 seconds",
            self.connection_timeouts.clone(),
        );
        registry.register(
            "appointd_tenant_share_timeouts",
            "Transactions of organizations that had used up their half of a pool for 3 seconds",
            self.tenant_share_timeouts.clone(),
        );
        registry.register(
            "appointd_transactions",
            "Transactions by outcome: committed, rolled_back, or in_doubt (the connection broke during the commit)",
            self.transactions.clone(),
        );
        registry.register(
            "appointd_transaction_retries",
            "Transactions that another one got in the way of and that were run again",
            self.transaction_retries.clone(),
        );
        registry.register(
            "appointd_sqlstates",
            "Errors of PostgreSQL by class (the first two characters of the SQLSTATE; connection: without an answer) and \
             statement",
            self.sqlstates.clone(),
        );
        registry.register(
            "appointd_mails",
            "E-mails by result: sent, retried, failed (given up), unknown (sent or not), skipped, over_budget or dropped",
            self.mails.clone(),
        );
        registry.register(
            "appointd_webhook_requests",
            "Requests of webhooks by result: delivered, or why not, as the API says it",
            self.webhooks.clone(),
        );
        registry.register_with_unit(
            "appointd_webhook_request_duration",
            "Time of a request of a webhook, from the look-up of its host to the end of the answer",
            Unit::Seconds,
            self.webhook_times.clone(),
        );
        registry.register("appointd_streams", "Streams of events that are open", self.streams.clone());
        registry.register(
            "appointd_build",
            "The version of the program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
    }
}

/// The counts of this process, and those of other collectors.
pub fn registry(others: impl IntoIterator<Item = Box<dyn Collector>>) -> Registry {
    let mut registry = Registry::default();
    ALL.register(&mut registry);
    registry.register_collector(Box::new(pools::Pools));
    registry.register_collector(Box::new(process::Process::new()));
    for other in others {
        registry.register_collector(other);
    }
    registry
}

/// The counts as text.
pub fn encode(registry: &Registry) -> String {
    let mut written = String::new();
    // Writing to a String does not fail.
    let _ = text::encode(&mut written, registry);
    written
}

/// A request that is being answered. Dropped without [`end`](Self::end), its client has disconnected.
pub struct Active(Instant);

impl Active {
    pub fn begin() -> Self {
        ALL.active_requests.inc();
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Counts the answer. `route` is the template and the operation; `None`: none has this path or method.
    pub fn end(
        self,
        route: Option<(&'static str, &'static str)>,
        method: &str,
        status: u16,
        code: Option<&'static str>,
    ) {
        let (route, operation) = route.unwrap_or(("unmatched", "unmatched"));
        // Those of HTTP, and not what a client makes up.
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
            .into_iter()
            .find(|known| *known == method)
            .unwrap_or("_OTHER");
        let labels = [("http_request_method", method), ("http_route", route), ("operation", operation)];
        ALL.requests.get_or_create(&labels).observe(self.elapsed().as_secs_f64());
        let [method, route, operation] = labels.map(|(name, value)| (name, value.to_owned()));
        let status = ("http_response_status_code", status.to_string());
        ALL.responses.get_or_create(&[method, route, operation, status]).inc();
        if let Some(code) = code {
            ALL.problems.get_or_create(&[("code", code)]).inc();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ALL.active_requests.dec();
    }
}

/// A statement has been answered.
pub fn count_statement(name: &'static str, took: Duration) {
    ALL.statements.get_or_create(&[("db_query_summary", name)]).observe(took.as_secs_f64());
}

/// A transaction has a connection.
pub fn count_connection_wait(waited: Duration) {
    ALL.connection_waits.observe(waited.as_secs_f64());
}

/// No connection was free in time.
pub fn count_connection_timeout() {
    ALL.connection_timeouts.inc();
}

/// An organization had too many transactions under way.
pub fn count_tenant_share_timeout() {
    ALL.tenant_share_timeouts.inc();
}

/// A transaction has ended: `committed`, `rolled_back` or `in_doubt`.
pub fn count_transaction(outcome: &'static str) {
    ALL.transactions.get_or_create(&[("outcome", outcome)]).inc();
}

/// A transaction is run again.
pub fn count_retry() {
    ALL.transaction_retries.inc();
}

/// PostgreSQL reported an error; `None`: the connection broke.
pub fn count_sqlstate(statement: &'static str, sqlstate: Option<&str>) {
    let class = sqlstate.and_then(|sqlstate| sqlstate.get(..2)).unwrap_or("connection");
    let labels = [("class", class.to_owned()), ("db_query_summary", statement.to_owned())];
    ALL.sqlstates.get_or_create(&labels).inc();
}

/// What became of an e-mail: `sent`, `retried`, `failed`, `unknown`, `skipped`, `over_budget` or `dropped`.
pub fn count_mail(result: &'static str) {
    ALL.mails.get_or_create(&[("result", result)]).inc();
}

/// A request of a webhook has ended; `error`: the code of the reason for which it was not delivered.
pub fn count_webhook(error: Option<&'static str>, took: Duration) {
    ALL.webhooks.get_or_create(&[("result", error.unwrap_or(DELIVERED))]).inc();
    ALL.webhook_times.observe(took.as_secs_f64());
}

/// A stream has begun.
pub fn begin_stream() {
    ALL.streams.inc();
}

/// A stream has ended.
pub fn end_stream() {
    ALL.streams.dec();
}
