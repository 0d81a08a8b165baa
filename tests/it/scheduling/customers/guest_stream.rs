//! A guest's appointment as a stream: what the link shows, again when it has changed.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{
    Actor,
    booking::BookingFixture,
    stream::{Sent, Stream},
    system,
};

const STREAM: &str = "/api/v1/guest/appointment/stream";

#[tokio::test]
async fn guest_follows_the_appointment_of_their_link_and_no_other() {
    let fixture = BookingFixture::new().await;
    let never = Duration::from_secs(3600);
    let server = system().another_server(|parts| parts.streams.beat = never).await;
    let book = async |start: &str| {
        let booked = fixture.as_guest("appointments", fixture.guest_body(start, None)).await.expect(201);
        let token = booked["manage_token"].as_str().expect("a token").to_owned();
        (booked["id"].as_str().expect("an id").to_owned(), Actor::with_token(token).at(server.address()))
    };
    let (id, guest) = book("2031-05-05T09:00:00Z").await;
    let (other, stranger) = book("2031-05-05T10:00:00Z").await;
    let mut stream = Stream::open(&guest, STREAM, None).await;
    let mut foreign = Stream::open(&stranger, STREAM, None).await;
    let first = stream.event().await;
    // As the link shows it.
    assert_eq!(first.data, guest.get("/api/v1/guest/appointment").await.expect(200));
    assert_eq!(foreign.event().await.data["id"], json!(other));
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T11:00:00Z" })).await.expect(200);
    system().publish(fixture.tenant.id).await;
    let moved = stream.event().await;
    assert_eq!((&moved.data["id"], &moved.data["starts_at"]), (&json!(id), &json!("2031-05-05T11:00:00Z")));
    // What the client has is not sent again.
    let mut again = Stream::open(&guest, STREAM, Some(&moved.id)).await;
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    fixture.act(&other, "cancel", json!({})).await.expect(200);
    system().publish(fixture.tenant.id).await;
    for stream in [&mut stream, &mut again, &mut foreign] {
        let Sent { data, .. } = stream.event().await;
        assert_eq!(data["status"], "cancelled", "{data}");
    }
}

#[tokio::test]
async fn stream_needs_a_link() {
    let fixture = BookingFixture::new().await;
    Actor::anonymous().get(STREAM).await.refused(401, "credentials_missing");
    fixture.tenant.owner.get(STREAM).await.refused(401, "token_invalid");
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T09:00:00Z" });
    let hold = fixture.as_guest("holds", hold).await.expect(201);
    let guest = Actor::with_token(hold["manage_token"].as_str().expect("a token"));
    guest.get(STREAM).await.refused(404, "not_found");
    let long = guest.request(Method::GET, STREAM).header("last-event-id", "x".repeat(101));
    guest.send(long).await.invalid("Last-Event-ID", "too_long");
}
