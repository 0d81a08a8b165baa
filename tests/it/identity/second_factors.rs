use chrono::Utc;
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::harness::{Actor, PASSWORD, Tenant};

const LOGIN: &str = "/api/v1/auth/login";
const FACTOR: &str = "/api/v1/auth/second-factor";

/// As an authenticator app does: from the URL of the QR code.
fn code(factor: &Value, seconds_from_now: i64) -> String {
    let totp = Totp::from_url(factor["otpauth_url"].as_str().expect("a URL")).expect("a factor");
    totp.generate((Utc::now().timestamp() + seconds_from_now).unsigned_abs()).to_string()
}

async fn sign_in(actor: &Actor, code: Option<&str>) -> crate::harness::Answer {
    let mut body = json!({ "email": actor.email, "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    Actor::nobody().post(LOGIN, body).await
}

#[tokio::test]
async fn a_second_factor_from_beginning_to_end() {
    let tenant = Tenant::new().await;
    let actor = &tenant.staff;
    let password = json!({ "password": PASSWORD });
    actor.post(FACTOR, json!({ "password": "wrong" })).await.invalid("password", "wrong_password");
    actor
        .post(&format!("{FACTOR}/confirm"), json!({ "code": "000000" }))
        .await
        .refused(409, "second_factor_absent");
    let factor = actor.post(FACTOR, password.clone()).await.expect(200);
    assert!(factor["otpauth_url"].as_str().is_some_and(|url| url.starts_with("otpauth://totp/")), "{factor}");
    sign_in(actor, None).await.expect(200);

    let confirm = format!("{FACTOR}/confirm");
    let wrong = if code(&factor, 0) == "123456" { "654321" } else { "123456" };
    actor.post(&confirm, json!({ "code": wrong })).await.invalid("code", "invalid_value");
    // A step back, so that the next ones are not used yet.
    let confirmed = actor.post(&confirm, json!({ "code": code(&factor, -30) })).await.expect(200);
    let recovery: Vec<String> =
        serde_json::from_value(confirmed["recovery_codes"].clone()).expect("recovery codes");
    assert_eq!(recovery.len(), 10);
    actor.post(FACTOR, password.clone()).await.refused(409, "second_factor_active");
    assert_eq!(actor.get("/api/v1/auth/me").await.expect(200)["second_factor"], true);

    sign_in(actor, None).await.refused(401, "second_factor_required");
    sign_in(actor, Some(wrong)).await.refused(401, "second_factor_invalid");
    sign_in(actor, Some(&code(&factor, -30))).await.refused(401, "second_factor_invalid");
    let now = code(&factor, 0);
    let (one, two) = futures_util::future::join(sign_in(actor, Some(&now)), sign_in(actor, Some(&now))).await;
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "a code is good once, also for two at once");

    sign_in(actor, Some(&recovery[0].to_uppercase())).await.expect(200);
    sign_in(actor, Some(&recovery[0])).await.refused(401, "second_factor_invalid");
    sign_in(actor, Some(&recovery[1].replace('-', " "))).await.expect(200);
    // A wrong password says nothing of factors.
    let body = json!({ "email": actor.email, "password": "wrong", "code": recovery[2] });
    Actor::nobody().post(LOGIN, body).await.refused(401, "credentials_invalid");
    // The cookie asks for it too.
    let body = json!({ "email": actor.email, "password": PASSWORD });
    Actor::nobody().post("/api/v1/auth/web-session", body).await.refused(401, "second_factor_required");

    let remove = format!("{FACTOR}/remove");
    let both = |password: &str, code: &str| json!({ "password": password, "code": code });
    actor.post(&remove, both("wrong", &recovery[3])).await.invalid("password", "wrong_password");
    for used in [&recovery[0], &now, &wrong.to_owned()] {
        actor.post(&remove, both(PASSWORD, used)).await.invalid("code", "invalid_value");
    }
    actor.post(&remove, both(PASSWORD, &recovery[3])).await.expect(204);
    actor.post(&remove, both(PASSWORD, &recovery[4])).await.refused(409, "second_factor_absent");
    sign_in(actor, None).await.expect(200);
}
