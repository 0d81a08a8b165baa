use std::time::Instant;

use chrono::Utc;
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::harness::{Actor, PASSWORD, Tenant, private_system, system, within};

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

/// As if every wait were over.
async fn waited(actor: &Actor) {
    system()
        .superuser()
        .await
        .execute(
            "update identity.sign_in_failures set blocked_until = now()
             where subject = sha256(convert_to($1::text, 'UTF8'))",
            &[&actor.account.to_string()],
        )
        .await
        .expect("an end");
}

#[tokio::test]
async fn wrong_code_is_counted_until_a_code_was_right_wherever_it_is_asked_for() {
    let tenant = Tenant::new().await;
    let actor = &tenant.staff;
    let password = json!({ "password": PASSWORD });
    let (confirm, remove) = (format!("{FACTOR}/confirm"), format!("{FACTOR}/remove"));
    let factor = actor.post(FACTOR, password.clone()).await.expect(200);
    let never = |shift: i64| {
        // None of the three codes that are good now.
        let good: Vec<_> = [-30, 0, 30].map(|seconds| code(&factor, seconds + shift)).into();
        (0..1000).map(|n| format!("{n:06}")).find(|guess| !good.contains(guess)).expect("a wrong code")
    };
    for _ in 0..11 {
        actor.post(&confirm, json!({ "code": never(0) })).await.invalid("code", "invalid_value");
    }
    let right = json!({ "code": code(&factor, -30) });
    actor.post(&confirm, right.clone()).await.refused(429, "too_many_attempts");
    waited(actor).await;
    let confirmed = actor.post(&confirm, json!({ "code": code(&factor, -30) })).await.expect(200);
    let recovery = confirmed["recovery_codes"].clone();

    let both = |code: &str| json!({ "password": PASSWORD, "code": code });
    for n in 0..11 {
        // Signing in and taking the factor away count together; a right password in between forgives no code.
        if n % 2 == 0 {
            actor.post(&remove, both(&never(0))).await.invalid("code", "invalid_value");
        } else {
            sign_in(actor, Some(&never(0))).await.refused(401, "second_factor_invalid");
        }
        if n % 4 == 0 {
            actor.post(FACTOR, password.clone()).await.refused(409, "second_factor_active");
        }
    }
    let code_now = code(&factor, 0);
    let answer = actor.post(&remove, both(&code_now)).await;
    let wait: i64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=3600).contains(&wait), "{wait}");
    answer.refused(429, "too_many_attempts");
    sign_in(actor, Some(recovery[0].as_str().expect("a code"))).await.refused(429, "too_many_attempts");
    assert_eq!(actor.get("/api/v1/auth/me").await.expect(200)["second_factor"], true);
    // A stranger without the password holds nobody up: their codes are not looked at.
    let other = &tenant.viewer;
    for _ in 0..3 {
        let body = json!({ "email": other.email, "password": "wrong", "code": "000000" });
        Actor::nobody().post(LOGIN, body).await.refused(401, "credentials_invalid");
    }
    waited(actor).await;
    sign_in(actor, Some(recovery[0].as_str().expect("a code"))).await.expect(200);
    // Which was right: counting begins at nothing.
    actor.post(&remove, both(&never(0))).await.invalid("code", "invalid_value");
    actor.post(&remove, both(recovery[1].as_str().expect("a code"))).await.expect(204);
}

#[tokio::test]
async fn many_codes_at_once_are_counted_too() {
    // Its crowd would make other tests wait for a sign-in.
    within(private_system(&[]).await, async {
        let tenant = Tenant::new().await;
        let actor = &tenant.manager;
        let factor = actor.post(FACTOR, json!({ "password": PASSWORD })).await.expect(200);
        actor.post(&format!("{FACTOR}/confirm"), json!({ "code": code(&factor, 0) })).await.expect(200);
        let began = Instant::now();
        let guesses = (0..40).map(|n| {
            let body = json!({ "password": PASSWORD, "code": format!("{n:06}") });
            async move { actor.post(&format!("{FACTOR}/remove"), body).await }
        });
        let answers = futures_util::future::join_all(guesses).await;
        let looked_at = answers.iter().filter(|answer| answer.status == 422).count();
        // Ten are free, and the eleventh begins a wait of two seconds, which doubles: one more for each that has passed.
        let waits = [2, 6, 14, 30, 62].into_iter().filter(|end| began.elapsed().as_secs() >= *end).count();
        assert!(looked_at <= 11 + waits, "{looked_at} of 40 were looked at in {:?}", began.elapsed());
        assert!(looked_at >= 10, "{looked_at}: {answers:?}");
    })
    .await;
}
