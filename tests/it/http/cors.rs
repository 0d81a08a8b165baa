//! Which pages of other origins may send requests and read the answers.

use std::sync::Arc;

use appointd::http::client::Network;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Tenant, operations, system};

#[tokio::test]
async fn preflight_allows_every_header_of_the_description() {
    let anonymous = Actor::anonymous();
    let preflight = anonymous
        .request(Method::OPTIONS, "/api/v1/appointments")
        .header("origin", "https://www.example.com")
        .header("access-control-request-method", "POST");
    let answer = anonymous.send(preflight).await;
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
async fn page_of_a_trusted_origin_may_read_answers() {
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
    let anonymous = Actor::anonymous();
    let services = |slug: &str| format!("/api/v1/guest/services?organization_slug={slug}");
    assert_eq!(allowed(&from(&anonymous, origin, &services(&tenant.slug().await)).await), origin);
    assert_eq!(allowed(&from(&anonymous, origin, &services(&other.slug().await)).await), "");
    // Before a browser asks it asks whether it may; for whom it does not say.
    let preflight = anonymous
        .request(Method::OPTIONS, contacts)
        .header("origin", origin)
        .header("access-control-request-method", "POST");
    assert_eq!(allowed(&anonymous.send(preflight).await), origin);
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
    answer.invalid("trusted_origins", "too_many");
    tenant.manager.patch(settings, json!({ "trusted_origins": [] })).await.refused(403, "role_too_low");
}

#[tokio::test]
async fn local_page_may_call_only_during_development() {
    let tenant = Tenant::new().await;
    let server = system()
        .another_server(|parts| {
            parts.network = Arc::new(Network { local_pages: true, ..Network::default() });
        })
        .await;
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
