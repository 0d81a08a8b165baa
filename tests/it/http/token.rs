use appointd::http::token::{Kind, SigningKey, Subject, Tokens};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, jwk::JwkSet};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, KEY, Tenant, secret_of, system};

fn claims(tenant: &Tenant) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "sub": tenant.owner.account,
        "sid": tenant.owner.session,
        "tenant_id": tenant.id,
        "key": URL_SAFE_NO_PAD.encode(tenant.owner.session.as_bytes()),
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

/// PKCS #8 of an Ed25519 key, as the library wants it.
fn key(seed: [u8; 32]) -> EncodingKey {
    let prefix = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
    EncodingKey::from_ed_der(&[&prefix[..], &seed].concat())
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> Actor {
    Actor::with_token(encode(header, claims, key).expect("a token"))
}

fn subject(tenant: &Tenant) -> Subject {
    let session = tenant.owner.session;
    Subject {
        account: tenant.owner.account,
        session,
        secret: secret_of(session),
        organization: Some(tenant.id),
    }
}

#[tokio::test]
async fn token_with_right_claims_is_accepted() {
    // Or else the tests below prove nothing.
    let tenant = Tenant::new().await;
    sign(&header(&tenant), &claims(&tenant), &key(KEY)).get("/api/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn token_without_the_secret_of_its_session_has_expired() {
    // Of a version whose sessions had none: the client refreshes it.
    let tenant = Tenant::new().await;
    let mut claims = claims(&tenant);
    claims.as_object_mut().expect("claims").remove("key");
    sign(&header(&tenant), &claims, &key(KEY)).get("/api/v1/auth/me").await.refused(401, "token_expired");
}

#[tokio::test]
async fn token_with_a_wrong_claim_is_refused() {
    let tenant = Tenant::new().await;
    let now = Utc::now().timestamp();
    let wrong = [
        ("iss", json!("another")),
        ("aud", json!("another-api")),
        ("aud", json!(7)),
        ("nbf", json!(now + 600)),
        ("type", json!("refresh")),
        ("type", json!("cookie")),
        ("sub", json!("not a uuid")),
        ("sid", json!("not a uuid")),
        ("tenant_id", json!("not a uuid")),
    ];
    for (name, value) in wrong {
        let mut claims = claims(&tenant);
        claims[name] = value;
        let answer = sign(&header(&tenant), &claims, &key(KEY)).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{name}");
        answer.refused(401, "token_invalid");
    }
    for name in ["sub", "sid", "iss", "aud", "nbf", "exp", "type"] {
        let mut claims = claims(&tenant);
        claims.as_object_mut().expect("an object").remove(name);
        let answer = sign(&header(&tenant), &claims, &key(KEY)).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "without {name}");
    }
}

#[tokio::test]
async fn expired_token_is_refused_as_expired() {
    let tenant = Tenant::new().await;
    let token = system()
        .tokens
        .issue(&subject(&tenant), Utc::now() - TimeDelta::seconds(15 * 60 + 10))
        .expect("a token");
    Actor::with_token(token).get("/api/v1/auth/me").await.refused(401, "token_expired");
}

#[tokio::test]
async fn cached_token_expires() {
    let tenant = Tenant::new().await;
    // Good for two more seconds, with the five that clocks may differ.
    let issued = Utc::now() - TimeDelta::seconds(15 * 60 + 3);
    let token = system().tokens.issue(&subject(&tenant), issued).expect("a token");
    let actor = Actor::with_token(token);
    for _ in 0..3 {
        actor.get("/api/v1/auth/me").await.expect(200);
    }
    tokio::time::sleep(std::time::Duration::from_millis(3500)).await;
    actor.get("/api/v1/auth/me").await.refused(401, "token_expired");
}

#[tokio::test]
async fn token_of_another_key_or_algorithm_is_refused() {
    let tenant = Tenant::new().await;
    let claims = claims(&tenant);
    let refused = async |actor: Actor| {
        actor.get("/api/v1/auth/me").await.refused(401, "token_invalid");
    };
    refused(sign(&header(&tenant), &claims, &key([9; 32]))).await;
    refused(sign(&Header { kid: None, ..header(&tenant) }, &claims, &key(KEY))).await;
    refused(sign(&Header { kid: Some("../../dev/null".into()), ..header(&tenant) }, &claims, &key(KEY)))
        .await;
    // The public key is no secret to sign with.
    let keys = Actor::anonymous().get("/.well-known/jwks.json").await.expect(200);
    let public = keys["keys"][0]["x"].as_str().expect("a key").to_owned();
    for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).expect("base64")] {
        let hmac = Header { alg: Algorithm::HS256, ..header(&tenant) };
        refused(sign(&hmac, &claims, &EncodingKey::from_secret(&secret))).await;
    }

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
async fn token_for_an_organization_of_others_is_refused() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let elsewhere = Subject { organization: Some(other.id), ..subject(&tenant) };
    let token = system().tokens.issue(&elsewhere, Utc::now()).expect("a token");
    Actor::with_token(token).get("/api/v1/organizations/me").await.refused(401, "session_ended");
}

#[tokio::test]
async fn malformed_token_is_refused() {
    let long = "x".repeat(20_000);
    for token in ["", "x", "a.b.c", "....", "Bearer", long.as_str()] {
        let answer = Actor::with_token(token).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{token:.20}");
    }
    let anonymous = Actor::anonymous();
    for value in ["Basic YTpi", "Bearer", "bearer\tx"] {
        let request =
            anonymous.request(reqwest::Method::GET, "/api/v1/auth/me").header("authorization", value);
        anonymous.send(request).await.refused(401, "credentials_missing");
    }
}

#[tokio::test]
async fn published_keys_verify_a_token() {
    let tenant = Tenant::new().await;
    let keys: JwkSet =
        serde_json::from_value(Actor::anonymous().get("/.well-known/jwks.json").await.expect(200))
            .expect("a JSON Web Key Set");
    let token = tenant.owner.token.clone().expect("a token");
    let kid = header(&tenant).kid.expect("a key id");
    let key = DecodingKey::from_jwk(keys.find(&kid).expect("the key of the token")).expect("a key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["appointd-api"]);
    let decoded = decode::<Value>(&token, &key, &validation).expect("a valid token");
    assert_eq!(decoded.claims["tenant_id"], json!(tenant.id));
}

#[test]
fn key_rotation_invalidates_no_token() {
    let (old, new) = (SigningKey::from_bytes([1; 32]), SigningKey::from_bytes([2; 32]));
    let tokens = |keys: &[&SigningKey]| {
        let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
        Tokens::new(&keys, &[SigningKey::from_bytes([3; 32])]).expect("keys")
    };
    let (account, session) = (Uuid::now_v7(), Uuid::now_v7());
    let subject = Subject { account, session, secret: secret_of(session), organization: None };
    // As docs/deploy.md says: the next one at the end, then in front, then alone.
    let steps = [tokens(&[&old]), tokens(&[&old, &new]), tokens(&[&new, &old]), tokens(&[&new])];
    for pair in steps.windows(2) {
        // Servers of both steps run side by side.
        for (issuer, verifier) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let token = issuer.issue(&subject, Utc::now()).expect("a token");
            let last = issuer.key_set().keys.len() == 2 && verifier.key_set().keys.len() == 1;
            let verified = verifier.verify(&token, Kind::Access);
            assert!(verified.is_ok() || (last && verifier.key_set() != issuer.key_set()), "{verified:?}");
        }
    }
    let token = steps[1].issue(&subject, Utc::now()).expect("a token");
    assert!(steps[2].verify(&token, Kind::Access).is_ok(), "made by the old, after the change");
    assert!(steps[3].verify(&token, Kind::Access).is_err(), "once the old one is dropped");
    assert_eq!(steps[1].key_set().keys.len(), 2);
    let cookie = steps[1].issue_cookie(&subject, "x".into(), Utc::now()).expect("a cookie");
    assert!(steps[1].verify(&cookie, Kind::Access).is_err(), "a cookie is no access token");
    assert!(steps[1].verify(&token, Kind::Cookie).is_err(), "and the other way round");
    assert!(Tokens::new(&[], std::slice::from_ref(&old)).is_none() && Tokens::new(&[old], &[]).is_none());
}
