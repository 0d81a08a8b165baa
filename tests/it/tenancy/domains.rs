//! Hosts: subdomains and domains of an organization's own, proved through a name server of the test's own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use appointd::{
    http::client::Network,
    server::Server,
    tenancy::domains::{self, Dns},
};
use reqwest::Method;
use serde_json::json;
use tokio::net::UdpSocket;
use uuid::Uuid;

use crate::harness::{Actor, Answer, PASSWORD, Tenant, system};

/// A name server that knows TXT records and nothing else (RFC 1035 section 4).
#[derive(Clone, Default)]
struct Names(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl Names {
    async fn serve(&self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
        let address = socket.local_addr().expect("an address");
        let names = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = names.answer(&buffer[..length]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        address
    }

    fn set(&self, name: &str, text: &str) {
        self.set_all(name, &[text]);
    }

    fn set_all(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.0.lock().expect("no panic").insert(name.to_owned(), texts);
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (mut at, mut labels) = (12, Vec::new());
        while *query.get(at)? != 0 {
            let length = usize::from(query[at]);
            labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
            at += 1 + length;
        }
        let question = query.get(12..at + 5)?;
        let texts = self.0.lock().expect("no panic").get(&labels.join(".")).cloned().unwrap_or_default();
        let found = u8::try_from(texts.len()).ok()?;
        let code = if found > 0 { 0 } else { 3 };
        let mut answer = [&query[..2], &[0x84, code, 0, 1, 0, found, 0, 0, 0, 0], question].concat();
        for text in texts {
            let length = u8::try_from(text.len()).ok()?;
            answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
            answer.extend(text.as_bytes());
        }
        Some(answer)
    }
}

/// A server whose base domain is `book.test`.
async fn server(names: &Names) -> Server {
    let dns = names.serve().await;
    tokio::task::spawn_blocking(move || {
        system().another(|parts| {
            parts.dns = Some(dns);
            parts.network =
                Arc::new(Network { base_domain: Some("book.test".to_owned()), ..Network::default() });
        })
    })
    .await
    .expect("no panic")
}

async fn asked(actor: &Actor, host: &str, path: &str) -> Answer {
    actor.send(actor.request(Method::GET, path).header("host", host)).await
}

async fn with_subdomain() -> (Tenant, String) {
    let tenant = Tenant::new().await;
    let subdomain = format!("s{}", Uuid::new_v4().simple());
    tenant.admin.patch("/api/v1/organizations/me", json!({ "subdomain": subdomain })).await.expect(200);
    (tenant, subdomain)
}

#[tokio::test]
async fn a_host_leads_to_its_organization_and_to_no_other() {
    let server = server(&Names::default()).await;
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
        asked(&viewer, &host, path).await.expect(200);
    }
    for host in [
        format!("{others}.book.test"),
        "nobodys.book.test".to_owned(),
        format!("deeper.{subdomain}.book.test"),
        format!("{subdomain}.book.test.evil.example"),
        "nobodys.example".to_owned(),
        "xn--zz--.book.test".to_owned(),
    ] {
        asked(&viewer, &host, path).await.refused(404, "not_found");
        // Of programs as well.
        asked(&viewer, &host, "/api/v1/contacts").await.refused(404, "not_found");
    }
    asked(&stranger, &format!("{others}.book.test"), path).await.expect(200);
    let nobody = Actor::nobody().at(server.address());
    asked(&nobody, &format!("{subdomain}.book.test"), path).await.refused(401, "credentials_missing");
    // The public face by host alone; host and slug have to agree.
    let face = "/api/v1/public/organization";
    let public = asked(&nobody, &format!("{subdomain}.book.test"), face).await.expect(200);
    assert_eq!(public["id"], json!(tenant.id));
    let slug = asked(&nobody, &format!("{others}.book.test"), face).await.expect(200)["slug"].clone();
    let path = format!("{face}?slug={}", slug.as_str().expect("a slug"));
    asked(&nobody, &format!("{subdomain}.book.test"), &path).await.refused(404, "organization_not_found");
    asked(&nobody, "nobodys.book.test", face).await.refused(404, "organization_not_found");
    // X-Forwarded-Host of anybody is not believed.
    let lie = viewer
        .request(Method::GET, "/api/v1/contacts")
        .header("host", "book.test")
        .header("x-forwarded-host", format!("{others}.book.test"));
    viewer.send(lie).await.expect(200);
}

#[tokio::test]
async fn signing_in_at_a_host_is_signing_in_to_its_organization() {
    let server = server(&Names::default()).await;
    let (tenant, subdomain) = with_subdomain().await;
    let (other, others) = with_subdomain().await;
    system()
        .superuser()
        .await
        .execute(
            "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'viewer')",
            &[&other.id, &tenant.staff.account],
        )
        .await
        .expect("a membership");
    let nobody = Actor::nobody().at(server.address());
    let log_in = async |host: String| {
        let request = nobody
            .request(Method::POST, "/api/v1/auth/login")
            .header("host", host)
            .header("content-type", "application/json")
            .body(json!({ "email": tenant.staff.email, "password": PASSWORD }).to_string());
        nobody.send(request).await
    };
    let here = log_in(format!("{subdomain}.book.test")).await.expect(200);
    assert_eq!(here["organization_id"], json!(tenant.id));
    assert_eq!(log_in(format!("{others}.book.test")).await.expect(200)["organization_id"], json!(other.id));
    log_in("book.test".to_owned()).await.refused(409, "organization_ambiguous");
    log_in("nobodys.book.test".to_owned()).await.refused(403, "not_a_member");
}

#[tokio::test]
async fn a_domain_is_proved_by_a_record_and_leads_to_one_organization() {
    let names = Names::default();
    let server = server(&names).await;
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (owner, rival) = (tenant.owner.at(server.address()), other.owner.at(server.address()));
    let domain = format!("bücher{}.example", Uuid::new_v4().simple());
    let added = owner.post("/api/v1/domains", json!({ "domain": domain.to_uppercase() })).await.expect(201);
    let ascii = added["domain"].as_str().expect("a domain").to_owned();
    assert!(ascii.starts_with("xn--") && ascii.is_ascii(), "{ascii}");
    owner.post("/api/v1/domains", json!({ "domain": ascii })).await.refused(409, "domain_exists");
    let verify = format!("/api/v1/domains/{}/verify", added["id"].as_str().expect("an id"));
    let (name, value) = (
        added["record"]["name"].as_str().expect("a name"),
        added["record"]["value"].as_str().expect("a value"),
    );
    owner.post(&verify, json!({})).await.refused(409, "domain_not_verified");
    names.set(name, "appointd-verification=of somebody else");
    owner.post(&verify, json!({})).await.refused(409, "domain_not_verified");
    asked(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    names.set(name, value);
    let verified = owner.post(&verify, json!({})).await.expect(200);
    assert!(verified["verified_at"].is_string());
    owner.post(&verify, json!({})).await.expect(200);
    asked(&owner, &ascii, "/api/v1/contacts").await.expect(200);
    asked(&owner, &format!("{}.:443", ascii.to_uppercase()), "/api/v1/contacts").await.expect(200);
    asked(&rival, &ascii, "/api/v1/contacts").await.refused(404, "not_found");

    // It leads there as long as the plan includes domains.
    let plan = |plan: &str| json!({ "plan_type": plan });
    let subscription = "/api/v1/organizations/me/subscription";
    owner.patch(subscription, plan("pro")).await.expect(200);
    asked(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    owner.patch(subscription, plan("enterprise")).await.expect(200);
    asked(&owner, &ascii, "/api/v1/contacts").await.expect(200);

    // Another may add it, and even prove it, and has to wait while the record of the first stands beside.
    let theirs = rival.post("/api/v1/domains", json!({ "domain": ascii })).await.expect(201);
    names.set_all(name, &[theirs["record"]["value"].as_str().expect("a value"), value]);
    let their_verify = format!("/api/v1/domains/{}/verify", theirs["id"].as_str().expect("an id"));
    rival.post(&their_verify, json!({})).await.refused(409, "domain_taken");
    owner.delete(&format!("/api/v1/domains/{}", added["id"].as_str().expect("an id"))).await.expect(204);
    asked(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    rival.post(&their_verify, json!({})).await.expect(200);
    asked(&rival, &ascii, "/api/v1/contacts").await.expect(200);

    for wrong in [
        "localhost",
        "a b.example",
        "https://x.example",
        "x.example:80",
        "10.0.0.1",
        "-x.example",
        "",
        "x..example",
    ] {
        owner.post("/api/v1/domains", json!({ "domain": wrong })).await.invalid("domain", "invalid_value");
    }
    owner.post("/api/v1/domains", json!({ "domain": "acme.book.test" })).await.invalid("domain", "reserved");
    tenant
        .admin
        .at(server.address())
        .post("/api/v1/domains", json!({ "domain": "x.example" }))
        .await
        .refused(403, "role_too_low");
}

#[tokio::test]
async fn a_proxy_may_have_certificates_for_hosts_that_lead_somewhere() {
    let server = server(&Names::default()).await;
    let (_, subdomain) = with_subdomain().await;
    let nobody = Actor::nobody().at(server.address());
    let ask = async |domain: &str| nobody.get(&format!("/internal/tls/allow?domain={domain}")).await.status;
    assert_eq!(ask(&format!("{subdomain}.book.test")).await, 204);
    assert_eq!(ask("api.book.test").await, 204);
    for domain in [
        "nobodys.book.test",
        "nobodys.example",
        "a.b.book.test",
        "%20",
        "127.0.0.1",
        "203.0.113.7",
        "[::1]",
        "%3A%3A1",
        "localhost",
        "localhost.",
    ] {
        assert_ne!(ask(domain).await, 204, "{domain}");
    }
    nobody.get("/internal/tls/allow").await.invalid("domain", "required");
    let passed_on = nobody
        .request(Method::GET, "/internal/tls/allow?domain=api.book.test")
        .header("x-forwarded-for", "192.0.2.1");
    nobody.send(passed_on).await.refused(404, "not_found");
}

#[tokio::test]
async fn pages_of_an_organizations_own_hosts_may_read_its_answers() {
    let server = server(&Names::default()).await;
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
        "https://nobodys.example".to_owned(),
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
    assert_eq!(preflight("https://nobodys.example").await.headers.get("access-control-allow-origin"), None);
}

/// A domain of an organization, and where it is verified.
async fn added(owner: &Actor, domain: &str) -> (String, serde_json::Value) {
    let added = owner.post("/api/v1/domains", json!({ "domain": domain })).await.expect(201);
    (format!("/api/v1/domains/{}/verify", added["id"].as_str().expect("an id")), added["record"].clone())
}

#[tokio::test]
async fn domain_goes_to_whoever_holds_its_dns_now() {
    for change in ["record gone", "organization deleted", "plan without domains"] {
        let names = Names::default();
        let server = server(&names).await;
        let (tenant, other) = (Tenant::new().await, Tenant::new().await);
        let (owner, rival) = (tenant.owner.at(server.address()), other.owner.at(server.address()));
        let domain = format!("d{}.example", Uuid::new_v4().simple());
        let (verify, record) = added(&owner, &domain).await;
        let (their_verify, their_record) = added(&rival, &domain).await;
        let (name, first, second) = (
            record["name"].as_str().expect("a name"),
            record["value"].as_str().expect("a value"),
            their_record["value"].as_str().expect("a value"),
        );
        names.set_all(name, &[first, second]);
        owner.post(&verify, json!({})).await.expect(200);
        rival.post(&their_verify, json!({})).await.refused(409, "domain_taken");
        match change {
            "record gone" => names.set(name, second),
            "organization deleted" => {
                owner.delete("/api/v1/organizations/me").await.expect(200);
            }
            _ => {
                let basic = json!({ "plan_type": "basic" });
                owner.patch("/api/v1/organizations/me/subscription", basic).await.expect(200);
            }
        }
        rival.post(&their_verify, json!({})).await.expect(200);
        asked(&rival, &domain, "/api/v1/contacts").await.expect(200);
        let verified: i64 = system()
            .superuser()
            .await
            .query_one("select count(verified_at) from tenancy.domains where domain = $1", &[&domain])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(verified, 1, "{change}: it is nobody else's any more");
        if change == "record gone" {
            owner.post(&verify, json!({})).await.refused(409, "domain_not_verified");
            let log = owner.get("/api/v1/audit-events").await.expect(200).to_string();
            assert!(!log.contains(&other.owner.account.to_string()), "nobody learns who has it now");
        }
    }
}

#[tokio::test]
async fn domain_lapses_a_week_after_its_record_was_last_found() {
    let names = Names::default();
    let server = server(&names).await;
    let tenant = Tenant::new().await;
    let owner = tenant.owner.at(server.address());
    let domain = format!("d{}.example", Uuid::new_v4().simple());
    let (verify, record) = added(&owner, &domain).await;
    let (name, value) =
        (record["name"].as_str().expect("a name"), record["value"].as_str().expect("a value"));
    names.set(name, value);
    owner.post(&verify, json!({})).await.expect(200);
    let superuser = system().superuser().await;
    let (db, dns) = (system().db(1), Dns::new(Some(names.serve().await)));
    // As if so much time had passed.
    let later = async |days: f64| {
        superuser
            .execute(
                "update tenancy.verified_domains
                 set checked_at = checked_at - make_interval(secs => 86400 * $2::float8),
                     missing_since = missing_since - make_interval(secs => 86400 * $2::float8)
                 where domain = $1",
                &[&domain, &days],
            )
            .await
            .expect("a while");
        domains::check_due(&db, &dns).await.expect("a look");
    };
    let shown = async || owner.get(verify.trim_end_matches("/verify")).await.expect(200);
    later(1.5).await;
    assert!(shown().await["verified_at"].is_string() && shown().await.get("missing_since").is_none());
    names.set_all(name, &[]);
    later(1.5).await;
    assert!(shown().await["missing_since"].is_string());
    asked(&owner, &domain, "/api/v1/contacts").await.expect(200);
    // Back within the week: forgiven.
    names.set(name, value);
    later(6.5).await;
    assert!(shown().await.get("missing_since").is_none());
    names.set_all(name, &[]);
    later(1.5).await;
    later(6.0).await;
    asked(&owner, &domain, "/api/v1/contacts").await.expect(200);
    later(1.5).await;
    asked(&owner, &domain, "/api/v1/contacts").await.refused(404, "not_found");
    assert!(shown().await.get("verified_at").is_none());
    // Where the domain name system does not answer nothing is known, and nothing lapses.
    names.set(name, value);
    owner.post(&verify, json!({})).await.expect(200);
    superuser
        .execute(
            "update tenancy.verified_domains set checked_at = now() - interval '2 days' where domain = $1",
            &[&domain],
        )
        .await
        .expect("a while");
    domains::check_due(&db, &Dns::nowhere()).await.expect("a look");
    assert!(shown().await.get("missing_since").is_none());
}

#[tokio::test]
async fn host_of_an_organization_that_is_deleted_or_suspended_gets_no_certificate() {
    let names = Names::default();
    let server = server(&names).await;
    let nobody = Actor::nobody().at(server.address());
    let ask = async |domain: &str| nobody.get(&format!("/internal/tls/allow?domain={domain}")).await.status;
    for status in ["suspended", "deleted"] {
        let (tenant, subdomain) = with_subdomain().await;
        let owner = tenant.owner.at(server.address());
        let domain = format!("d{}.example", Uuid::new_v4().simple());
        let (verify, record) = added(&owner, &domain).await;
        names.set(record["name"].as_str().expect("a name"), record["value"].as_str().expect("a value"));
        owner.post(&verify, json!({})).await.expect(200);
        let hosts = [format!("{subdomain}.book.test"), domain];
        for host in &hosts {
            assert_eq!(ask(host).await, 204, "{host}");
        }
        if status == "deleted" {
            owner.delete("/api/v1/organizations/me").await.expect(200);
        } else {
            system()
                .superuser()
                .await
                .execute("update tenancy.organizations set status = 'suspended' where id = $1", &[&tenant.id])
                .await
                .expect("a suspension");
        }
        for host in &hosts {
            assert_eq!(ask(host).await, 404, "{host}");
        }
    }
}
