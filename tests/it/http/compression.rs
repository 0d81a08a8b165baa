//! Compressed answers, and the documents that browsers keep.

use std::io::Read as _;

use appointd::http::description;
use flate2::read::GzDecoder;
use reqwest::{Method, Response, header::HeaderMap};

use crate::harness::{Actor, Tenant};

async fn get(actor: &Actor, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = actor.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response: Response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.expect("a body").to_vec())
}

fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(body).read_to_end(&mut text).expect("gzip");
    text
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn long_answer_is_compressed_if_accepted() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T00:00:00Z&to=2031-05-25T00:00:00Z",
        furnished.service
    );
    let (status, headers, plain) = get(&tenant.viewer, &path, &[]).await;
    assert_eq!(
        (status, value(&headers, "content-encoding"), value(&headers, "vary")),
        (200, "", "Accept-Encoding")
    );
    for accepted in ["gzip", "br, gzip;q=0.5", "*", "deflate, GZIP"] {
        let (status, headers, body) = get(&tenant.viewer, &path, &[("accept-encoding", accepted)]).await;
        assert_eq!((status, value(&headers, "content-encoding")), (200, "gzip"), "{accepted}");
        assert!(body.len() * 4 < plain.len(), "{accepted}: {} of {}", body.len(), plain.len());
        assert_eq!(unzipped(&body), plain, "{accepted}");
    }
    for refused in ["br", "gzip;q=0", "identity", "gzip;q=0, *"] {
        let (_, headers, body) = get(&tenant.viewer, &path, &[("accept-encoding", refused)]).await;
        assert_eq!((value(&headers, "content-encoding"), body == plain), ("", true), "{refused}");
    }
}

#[tokio::test]
async fn answer_that_is_short_or_sets_a_cookie_is_not_compressed() {
    let tenant = Tenant::new().await;
    let (_, headers, _) = get(&tenant.viewer, "/api/v1/services", &[("accept-encoding", "gzip")]).await;
    assert_eq!(value(&headers, "content-encoding"), "");
    let body = serde_json::json!({ "email": tenant.staff.email, "password": crate::harness::PASSWORD });
    let request = Actor::anonymous()
        .request(Method::POST, "/api/v1/auth/web-session")
        .header("accept-encoding", "gzip")
        .header("content-type", "application/json")
        .body(body.to_string());
    let response = request.send().await.expect("the server answers");
    assert!(response.headers().contains_key("set-cookie"));
    assert_eq!((value(response.headers(), "content-encoding"), value(response.headers(), "vary")), ("", ""));
}

#[tokio::test]
async fn description_is_compressed_and_answered_with_304_while_held() {
    let anonymous = Actor::anonymous();
    let (_, headers, body) = get(&anonymous, "/openapi.json", &[("accept-encoding", "gzip")]).await;
    assert_eq!(value(&headers, "content-encoding"), "gzip");
    let committed = description::dated(description::COMMITTED, description::day(chrono::Utc::now()));
    assert_eq!(unzipped(&body), committed.as_bytes());
    let etag = value(&headers, "etag").to_owned();
    let (status, headers, body) = get(&anonymous, "/openapi.json", &[("if-none-match", &etag)]).await;
    assert_eq!((status, body.len(), value(&headers, "etag")), (304, 0, etag.as_str()));
    let (status, ..) = get(&anonymous, "/openapi.json", &[("if-none-match", "\"another\"")]).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn scripts_of_the_pages_are_kept_for_a_year() {
    let anonymous = Actor::anonymous();
    let mut found = 0;
    for page in ["/docs", "/redoc"] {
        let (_, headers, html) = get(&anonymous, page, &[]).await;
        assert_eq!(value(&headers, "cache-control"), "no-cache", "{page}");
        let html = String::from_utf8(html).expect("text");
        assert!(html.len() < 4096, "{page} holds no script and no description");
        assert!(html.contains("/openapi.json"), "{page} shows our description");
        for path in html.split('"').filter(|part| part.starts_with("/docs/")) {
            let (status, headers, body) = get(&anonymous, path, &[("accept-encoding", "gzip")]).await;
            assert_eq!(status, 200, "{path}");
            assert!(value(&headers, "cache-control").contains("immutable"), "{path}");
            assert!(unzipped(&body).len() > 1_000, "{path}");
            found += 1;
        }
    }
    assert_eq!(found, 4, "a style sheet and three scripts");
}

#[tokio::test]
async fn calendar_that_is_compressed_has_a_tag_of_its_own_that_leads_to_304() {
    let tenant = Tenant::new().await;
    tenant.furnished().await;
    let feed = tenant
        .staff
        .post("/api/v1/calendar-feeds", serde_json::json!({ "name": "Telephone" }))
        .await
        .expect(201);
    let path = feed["path"].as_str().expect("a path");
    let gzip = ("accept-encoding", "gzip");
    let (status, headers, _) = get(&Actor::anonymous(), path, &[gzip]).await;
    assert_eq!(status, 200);
    let etag = value(&headers, "etag").to_owned();
    assert_eq!(etag.ends_with("-gzip\""), value(&headers, "content-encoding") == "gzip");
    let (status, ..) = get(&Actor::anonymous(), path, &[gzip, ("if-none-match", &etag)]).await;
    assert_eq!(status, 304);
}
