//! A program that receives webhooks: it answers as a test says, and keeps what it was sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What it answers.
#[derive(Clone)]
pub enum Reply {
    Status(u16),
    /// With a header.
    With(u16, &'static str, String),
    /// With a body of so many bytes.
    Long(usize),
    /// The head, then a byte of the body each 20 ms, for ever.
    Dripping,
    /// Nothing, until the test releases it; then 204.
    Hanging(Arc<Notify>),
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A receiver on a port of this machine.
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
}

impl Receiver {
    /// Answers the first request with the first reply, and so on; then with 204.
    pub async fn answering(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let (received, connections) =
            (Arc::<Mutex<Vec<Received>>>::default(), Arc::<Mutex<usize>>::default());
        let (kept, counted) = (received.clone(), connections.clone());
        let replies = Arc::new(Mutex::new(replies.into_iter()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().expect("no panic") += 1;
                let (kept, replies) = (kept.clone(), replies.clone());
                tokio::spawn(async move {
                    let mut stream = stream;
                    if let Some(request) = read(&mut stream).await {
                        kept.lock().expect("no panic").push(request);
                        let reply = replies.lock().expect("no panic").next().unwrap_or(Reply::Status(204));
                        answer(stream, reply).await;
                    }
                });
            }
        });
        Self { address, received, connections }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The requests, in their order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }

    /// The types of the events that it got, in their order.
    pub fn types(&self) -> Vec<String> {
        self.received()
            .iter()
            .map(|request| request.json()["type"].as_str().expect("a type").to_owned())
            .collect()
    }

    /// How many connections it got, also those without a request.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("no panic")
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let headers: BTreeMap<String, String> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length")?.parse().ok()?;
        if body.len() >= length {
            return Some(Received { headers, body: body.to_owned() });
        }
    }
}

async fn answer(mut stream: TcpStream, reply: Reply) {
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} Said\r\n{more}connection: close\r\n");
    // The sender may have closed the connection.
    let _ = match reply {
        Reply::Status(status) => {
            stream.write_all(format!("{}content-length: 2\r\n\r\nok", head(status, "")).as_bytes()).await
        }
        Reply::With(status, name, value) => {
            let head = head(status, &format!("{name}: {value}\r\n"));
            stream.write_all(format!("{head}content-length: 0\r\n\r\n").as_bytes()).await
        }
        Reply::Long(length) => {
            let head = format!("{}content-length: {length}\r\n\r\n", head(200, ""));
            let _ = stream.write_all(head.as_bytes()).await;
            stream.write_all(&vec![b'x'; length]).await
        }
        Reply::Dripping => {
            let _ = stream.write_all(format!("{}\r\n", head(200, "")).as_bytes()).await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        Reply::Hanging(release) => {
            release.notified().await;
            stream.write_all(format!("{}\r\n", head(204, "")).as_bytes()).await
        }
    };
}
