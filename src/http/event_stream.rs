//! Server-Sent Events (WHATWG HTML section 9.2): an answer that goes on, one event after the other.

use futures_util::stream;
use hyper::body::Bytes;
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use tokio::sync::mpsc;

/// The media type.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The events of an answer, as they are sent.
pub struct EventStream(mpsc::Receiver<Bytes>);

impl EventStream {
    /// The answer ends when the sender is dropped.
    pub fn new(events: mpsc::Receiver<Bytes>) -> Self {
        Self(events)
    }
}

/// An event as it is sent. Neither its id nor its name nor its data has line breaks, as JSON has none.
pub fn event(id: &str, name: Option<&str>, data: &str) -> Bytes {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}id: {id}\ndata: {data}\n\n").into()
}

/// Says how far the client has read, and is no event.
pub fn position(id: &str) -> Bytes {
    format!("id: {id}\n\n").into()
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let events = stream::unfold(self.0, async |mut events| {
            let sent = events.recv().await?;
            Some((Ok::<_, std::io::Error>(sent), events))
        });
        Response::builder()
            .content_type(EVENT_STREAM)
            // nginx would collect them.
            .header("x-accel-buffering", "no")
            .body(Body::from_bytes_stream(events))
    }
}

impl ApiResponse for EventStream {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "A stream of events (WHATWG HTML section 9.2), which goes on until one side ends it.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: EVENT_STREAM,
                    schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}
