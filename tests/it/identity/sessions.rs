use futures_util::future::join_all;
use reqwest::{Method, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, Answer, PASSWORD, Tenant, person, system};

const LOGIN: &str = "/api/v1/auth/login";

const REFRESH: &str = "/api/v1/auth/refresh";

async fn log_in(email: &str) -> Value {
    Actor::anonymous().post(LOGIN, json!({ "email": email, "password": PASSWORD })).await.expect(200)
}

async fn refresh(session: &Value) -> Answer {
    Actor::anonymous().post(REFRESH, json!({ "refresh_token": session["refresh_token"] })).await
}

#[tokio::test]
async fn refreshing_replaces_the_tokens_each_time() {
    let tenant = Tenant::new().await;
    let mut session = log_in(&tenant.staff.email).await;
    for _ in 0..3 {
        Actor::signed_in(&session).get("/api/v1/contacts").await.expect(200);
        let next = refresh(&session).await.expect(200);
        assert_eq!(next["organization_id"], json!(tenant.id));
        assert_ne!(next["refresh_token"], session["refresh_token"]);
        session = next;
    }
}

#[tokio::test]
async fn refreshing_by_a_suspended_member_enters_no_organization() {
    let tenant = Tenant::new().await;
    let session = log_in(&tenant.staff.email).await;
    let member = format!("/api/v1/members/{}", tenant.staff.account);
    tenant.admin.post(&format!("{member}/suspend"), json!({})).await.expect(200);
    let suspended = refresh(&session).await.expect(200);
    assert_eq!(suspended.get("organization_id"), None);
    tenant.admin.post(&format!("{member}/reactivate"), json!({})).await.expect(200);
    let back = refresh(&suspended).await.expect(200);
    assert_eq!(back["organization_id"], json!(tenant.id));
    Actor::signed_in(&back).get("/api/v1/contacts").await.expect(200);
}

#[tokio::test]
async fn reused_refresh_token_ends_the_session() {
    let tenant = Tenant::new().await;
    let stolen = log_in(&tenant.staff.email).await;
    let other = log_in(&tenant.staff.email).await;
    let next = refresh(&stolen).await.expect(200);
    used_long_ago(&tenant.staff).await;
    refresh(&stolen).await.refused(401, "refresh_token_reused");
    refresh(&next).await.refused(401, "refresh_token_invalid");
    Actor::signed_in(&next).get("/api/v1/contacts").await.refused(401, "session_ended");
    Actor::signed_in(&other).get("/api/v1/contacts").await.expect(200);
}

/// As if every use of a refresh token were eleven seconds longer ago: the leeway is ten.
async fn used_long_ago(actor: &Actor) {
    system()
        .superuser()
        .await
        .execute(
            "update identity.refresh_tokens set used_at = used_at - interval '11 seconds'
             where account_id = $1 and used_at is not null",
            &[&actor.account],
        )
        .await
        .expect("a while");
}

#[tokio::test]
async fn refresh_token_reused_within_seconds_gets_the_same_successor() {
    let tenant = Tenant::new().await;
    let session = log_in(&tenant.staff.email).await;
    // Two tabs, and eight more, at once; or the answer got lost.
    let answers = join_all((0..10).map(|_| refresh(&session))).await;
    let successors: Vec<Value> =
        answers.into_iter().map(|answer| answer.expect(200)["refresh_token"].clone()).collect();
    assert!(successors.iter().all(|successor| *successor == successors[0]), "one successor for all");
    assert_ne!(successors[0], session["refresh_token"]);
    let first = refresh(&session).await.expect(200);
    Actor::signed_in(&first).get("/api/v1/contacts").await.expect(200);
    // A tab that is late gets the last successor, also when another tab went on meanwhile.
    let second = refresh(&first).await.expect(200);
    assert_eq!(refresh(&session).await.expect(200)["refresh_token"], second["refresh_token"]);
    assert_eq!(refresh(&first).await.expect(200)["refresh_token"], second["refresh_token"]);
    let tokens: i64 = system()
        .superuser()
        .await
        .query_one(
            "select count(*) from identity.refresh_tokens where account_id = $1",
            &[&tenant.staff.account],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(tokens, 3, "no answer made another token");

    // After that the family ends.
    used_long_ago(&tenant.staff).await;
    refresh(&session).await.refused(401, "refresh_token_reused");
    refresh(&second).await.refused(401, "refresh_token_invalid");
    Actor::signed_in(&second).get("/api/v1/contacts").await.refused(401, "session_ended");
}

#[tokio::test]
async fn malformed_refresh_token_is_refused() {
    let tenant = Tenant::new().await;
    let session = log_in(&tenant.staff.email).await;
    let mut text = session["refresh_token"].as_str().expect("a token").to_owned();
    for token in
        ["", "appointd_refresh_", "appointd_refresh_AAAA", tenant.staff.token.as_deref().expect("a token")]
    {
        Actor::anonymous()
            .post(REFRESH, json!({ "refresh_token": token }))
            .await
            .invalid("refresh_token", "invalid_value");
    }
    // Of the right form, with another secret: knowing a session is not enough to end it.
    let last = if text.ends_with('A') { 'Q' } else { 'A' };
    text.pop();
    text.push(last);
    Actor::anonymous()
        .post(REFRESH, json!({ "refresh_token": text }))
        .await
        .refused(401, "refresh_token_invalid");
    refresh(&session).await.expect(200);
}

#[tokio::test]
async fn logging_out_ends_the_session_at_once() {
    let tenant = Tenant::new().await;
    let (session, other) = (log_in(&tenant.staff.email).await, log_in(&tenant.staff.email).await);
    Actor::signed_in(&session).post("/api/v1/auth/logout", json!({})).await.expect(204);
    Actor::signed_in(&session).get("/api/v1/contacts").await.refused(401, "session_ended");
    Actor::signed_in(&session).get("/api/v1/auth/me").await.refused(401, "session_ended");
    refresh(&session).await.refused(401, "refresh_token_invalid");
    Actor::signed_in(&other).get("/api/v1/contacts").await.expect(200);
}

#[tokio::test]
async fn account_lists_and_ends_its_own_sessions() {
    let tenant = Tenant::new().await;
    let (first, second) = (log_in(&tenant.staff.email).await, log_in(&tenant.staff.email).await);
    let listed = Actor::signed_in(&first).get("/api/v1/auth/sessions").await.expect(200);
    // That of the harness, and two.
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3));
    let current: Vec<_> = listed["items"].as_array().expect("a list").iter().map(|s| &s["current"]).collect();
    assert_eq!(current, [false, true, false]);
    assert_eq!(listed["items"][1]["address"], "127.0.0.1");
    let page = Actor::signed_in(&first).get("/api/v1/auth/sessions?limit=2").await.expect(200);
    let rest = Actor::signed_in(&first)
        .get(&format!("/api/v1/auth/sessions?cursor={}", page["next_cursor"].as_str().expect("a cursor")))
        .await
        .expect(200);
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));

    let id = listed["items"][2]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/auth/sessions/{id}");
    tenant.viewer.delete(&path).await.refused(404, "not_found");
    Actor::signed_in(&first).delete(&path).await.expect(204);
    Actor::signed_in(&second).get("/api/v1/contacts").await.refused(401, "session_ended");
    Actor::signed_in(&first).delete("/api/v1/auth/sessions").await.expect(204);
    tenant.staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    Actor::signed_in(&first).get("/api/v1/contacts").await.expect(200);
}

#[tokio::test]
async fn expired_session_is_refused() {
    let tenant = Tenant::new().await;
    system()
        .superuser()
        .await
        .execute(
            "update identity.sessions set expires_at = now() where account_id = $1",
            &[&tenant.staff.account],
        )
        .await
        .expect("an end");
    tenant.staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    tenant.staff.get("/api/v1/auth/me").await.refused(401, "session_ended");
}

#[tokio::test]
async fn log_in_with_several_organizations_needs_a_choice() {
    let (tenant, other, third) = (Tenant::new().await, Tenant::new().await, Tenant::new().await);
    let both = person(tenant.id, "staff").await;
    other.admit(both.account, "viewer").await;
    third.admit(both.account, "customer").await;
    let body = json!({ "email": both.email, "password": PASSWORD });
    let refused = Actor::anonymous().post(LOGIN, body.clone()).await.refused(409, "organization_ambiguous");
    let choices = refused["organizations"].as_array().expect("a list");
    assert_eq!(choices.len(), 3);
    for (tenant, role) in [(&tenant, "staff"), (&other, "viewer"), (&third, "customer")] {
        let choice = choices.iter().find(|choice| choice["organization_id"] == json!(tenant.id));
        let mut body = body.clone();
        body["organization_slug"] = choice.expect("the organization")["slug"].clone();
        let session = Actor::anonymous().post(LOGIN, body).await.expect(200);
        assert_eq!(session["organization_id"], json!(tenant.id));
        assert_eq!(Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200)["role"], role);
    }
    let mut elsewhere = body.clone();
    elsewhere["organization_slug"] = json!("unknown");
    Actor::anonymous().post(LOGIN, elsewhere).await.refused(403, "not_a_member");
    // A wrong password does not tell which organizations the account belongs to.
    let wrong = json!({ "email": both.email, "password": "wrong", "organization_slug": "unknown" });
    Actor::anonymous().post(LOGIN, wrong).await.refused(401, "credentials_invalid");
}

#[tokio::test]
async fn switching_organization_moves_the_session() {
    let (tenant, other, foreign) = (Tenant::new().await, Tenant::new().await, Tenant::new().await);
    let both = person(tenant.id, "staff").await;
    let before = log_in(&both.email).await;
    other.admit(both.account, "viewer").await;
    let actor = Actor::signed_in(&before);
    let listed = actor.get("/api/v1/auth/organizations").await.expect(200);
    let ids: Vec<_> =
        listed["items"].as_array().expect("a list").iter().map(|m| &m["organization_id"]).collect();
    assert_eq!(ids, [&json!(tenant.id), &json!(other.id)]);

    let switch = "/api/v1/auth/switch";
    for nowhere in [foreign.id, Uuid::now_v7()] {
        actor.post(switch, json!({ "organization_id": nowhere })).await.refused(404, "not_found");
    }
    let after = actor.post(switch, json!({ "organization_id": other.id })).await.expect(200);
    let me = Actor::signed_in(&after).get("/api/v1/auth/me").await.expect(200);
    assert_eq!((&me["organization_id"], &me["role"]), (&json!(other.id), &json!("viewer")));
    actor.get("/api/v1/contacts").await.refused(401, "session_ended");
    // A tab that was about to refresh follows; all that do get the same token, for where the session is now.
    let followed = refresh(&before).await.expect(200);
    assert_eq!(followed["organization_id"], json!(other.id));
    assert_eq!(refresh(&before).await.expect(200)["refresh_token"], followed["refresh_token"]);
    Actor::signed_in(&followed).get("/api/v1/auth/me").await.expect(200);
    used_long_ago(&both).await;
    refresh(&before).await.refused(401, "refresh_token_reused");
    // Which was the first sign of a thief, and ended the session.
    Actor::signed_in(&after).get("/api/v1/contacts").await.refused(401, "session_ended");
}

#[tokio::test]
async fn web_session_needs_cookie_and_csrf_token() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let both = person(tenant.id, "staff").await;
    let body = json!({ "email": both.email, "password": PASSWORD });
    let answer = Actor::anonymous().post("/api/v1/auth/web-session", body).await;
    let set = answer.header("set-cookie").to_owned();
    for attribute in ["__Host-appointd=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(set.contains(attribute), "{set}");
    }
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let session = answer.expect(200);
    let csrf = session["csrf_token"].as_str().expect("a token").to_owned();
    let anonymous = Actor::anonymous();
    let send = async |method: Method, path: &str, cookie: &str, csrf: Option<&str>, body: Value| {
        let mut request = anonymous
            .request(method, path)
            .header(header::COOKIE, format!("theme=dark; {cookie}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        if let Some(csrf) = csrf {
            request = request.header("x-csrf-token", csrf);
        }
        anonymous.send(request).await
    };
    let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
    send(Method::GET, "/api/v1/contacts", &cookie, None, Value::Null).await.expect(200);
    for wrong in [None, Some(""), Some("x"), Some(&csrf[1..])] {
        send(Method::POST, "/api/v1/contacts", &cookie, wrong, contact.clone())
            .await
            .refused(403, "csrf_token_invalid");
    }
    send(Method::POST, "/api/v1/contacts", &cookie, Some(&csrf), contact.clone()).await.expect(201);
    let again = send(Method::GET, "/api/v1/auth/web-session", &cookie, None, Value::Null).await.expect(200);
    assert_eq!(again["csrf_token"], json!(csrf));
    // A cookie is no bearer token, and a bearer token no cookie.
    let value = cookie.split_once('=').expect("a pair").1;
    Actor::with_token(value).get("/api/v1/contacts").await.refused(401, "token_invalid");
    let forged = format!("__Host-appointd={}", both.token.as_deref().expect("a token"));
    send(Method::GET, "/api/v1/contacts", &forged, None, Value::Null).await.refused(401, "token_invalid");

    other.admit(both.account, "viewer").await;
    let to = json!({ "organization_id": other.id });
    send(Method::POST, "/api/v1/auth/switch", &cookie, Some(&csrf), to.clone())
        .await
        .refused(409, "cookie_session");
    let switched =
        send(Method::POST, "/api/v1/auth/web-session/switch", &cookie, Some(&csrf), to.clone()).await;
    let new_cookie = switched.header("set-cookie").split(';').next().expect("a pair").to_owned();
    let new_csrf = switched.expect(200)["csrf_token"].as_str().expect("a token").to_owned();
    send(Method::GET, "/api/v1/contacts", &cookie, None, Value::Null).await.refused(401, "session_ended");
    send(Method::GET, "/api/v1/contacts", &new_cookie, None, Value::Null).await.expect(200);
    let out = send(Method::POST, "/api/v1/auth/logout", &new_cookie, Some(&new_csrf), json!({})).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    out.expect(204);
    send(Method::GET, "/api/v1/contacts", &new_cookie, None, Value::Null).await.refused(401, "session_ended");
}

#[tokio::test]
async fn account_without_organization_can_create_one() {
    let tenant = Tenant::new().await;
    system()
        .superuser()
        .await
        .execute("delete from tenancy.members where account_id = $1", &[&tenant.staff.account])
        .await
        .expect("a removal");
    let session = log_in(&tenant.staff.email).await;
    assert_eq!(session.get("organization_id"), None);
    let actor = Actor::signed_in(&session);
    actor.get("/api/v1/contacts").await.refused(403, "organization_required");
    let me = actor.get("/api/v1/auth/me").await.expect(200);
    assert_eq!((me.get("organization_id"), me.get("role")), (None, None));
    assert_eq!(refresh(&session).await.expect(200).get("organization_id"), None);
    let name = format!("n{}", Uuid::new_v4().simple());
    let id = actor.post("/api/v1/organizations", json!({ "name": name, "slug": name })).await.created();
    let session = log_in(&tenant.staff.email).await;
    assert_eq!(session["organization_id"], json!(id));
    assert_eq!(Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200)["role"], "owner");
}
