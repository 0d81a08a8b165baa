//! Attacks by HTTP with credentials, roles and bodies, made from the description: an operation is attacked the day
//! it exists.

use appointd::http::{
    secret::{ApiKey, Secret},
    token::Subject,
};
use chrono::{TimeDelta, Utc};
use reqwest::Method;
use uuid::Uuid;

use crate::harness::{
    Actor, Tenant, operations, scopes, secret_of, system,
    walking::{OPEN, actor_of, filled, id_of, send, takes_away},
};

#[tokio::test]
async fn operation_without_credentials_is_refused() {
    for operation in operations() {
        let is_open = OPEN.contains(&operation.id());
        assert_eq!(operation.role().is_none(), is_open, "{}", operation.id());
        if is_open {
            continue;
        }
        // Before anything is said about body or parameters.
        let path = filled(&operation.path, |_| "x".to_owned());
        let method: Method = operation.method.parse().expect("a method");
        let anonymous = Actor::anonymous();
        let answer = anonymous.send(anonymous.request(method.clone(), &path).body("{")).await;
        answer.refused(401, "credentials_missing");
        let forger = Actor::with_token("a.b.c");
        forger.send(forger.request(method, &path).body("{")).await.refused(401, "token_invalid");
    }
}

#[tokio::test]
async fn operation_with_a_lower_role_is_refused() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(lowest) = operation.role().map(ToOwned::to_owned) else {
            continue;
        };
        let path = filled(&operation.path, id_of(&furnished));
        let mut admitted = lowest == "account";
        let actors = [("customer", &tenant.customer)].into_iter().chain(tenant.members());
        for (role, actor) in actors {
            // A customer is no lower kind of viewer.
            let admitted_now = match lowest.as_str() {
                "account" => true,
                "customer" => role == "customer",
                lowest => {
                    admitted |= role == lowest;
                    admitted && role != "customer"
                }
            };
            if admitted_now && takes_away(&operation) {
                continue;
            }
            let answer = send(actor, &operation, &path).await;
            let code = if lowest == "customer" { "customer_required" } else { "role_too_low" };
            let refused = answer.status == 403 && answer.body["code"] == code;
            assert_eq!(refused, !admitted_now, "{} as {role}: {}", operation.id(), answer.text);
        }
        assert!(admitted || lowest == "customer", "{} is for the role {lowest}", operation.id());
    }
}

#[tokio::test]
async fn unknown_field_in_a_body_is_refused() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for operation in operations() {
        let Some(mut body) = operation.example() else {
            continue;
        };
        for name in ["tenant_id", "created_by", "updated_at"] {
            body[name] = "x".into();
            let path = filled(&operation.path, id_of(&furnished));
            let method: Method = operation.method.parse().expect("a method");
            let actor = actor_of(&tenant, &operation);
            actor.with_body(method, &path, body.clone()).await.invalid(name, "unknown_field");
            body.as_object_mut().expect("an object").remove(name);
        }
    }
}

#[tokio::test]
async fn credentials_that_are_invalid_are_refused_by_every_operation() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let furnished = tenant.furnished().await;
    let superuser = system().superuser().await;
    let issue =
        |subject: &Subject, when| Actor::with_token(system().tokens.issue(subject, when).expect("a token"));
    let subject = |actor: &Actor, organization: Uuid| Subject {
        account: actor.account,
        session: actor.session,
        secret: secret_of(actor.session),
        organization: Some(organization),
    };
    let expired = issue(&subject(&tenant.owner, tenant.id), Utc::now() - TimeDelta::hours(1));
    let early = issue(&subject(&tenant.owner, tenant.id), Utc::now() + TimeDelta::hours(1));
    let of_no_account = issue(
        &Subject { account: Uuid::now_v7(), session: Uuid::now_v7(), ..subject(&tenant.owner, tenant.id) },
        Utc::now(),
    );
    let with_a_foreign_session =
        issue(&Subject { account: other.owner.account, ..subject(&tenant.owner, tenant.id) }, Utc::now());
    let with_another_secret = issue(
        &Subject { secret: secret_of(tenant.staff.session), ..subject(&tenant.owner, tenant.id) },
        Utc::now(),
    );
    let stranger = issue(&subject(&other.owner, tenant.id), Utc::now());
    let ended = crate::harness::person(tenant.id, "owner").await;
    superuser
        .execute("delete from identity.sessions where id = $1", &[&ended.session])
        .await
        .expect("no session");
    let mut flipped = tenant.owner.token.clone().expect("a token");
    let last = flipped.pop().expect("a character");
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    let broken = Actor::with_token(flipped);
    let (revoked, _) = tenant.owner.api_key("admin", &scopes()).await;
    superuser
        .execute("update tenancy.api_keys set revoked_at = now() where tenant_id = $1", &[&tenant.id])
        .await
        .expect("revoked keys");
    let (others_key, _) = other.owner.api_key("admin", &scopes()).await;
    // The secret of theirs, said to be of ours.
    let secret =
        others_key.token.as_deref().map(Secret::<ApiKey>::parse).expect("a key").expect("a whole one");
    let id = secret.second;
    let forged = Actor::with_token(secret.about(tenant.id, id).reveal());
    let theirs = [
        ("expired", expired),
        ("not good yet", early),
        ("of an unknown account", of_no_account),
        ("with a foreign session", with_a_foreign_session),
        ("with the secret of another session", with_another_secret),
        ("of a session that has ended", ended),
        ("with a broken signature", broken),
        ("a revoked key", revoked),
    ];
    for operation in operations() {
        let Some(role) = operation.role().map(ToOwned::to_owned) else { continue };
        let path = filled(&operation.path, id_of(&furnished));
        for (what, actor) in &theirs {
            let answer = send(actor, &operation, &path).await;
            // Some operations accept no key, and some no token.
            let unasked = (answer.body["code"] == "person_required" && *what == "a revoked key")
                || answer.body["code"] == "token_session";
            assert!(
                answer.status == 401 || unasked,
                "{} with a token {what}: {}",
                operation.id(),
                answer.text
            );
        }
        if role == "account" {
            continue;
        }
        // Good ones, for another organization.
        let answer = send(&stranger, &operation, &path).await;
        assert_eq!(answer.status, 401, "{} by a stranger: {}", operation.id(), answer.text);
        let answer = send(&forged, &operation, &path).await;
        assert!(matches!(answer.status, 401 | 403), "{} with another's key: {}", operation.id(), answer.text);
    }
}
