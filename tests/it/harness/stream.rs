//! Streams of events, as a client reads them.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::Actor;

/// An event as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    /// `message` unless it says otherwise.
    pub name: String,
    pub data: Value,
}

/// A stream that is open.
pub struct Stream {
    response: Response,
    unread: String,
    last_id: String,
}

impl Stream {
    /// Opens a stream, with the id of the last event that the client has read.
    pub async fn open(actor: &Actor, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = actor.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-store".into(), "no".into()));
        Self { response, unread: String::new(), last_id: String::new() }
    }

    /// The next block, without the empty line behind it; `None` if the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let waiting = timeout(Duration::from_secs(30), self.response.chunk());
            let chunk = waiting.await.expect("something is sent").expect("the stream is whole")?;
            self.unread.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next event; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let lines = block.lines().filter_map(|line| line.split_once(": "));
                lines.filter(|(field, _)| *field == name).map(|(_, value)| value.to_owned()).next_back()
            };
            if let Some(id) = field("id") {
                self.last_id = id;
            }
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).expect("JSON");
                let name = field("event").unwrap_or_else(|| "message".to_owned());
                return Some(Sent { id: self.last_id.clone(), name, data });
            }
        }
    }

    /// The next event, which the server must send.
    pub async fn event(&mut self) -> Sent {
        self.next().await.expect("the stream goes on")
    }

    /// The position after the next line that says one.
    pub async fn position(&mut self) -> String {
        let block = self.block().await.expect("the stream goes on");
        block.rsplit_once("id: ").expect("a position").1.to_owned()
    }

    /// The code with which the stream ends, and that it has ended.
    pub async fn end(&mut self) -> String {
        let last = self.event().await;
        assert_eq!(last.name, "end", "{last:?}");
        assert_eq!(self.next().await, None);
        last.data["code"].as_str().expect("a code").to_owned()
    }
}
