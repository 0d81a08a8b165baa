//! The outbox of `appointd dev`: an address of this machine that keeps the webhooks it receives, and shows them and the
//! e-mails that were sent. Both are files as well.

use std::{
    convert::Infallible,
    error::Error,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use uuid::Uuid;

/// The file with the port, so that the URL of an endpoint is the same after a restart.
const PORT: &str = "outbox_port";

/// How many e-mails and webhooks the page shows.
const MOST_SHOWN: usize = 50;

/// The maximum size of a webhook, in bytes.
const LARGEST: usize = 1 << 20;

const PAGE: &str = include_str!("outbox.html");

/// Where the files are.
pub(super) struct Outbox {
    pub mails: PathBuf,
    pub webhooks: PathBuf,
}

/// Listens on the port of before, or another if that is taken.
pub(super) fn listen(folder: &Path) -> io::Result<TcpListener> {
    let path = folder.join(PORT);
    let before = fs::read_to_string(&path).ok().and_then(|port| port.trim().parse::<u16>().ok());
    let listener = match before.map(|port| TcpListener::bind(("127.0.0.1", port))) {
        Some(Ok(listener)) => listener,
        _ => TcpListener::bind(("127.0.0.1", 0))?,
    };
    fs::write(path, listener.local_addr()?.port().to_string())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Outbox {
    /// Serves connections until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let outbox = Arc::new(self);
        loop {
            let (stream, _) = listener.accept().await?;
            let outbox = outbox.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let outbox = outbox.clone();
                    async move { Ok::<_, Infallible>(outbox.answer(request).await) }
                });
                // A client that goes away needs no answer.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, text) = match *request.method() {
            Method::GET => match self.page() {
                Ok(page) => (StatusCode::OK, page),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, escaped(&error.to_string())),
            },
            Method::POST => match self.keep(request).await {
                Ok(()) => (StatusCode::NO_CONTENT, String::new()),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, escaped(&error.to_string())),
            },
            _ => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            header::HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        );
        response
    }

    /// Writes a webhook into a file: its headers, and its body with line breaks.
    async fn keep(&self, request: Request<Incoming>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
        let headers: String = head
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("webhook-"))
            .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let body = match serde_json::from_slice::<Value>(&body) {
            Ok(json) => serde_json::to_string_pretty(&json)?,
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        let path = self.webhooks.join(format!("{}.txt", Uuid::now_v7()));
        fs::write(path, format!("{headers}\n{body}\n"))?;
        Ok(())
    }

    /// The page, the latest first.
    fn page(&self) -> io::Result<String> {
        let mut files: Vec<(SystemTime, &str, PathBuf)> = Vec::new();
        for (kind, folder) in [("E-mail", &self.mails), ("Webhook", &self.webhooks)] {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                files.push((entry.metadata()?.modified()?, kind, entry.path()));
            }
        }
        files.sort_unstable_by(|one, other| other.cmp(one));
        let mut shown = String::new();
        for (_, kind, path) in files.iter().take(MOST_SHOWN) {
            let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
            shown += &format!("<h2>{kind}</h2>\n<pre>{}</pre>\n", escaped(text.trim()));
        }
        if files.is_empty() {
            shown.push_str("<p>Nothing was sent yet.</p>");
        }
        Ok(PAGE.replace("{shown}", &shown))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
