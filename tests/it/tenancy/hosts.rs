//! What is found at the host of an organization.

use reqwest::Method;
use serde_json::json;

use crate::harness::{
    Actor, PASSWORD,
    hosts::{NameServer, get_at, hosting_server, with_subdomain},
};

#[tokio::test]
async fn host_leads_only_to_its_organization() {
    let server = hosting_server(&NameServer::default()).await;
    let (tenant, subdomain) = with_subdomain().await;
    let (other, others) = with_subdomain().await;
    let (viewer, stranger) = (tenant.viewer.at(server.address()), other.viewer.at(server.address()));
    let path = "/api/v1/organizations/me";
    for host in [
        format!("{subdomain}.book.test"),
        format!("{subdomain}.book.test:8443"),
        format!("{}.BOOK.Test", subdomain.to_uppercase()),
        format!("{subdomain}.book.test."),
        "book.test".to_owned(),
        "api.book.test".to_owned(),
        "127.0.0.1:8080".to_owned(),
        "[::1]:8080".to_owned(),
    ] {
        get_at(&viewer, &host, path).await.expect(200);
    }
    for host in [
        format!("{others}.book.test"),
        "unknown.book.test".to_owned(),
        format!("deeper.{subdomain}.book.test"),
        format!("{subdomain}.book.test.evil.example"),
        "unknown.example".to_owned(),
        "xn--zz--.book.test".to_owned(),
    ] {
        get_at(&viewer, &host, path).await.refused(404, "not_found");
        // Of programs as well.
        get_at(&viewer, &host, "/api/v1/contacts").await.refused(404, "not_found");
    }
    get_at(&stranger, &format!("{others}.book.test"), path).await.expect(200);
    let anonymous = Actor::anonymous().at(server.address());
    get_at(&anonymous, &format!("{subdomain}.book.test"), path).await.refused(401, "credentials_missing");
    // The public face by host alone; host and slug have to agree.
    let face = "/api/v1/public/organization";
    let public = get_at(&anonymous, &format!("{subdomain}.book.test"), face).await.expect(200);
    assert_eq!(public["id"], json!(tenant.id));
    let slug = get_at(&anonymous, &format!("{others}.book.test"), face).await.expect(200)["slug"].clone();
    let path = format!("{face}?slug={}", slug.as_str().expect("a slug"));
    get_at(&anonymous, &format!("{subdomain}.book.test"), &path).await.refused(404, "organization_not_found");
    get_at(&anonymous, "unknown.book.test", face).await.refused(404, "organization_not_found");
    // X-Forwarded-Host counts only from a trusted proxy.
    let lie = viewer
        .request(Method::GET, "/api/v1/contacts")
        .header("host", "book.test")
        .header("x-forwarded-host", format!("{others}.book.test"));
    viewer.send(lie).await.expect(200);
}

#[tokio::test]
async fn log_in_at_a_host_enters_its_organization() {
    let server = hosting_server(&NameServer::default()).await;
    let (tenant, subdomain) = with_subdomain().await;
    let (other, others) = with_subdomain().await;
    other.admit(tenant.staff.account, "viewer").await;
    let anonymous = Actor::anonymous().at(server.address());
    let log_in = async |host: String| {
        let request = anonymous
            .request(Method::POST, "/api/v1/auth/login")
            .header("host", host)
            .header("content-type", "application/json")
            .body(json!({ "email": tenant.staff.email, "password": PASSWORD }).to_string());
        anonymous.send(request).await
    };
    let here = log_in(format!("{subdomain}.book.test")).await.expect(200);
    assert_eq!(here["organization_id"], json!(tenant.id));
    assert_eq!(log_in(format!("{others}.book.test")).await.expect(200)["organization_id"], json!(other.id));
    log_in("book.test".to_owned()).await.refused(409, "organization_ambiguous");
    log_in("unknown.book.test".to_owned()).await.refused(403, "not_a_member");
}

#[tokio::test]
async fn page_of_an_own_host_may_read_answers() {
    let server = hosting_server(&NameServer::default()).await;
    let (tenant, subdomain) = with_subdomain().await;
    let (_, others) = with_subdomain().await;
    let viewer = tenant.viewer.at(server.address());
    let allowed = async |origin: &str, host: &str| {
        let request =
            viewer.request(Method::GET, "/api/v1/contacts").header("origin", origin).header("host", host);
        let answer = viewer.send(request).await;
        answer
            .headers
            .get("access-control-allow-origin")
            .map(|value| value.to_str().expect("text").to_owned())
    };
    let own = format!("https://{subdomain}.book.test");
    assert_eq!(allowed(&own, "api.book.test").await, Some(own.clone()));
    let with_port = format!("{own}:8443");
    assert_eq!(allowed(&with_port, "api.book.test").await, Some(with_port));
    for origin in [
        format!("http://{subdomain}.book.test"),
        format!("https://{others}.book.test"),
        "https://unknown.example".to_owned(),
        "https://book.test".to_owned(),
        "null".to_owned(),
        format!("https://{subdomain}.book.test.evil.example"),
        format!("https://{subdomain}book.test"),
        format!("https://deeper.{subdomain}.book.test"),
    ] {
        assert_eq!(allowed(&origin, "api.book.test").await, None, "{origin}");
    }
    let preflight = async |origin: &str| {
        let request = viewer
            .request(Method::OPTIONS, "/api/v1/contacts")
            .header("host", "api.book.test")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        viewer.send(request).await
    };
    let answer = preflight(&own).await;
    assert_eq!(answer.header("access-control-allow-origin"), own);
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    answer.expect(204);
    assert_eq!(preflight("https://unknown.example").await.headers.get("access-control-allow-origin"), None);
}
