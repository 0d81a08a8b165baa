//! One request: what it refuses to dial, and what it waits and reads for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use appointd::messaging::webhooks::{
    addresses::Reach,
    sender::{LookUp, LookingUp, Outcome, Sender, Sent},
};
use chrono::Utc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::sender;
use crate::harness::receiver::{Receiver, Reply};

async fn post(sender: &Sender, url: &str) -> Outcome {
    let (id, signature, body) = ("id".to_owned(), "v1,x".to_owned(), "{}".to_owned());
    sender.post(Sent { url, id, at: Utc::now(), signature, body }).await
}

/// Every name has these addresses.
fn names(addresses: &'static [&'static str]) -> LookUp {
    Arc::new(move |_| -> LookingUp {
        let addresses: Vec<IpAddr> =
            addresses.iter().map(|address| address.parse().expect("an address")).collect();
        Box::pin(async move { Ok(addresses) })
    })
}

#[tokio::test]
async fn name_with_any_address_that_is_not_allowed_gets_no_connection() {
    let receiver = Receiver::answering(vec![]).await;
    let port = receiver.address.port();
    let closed = Sender::new(Reach::default());
    let special: [&'static [&'static str]; 4] =
        [&["127.0.0.1"], &["8.8.8.8", "127.0.0.1"], &["::ffff:127.0.0.1"], &["::1"]];
    for addresses in special {
        let sender = closed.clone().looking_up(names(addresses));
        let outcome = post(&sender, &format!("https://hooks.example.com:{port}/")).await;
        assert_eq!((outcome.error, outcome.status), (Some("address_not_allowed"), None), "{addresses:?}");
        assert_eq!(outcome.response, None);
    }
    for host in
        ["127.0.0.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
    {
        for scheme in ["https", "http"] {
            let outcome = post(&closed, &format!("{scheme}://{host}:{port}/")).await;
            assert_eq!(outcome.error, Some("address_not_allowed"), "{scheme}://{host}");
        }
    }
    assert_eq!(receiver.connections(), 0);
    let unknown = closed.looking_up(names(&[]));
    assert_eq!(post(&unknown, "https://hooks.example.com/").await.error, Some("name_not_found"));
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let target = Receiver::answering(vec![]).await;
    let receiver = Receiver::answering(vec![Reply::With(302, "location", target.url())]).await;
    let outcome = post(&sender(), &receiver.url()).await;
    assert_eq!((outcome.status, outcome.error), (Some(302), Some("redirect")));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn long_or_endless_answer_is_read_to_a_limit_and_one_that_does_not_come_ends() {
    let release = Arc::default();
    let replies = vec![Reply::Long(10_000_000), Reply::Dripping, Reply::Hanging(Arc::clone(&release))];
    let receiver = Receiver::answering(replies).await;
    let sender = sender().patient_for(Duration::from_millis(500));
    let long = post(&sender, &receiver.url()).await;
    assert_eq!((long.status, long.error), (Some(200), None));
    assert_eq!(long.response.expect("a beginning").len(), 1024);
    let dripping = post(&sender, &receiver.url()).await;
    assert_eq!((dripping.status, dripping.error), (Some(200), None));
    let hanging = post(&sender, &receiver.url()).await;
    assert_eq!((hanging.status, hanging.error), (None, Some("timeout")));
    release.notify_one();
}

#[tokio::test]
async fn answer_says_how_long_to_wait_and_what_it_is() {
    let replies = vec![
        Reply::With(429, "retry-after", "120".to_owned()),
        Reply::With(503, "retry-after", "9999999".to_owned()),
        Reply::With(500, "retry-after", "120".to_owned()),
        Reply::Status(410),
        Reply::Status(200),
    ];
    let (receiver, sender) = (Receiver::answering(replies).await, sender());
    let mut seen = Vec::new();
    for _ in 0..5 {
        let outcome = post(&sender, &receiver.url()).await;
        seen.push((outcome.status, outcome.error, outcome.retry_after.map(|pause| pause.as_secs())));
    }
    assert_eq!(
        seen,
        [
            (Some(429), Some("error_status"), Some(120)),
            (Some(503), Some("error_status"), Some(86_400)),
            (Some(500), Some("error_status"), None),
            (Some(410), Some("gone"), None),
            (Some(200), None, None),
        ]
    );
    let request = &receiver.received()[0];
    assert_eq!(request.header("host"), receiver.address.to_string());
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("appointd/"));
}

#[tokio::test]
async fn receiver_without_tls_or_that_is_away_gets_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await.expect("a greeting");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("an answer");
        greeting
    });
    let plain = post(&sender(), &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!((plain.status, plain.error), (None, Some("tls_failed")));
    // The handshake of TLS, not the request. Nothing listens there any more.
    assert_eq!(answering.await.expect("no panic")[..2], [22, 3]);
    let away = post(&sender(), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!((away.status, away.error), (None, Some("connection_failed")));
}
