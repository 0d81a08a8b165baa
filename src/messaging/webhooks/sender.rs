//! Sends one request of a webhook: looks up the name, checks every address, dials one of them, and reads the beginning
//! of the answer. Follows no redirects and knows no proxies. What failed is said as a code, which names no address.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderMap},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::{timeout, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use url::{Host, Position, Url};

use super::addresses::Reach;
use crate::http::headers;

/// The timeout of a request, from the look-up of the name to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The timeout of connecting to one address.
const CONNECTING: Duration = Duration::from_secs(5);

/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 3;

/// The maximum size of the head of an answer, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// How much of the body of an answer is read, in bytes.
const MOST_READ: usize = 64 * 1024;

/// How much of it is kept, in characters.
const MOST_KEPT: usize = 1024;

/// The longest pause that a receiver may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

pub type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up the addresses of a name.
pub type LookUp = Arc<dyn Fn(String) -> LookingUp + Send + Sync>;

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    reach: Reach,
    look_up: LookUp,
    tls: TlsConnector,
    patience: Duration,
}

/// What is sent.
pub struct Sent<'a> {
    pub url: &'a str,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub at: DateTime<Utc>,
    /// `webhook-signature`.
    pub signature: String,
    pub body: String,
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    pub status: Option<u16>,
    /// Why it failed; `None`: it was answered with 2xx.
    pub error: Option<&'static str>,
    /// The beginning of the body of the answer.
    pub response: Option<String>,
    /// What the receiver asks for, with 429 or 503.
    pub retry_after: Option<Duration>,
    pub took: Duration,
}

impl Outcome {
    /// A request that was not sent.
    pub fn unsent(error: &'static str) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Whether the receiver wants nothing more.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Sender {
    /// A sender that trusts the root certificates of this machine.
    pub fn new(reach: Reach) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            tracing::warn!("this machine has no root certificates: no webhook can be sent to an https URL");
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let look_up: LookUp = Arc::new(|name: String| -> LookingUp {
            Box::pin(async move {
                // The port is not used: the name has its addresses anyway.
                Ok(lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
            })
        });
        Self { reach, look_up, tls: TlsConnector::from(Arc::new(tls)), patience: PATIENCE }
    }

    /// The same sender with another way to look up names, for tests.
    pub fn looking_up(self, look_up: LookUp) -> Self {
        Self { look_up, ..self }
    }

    /// The same sender with another timeout, for tests.
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends a request and reads the beginning of its answer.
    pub async fn post(&self, sent: Sent<'_>) -> Outcome {
        let started = Instant::now();
        let deadline = tokio::time::Instant::from_std(started + self.patience);
        // Dropped at the end, which closes the connection.
        let mut driver = JoinSet::new();
        let outcome = match timeout_at(deadline, self.answer(sent, &mut driver)).await {
            Err(_) => Outcome::unsent("timeout"),
            Ok(Err(error)) => Outcome::unsent(error),
            Ok(Ok(answer)) => {
                let (head, mut body) = answer.into_parts();
                let mut kept = Vec::new();
                // The status is known: a body that does not end changes nothing.
                let _ = timeout_at(deadline, read(&mut body, &mut kept)).await;
                Outcome {
                    status: Some(head.status.as_u16()),
                    error: match head.status.as_u16() {
                        200..=299 => None,
                        300..=399 => Some("redirect"),
                        410 => Some("gone"),
                        _ => Some("error_status"),
                    },
                    response: text(&kept),
                    retry_after: match head.status.as_u16() {
                        429 | 503 => retry_after(&head.headers, Utc::now()),
                        _ => None,
                    },
                    took: Duration::ZERO,
                }
            }
        };
        Outcome { took: started.elapsed(), ..outcome }
    }

    async fn answer(
        &self,
        sent: Sent<'_>,
        driver: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, &'static str> {
        let url = Url::parse(sent.url).map_err(|_| "address_not_allowed")?;
        let stream = self.connect(&url).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| "no_answer")?;
        driver.spawn(async move {
            // What fails here fails the request too.
            let _ = connection.await;
        });
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let request = Request::post(&url[Position::BeforePath..Position::AfterQuery])
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("appointd/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .header("webhook-id", sent.id)
            .header("webhook-timestamp", sent.at.timestamp())
            .header("webhook-signature", sent.signature)
            .body(Full::new(Bytes::from(sent.body)))
            .map_err(|_| "address_not_allowed")?;
        sender.send_request(request).await.map_err(|_| "no_answer")
    }

    /// Connects to an address of the URL's host, if all of them are allowed.
    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, &'static str> {
        let secure = url.scheme() == "https";
        let port = url.port_or_known_default().ok_or("address_not_allowed")?;
        if !self.reach.may_be_set(url) {
            return Err("address_not_allowed");
        }
        let (addresses, name) = match url.host() {
            Some(Host::Ipv4(address)) => (vec![IpAddr::V4(address)], ServerName::from(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (vec![IpAddr::V6(address)], ServerName::from(IpAddr::V6(address))),
            Some(Host::Domain(name)) => (
                (self.look_up)(name.to_owned()).await.map_err(|_| "name_not_found")?,
                ServerName::try_from(name.to_owned()).map_err(|_| "address_not_allowed")?,
            ),
            None => return Err("address_not_allowed"),
        };
        if addresses.is_empty() {
            return Err("name_not_found");
        }
        // One address that is not allowed is enough: the name may be made to lead there at any time.
        if !addresses.iter().all(|address| self.reach.may_dial(*address, secure)) {
            return Err("address_not_allowed");
        }
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let Ok(Ok(stream)) = timeout(CONNECTING, TcpStream::connect((address, port))).await else {
                continue;
            };
            if !secure {
                return Ok(Box::new(stream));
            }
            let stream = self.tls.connect(name, stream).await.map_err(|_| "tls_failed")?;
            return Ok(Box::new(stream));
        }
        Err("connection_failed")
    }
}

/// Reads the beginning of a body.
async fn read(body: &mut Incoming, kept: &mut Vec<u8>) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else {
            continue;
        };
        length += data.len();
        // A character has at most four bytes.
        let room = (4 * MOST_KEPT).saturating_sub(kept.len());
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if length >= MOST_READ {
            return;
        }
    }
}

/// The beginning of a body as text that can be stored and shown.
fn text(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(MOST_KEPT)
        .collect();
    (!text.is_empty()).then_some(text)
}

/// The pause that the receiver asks for (RFC 9110 section 10.2.3), in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers::one(headers, "Retry-After").ok()??.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now).to_std().unwrap_or_default(),
    };
    Some(pause.clamp(Duration::from_secs(1), LONGEST_PAUSE))
}
