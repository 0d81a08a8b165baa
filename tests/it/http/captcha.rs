//! Guests of a server that asks a captcha service whether they are persons.

use std::{collections::HashSet, sync::Mutex};

use appointd::http::captcha::{Captcha, Service};
use poem::{
    EndpointExt as _, Route, Server as Web, handler,
    http::StatusCode,
    listener::{Acceptor as _, Listener as _, TcpListener},
    post,
    web::{Data, Form},
};
use serde::Deserialize;
use serde_json::json;

use crate::harness::{Actor, booking::BookingFixture, system};

/// What a server of ours asks.
#[derive(Deserialize)]
struct Asked {
    secret: String,
    response: String,
    remoteip: String,
}

/// Answers as captcha services do: a token is good once.
#[handler]
fn verify(
    Form(asked): Form<Asked>,
    seen: Data<&std::sync::Arc<Mutex<HashSet<String>>>>,
) -> (StatusCode, String) {
    assert_eq!((asked.secret.as_str(), asked.remoteip.as_str()), ("s&cret", "127.0.0.1"));
    let success =
        asked.response.starts_with("person") && seen.lock().expect("a lock").insert(asked.response.clone());
    match asked.response.as_str() {
        "failing" => (StatusCode::BAD_GATEWAY, json!({ "success": true }).to_string()),
        "babbling" => (StatusCode::OK, "<html>".to_owned()),
        "endless" => (StatusCode::OK, format!("{{\"success\":true,\"pad\":\"{}\"}}", "x".repeat(100_000))),
        "refused" => {
            (StatusCode::OK, json!({ "success": false, "error-codes": ["invalid-input-secret"] }).to_string())
        }
        "robot" => (
            StatusCode::OK,
            json!({ "success": false, "error-codes": ["invalid-input-response"] }).to_string(),
        ),
        _ => (StatusCode::OK, json!({ "success": success, "hostname": "salon.example" }).to_string()),
    }
}

/// A captcha service, and its URL.
async fn service() -> Service {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port is free");
    let address = acceptor.local_addr()[0].as_socket_addr().copied().expect("an address");
    let routes = Route::new()
        .at("/siteverify", post(verify))
        .data(std::sync::Arc::new(Mutex::new(HashSet::<String>::new())));
    tokio::spawn(Web::new_with_acceptor(acceptor).run(routes));
    Service {
        url: format!("http://{address}/siteverify").parse().expect("a URL"),
        secret: "s&cret".to_owned(),
    }
}

#[tokio::test]
async fn guest_without_a_captcha_is_refused() {
    let fixture = BookingFixture::new().await;
    let slug = fixture.tenant.slug().await;
    let captcha = Captcha::of(service().await).expect("certificates");
    let server = system().another_server(|parts| parts.captcha = captcha).await;
    let guest = Actor::anonymous().at(server.address());
    let booking = json!({
        "service_id": fixture.service,
        "starts_at": "2031-05-05T09:00:00Z",
        "contact": { "first_name": "Guest", "last_name": "One" },
    });
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T11:00:00Z" });
    // In the evening, when nothing is free that could be booked instead.
    let waiting = json!({
        "service_id": fixture.service,
        "from": "2031-05-05T19:00:00Z",
        "to": "2031-05-05T23:00:00Z",
        "contact": { "first_name": "Guest", "last_name": "One", "email": "guest@example.com" },
    });
    for (number, (what, body)) in
        [("appointments", &booking), ("holds", &hold), ("waitlist", &waiting)].into_iter().enumerate()
    {
        let path = format!("/api/v1/guest/{what}?organization_slug={slug}");
        guest.post_with(&path, body, &[]).await.invalid("Captcha-Token", "required");
        guest
            .post_with(&path, body, &[("captcha-token", "robot")])
            .await
            .invalid("Captcha-Token", "captcha_failed");
        guest
            .post_with(&path, body, &[("captcha-token", "")])
            .await
            .invalid("Captcha-Token", "invalid_value");
        for broken in ["failing", "babbling", "endless", "refused"] {
            let answer = guest.post_with(&path, body, &[("captcha-token", broken)]).await;
            assert_eq!(answer.header("retry-after"), "1");
            answer.refused(503, "captcha_unavailable");
        }
        let token = format!("person-{number}");
        let with_key = [("captcha-token", token.as_str()), ("idempotency-key", "1")];
        let made = guest.post_with(&path, body, &with_key).await.expect(201);
        // A retry sends what it sent, and the token is used up.
        let again = guest.post_with(&path, body, &with_key).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201)["id"], made["id"]);
        guest
            .post_with(&path, body, &[("captcha-token", &token)])
            .await
            .invalid("Captcha-Token", "captcha_failed");
    }
    // Operations with a link need no captcha: the link identifies the guest.
    let made = guest
        .post_with(
            &format!("/api/v1/guest/appointments?organization_slug={slug}"),
            &json!({
                "service_id": fixture.service,
                "starts_at": "2031-05-05T13:00:00Z",
                "contact": { "first_name": "Guest", "last_name": "One" },
            }),
            &[("captcha-token", "person-more")],
        )
        .await
        .expect(201);
    let link = json!({ "token": made["manage_token"] });
    guest.post_with("/api/v1/guest/appointment/cancel", &link, &[]).await.expect(200);
}

#[tokio::test]
async fn unreachable_captcha_service_answers_503() {
    let fixture = BookingFixture::new().await;
    let path = format!("/api/v1/guest/holds?organization_slug={}", fixture.tenant.slug().await);
    // No program listens there.
    let url = "http://127.0.0.1:9/siteverify".parse().expect("a URL");
    let captcha = Captcha::of(Service { url, secret: "s".to_owned() }).expect("certificates");
    let server = system().another_server(|parts| parts.captcha = captcha).await;
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T11:00:00Z" });
    let guest = Actor::anonymous().at(server.address());
    guest.post_with(&path, &hold, &[("captcha-token", "1")]).await.refused(503, "captcha_unavailable");
}
