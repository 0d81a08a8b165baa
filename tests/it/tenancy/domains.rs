//! Domains of an organization's own: proved by a record, and kept as long as that stands.

use appointd::tenancy::domains::{self, Dns};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{
    Actor, Tenant,
    hosts::{NameServer, get_at, hosting_server, with_subdomain},
    system,
};

#[tokio::test]
async fn domain_is_verified_by_a_record_for_one_organization() {
    let names = NameServer::default();
    let server = hosting_server(&names).await;
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
    names.set(name, "appointd-verification=of another");
    owner.post(&verify, json!({})).await.refused(409, "domain_not_verified");
    get_at(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    names.set(name, value);
    let verified = owner.post(&verify, json!({})).await.expect(200);
    assert!(verified["verified_at"].is_string());
    owner.post(&verify, json!({})).await.expect(200);
    get_at(&owner, &ascii, "/api/v1/contacts").await.expect(200);
    get_at(&owner, &format!("{}.:443", ascii.to_uppercase()), "/api/v1/contacts").await.expect(200);
    get_at(&rival, &ascii, "/api/v1/contacts").await.refused(404, "not_found");

    // It leads there as long as the plan includes domains.
    let plan = |plan: &str| json!({ "plan_type": plan });
    let subscription = "/api/v1/organizations/me/subscription";
    owner.patch(subscription, plan("pro")).await.expect(200);
    get_at(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    owner.patch(subscription, plan("enterprise")).await.expect(200);
    get_at(&owner, &ascii, "/api/v1/contacts").await.expect(200);

    // Another may add it, and even prove it, and has to wait while the record of the first stands beside.
    let theirs = rival.post("/api/v1/domains", json!({ "domain": ascii })).await.expect(201);
    names.set_all(name, &[theirs["record"]["value"].as_str().expect("a value"), value]);
    let their_verify = format!("/api/v1/domains/{}/verify", theirs["id"].as_str().expect("an id"));
    rival.post(&their_verify, json!({})).await.refused(409, "domain_taken");
    owner.delete(&format!("/api/v1/domains/{}", added["id"].as_str().expect("an id"))).await.expect(204);
    get_at(&owner, &ascii, "/api/v1/contacts").await.refused(404, "not_found");
    rival.post(&their_verify, json!({})).await.expect(200);
    get_at(&rival, &ascii, "/api/v1/contacts").await.expect(200);

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
async fn certificate_is_allowed_for_known_hosts_only() {
    let server = hosting_server(&NameServer::default()).await;
    let (_, subdomain) = with_subdomain().await;
    let anonymous = Actor::anonymous().at(server.address());
    let ask =
        async |domain: &str| anonymous.get(&format!("/internal/tls/allow?domain={domain}")).await.status;
    assert_eq!(ask(&format!("{subdomain}.book.test")).await, 204);
    assert_eq!(ask("api.book.test").await, 204);
    for domain in [
        "unknown.book.test",
        "unknown.example",
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
    anonymous.get("/internal/tls/allow").await.invalid("domain", "required");
    let passed_on = anonymous
        .request(Method::GET, "/internal/tls/allow?domain=api.book.test")
        .header("x-forwarded-for", "192.0.2.1");
    anonymous.send(passed_on).await.refused(404, "not_found");
}

/// A domain of an organization, and where it is verified.
async fn added(owner: &Actor, domain: &str) -> (String, serde_json::Value) {
    let added = owner.post("/api/v1/domains", json!({ "domain": domain })).await.expect(201);
    (format!("/api/v1/domains/{}/verify", added["id"].as_str().expect("an id")), added["record"].clone())
}

#[tokio::test]
async fn domain_goes_to_the_present_holder_of_its_dns() {
    for change in ["record gone", "organization deleted", "plan without domains"] {
        let names = NameServer::default();
        let server = hosting_server(&names).await;
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
        get_at(&rival, &domain, "/api/v1/contacts").await.expect(200);
        let verified: i64 = system()
            .superuser()
            .await
            .query_one("select count(verified_at) from tenancy.domains where domain = $1", &[&domain])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(verified, 1, "{change}: one verified claim is left");
        if change == "record gone" {
            owner.post(&verify, json!({})).await.refused(409, "domain_not_verified");
            let log = owner.get("/api/v1/audit-events").await.expect(200).to_string();
            assert!(!log.contains(&other.owner.account.to_string()), "the log does not tell who has it now");
        }
    }
}

#[tokio::test]
async fn domain_lapses_a_week_after_its_record_was_last_found() {
    let names = NameServer::default();
    let server = hosting_server(&names).await;
    let tenant = Tenant::new().await;
    let owner = tenant.owner.at(server.address());
    let domain = format!("d{}.example", Uuid::new_v4().simple());
    let (verify, record) = added(&owner, &domain).await;
    let (name, value) =
        (record["name"].as_str().expect("a name"), record["value"].as_str().expect("a value"));
    names.set(name, value);
    owner.post(&verify, json!({})).await.expect(200);
    let superuser = system().superuser().await;
    let (db, dns) = (system().worker(), Dns::new(Some(names.serve().await)));
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
    get_at(&owner, &domain, "/api/v1/contacts").await.expect(200);
    // Back within the week: forgiven.
    names.set(name, value);
    later(6.5).await;
    assert!(shown().await.get("missing_since").is_none());
    names.set_all(name, &[]);
    later(1.5).await;
    later(6.0).await;
    get_at(&owner, &domain, "/api/v1/contacts").await.expect(200);
    later(1.5).await;
    get_at(&owner, &domain, "/api/v1/contacts").await.refused(404, "not_found");
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
async fn host_of_a_deleted_or_suspended_organization_gets_no_certificate() {
    let names = NameServer::default();
    let server = hosting_server(&names).await;
    let anonymous = Actor::anonymous().at(server.address());
    let ask =
        async |domain: &str| anonymous.get(&format!("/internal/tls/allow?domain={domain}")).await.status;
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
            tenant.suspend().await;
        }
        for host in &hosts {
            assert_eq!(ask(host).await, 404, "{host}");
        }
    }
}
