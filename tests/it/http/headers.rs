//! Headers: what cannot be read is refused by name, what proxies say is understood, and pages of other origins may send
//! and read what the description has.

use appointd::http::{
    client::Network,
    forwarded::{self, ForwardedElement, address},
    headers::{LISTS, SINGLE},
    limit::{Limits, Rates},
};
use poem::http::HeaderMap;
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use std::{num::NonZeroU32, sync::Arc};
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
async fn header_that_cannot_be_read_is_refused_by_its_name() {
    let tenant = Tenant::new().await;
    for name in SINGLE.iter().chain(LISTS).filter(|name| !TRANSPORT.contains(name)) {
        let value = HeaderValue::from_bytes("zoë".as_bytes()).expect("a value");
        let mut request = tenant.staff.request(Method::GET, "/api/v1/contacts");
        if *name == "Authorization" {
            request = Actor::nobody().request(Method::GET, "/api/v1/contacts");
        }
        refuses(tenant.staff.send(request.header(*name, value)).await, name, "invalid_value");
    }
}

#[tokio::test]
async fn header_that_is_sent_twice_is_refused_by_its_name() {
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
async fn host_that_cannot_be_read_is_not_taken_for_our_own() {
    let tenant = Tenant::new().await;
    let server = tokio::task::spawn_blocking(|| {
        system().another(|parts| {
            parts.network =
                Arc::new(Network { base_domain: Some("localhost".to_owned()), ..Network::default() });
        })
    })
    .await
    .expect("no panic");
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
fn header_of_the_description_is_one_that_is_checked() {
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

#[test]
fn address_of_a_proxy_is_understood_with_port_and_brackets() {
    for (text, expected) in [
        ("192.0.2.1", Some("192.0.2.1")),
        (" 192.0.2.1 ", Some("192.0.2.1")),
        ("192.0.2.1:4711", Some("192.0.2.1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("[2001:db8::1]", Some("2001:db8::1")),
        ("[2001:db8::1]:4711", Some("2001:db8::1")),
        ("::ffff:192.0.2.1", Some("::ffff:192.0.2.1")),
        ("192.0.2.1:", None),
        ("192.0.2.1:port", None),
        ("192.0.2.1:471100", None),
        ("[192.0.2.1]", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]4711", None),
        ("unknown", None),
        ("_hidden", None),
        ("", None),
    ] {
        assert_eq!(address(text), expected.map(|text| text.parse().expect("an address")), "{text:?}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_has_it() {
    let hops = |lines: &[&str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("forwarded", line.parse().expect("a value"));
        }
        forwarded::hops(&headers)
    };
    let hop = |address: &str, host: Option<&str>| ForwardedElement {
        address: address.parse().ok(),
        host: host.map(ToOwned::to_owned),
    };
    for (lines, expected) in [
        (&["for=192.0.2.60;proto=http;by=203.0.113.43"][..], vec![hop("192.0.2.60", None)]),
        (&["For=\"[2001:db8:cafe::17]:4711\""], vec![hop("2001:db8:cafe::17", None)]),
        (
            &["for=192.0.2.43, for=198.51.100.17:80"],
            vec![hop("192.0.2.43", None), hop("198.51.100.17", None)],
        ),
        (&["for=192.0.2.43", "for=198.51.100.17"], vec![hop("192.0.2.43", None), hop("198.51.100.17", None)]),
        (
            &["for=192.0.2.43;host=\"acme.example.com:443\""],
            vec![hop("192.0.2.43", Some("acme.example.com:443"))],
        ),
        (&["for=unknown;host=a, for=\"_x,y\\\";\""], vec![hop("", Some("a")), hop("", None)]),
    ] {
        assert_eq!(hops(lines).expect("what the RFC has"), expected, "{lines:?}");
    }
    for line in ["for=\"192.0.2.1, for=198.51.100.17", "nonsense", "for=a\"b", "for=\"a\"b"] {
        assert_eq!(hops(&[line]).expect_err("no element").code, "invalid_header", "{line}");
    }
}

#[tokio::test]
async fn client_behind_a_proxy_has_a_limit_of_its_own_in_whatever_form_it_is_named() {
    let server = tokio::task::spawn_blocking(|| {
        system().another(|parts| {
            let rates = Rates { address: NonZeroU32::new(2), ..Rates::default() };
            parts.limits = Arc::new(Limits::new(&rates));
            let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
            parts.network = Arc::new(Network { trusted_proxies, ..Network::default() });
        })
    })
    .await
    .expect("no panic");
    let nobody = Actor::nobody().at(server.address());
    for (name, value, status) in [
        ("x-forwarded-for", "192.0.2.1:4711", 200),
        ("x-forwarded-for", "192.0.2.1:4712", 200),
        ("x-forwarded-for", "192.0.2.1", 429),
        ("forwarded", "for=192.0.2.1", 429),
        ("x-forwarded-for", "[2001:db8::1]:4711", 200),
        ("x-forwarded-for", "[2001:db8::1]", 200),
        ("x-forwarded-for", "2001:db8::1", 429),
        ("forwarded", "for=\"[2001:db8::1]:99\"", 429),
        ("forwarded", "for=198.51.100.9, for=\"192.0.2.2:80\"", 200),
        ("forwarded", "for=192.0.2.2;proto=https", 200),
        ("forwarded", "for=192.0.2.2", 429),
        ("forwarded", "for=\"192.0.2.2", 400),
    ] {
        let request = nobody.request(Method::GET, "/openapi.json").header(name, value);
        assert_eq!(nobody.send(request).await.status, status, "{name}: {value}");
    }
    // Which of the two a proxy writes is not known: the one that most write counts.
    let request = nobody.request(Method::GET, "/openapi.json");
    let request = request.header("x-forwarded-for", "192.0.2.7").header("forwarded", "for=192.0.2.1");
    assert_eq!(nobody.send(request).await.status, 200);
}

#[tokio::test]
async fn preflight_allows_every_header_of_the_description_and_answers_show_every_one() {
    let nobody = Actor::nobody();
    let preflight = nobody
        .request(Method::OPTIONS, "/api/v1/appointments")
        .header("origin", "https://www.example.com")
        .header("access-control-request-method", "POST");
    let answer = nobody.send(preflight).await;
    assert_eq!(answer.status, 204);
    let allowed = answer.header("access-control-allow-headers").to_lowercase();
    let exposed = appointd::http::cors::EXPOSED.to_lowercase();
    let listed = |list: &str, name: &str| list.split(", ").any(|listed| listed == name.to_lowercase());
    for operation in operations() {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            assert!(parameter["in"] != "header" || listed(&allowed, name), "{}: {name}", operation.id());
        }
        for (status, response) in operation.value["responses"].as_object().expect("responses") {
            for (name, _) in response["headers"].as_object().into_iter().flatten() {
                assert!(
                    listed(&exposed, name) || name == "Set-Cookie",
                    "{} {status}: {name}",
                    operation.id()
                );
            }
        }
    }
    for name in ["authorization", "content-type", "x-request-id", "x-csrf-token"] {
        assert!(listed(&allowed, name), "{name}");
    }
    let _: Value = answer.body;
}

/// The origin that an answer may be read by.
fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn page_of_an_origin_that_an_organization_trusts_may_read_what_is_about_it() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let origin = "https://www.salon.example";
    let settings = "/api/v1/organizations/me/settings";
    let changed = tenant.admin.patch(settings, json!({ "trusted_origins": [origin] })).await.expect(200);
    assert_eq!(changed["trusted_origins"], json!([origin]));
    let from = async |actor: &Actor, origin: &str, path: &str| {
        actor.send(actor.request(Method::GET, path).header("origin", origin)).await
    };
    let contacts = "/api/v1/contacts";
    assert_eq!(allowed(&from(&tenant.viewer, origin, contacts).await), origin);
    assert_eq!(allowed(&from(&other.viewer, origin, contacts).await), "", "others do not trust it");
    assert_eq!(allowed(&from(&tenant.viewer, "https://salon.example", contacts).await), "");
    assert_eq!(allowed(&from(&tenant.viewer, "http://www.salon.example", contacts).await), "");
    // Guests say who they ask by its slug.
    let slug = async |tenant: &Tenant| {
        let organization = tenant.viewer.get("/api/v1/organizations/me").await.expect(200);
        organization["slug"].as_str().expect("a slug").to_owned()
    };
    let nobody = Actor::nobody();
    let services = |slug: &str| format!("/api/v1/guest/services?organization_slug={slug}");
    assert_eq!(allowed(&from(&nobody, origin, &services(&slug(&tenant).await)).await), origin);
    assert_eq!(allowed(&from(&nobody, origin, &services(&slug(&other).await)).await), "");
    // Before a browser asks it asks whether it may; for whom it does not say.
    let preflight = nobody
        .request(Method::OPTIONS, contacts)
        .header("origin", origin)
        .header("access-control-request-method", "POST");
    assert_eq!(allowed(&nobody.send(preflight).await), origin);
    // No longer trusted.
    tenant.admin.patch(settings, json!({ "trusted_origins": [] })).await.expect(200);
    assert_eq!(allowed(&from(&tenant.viewer, origin, contacts).await), "");

    for wrong in
        ["http://a.example", "https://a.example/", "https://A.example", "https://a.example:443", "null", "*"]
    {
        let answer = tenant.admin.patch(settings, json!({ "trusted_origins": [wrong] })).await;
        answer.invalid("trusted_origins[0]", "invalid_value");
    }
    let many: Vec<_> = (0..21).map(|n| format!("https://a{n}.example")).collect();
    let answer = tenant.admin.patch(settings, json!({ "trusted_origins": many })).await;
    answer.invalid("trusted_origins", "too_long");
    tenant.manager.patch(settings, json!({ "trusted_origins": [] })).await.refused(403, "role_too_low");
}

#[tokio::test]
async fn page_on_this_machine_may_call_while_we_are_developed_and_not_otherwise() {
    let tenant = Tenant::new().await;
    let server = tokio::task::spawn_blocking(|| {
        system().another(|parts| {
            parts.network = Arc::new(Network { local_pages: true, ..Network::default() });
        })
    })
    .await
    .expect("no panic");
    for origin in
        ["http://localhost:5173", "http://127.0.0.1:3000", "http://acme.localhost:8080", "http://[::1]:1"]
    {
        for (actor, expected) in [(&tenant.viewer.at(server.address()), origin), (&tenant.viewer, "")] {
            let request = actor.request(Method::GET, "/api/v1/contacts").header("origin", origin);
            assert_eq!(allowed(&actor.send(request).await), expected, "{origin}");
        }
    }
    let viewer = tenant.viewer.at(server.address());
    for origin in ["http://localhost.evil.example", "http://evil.example", "https://127.0.0.1.evil.example"] {
        let request = viewer.request(Method::GET, "/api/v1/contacts").header("origin", origin);
        assert_eq!(allowed(&viewer.send(request).await), "", "{origin}");
    }
}
