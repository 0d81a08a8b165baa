//! The description: current, complete, and what the pages show.

use std::collections::BTreeSet;

use appointd::{api, http::description};

use crate::harness::{Actor, operations, snapshot};

#[test]
fn the_committed_description_is_current() {
    snapshot("openapi/openapi.json", &api::description());
}

#[test]
fn no_path_is_described_twice() {
    // poem-openapi writes a key twice where two impls share a path; whoever reads JSON keeps one of them.
    let raw = api::raw_description();
    let paths: Vec<_> = raw
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("\"/") && line.ends_with("\": {"))
        .collect();
    let different: BTreeSet<_> = paths.iter().collect();
    assert!(paths.len() > 10, "{raw:.200}");
    assert_eq!(paths.len(), different.len());
}

#[test]
fn every_operation_is_described_completely() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let id = operation.id();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let words: Vec<_> = id.split('_').collect();
        assert!(
            words.len() >= 2
                && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            "{id}"
        );
        let value = &operation.value;
        assert_eq!(value["tags"].as_array().map(Vec::len), Some(1), "{id}: a tag");
        assert!(value["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{id}: a summary");
        assert!(value["description"].as_str().is_some(), "{id}: a description");
        assert!(value["security"].is_array(), "{id}: security");
        let responses = value["responses"].as_object().expect("responses");
        for (status, response) in responses {
            assert!(
                response["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{id} {status}: a description"
            );
            assert!(response["headers"]["X-Request-Id"].is_object(), "{id} {status}: the id of the request");
        }
        let mut wanted = vec!["500", "503"];
        if operation.role().is_some() {
            wanted.extend(["401", "403"]);
        }
        if operation.path.contains('{') {
            wanted.extend(["400", "404"]);
        }
        if value["requestBody"].is_object() {
            wanted.extend(["400", "408", "413", "415", "422"]);
        }
        for status in wanted {
            assert!(responses.contains_key(status), "{id} lacks {status}");
        }
    }
}

#[tokio::test]
async fn the_description_and_its_pages_are_served() {
    let nobody = Actor::nobody();
    let document = nobody.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    assert_eq!(document.header("content-type"), "application/json");
    assert_eq!(document.text, description::COMMITTED, "byte for byte");
    let post = nobody.post("/docs", serde_json::json!({})).await;
    assert_eq!(post.header("allow"), "GET, HEAD");
    post.refused(405, "method_not_allowed");
    for page in ["/docs", "/redoc", "/docs/"] {
        let answer = nobody.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        assert!(!answer.text.contains("googleapis"), "{page} asks nobody else for anything");
        assert!(answer.text.contains("x-required-role"), "{page} shows our description, not the raw one");
    }
}
