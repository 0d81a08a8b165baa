//! Entering: what a request claims counts for nothing until it has entered, who may not call an operation is told so
//! before anything else, and what is found at one host is found at no other.

use std::num::NonZeroU32;

use appointd::http::{
    client::Network,
    limit::Rates,
    secret::{ApiKey, Secret},
    token::Subject,
};
use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, PASSWORD, Tenant, address, operations, secret_of, system,
    walking::{filled, id_of, query},
};

/// Requests of an organization that were written down.
async fn counted(tenant: Uuid) -> i64 {
    let sql = "select coalesce(sum(requests), 0)::bigint from tenancy.usage_days where tenant_id = $1";
    system().superuser().await.query_one(sql, &[&tenant]).await.expect("a sum").get(0)
}

#[tokio::test]
async fn request_counts_only_for_the_organization_it_entered() {
    let tenant = Tenant::new().await;
    let server = system().server_with(Rates::default(), Network::default()).await;
    let made_up = Secret::<ApiKey>::draw(tenant.id, Uuid::now_v7()).reveal();
    let stranger = Actor::with_token(made_up).at(server.address());
    for _ in 0..10 {
        stranger.get("/.well-known/jwks.json").await.expect(200);
        stranger.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
        stranger.get("/api/v1/nothing").await.refused(404, "unknown_path");
    }
    let subject = Subject {
        account: tenant.staff.account,
        session: Uuid::now_v7(),
        secret: secret_of(tenant.staff.session),
        organization: Some(tenant.id),
    };
    let ended = Actor::with_token(system().tokens.issue(&subject, Utc::now()).expect("a token"));
    ended.at(server.address()).get("/api/v1/contacts?limit=x").await.refused(401, "session_ended");
    let viewer = tenant.viewer.at(server.address());
    for _ in 0..3 {
        viewer.get("/api/v1/contacts").await.expect(200);
    }
    tokio::task::spawn_blocking(move || server.stop()).await.expect("no panic");
    assert_eq!(counted(tenant.id).await, 3);
}

#[tokio::test]
async fn made_up_secret_does_not_use_up_the_limit_of_a_key() {
    let tenant = Tenant::new().await;
    let rates = Rates { key: NonZeroU32::new(3), ..Rates::default() };
    let server = system().server_with(rates, Network::default()).await;
    let (key, _) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    let key = key.at(server.address());
    let good = Secret::<ApiKey>::parse(key.token.as_deref().expect("a key")).expect("a whole key");
    let guessed = Secret::<ApiKey>::draw(good.first, good.second).reveal();
    let stranger = Actor::with_token(guessed).at(server.address());
    for _ in 0..3 {
        stranger.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
    }
    stranger.get("/api/v1/contacts").await.refused(429, "rate_limited");
    for _ in 0..3 {
        key.get("/api/v1/contacts").await.expect(200);
    }
    key.get("/api/v1/contacts").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn ended_session_does_not_use_up_the_limit_of_an_organization() {
    let tenant = Tenant::on_plan(&super::limits::plan(5).await).await;
    let server = system().server_with(Rates::default(), Network::default()).await;
    let issue = |session: Uuid| {
        let subject = Subject {
            account: tenant.staff.account,
            session,
            secret: secret_of(session),
            organization: Some(tenant.id),
        };
        Actor::with_token(system().tokens.issue(&subject, Utc::now()).expect("a token")).at(server.address())
    };
    let removed = issue(Uuid::now_v7());
    for _ in 0..20 {
        removed.get("/api/v1/contacts").await.refused(401, "session_ended");
    }
    let staff = issue(tenant.staff.session);
    for _ in 0..4 {
        staff.get("/api/v1/contacts").await.expect(200);
    }
}

#[tokio::test]
async fn low_role_is_refused_before_a_wrong_request() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let mut tried = 0;
    for operation in operations() {
        let (role, actor) = match operation.role() {
            None | Some("account") => continue,
            Some("viewer") => ("customer", &tenant.customer),
            Some("customer") => ("viewer", &tenant.viewer),
            Some("staff") => ("viewer", &tenant.viewer),
            Some("manager") => ("staff", &tenant.staff),
            Some("admin") => ("manager", &tenant.manager),
            Some(_) => ("admin", &tenant.admin),
        };
        let needs = operation.role().expect("a role").to_owned();
        let path = filled(&operation.path, id_of(&furnished));
        let method: Method = operation.method.parse().expect("a method");
        let mut requests = vec![actor.request(method.clone(), &format!("{path}?nothing=1"))];
        if operation.path.contains('{') {
            requests.push(actor.request(method.clone(), &filled(&operation.path, |_| "x".to_owned())));
        }
        if operation.example().is_some() {
            let with = |body: &'static str| {
                actor.request(method.clone(), &path).header("content-type", "application/json").body(body)
            };
            requests.extend([with("{"), with(r#"{"nothing": 1}"#), with("[]")]);
            requests
                .push(actor.request(method.clone(), &path).header("content-type", "text/plain").body("{}"));
        }
        for request in requests {
            let code = if needs == "customer" { "customer_required" } else { "role_too_low" };
            let refused = actor.send(request).await.refused(403, code);
            let detail = refused["detail"].as_str().expect("a text");
            let named = if needs == "customer" { "customers".to_owned() } else { format!("role {needs}") };
            assert!(detail.contains(&named), "{}: {detail}", operation.id());
            assert!(detail.ends_with(&format!(" is {role}.")), "{}: {detail}", operation.id());
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
    // Who may is told what is wrong.
    let body = json!({ "nothing": 1 });
    tenant.manager.post("/api/v1/closures", body.clone()).await.invalid("nothing", "unknown_field");
    tenant.viewer.get("/api/v1/contacts?nothing=1").await.refused(400, "invalid_parameter");
    // A session that has ended comes first as well.
    let ended = Actor::new(Some(tenant.id), tenant.owner.account, Uuid::now_v7(), String::new());
    ended.post("/api/v1/closures", body).await.refused(401, "session_ended");
}

#[tokio::test]
async fn refusal_names_the_missing_feature_scope_or_role() {
    let detail = |refused: Value| refused["detail"].as_str().expect("a text").to_owned();
    let basic = Tenant::on_plan("basic").await;
    let domain = json!({ "domain": "feature.example.com" });
    let refused = basic.owner.post("/api/v1/domains", domain).await.refused(403, "feature_not_in_plan");
    let said = detail(refused);
    // Other tests make plans of their own.
    assert!(said.starts_with("This needs the feature custom_branding, which the plan"), "{said}");
    assert!(said.contains(" enterprise ") && !said.contains("basic"), "{said}");

    let tenant = Tenant::new().await;
    let change = json!({ "features": { "appointments": false } });
    tenant.owner.patch("/api/v1/organizations/me/subscription", change).await.expect(200);
    let body = json!({ "name": "Ada" });
    let refused = tenant.admin.post("/api/v1/providers", body).await.refused(403, "feature_not_in_plan");
    assert_eq!(
        detail(refused),
        "This needs the feature appointments, which is switched off for the organization."
    );

    let (reader, _) = tenant.owner.api_key("staff", &["crm:read"]).await;
    let contact = json!({ "first_name": "A", "last_name": "B" });
    let refused = reader.post("/api/v1/contacts", contact.clone()).await.refused(403, "scope_missing");
    assert_eq!(detail(refused), "This needs the scope crm:write, which the API key does not have.");
    let (viewer, _) = tenant.owner.api_key("viewer", &["crm:write"]).await;
    let refused = viewer.post("/api/v1/contacts", contact).await.refused(403, "role_too_low");
    assert_eq!(detail(refused), "This needs the role staff or a higher one; yours is viewer.");
}

#[tokio::test]
async fn data_of_an_organization_at_a_foreign_host_is_not_found() {
    let network = Network { base_domain: Some("book.test".to_owned()), ..Network::default() };
    let server = system().server_with(Rates::default(), network).await;
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let furnished = tenant.furnished().await;
    let mut hosts = Vec::new();
    for organization in [&tenant, &other] {
        let subdomain = format!("s{}", Uuid::new_v4().simple());
        let change = json!({ "subdomain": subdomain });
        organization.admin.patch("/api/v1/organizations/me", change).await.expect(200);
        hosts.push(format!("{subdomain}.book.test"));
    }
    let [own, foreign] = hosts.as_slice() else { panic!("two hosts") };
    let (owner, customer) = (tenant.owner.at(server.address()), tenant.customer.at(server.address()));
    let mut tried = 0;
    for operation in operations() {
        let actor = match operation.role() {
            None => continue,
            Some("customer") => &customer,
            Some(_) => &owner,
        };
        let path = format!("{}{}", filled(&operation.path, id_of(&furnished)), query(&operation));
        let method: Method = operation.method.parse().expect("a method");
        for host in [foreign.as_str(), "unknown.book.test"] {
            let mut request = actor.request(method.clone(), &path).header("host", host);
            if let Some(body) = operation.example() {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = actor.send(request).await;
            // These are about a browser's session, of which the token is none.
            let unasked = answer.body["code"] == "token_session";
            assert!(answer.status == 404 || unasked, "{} at {host}: {}", operation.id(), answer.text);
        }
        tried += 1;
    }
    assert!(tried > 80, "{tried}");
    let me = async |host: &str| {
        owner.send(owner.request(Method::GET, "/api/v1/auth/me").header("host", host)).await.status
    };
    assert_eq!((me(own).await, me("book.test").await), (200, 200));

    // A calendar feed.
    let feed = tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "Mine" })).await.expect(201);
    let anonymous = Actor::anonymous().at(server.address());
    let calendar = async |host: &str| {
        let path = feed["path"].as_str().expect("a path");
        anonymous.send(anonymous.request(Method::GET, path).header("host", host)).await.status
    };
    assert_eq!((calendar(own).await, calendar("book.test").await, calendar(foreign).await), (200, 200, 404));

    // A refresh token: it stays good where it belongs.
    let slug = tenant.slug().await;
    let body = json!({ "email": tenant.staff.email, "password": PASSWORD, "organization_slug": slug });
    let tokens = anonymous.post("/api/v1/auth/login", body).await.expect(200);
    let refresh = async |host: &str, token: &Value| {
        let request = anonymous.request(Method::POST, "/api/v1/auth/refresh").header("host", host);
        let body = json!({ "refresh_token": token }).to_string();
        anonymous.send(request.header("content-type", "application/json").body(body)).await
    };
    refresh(foreign, &tokens["refresh_token"]).await.refused(401, "refresh_token_invalid");
    refresh(own, &tokens["refresh_token"]).await.expect(200);

    // An invitation.
    let email = address();
    tenant.admin.post("/api/v1/invitations", json!({ "email": email, "role": "staff" })).await.expect(201);
    let token = system().token_mailed_to(&email).await;
    let look = async |host: &str| {
        let request = anonymous.request(Method::POST, "/api/v1/invitations/look").header("host", host);
        let body = json!({ "token": token }).to_string();
        anonymous.send(request.header("content-type", "application/json").body(body)).await.status
    };
    assert_eq!((look(foreign).await, look(own).await), (422, 200));
}
