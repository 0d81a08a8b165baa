use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, system};

const KEY: &[u8] = b"the key of the tests, forty bytes of it..";

fn claims(tenant: &Tenant) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "sub": tenant.owner.account,
        "tenant_id": tenant.id,
        "iss": "appointd",
        "aud": "appointd-api",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "type": "access",
    })
}

fn header(tenant: &Tenant) -> Header {
    let token = tenant.owner.token.as_deref().expect("a token");
    jsonwebtoken::decode_header(token).expect("a header")
}

fn sign(header: &Header, claims: &Value, key: &[u8]) -> Actor {
    Actor::with_token(encode(header, claims, &EncodingKey::from_secret(key)).expect("a token"))
}

#[tokio::test]
async fn a_token_with_the_right_claims_is_taken() {
    // Or else the tests below prove nothing.
    let tenant = Tenant::new().await;
    sign(&header(&tenant), &claims(&tenant), KEY).get("/api/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_token_with_one_wrong_claim_is_not() {
    let tenant = Tenant::new().await;
    let now = Utc::now().timestamp();
    let wrong = [
        ("iss", json!("somebody")),
        ("aud", json!("another-api")),
        ("aud", json!(7)),
        ("nbf", json!(now + 600)),
        ("type", json!("refresh")),
        ("sub", json!("not a uuid")),
        ("tenant_id", Value::Null),
    ];
    for (name, value) in wrong {
        let mut claims = claims(&tenant);
        claims[name] = value;
        let answer = sign(&header(&tenant), &claims, KEY).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{name}");
        answer.refused(401, "token_invalid");
    }
    for name in ["sub", "tenant_id", "iss", "aud", "nbf", "exp", "type"] {
        let mut claims = claims(&tenant);
        claims.as_object_mut().expect("an object").remove(name);
        let answer = sign(&header(&tenant), &claims, KEY).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "without {name}");
    }
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let tenant = Tenant::new().await;
    let token = system()
        .tokens
        .issue(tenant.owner.account, tenant.id, Utc::now() - TimeDelta::seconds(3610))
        .expect("a token");
    Actor::with_token(token).get("/api/v1/auth/me").await.refused(401, "token_expired");
}

#[tokio::test]
async fn a_token_of_another_key_or_algorithm_is_not_taken() {
    let tenant = Tenant::new().await;
    let claims = claims(&tenant);
    let refused = async |actor: Actor| {
        actor.get("/api/v1/auth/me").await.refused(401, "token_invalid");
    };
    refused(sign(&header(&tenant), &claims, b"another key")).await;
    refused(sign(&Header { alg: Algorithm::HS512, ..header(&tenant) }, &claims, KEY)).await;
    refused(sign(&Header { kid: None, ..header(&tenant) }, &claims, KEY)).await;
    refused(sign(&Header { kid: Some("../../dev/null".into()), ..header(&tenant) }, &claims, KEY)).await;

    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = json!({ "alg": "none", "typ": "JWT", "kid": header(&tenant).kid });
    refused(Actor::with_token(format!("{}.{}.", part(none), part(claims.clone())))).await;

    // Ours, with another organization written into it.
    let token = tenant.owner.token.clone().expect("a token");
    let mut parts: Vec<_> = token.split('.').map(ToOwned::to_owned).collect();
    let mut forged = claims;
    forged["tenant_id"] = json!(Tenant::new().await.id);
    parts[1] = part(forged);
    refused(Actor::with_token(parts.join("."))).await;
}

#[tokio::test]
async fn a_valid_token_for_an_organization_one_is_no_member_of_opens_nothing() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let token = system().tokens.issue(tenant.owner.account, other.id, Utc::now()).expect("a token");
    Actor::with_token(token).get("/api/v1/organizations/me").await.refused(401, "session_ended");
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let long = "x".repeat(20_000);
    for token in ["", "x", "a.b.c", "....", "Bearer", long.as_str()] {
        let answer = Actor::with_token(token).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{token:.20}");
    }
    let nobody = Actor::nobody();
    for value in ["Basic YTpi", "Bearer", "bearer\tx"] {
        let request = nobody.request(reqwest::Method::GET, "/api/v1/auth/me").header("authorization", value);
        nobody.send(request).await.refused(401, "credentials_missing");
    }
}
