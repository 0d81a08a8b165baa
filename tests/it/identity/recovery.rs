use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher as _};
use serde_json::json;

use crate::harness::{Actor, PASSWORD, Tenant, system};

const NEW: &str = "one large copper teapot";

const LOGIN: &str = "/api/v1/auth/login";

async fn logs_in(email: &str, password: &str) -> bool {
    let answer = Actor::anonymous().post(LOGIN, json!({ "email": email, "password": password })).await;
    assert!(matches!(answer.status, 200 | 401), "{}", answer.text);
    answer.status == 200
}

#[tokio::test]
async fn password_change_ends_all_other_sessions() {
    let tenant = Tenant::new().await;
    let email = &tenant.staff.email;
    let body = json!({ "email": email, "password": PASSWORD });
    let here = Actor::anonymous().post(LOGIN, body).await.expect(200);
    let here = Actor::signed_in(&here);
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let path = "/api/v1/auth/password/change";
    here.post(path, change("wrong", NEW)).await.invalid("current_password", "wrong_password");
    here.post(path, change(PASSWORD, "short")).await.invalid("new_password", "too_short");
    here.post(path, change(PASSWORD, "password123")).await.invalid("new_password", "too_guessable");
    tenant.staff.get("/api/v1/contacts").await.expect(200);
    here.post(path, change(PASSWORD, NEW)).await.expect(204);
    tenant.staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    here.get("/api/v1/contacts").await.expect(200);
    assert!(!logs_in(email, PASSWORD).await && logs_in(email, NEW).await);
}

#[tokio::test]
async fn forgotten_password_is_reset_by_mail() {
    let tenant = Tenant::new().await;
    let email = tenant.staff.email.clone();
    let forgot = "/api/v1/auth/password/forgot";
    Actor::anonymous().post(forgot, json!({ "email": email.to_uppercase() })).await.expect(204);
    let token = system().token_mailed_to(&email).await;
    let mail = system().mail_to(&email).await;
    assert!(mail.contains(&format!("https://pages.example.com/reset-password#token={token}")), "{mail}");

    let reset = "/api/v1/auth/password/reset";
    let body = |token: &str, password: &str| json!({ "token": token, "new_password": password });
    let anonymous = Actor::anonymous();
    anonymous.post(reset, body(&token, "short")).await.invalid("new_password", "too_short");
    anonymous
        .post(reset, body(&token.replace("appointd_once_", ""), NEW))
        .await
        .invalid("token", "invalid_value");
    anonymous.post(reset, body(&token, NEW)).await.expect(204);
    anonymous.post(reset, body(&token, "yet another one of these")).await.invalid("token", "not_found");
    tenant.staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    assert!(!logs_in(&email, PASSWORD).await && logs_in(&email, NEW).await);
    let session = anonymous.post(LOGIN, json!({ "email": email, "password": NEW })).await.expect(200);
    let me = Actor::signed_in(&session).get("/api/v1/auth/me").await;
    assert_eq!(me.expect(200)["email_verified"], true, "the mail arrived");
}

#[tokio::test]
async fn repeated_password_resets_send_three_mails_and_tell_no_account() {
    let tenant = Tenant::new().await;
    let forgot = "/api/v1/auth/password/forgot";
    let unknown = Actor::anonymous().post(forgot, json!({ "email": "unknown@nowhere.example" })).await;
    for _ in 0..5 {
        let known = Actor::anonymous().post(forgot, json!({ "email": tenant.viewer.email })).await;
        assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    }
    assert_eq!(system().mails_to(&tenant.viewer.email, 3).await.len(), 3);
}

#[tokio::test]
async fn mailed_token_expires_and_serves_one_purpose() {
    let tenant = Tenant::new().await;
    let email = &tenant.manager.email;
    Actor::anonymous().post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(204);
    let token = system().token_mailed_to(email).await;
    tenant
        .manager
        .post("/api/v1/auth/email/verify", json!({ "token": token }))
        .await
        .invalid("token", "not_found");
    system()
        .superuser()
        .await
        .execute(
            "update identity.one_time_tokens set expires_at = now() where account_id = $1",
            &[&tenant.manager.account],
        )
        .await
        .expect("an end");
    let body = json!({ "token": token, "new_password": NEW });
    Actor::anonymous().post("/api/v1/auth/password/reset", body).await.invalid("token", "not_found");
    assert!(logs_in(email, PASSWORD).await);
}

#[tokio::test]
async fn email_address_is_verified_by_mail() {
    let tenant = Tenant::new().await;
    unverified(&tenant.admin).await;
    let request = "/api/v1/auth/email/request-verification";
    tenant.admin.post(request, json!({})).await.expect(204);
    tenant.admin.post(request, json!({})).await.refused(409, "email_requested");
    let token = system().token_mailed_to(&tenant.admin.email).await;
    assert_eq!(tenant.admin.get("/api/v1/auth/me").await.expect(200)["email_verified"], false);
    let verify = "/api/v1/auth/email/verify";
    // Opening a link proves that one reads the mail, and not that one registered.
    Actor::anonymous().post(verify, json!({ "token": token })).await.refused(401, "credentials_missing");
    tenant.staff.post(verify, json!({ "token": token })).await.invalid("token", "not_found");
    tenant.admin.post(verify, json!({ "token": token })).await.expect(204);
    tenant.admin.post(verify, json!({ "token": token })).await.invalid("token", "not_found");
    assert_eq!(tenant.admin.get("/api/v1/auth/me").await.expect(200)["email_verified"], true);
    tenant.admin.post(request, json!({})).await.refused(409, "email_verified");
}

#[tokio::test]
async fn imported_hash_is_replaced_at_the_first_log_in() {
    let tenant = Tenant::new().await;
    let superuser = system().superuser().await;
    let stored = async || -> String {
        superuser
            .query_one("select password_hash from identity.accounts where id = $1", &[&tenant.staff.account])
            .await
            .expect("an account")
            .get(0)
    };
    let set = async |hash: &str| {
        superuser
            .execute(
                "update identity.accounts set password_hash = $2 where id = $1",
                &[&tenant.staff.account, &hash],
            )
            .await
            .expect("a hash")
    };
    set(&bcrypt::hash("an old password", 4).expect("a hash")).await;
    assert!(!logs_in(&tenant.staff.email, "another password").await);
    assert!(stored().await.starts_with("$2b$"));
    assert!(logs_in(&tenant.staff.email, "an old password").await);
    assert!(stored().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(logs_in(&tenant.staff.email, "an old password").await);
    // And one of ours, of weaker parameters.
    let params = Params::new(64, 1, 1, None).expect("parameters");
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    set(&weak.hash_password(PASSWORD.as_bytes()).expect("a hash").to_string()).await;
    assert!(stored().await.contains("m=64,t=1,p=1"));
    assert!(logs_in(&tenant.staff.email, PASSWORD).await);
    assert!(stored().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn wrong_passwords_are_delayed_by_a_quarter_of_an_hour_at_most() {
    let tenant = Tenant::new().await;
    let guess = |password: &str| json!({ "email": tenant.staff.email, "password": password });
    let anonymous = Actor::anonymous();
    for _ in 0..11 {
        anonymous.post(LOGIN, guess("wrong")).await.refused(401, "credentials_invalid");
    }
    let answer = anonymous.post(LOGIN, guess(PASSWORD)).await;
    let wait: i64 = answer.header("retry-after").parse().expect("seconds");
    answer.refused(429, "too_many_attempts");
    assert!((1..=900).contains(&wait), "{wait}");
    // Others are not concerned, nor is the rest of the person's life.
    anonymous.post(LOGIN, json!({ "email": tenant.viewer.email, "password": PASSWORD })).await.expect(200);
    tenant.staff.get("/api/v1/contacts").await.expect(200);
    // As if the wait were over.
    system()
        .superuser()
        .await
        .execute(
            "update identity.sign_in_failures set blocked_until = now()
             where bucket = 'account_and_address'
                 and subject = sha256(sha256(convert_to($1::text, 'UTF8')) || identity.subscriber('127.0.0.1'))",
            &[&tenant.staff.email],
        )
        .await
        .expect("an end");
    anonymous.post(LOGIN, guess(PASSWORD)).await.expect(200);
    anonymous.post(LOGIN, guess("wrong")).await.refused(401, "credentials_invalid");

    // However long it goes on, a wait is never longer than a quarter of an hour.
    let superuser = system().superuser().await;
    let mut longest = 0;
    for _ in 0..40 {
        let wait = "select identity.wait_for('account_and_address', sha256('a subject'))";
        superuser.query_one(wait, &[]).await.expect("a wait");
        let count =
            "select identity.count_attempt('account_and_address', sha256('a subject'), 10, '15 minutes')";
        superuser.query_one(count, &[]).await.expect("a count");
        let wait: f64 = superuser
            .query_one(
                "select extract(epoch from greatest(blocked_until, now()) - now())::float8
                 from identity.sign_in_failures
                 where bucket = 'account_and_address' and subject = sha256('a subject')",
                &[],
            )
            .await
            .expect("a wait")
            .get(0);
        longest = longest.max(wait as i64);
        // As if it had passed.
        superuser
            .batch_execute(
                "update identity.sign_in_failures set blocked_until = now() where subject = sha256('a subject')",
            )
            .await
            .expect("an end");
    }
    assert!((890..=900).contains(&longest), "{longest}");
}

#[tokio::test]
async fn failed_log_ins_from_one_address_do_not_lock_out_others() {
    let tenant = Tenant::new().await;
    let gate = system().superuser().await;
    let sign_in = async |address: &str| -> i32 {
        gate.query_one(
            "select retry_after from identity.sign_in($1, $2::text::inet)",
            &[&tenant.staff.email, &address],
        )
        .await
        .expect("an attempt")
        .get(0)
    };
    let mut let_through = 0;
    for _ in 0..150 {
        let_through += i32::from(sign_in("203.0.113.7").await == 0);
    }
    assert_eq!(let_through, 11);
    assert_eq!(sign_in("198.51.100.1").await, 0, "from elsewhere the person gets in");
    // One subscriber has a whole /64.
    for n in 0..11 {
        assert_eq!(sign_in(&format!("2001:db8::{n:x}")).await, 0);
    }
    assert_ne!(sign_in("2001:db8::ffff").await, 0);
    assert_eq!(sign_in("2001:db8:0:1::1").await, 0);
}

#[tokio::test]
async fn wrong_passwords_with_a_token_are_counted() {
    let tenant = Tenant::new().await;
    let path = "/api/v1/auth/password/change";
    let change = |current: &str| json!({ "current_password": current, "new_password": NEW });
    for _ in 0..11 {
        tenant.staff.post(path, change("wrong")).await.invalid("current_password", "wrong_password");
    }
    tenant.staff.post(path, change(PASSWORD)).await.refused(429, "too_many_attempts");
    tenant.viewer.post(path, change(PASSWORD)).await.expect(204);
}

#[tokio::test]
async fn log_in_with_a_password_changed_meanwhile_is_refused() {
    let tenant = Tenant::new().await;
    let superuser = system().superuser().await;
    let hash: String = superuser
        .query_one("select password_hash from identity.accounts where id = $1", &[&tenant.staff.account])
        .await
        .expect("an account")
        .get(0);
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    tenant.staff.post("/api/v1/auth/password/change", change.clone()).await.expect(204);
    // As the server does once the password was compared with that hash.
    let outcome: String = superuser
        .query_one(
            "select outcome from identity.start_session(
                 $1, gen_random_uuid(), null, 'token', sha256('a secret'), null, '1 day', null, '127.0.0.1', $2, 'rehashed', null, null
             )",
            &[&tenant.staff.account, &hash],
        )
        .await
        .expect("an answer")
        .get(0);
    assert_eq!(outcome, "password_changed");
    assert!(logs_in(&tenant.staff.email, NEW).await, "and it has not brought the old one back");
    // Many at once, while it is changed: what began with the old password is over.
    let email = tenant.viewer.email.clone();
    let log_ins = (0..8).map(|_| {
        let body = json!({ "email": email, "password": PASSWORD });
        async move { Actor::anonymous().post(LOGIN, body).await }
    });
    let changing = tenant.viewer.post("/api/v1/auth/password/change", change);
    let (answers, changed) =
        futures_util::future::join(futures_util::future::join_all(log_ins), changing).await;
    // Hashing lets a few wait; it sends away those who wait too long.
    if changed.status == 204 {
        for answer in answers.into_iter().filter(|answer| answer.status == 200) {
            let token = answer.body["access_token"].as_str().expect("a token").to_owned();
            Actor::with_token(token).get("/api/v1/auth/me").await.refused(401, "session_ended");
        }
    } else {
        changed.refused(429, "too_many_requests");
    }
}

#[tokio::test]
async fn wrong_passwords_at_once_are_counted() {
    let tenant = Tenant::new().await;
    let guesses = (0..60).map(|n| {
        let body = json!({ "email": tenant.manager.email, "password": format!("guess {n}") });
        async move { Actor::anonymous().post(LOGIN, body).await }
    });
    let answers = futures_util::future::join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.body["code"] == "credentials_invalid").count();
    assert!(tried <= 11, "{tried} were looked at");
}

/// As registering leaves an account: its address is not verified.
async fn unverified(actor: &Actor) {
    system()
        .superuser()
        .await
        .execute("update identity.accounts set email_verified_at = null where id = $1", &[&actor.account])
        .await
        .expect("an unverified address");
}

#[tokio::test]
async fn unverified_account_cannot_invite_or_add_credentials() {
    let name = format!("squat{}", uuid::Uuid::new_v4().simple());
    let email = format!("{name}@victim.example");
    let registration = json!({
        "email": email, "password": PASSWORD, "organization_name": "Squat", "organization_slug": name,
    });
    let session = Actor::anonymous().post("/api/v1/auth/register", registration).await.expect(201);
    let squatter = Actor::signed_in(&session);
    squatter
        .patch("/api/v1/organizations/me/subscription", json!({ "plan_type": "enterprise" }))
        .await
        .expect(200);
    let refused = async |path: &str, body: serde_json::Value| {
        squatter.post(path, body).await.refused(403, "email_not_verified");
    };
    refused("/api/v1/auth/second-factor", json!({ "password": PASSWORD })).await;
    let friend = format!("f{}@example.com", uuid::Uuid::new_v4().simple());
    refused("/api/v1/invitations", json!({ "email": friend, "role": "admin" })).await;
    refused("/api/v1/api-keys", json!({ "name": "K", "role": "admin", "scopes": ["crm:read"] })).await;

    // The owner of the address takes it over with what is mailed to it.
    Actor::anonymous().post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(204);
    system().mails_to(&email, 2).await;
    let mails = system().mails_to(&email, 2).await;
    let mail = mails.iter().find(|mail| mail.contains("reset-password")).expect("a mail");
    let token = mail.rsplit_once("token: ").expect("a token").1.lines().next().expect("a line").trim();
    let body = json!({ "token": token, "new_password": NEW });
    Actor::anonymous().post("/api/v1/auth/password/reset", body).await.expect(204);
    squatter.get("/api/v1/auth/me").await.refused(401, "session_ended");
    assert!(!logs_in(&email, PASSWORD).await && logs_in(&email, NEW).await);
}

#[tokio::test]
async fn first_verification_ends_what_was_set_up_before() {
    for by_reset in [true, false] {
        let tenant = Tenant::new().await;
        let actor = &tenant.owner;
        // What an earlier holder can have left: a second factor, another session, a key, an invitation.
        let factor = "insert into identity.second_factors (account_id, secret, confirmed_at)
                      values ($1, '01234567890123456789', now())";
        let superuser = system().superuser().await;
        superuser.execute(factor, &[&actor.account]).await.expect("a second factor");
        let body = json!({ "name": "K", "role": "admin", "scopes": ["crm:read"] });
        let made = actor.post("/api/v1/api-keys", body).await.expect(201);
        let key = Actor::with_token(made["key"].as_str().expect("a key"));
        key.get("/api/v1/contacts").await.expect(200);
        let friend = format!("f{}@example.com", uuid::Uuid::new_v4().simple());
        actor.post("/api/v1/invitations", json!({ "email": friend, "role": "admin" })).await.expect(201);
        let invitation = system().token_mailed_to(&friend).await;
        let hook = json!({ "url": "https://hooks.example.com/x" });
        let hook = actor.post("/api/v1/webhook-endpoints", hook).await.created();
        let feed = actor.post("/api/v1/calendar-feeds", json!({ "name": "Feed" })).await.expect(201);
        let other = uuid::Uuid::now_v7();
        superuser
            .execute(
                "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
                 values ($1, $2, $3, 'token', sha256(uuid_send($2)), now() + interval '1 day')",
                &[&actor.account, &other, &tenant.id],
            )
            .await
            .expect("another session");
        let elsewhere = Actor::new(Some(tenant.id), actor.account, other, actor.email.clone());
        elsewhere.get("/api/v1/auth/me").await.expect(200);
        unverified(actor).await;

        if by_reset {
            let forgot = json!({ "email": actor.email });
            Actor::anonymous().post("/api/v1/auth/password/forgot", forgot).await.expect(204);
            let token = system().token_mailed_to(&actor.email).await;
            let body = json!({ "token": token, "new_password": NEW });
            Actor::anonymous().post("/api/v1/auth/password/reset", body).await.expect(204);
            actor.get("/api/v1/auth/me").await.refused(401, "session_ended");
            assert!(logs_in(&actor.email, NEW).await, "no second factor is asked for");
        } else {
            actor.post("/api/v1/auth/email/request-verification", json!({})).await.expect(204);
            let token = system().token_mailed_to(&actor.email).await;
            actor.post("/api/v1/auth/email/verify", json!({ "token": token })).await.expect(204);
            assert_eq!(actor.get("/api/v1/auth/me").await.expect(200)["second_factor"], false);
        }
        elsewhere.get("/api/v1/auth/me").await.refused(401, "session_ended");
        key.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
        let look = json!({ "token": invitation });
        Actor::anonymous().post("/api/v1/invitations/look", look).await.invalid("token", "not_found");
        let hook = tenant.admin.get(&format!("/api/v1/webhook-endpoints/{hook}")).await.expect(200);
        assert_eq!((&hook["enabled"], &hook["disabled_reason"]), (&json!(false), &json!("maker")));
        let feed = feed["path"].as_str().expect("a path");
        Actor::anonymous().get(feed).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn unverified_account_cannot_lead_data_or_visitors_elsewhere() {
    let tenant = Tenant::new().await;
    let owner = &tenant.owner;
    unverified(owner).await;
    let hook = json!({ "url": "https://hooks.example.com/x" });
    owner.post("/api/v1/webhook-endpoints", hook).await.refused(403, "email_not_verified");
    let domain = json!({ "domain": "squat.example" });
    owner.post("/api/v1/domains", domain).await.refused(403, "email_not_verified");
    let settings = "/api/v1/organizations/me/settings";
    let origins = |origins: &[&str]| json!({ "trusted_origins": origins });
    owner.patch(settings, origins(&["https://squat.example"])).await.refused(403, "email_not_verified");
    owner.patch(settings, json!({ "language": "de" })).await.expect(200);
    let branding = "/api/v1/organizations/me/branding";
    for field in ["logo_url", "favicon_url", "style_sheet_url"] {
        let changes = json!({ field: "https://squat.example/x" });
        owner.patch(branding, changes).await.refused(403, "email_not_verified");
    }
    owner.patch(branding, json!({ "primary_color": "#102030" })).await.expect(200);

    // What colleagues have set up can be ended, and neither changed nor taken over.
    let admin = &tenant.admin;
    let hook = json!({ "url": "https://hooks.example.com/x" });
    let path = format!(
        "/api/v1/webhook-endpoints/{}",
        admin.post("/api/v1/webhook-endpoints", hook).await.created()
    );
    for change in [
        json!({ "url": "https://squat.example/x" }),
        json!({ "payload": "ids" }),
        json!({ "types": ["contact.*"] }),
    ] {
        owner.patch(&path, change).await.refused(403, "email_not_verified");
    }
    owner.patch(&path, json!({ "enabled": false })).await.expect(200);
    owner.patch(&path, json!({ "enabled": true })).await.refused(403, "email_not_verified");
    owner.delete(&path).await.expect(204);
    admin.patch(settings, origins(&["https://shop.example"])).await.expect(200);
    owner.patch(settings, origins(&["https://squat.example"])).await.refused(403, "email_not_verified");
    owner.patch(settings, origins(&[])).await.expect(200);
}
