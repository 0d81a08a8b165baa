//! Whom a proxy speaks for: `X-Forwarded-For` and `Forwarded`.

use std::{num::NonZeroU32, sync::Arc};

use appointd::{
    http::{
        client::Network,
        forwarded::{self, ForwardedElement, address},
        limit::{Limits, Rates},
    },
    server::Server,
};
use poem::http::HeaderMap;
use reqwest::Method;

use super::limits::rate;
use crate::harness::{Actor, system};

#[test]
fn forwarded_address_with_port_or_brackets_is_read() {
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
fn forwarded_header_is_read_as_rfc_7239_says() {
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
async fn client_behind_a_proxy_has_one_limit_in_every_notation() {
    let server = system()
        .another_server(|parts| {
            let rates = Rates { address: NonZeroU32::new(2), ..Rates::default() };
            parts.limits = Arc::new(Limits::new(&rates));
            let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
            parts.network = Arc::new(Network { trusted_proxies, ..Network::default() });
        })
        .await;
    let anonymous = Actor::anonymous().at(server.address());
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
        let request = anonymous.request(Method::GET, "/openapi.json").header(name, value);
        assert_eq!(anonymous.send(request).await.status, status, "{name}: {value}");
    }
    // Which of the two a proxy writes is not known: the one that most write counts.
    let request = anonymous.request(Method::GET, "/openapi.json");
    let request = request.header("x-forwarded-for", "192.0.2.7").header("forwarded", "for=192.0.2.1");
    assert_eq!(anonymous.send(request).await.status, 200);
}

#[tokio::test]
async fn forwarded_address_counts_only_from_a_trusted_proxy() {
    let forwarded = async |server: &Server, header: &str| {
        let anonymous = Actor::anonymous().at(server.address());
        anonymous
            .send(anonymous.request(Method::GET, "/openapi.json").header("x-forwarded-for", header))
            .await
            .status
    };
    let rates = Rates { address: rate(2), ..Rates::default() };
    // Not trusted: the peer counts.
    let direct = system().server_with(rates, Network::default()).await;
    for (header, status) in [("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.3", 429)] {
        assert_eq!(forwarded(&direct, header).await, status, "{header}");
    }
    let trusted_proxies =
        vec!["127.0.0.0/8".parse().expect("a network"), "10.0.0.0/8".parse().expect("a network")];
    let behind = system().server_with(rates, Network { trusted_proxies, ..Network::default() }).await;
    for (header, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.2", 200),
        // What the client wrote in front is not looked at; proxies of ours behind are passed over.
        ("198.51.100.9, 192.0.2.1", 200),
        ("203.0.113.7, 192.0.2.1, 10.1.2.3", 429),
        ("203.0.113.8,192.0.2.2", 200),
        ("nonsense, 192.0.2.2", 429),
        // One subscriber has a whole /64.
        ("2001:db8::1", 200),
        ("2001:db8::2", 200),
        ("2001:db8::3", 429),
        ("2001:db8:0:1::3", 200),
    ] {
        assert_eq!(forwarded(&behind, header).await, status, "{header}");
    }
}
