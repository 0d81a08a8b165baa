//! How a server stops behind a load balancer: first it is not ready any more, then it accepts no more connections.

use reqwest::header::CONNECTION;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::harness::{
    eventually,
    program::{Serve, appointd, status, text},
    system,
};

#[tokio::test]
async fn lame_duck_answers_and_is_not_ready_until_the_second_signal() {
    let flags = ["--lame-duck", "600"];
    let mut serve = Serve::start_with(&system().cluster.url("appointd_api", "appointd"), &flags);
    let health = ["health", "--listen", &serve.address];
    let healthy = async || {
        let output = appointd(&health, &[]).await;
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(healthy().await, (Some(0), String::new()));
    serve.terminate();
    let (code, body) = eventually(async || {
        let (code, body) = status(serve.url("/health/ready")).await;
        (code != 200).then_some((code, body))
    })
    .await;
    assert_eq!((code, &body["code"]), (503, &json!("server_stopping")));
    for path in ["/health/live", "/health/startup", "/api/v1/plans"] {
        let answer = reqwest::get(serve.url(path)).await.expect("it still answers");
        assert_eq!(answer.headers()[CONNECTION], "close", "{path}");
        let expected = if path == "/api/v1/plans" { 401 } else { 200 };
        assert_eq!(answer.status(), expected, "{path}");
    }
    let (code, said) = healthy().await;
    assert_eq!(code, Some(1));
    assert!(said.contains("answers /health/ready with 503: ") && said.contains("server_stopping"), "{said}");

    serve.terminate();
    let address = serve.address.clone();
    let ended = spawn_blocking(move || serve.child.wait().expect("an end")).await.expect("no panic");
    assert!(ended.success());
    let output = appointd(&["health", "--listen", &address, "--live"], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&format!("no answer from {address}: ")), "{output:?}");
}

#[tokio::test]
async fn server_that_is_not_asked_otherwise_says_nothing_of_closing() {
    let serve = Serve::start(&system().cluster.url("appointd_api", "appointd"));
    let answer = reqwest::get(serve.url("/health")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers().get(CONNECTION)), (200, None));
}
