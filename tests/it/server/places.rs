//! Connections: what one address may take of a server, and how long an unused one is kept.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use appointd::{
    http::client::Network,
    server::{Capacity, Places, Server},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::harness::{Actor, system};

async fn server(capacity: Capacity, network: Network) -> Server {
    system()
        .another_server(|parts| {
            parts.capacity = capacity;
            parts.network = Arc::new(network);
        })
        .await
}

/// A connection that has sent one byte.
async fn open(server: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    stream.write_all(b"G").await.expect("a byte");
    stream
}

/// Whether the server closes a connection before long.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_millis(500), stream.read_to_end(&mut rest)).await.is_ok()
}

/// From another address of this machine.
async fn live_from(address: IpAddr, server: SocketAddr) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((address, 0).into()).expect("an address of this machine");
    let mut stream = socket.connect(server).await.expect("a connection");
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn address_with_all_its_places_leaves_the_rest_to_others() {
    let server = server(Capacity { total: 20, of_one_address: 5 }, Network::default()).await;
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept.push(open(server.address()).await);
    }
    for _ in 0..30 {
        let mut stream = TcpStream::connect(server.address()).await.expect("the kernel accepts");
        let _ = stream.write_all(b"G").await;
        assert!(is_closed(&mut stream).await, "the sixth of one address is closed");
    }
    assert!(!is_closed(&mut kept[0]).await, "those before are kept");
    let other = live_from([127, 0, 0, 9].into(), server.address()).await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    // What is given back can be had again.
    drop(kept);
    tokio::time::sleep(Duration::from_millis(200)).await;
    Actor::anonymous().at(server.address()).get("/health/live").await.expect(200);
}

#[tokio::test]
async fn trusted_proxy_may_have_all_places() {
    let trusted_proxies = vec!["127.0.0.1".parse::<IpAddr>().expect("an address").into()];
    let network = Network { trusted_proxies, ..Network::default() };
    let server = server(Capacity { total: 20, of_one_address: 2 }, network).await;
    let mut kept = Vec::new();
    for _ in 0..10 {
        kept.push(open(server.address()).await);
    }
    for stream in &mut kept[..3] {
        assert!(!is_closed(stream).await);
    }
}

#[tokio::test]
async fn incomplete_header_is_dropped_sooner_when_places_are_scarce() {
    let server = server(Capacity { total: 10, of_one_address: 10 }, Network::default()).await;
    let mut kept = Vec::new();
    for _ in 0..8 {
        kept.push(open(server.address()).await);
    }
    let started = Instant::now();
    let mut rest = Vec::new();
    let last = kept.last_mut().expect("a connection");
    let closed = timeout(Duration::from_secs(10), last.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "not after 30 seconds: {:?}", started.elapsed());
    assert!(!is_closed(&mut kept[0]).await, "one that came when there was room has its time");
}

#[tokio::test]
async fn ipv6_network_of_a_subscriber_has_one_share() {
    let places = Places::new(Capacity { total: 10, of_one_address: 2 });
    let mut kept = Vec::new();
    for (address, taken) in [
        ("2001:db8::1", true),
        ("2001:db8::2", true),
        ("2001:db8::3", false),
        ("2001:db8:0:1::3", true),
        ("::ffff:192.0.2.1", true),
        ("192.0.2.1", true),
        ("192.0.2.1", false),
    ] {
        let free = places.free().await.expect("a place");
        let place = places.take(free, address.parse().expect("an address"), false);
        assert_eq!(place.is_some(), taken, "{address}");
        kept.extend(place);
    }
}
