//! Headers: one that cannot be read, or is sent twice, is refused by its name.

use std::sync::Arc;

use appointd::http::{
    client::Network,
    headers::{LISTS, SINGLE},
};
use reqwest::{Method, header::HeaderValue};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    db::statements::sources,
    harness::{Actor, Answer, Tenant, operations, system},
};

/// hyper reads these itself, and refuses what it cannot.
const TRANSPORT: [&str; 3] = ["Content-Length", "Host", "Transfer-Encoding"];

#[track_caller]
fn refuses(answer: Answer, name: &str, code: &str) {
    let body = answer.refused(400, "invalid_header");
    assert_eq!(
        (&body["errors"][0]["field"], &body["errors"][0]["code"]),
        (&json!(name), &json!(code)),
        "{body}"
    );
    assert!(body["detail"].as_str().expect("a text").contains(name), "{body}");
}

#[tokio::test]
async fn unreadable_header_is_refused_by_name() {
    let tenant = Tenant::new().await;
    for name in SINGLE.iter().chain(LISTS).filter(|name| !TRANSPORT.contains(name)) {
        let value = HeaderValue::from_bytes("zoë".as_bytes()).expect("a value");
        let mut request = tenant.staff.request(Method::GET, "/api/v1/contacts");
        if *name == "Authorization" {
            request = Actor::anonymous().request(Method::GET, "/api/v1/contacts");
        }
        refuses(tenant.staff.send(request.header(*name, value)).await, name, "invalid_value");
    }
}

#[tokio::test]
async fn duplicate_header_is_refused_by_name() {
    let tenant = Tenant::new().await;
    for name in SINGLE.iter().filter(|name| !TRANSPORT.contains(name)) {
        let request = tenant.staff.request(Method::GET, "/api/v1/contacts");
        let request = request.header(*name, "Bearer a").header(*name, "Bearer b");
        refuses(tenant.staff.send(request).await, name, "duplicate_header");
    }
}

#[tokio::test]
async fn request_with_an_unreadable_idempotency_key_does_nothing() {
    let tenant = Tenant::new().await;
    let (service, contact) = (tenant.service().await, tenant.contact().await);
    tenant.provider().await;
    let body = json!({ "service_id": service, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z" });
    for _ in 0..2 {
        let request = tenant
            .staff
            .request(Method::POST, "/api/v1/appointments")
            .header("content-type", "application/json")
            .header("idempotency-key", HeaderValue::from_bytes("zoë-1".as_bytes()).expect("a value"))
            .body(body.to_string());
        refuses(tenant.staff.send(request).await, "Idempotency-Key", "invalid_value");
    }
    let list = tenant.viewer.get("/api/v1/appointments").await.expect(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn unreadable_host_is_refused() {
    let tenant = Tenant::new().await;
    let server = system()
        .another_server(|parts| {
            parts.network =
                Arc::new(Network { base_domain: Some("localhost".to_owned()), ..Network::default() });
        })
        .await;
    let token = tenant.owner.token.as_deref().expect("a token");
    for (host, status) in [
        (&b"localhost"[..], "HTTP/1.1 200"),
        (b"other.localhost", "HTTP/1.1 404"),
        (b"other.localhost\xff", "HTTP/1.1 400"),
        (b"localhost\r\nhost: localhost", "HTTP/1.1 400"),
    ] {
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        let head = format!(
            "GET /api/v1/organizations/me HTTP/1.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\nhost: "
        );
        let request = [head.as_bytes(), host, b"\r\n\r\n"].concat();
        stream.write_all(&request).await.expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(status), "{}: {answer}", String::from_utf8_lossy(host));
    }
}

#[test]
fn header_of_the_description_is_read_by_the_edge() {
    for operation in operations() {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            assert!(
                parameter["in"] != "header" || SINGLE.iter().chain(LISTS).any(|read| *read == name),
                "{}: {name}",
                operation.id()
            );
        }
    }
}

#[test]
fn only_one_file_reads_headers() {
    for (name, text) in sources("src") {
        let text: String = text.split_whitespace().collect();
        let reads = [
            ".headers().get",
            ".headers().contains_key",
            ".headers().iter",
            "HeaderMap::get",
            ".to_str().ok()",
        ];
        let reader = name.ends_with("src/http/headers.rs") || name.ends_with("src/db/cluster.rs");
        assert!(reader || !reads.iter().any(|read| text.contains(read)), "{name}");
    }
}
