use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::future::join_all;
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::harness::{Actor, PASSWORD, Tenant, system};

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
    Actor::anonymous().post(LOGIN, body).await
}

#[tokio::test]
async fn second_factor_is_set_up_used_and_removed() {
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
    Actor::anonymous().post(LOGIN, body).await.refused(401, "credentials_invalid");
    // The cookie asks for it too.
    let body = json!({ "email": actor.email, "password": PASSWORD });
    Actor::anonymous().post("/api/v1/auth/web-session", body).await.refused(401, "second_factor_required");

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
async fn wrong_codes_of_every_operation_count_until_a_right_one() {
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
    // Codes that come with a wrong password are not compared, so they do not count.
    let other = &tenant.viewer;
    for _ in 0..3 {
        let body = json!({ "email": other.email, "password": "wrong", "code": "000000" });
        Actor::anonymous().post(LOGIN, body).await.refused(401, "credentials_invalid");
    }
    waited(actor).await;
    sign_in(actor, Some(recovery[0].as_str().expect("a code"))).await.expect(200);
    // Which was right: counting begins at nothing.
    actor.post(&remove, both(&never(0))).await.invalid("code", "invalid_value");
    actor.post(&remove, both(recovery[1].as_str().expect("a code"))).await.expect(204);
}

/// What `identity.count_attempt` prescribes for codes: ten may be wrong. The eleventh is compared as well, and so is
/// each further one that is sent after the wait, but it blocks the next for 2, 4, 8, 16, … seconds, counted from the
/// beginning of its transaction. A transaction that began before the wait was over is refused, also if it had to wait
/// for the others at the row. So of any number of codes at once eleven are compared; the twelfth can follow after 2
/// seconds, the thirteenth after 2 + 4, the n-th after 2 + 4 + … + 2^(n - 11) = 2^(n - 10) - 2.
fn most_compared(within: Duration) -> usize {
    11 + (1..20).take_while(|waits| within.as_secs() >= (2 << waits) - 2).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_at_once_are_compared_up_to_the_wait() {
    let tenant = Tenant::new().await;
    let actor = &tenant.manager;
    let factor = actor.post(FACTOR, json!({ "password": PASSWORD })).await.expect(200);
    let good = [-30, 0, 30, 60].map(|seconds| code(&factor, seconds));
    let wrong = (0..).map(|n| format!("{n:06}")).filter(|code| !good.contains(code)).take(40);
    let began = Instant::now();
    let path = format!("{FACTOR}/confirm");
    let answers = join_all(wrong.map(|code| actor.post(&path, json!({ "code": code })))).await;
    let within = began.elapsed();
    let compared = answers.iter().filter(|answer| answer.status == 422).count();
    let refused = answers.iter().filter(|answer| answer.body["code"] == "too_many_attempts").count();
    assert_eq!(compared + refused, 40, "{answers:?}");
    assert!((11..=most_compared(within)).contains(&compared), "{compared} of 40 were compared in {within:?}");
}

/// The same in the database, where no time passes: every transaction has begun before the first is counted.
#[tokio::test]
async fn wrong_codes_of_transactions_that_began_together_are_compared_eleven_times() {
    let tenant = Tenant::new().await;
    tenant.manager.post(FACTOR, json!({ "password": PASSWORD })).await.expect(200);
    let clients = join_all((0..40).map(|_| system().superuser())).await;
    // `now()` is the beginning of a transaction. Once all have begun within the first wait, the rest may take any time.
    loop {
        let began = Instant::now();
        join_all(clients.iter().map(|client| client.batch_execute("rollback; begin"))).await;
        if began.elapsed() < Duration::from_secs(2) {
            break;
        }
    }
    let waits = join_all(clients.iter().map(async |client| -> i32 {
        let attempt = "select identity.code_attempt($1)";
        let wait = client.query_one(attempt, &[&tenant.manager.account]).await.expect("an attempt").get(0);
        client.batch_execute("commit").await.expect("a count");
        wait
    }))
    .await;
    assert_eq!(waits.iter().filter(|wait| **wait == 0).count(), 11, "{waits:?}");
}
