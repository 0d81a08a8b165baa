//! Attacks on what comes before any handler: hostile values in every place an operation has, bytes that are no text,
//! requests that read as two. Never a 500, never a hang, and never another organization.

use std::time::Duration;

use appointd::http::client::{Host, Network, canonical};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{
    Actor, Tenant, operations,
    raw::send_raw,
    walking::{filled, id_of, query},
};

/// Texts that programs are known to mishandle.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\u{0}",
    "a\u{0}b",
    "\u{202e}gnp.exe",
    "\u{feff}",
    "\u{200b}",
    "'; drop table crm.contacts; --",
    "' or '1'='1",
    "$1",
    "%",
    "%s%n",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\r\nset-cookie: a=b",
    "{{7*7}}",
    "null",
    "NaN",
    "-1",
    "9223372036854775808",
    "1e400",
    "0x10",
    "infinity",
    "-infinity",
    "epoch",
    "0000-00-00",
    "2026-02-30T25:61:61Z",
    "+292278994-08-17T07:12:55.807Z",
    "9999-12-31T23:59:59+23:59",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{00000000-0000-0000-0000-000000000000}",
    "аcme",
    "ａｃｍｅ",
    "acme\u{301}",
    "İ",
    "ß",
    "\u{1f468}\u{200d}\u{1f469}",
];

/// An answer that is no failure of ours.
#[track_caller]
fn is_ours(status: u16, what: &str, text: &str) {
    assert!(status < 500, "{what}: {status} {text}");
}

/// Which values are tried in a place: all, or a few, from place to place others.
struct Values {
    all: Vec<Value>,
    of_each_place: usize,
    next: usize,
}

impl Values {
    fn new(all: Vec<Value>, of_each_place: usize) -> Self {
        let of_each_place = of_each_place.min(all.len());
        Self { all, of_each_place, next: 0 }
    }

    fn of_a_place(&mut self) -> Vec<Value> {
        let values = self.all.iter().cycle().skip(self.next).take(self.of_each_place).cloned().collect();
        self.next = (self.next + self.of_each_place) % self.all.len();
        values
    }
}

#[tokio::test]
async fn hostile_parameter_values_never_answer_5xx() {
    send_hostile_parameters(6).await;
}

#[tokio::test]
#[ignore = "sends every hostile value in every parameter"]
async fn hostile_parameter_values_of_every_kind_never_answer_5xx() {
    send_hostile_parameters(usize::MAX).await;
}

async fn send_hostile_parameters(of_each_place: usize) {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let mut values: Vec<String> = HOSTILE.iter().map(|text| encode(text)).collect();
    // Bytes that are no UTF-8, half a surrogate, far too much.
    values.extend(["%ff%fe".to_owned(), "%ed%a0%80".to_owned(), "%".to_owned(), "a".repeat(5000)]);
    // A cursor of a time no calendar has.
    values.extend(["f".repeat(32), "_".repeat(32)]);
    let mut values = Values::new(values.into_iter().map(Value::String).collect(), of_each_place);
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let path = filled(&operation.path, id_of(&furnished));
        let needs = query(operation);
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            for value in values.of_a_place() {
                let value = value.as_str().expect("text");
                let url = match parameter["in"].as_str() {
                    Some("path") => filled(&operation.path, |_| value.to_owned()),
                    Some("query") => {
                        let separator = if needs.is_empty() { "?" } else { "&" };
                        format!("{path}{needs}{separator}{name}={value}")
                    }
                    _ => continue,
                };
                let answer = tenant.owner.get(&url).await;
                is_ours(answer.status, &url, &answer.text);
            }
        }
    }
}

#[tokio::test]
async fn hostile_body_values_never_answer_5xx() {
    send_hostile_bodies(6).await;
}

#[tokio::test]
#[ignore = "sends every hostile value in every field"]
async fn hostile_body_values_of_every_kind_never_answer_5xx() {
    send_hostile_bodies(usize::MAX).await;
}

async fn send_hostile_bodies(of_each_place: usize) {
    /// The body with each of its values replaced.
    fn places(value: &Value, at: &str, places: &mut Vec<String>) {
        places.push(at.to_owned());
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    places_of(field, &format!("{at}/{name}"), places);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    places_of(item, &format!("{at}/{index}"), places);
                }
            }
            _ => {}
        }
    }
    fn places_of(value: &Value, at: &str, all: &mut Vec<String>) {
        places(value, at, all);
    }
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let mut values: Vec<Value> = HOSTILE.iter().map(|text| json!(text)).collect();
    values.extend([
        json!(null),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(0.1),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!(true),
    ]);
    values.push(json!("x".repeat(20_000)));
    let mut values = Values::new(values, of_each_place);
    for operation in operations() {
        // Would end the session, or change the password.
        if ["log_out", "change_password", "switch_organization", "delete_organization"]
            .contains(&operation.id())
        {
            continue;
        }
        let Some(example) = operation.example() else { continue };
        let path = format!("{}{}", filled(&operation.path, id_of(&furnished)), query(&operation));
        let method: Method = operation.method.parse().expect("a method");
        let mut all = Vec::new();
        places(&example, "", &mut all);
        for place in all.iter().filter(|place| !place.is_empty()) {
            for value in values.of_a_place() {
                let mut body = example.clone();
                *body.pointer_mut(place).expect("a place") = value.clone();
                let answer = tenant.owner.with_body(method.clone(), &path, body).await;
                is_ours(answer.status, &format!("{} {place} {value:.60}", operation.id()), &answer.text);
            }
        }
    }
}

#[tokio::test]
async fn text_with_invisible_characters_is_refused() {
    let tenant = Tenant::new().await;
    for name in ["a\u{0}b", "a\u{7}b", "a\u{202e}b", "a\u{200b}b", "a\nb"] {
        let body = json!({ "first_name": name, "last_name": "x" });
        tenant.staff.post("/api/v1/contacts", body).await.invalid("first_name", "invalid_value");
    }
}

#[tokio::test]
async fn huge_numbers_and_deep_nesting_are_refused() {
    let tenant = Tenant::new().await;
    let deep =
        |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    for body in [
        r#"{"first_name": 1e999999999, "last_name": "x"}"#.to_owned(),
        format!(r#"{{"first_name": {}, "last_name": "x"}}"#, "9".repeat(100_000)),
        format!(r#"{{"first_name": -0.{}1, "last_name": "x"}}"#, "0".repeat(100_000)),
        format!(r#"{{"first_name": {}, "last_name": "x"}}"#, deep("[", "]", 50_000)),
        deep(r#"{"a":"#, "}", 10_000).replace(":}", ":1}"),
        format!(r#"{{{}}}"#, (0..5000).map(|n| format!(r#""field{n}":0"#)).collect::<Vec<_>>().join(",")),
        r#"{"first_name": "a", "first_name": "b", "last_name": "x"}"#.to_owned(),
        "\u{feff}{}".to_owned(),
    ] {
        let request =
            tenant.staff.request(Method::POST, "/api/v1/contacts").header("content-type", "application/json");
        let answer = timeout(Duration::from_secs(5), tenant.staff.send(request.body(body.clone())))
            .await
            .expect("an answer in time");
        assert!((400..500).contains(&answer.status), "{body:.60}: {}", answer.text);
    }
    for bytes in [&b"{\"first_name\": \"\xff\xfe\", \"last_name\": \"x\"}"[..], b"\xff\xfe{\0}\0", b"\x00"] {
        let request =
            tenant.staff.request(Method::POST, "/api/v1/contacts").header("content-type", "application/json");
        let answer = tenant.staff.send(request.body(bytes.to_vec())).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text);
    }
}

#[tokio::test]
async fn ambiguous_request_is_not_read_as_two() {
    let tenant = Tenant::new().await;
    let token = tenant.owner.token.clone().expect("a token");
    let second = "GET /api/v1/auth/me HTTP/1.1\r\nhost: x\r\n\r\n";
    let length = second.len();
    let head = "POST /api/v1/contacts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for shape in [
        // Two ways to say where a body ends.
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{second}"),
        format!("transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{second}"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n{second}"),
        format!("content-length: 0, {length}\r\n\r\n{second}"),
        format!("content-length: +0\r\n\r\n{second}"),
        format!("content-length: 0x0\r\n\r\n{second}"),
        format!("content-length : 0\r\n\r\n{second}"),
        // Codings that one reads and another does not.
        format!("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{second}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{second}"),
        format!("transfer-encoding: identity\r\n\r\n{second}"),
        format!("transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n{second}"),
        format!("transfer-encoding: chunked\r\n\r\n-1\r\n{second}"),
        format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{second}"),
        // Headers that go on in the next line, or end too early.
        format!("x: y\r\n content-length: 0\r\n\r\n{second}"),
        format!("x: y\0\r\n\r\n{second}"),
        format!("x\r\n\r\n{second}"),
    ] {
        let request = format!("{head}authorization: Bearer {token}\r\n{shape}");
        let answer = send_raw(request.as_bytes()).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        // That the second is answered is no harm where the first was read as what it says; it must not be with a body
        // of two lengths.
        let whole = answers <= 1 || answer.lines().next().is_some_and(|line| line.contains(" 4"));
        assert!(whole && !answer.contains("HTTP/1.1 5"), "{shape:?}: {answer}");
        let ambiguous = shape.contains("transfer-encoding") && shape.contains("content-length");
        assert!(
            !ambiguous || answers <= 1 || answer.matches("HTTP/1.1 4").count() == answers,
            "{shape:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn duplicate_headers_are_refused() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) =
        (tenant.owner.token.clone().expect("a token"), other.owner.token.clone().expect("a token"));
    let two = format!(
        "GET /api/v1/organizations/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {ours}\r\nauthorization: Bearer {theirs}\r\n\r\n"
    );
    assert!(send_raw(two.as_bytes()).await.starts_with("HTTP/1.1 400"));
    let hosts = format!(
        "GET /api/v1/organizations/me HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\nauthorization: Bearer {ours}\r\n\r\n"
    );
    let answer = send_raw(hosts.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    for query in ["limit=1&limit=100", "limit=1&limit=x"] {
        let answer = tenant.owner.get(&format!("/api/v1/contacts?{query}")).await;
        is_ours(answer.status, query, &answer.text);
    }
}

#[test]
fn lookalike_host_is_another_host() {
    let network = Network { base_domain: Some("example.com".to_owned()), ..Network::default() };
    assert_eq!(network.classify("acme.example.com"), Host::Tenant("acme".to_owned()));
    // The same, however it is written.
    for same in [
        "ACME.example.com",
        "acme.example.com.",
        "acme.example.com:443",
        "ａｃｍｅ.example.com",
        "acme。example.com",
        "acme.example.com。",
    ] {
        assert_eq!(network.classify(same), Host::Tenant("acme".to_owned()), "{same}");
    }
    for other in [
        "аcme.example.com",
        "acmе.example.com",
        "acme.example.com.evil.example",
        "acme.example.com@evil.example",
        "acme.example.com\0",
        "acme.example.com/..",
        "acme.example.com%00",
        "evil.example#acme.example.com",
        "acme..example.com",
        "x.acme.example.com",
        "acmeexample.com",
    ] {
        assert_ne!(network.classify(other), Host::Tenant("acme".to_owned()), "{other:?}");
        assert_ne!(network.classify(other), Host::Ours, "{other:?}");
    }
    for name in ["", ".", "..", "。", "a..", ".a", "a..b", "\0", "[", "[::1", "a b", "a/b"] {
        assert_eq!(canonical(name), None, "{name:?}");
    }
}

#[tokio::test]
async fn lookalike_slug_is_refused() {
    let tenant = Tenant::new().await;
    for slug in [
        "аcme",
        "ａｃｍｅ",
        "acme\u{301}",
        "ACME",
        "acme\u{0}",
        "acme ",
        "-acme",
        "acme-",
        "xn--cme-7cd",
        "ac me",
        "acme.x",
        "_acme",
    ] {
        let body = json!({ "name": "x", "slug": slug });
        let answer = tenant.owner.post("/api/v1/organizations", body).await;
        let trimmed = matches!(answer.status, 201 | 409) && (slug == "acme " || slug == "ACME");
        assert!(trimmed || answer.status == 422, "{slug:?}: {}", answer.text);
        let answer = Actor::anonymous()
            .get(&format!("/api/v1/public/organization?slug={}", slug.replace('\0', "%00")))
            .await;
        assert!(matches!(answer.status, 400 | 404), "{slug:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn token_of_any_length_or_shape_is_refused() {
    let tenant = Tenant::new().await;
    let token = tenant.owner.token.clone().expect("a token");
    let mut tokens = vec![
        format!("{token}{}", "A".repeat(4000)),
        format!("{token}."),
        format!(".{token}"),
        token.replace('.', ".."),
        token.to_uppercase(),
        token.chars().rev().collect(),
        "appointd_key_".to_owned(),
        format!("appointd_key_{}", "A".repeat(86)),
        "%00".to_owned(),
        "=".repeat(100),
    ];
    // Every part cut short.
    tokens.extend((1..token.len()).step_by(7).map(|length| token[..length].to_owned()));
    for token in tokens {
        let answer = Actor::with_token(&token).get("/api/v1/organizations/me").await;
        assert_eq!(answer.status, 401, "{token:.40}: {}", answer.text);
    }
    let blank = tenant.owner.request(Method::GET, "/api/v1/auth/me").header("x-request-id", "\t");
    is_ours(tenant.owner.send(blank).await.status, "a blank id", "");
}
