use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, PASSWORD, Tenant, system};

fn registration() -> (Value, String) {
    let name = format!("r{}", Uuid::new_v4().simple());
    let email = format!("{name}@example.com");
    let body = json!({
        "email": email,
        "password": PASSWORD,
        "full_name": "Ada Lovelace",
        "organization_name": "Lovelace Consulting",
        "organization_slug": name,
    });
    (body, email)
}

#[tokio::test]
async fn register_account_creates_an_owner_and_an_organization() {
    let (body, email) = registration();
    let answer = Actor::anonymous().post("/api/v1/auth/register", body.clone()).await;
    assert_eq!(answer.header("location"), "/api/v1/auth/me");
    let session = answer.expect(201);
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("bearer"), &json!(900)));

    let actor = Actor::signed_in(&session);
    let me = actor.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me["email"], email);
    assert_eq!(me["role"], "owner");
    assert_eq!(me["full_name"], "Ada Lovelace");
    let organization = actor.get("/api/v1/organizations/me").await.expect(200);
    assert_eq!(organization["id"], me["organization_id"]);
    assert_eq!(organization["slug"], body["organization_slug"]);
    assert_eq!(organization["time_zone"], "UTC");
}

#[tokio::test]
async fn failed_registration_leaves_no_account() {
    let (first, _) = registration();
    Actor::anonymous().post("/api/v1/auth/register", first.clone()).await.expect(201);

    let (mut second, email) = registration();
    second["organization_slug"] = first["organization_slug"].clone();
    Actor::anonymous().post("/api/v1/auth/register", second.clone()).await.refused(409, "slug_taken");
    let accounts = system()
        .superuser()
        .await
        .query("select from identity.accounts where email = $1", &[&email])
        .await
        .expect("a count");
    assert!(accounts.is_empty(), "the account went with the organization");

    let (mut third, _) = registration();
    third["email"] = json!(first["email"].as_str().expect("text").to_uppercase());
    Actor::anonymous().post("/api/v1/auth/register", third).await.refused(409, "email_taken");
}

#[tokio::test]
async fn registrations_at_once_of_one_slug_get_one() {
    let (template, _) = registration();
    let attempts = (0..8).map(|n| {
        let mut body = template.clone();
        body["email"] = json!(format!("{n}-{}", template["email"].as_str().expect("text")));
        async move { Actor::anonymous().post("/api/v1/auth/register", body).await.status }
    });
    let mut statuses = futures_util::future::join_all(attempts).await;
    statuses.sort_unstable();
    // Hashing lets a few wait; those it sends away did nothing.
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| matches!(status, 409 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn register_account_with_a_wrong_field_names_it() {
    let wrong = [
        ("email", json!("no address"), "invalid_value"),
        ("email", json!(7), "invalid_type"),
        ("email", json!(format!("{}@example.com", "a".repeat(250))), "invalid_value"),
        ("password", json!("short"), "too_short"),
        ("password", json!("password123"), "too_guessable"),
        ("password", json!("x".repeat(300)), "too_long"),
        ("organization_name", json!("  "), "too_short"),
        ("organization_name", json!("a\u{0}b"), "invalid_value"),
        ("organization_slug", json!("Acme"), "invalid_value"),
        ("organization_slug", json!("-acme"), "invalid_value"),
        ("organization_slug", json!("аcme"), "invalid_value"),
        ("full_name", json!("x".repeat(201)), "too_long"),
        ("role", json!("admin"), "unknown_field"),
    ];
    for (field, value, code) in wrong {
        let (mut body, _) = registration();
        body[field] = value;
        Actor::anonymous().post("/api/v1/auth/register", body).await.invalid(field, code);
    }
    let (mut body, _) = registration();
    body.as_object_mut().expect("an object").remove("organization_slug");
    Actor::anonymous().post("/api/v1/auth/register", body).await.invalid("organization_slug", "required");
}

#[tokio::test]
async fn password_made_of_own_names_is_refused() {
    let (mut body, _) = registration();
    body["organization_name"] = json!("Brambleforge");
    body["password"] = json!("brambleforge1");
    Actor::anonymous().post("/api/v1/auth/register", body).await.invalid("password", "too_guessable");
}

#[tokio::test]
async fn log_in_accepts_json_and_forms() {
    let tenant = Tenant::new().await;
    let anonymous = Actor::anonymous();
    let email = tenant.staff.email.to_uppercase();
    let session = anonymous
        .post("/api/v1/auth/login", json!({ "email": email, "password": PASSWORD }))
        .await
        .expect(200);
    let me = Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200);
    assert_eq!((&me["role"], &me["id"]), (&json!("staff"), &json!(tenant.staff.account)));

    let form = |body: String| {
        let request = anonymous
            .request(Method::POST, "/api/v1/auth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        anonymous.send(request)
    };
    let password = PASSWORD.replace(' ', "+");
    form(format!("grant_type=password&username={}&password={password}", tenant.staff.email))
        .await
        .expect(200);
    form(format!("username={}", tenant.staff.email)).await.invalid("password", "required");
}

#[tokio::test]
async fn failed_log_in_does_not_tell_which_accounts_exist() {
    let tenant = Tenant::new().await;
    let login = |email: String, password: &str| {
        let body = json!({ "email": email, "password": password });
        async move { Actor::anonymous().post("/api/v1/auth/login", body).await }
    };
    let wrong = login(tenant.staff.email.clone(), "another password").await;
    let unknown = login("unknown@nowhere.example".into(), PASSWORD).await;
    assert_eq!(wrong.header("www-authenticate"), unknown.header("www-authenticate"));
    let mut wrong = wrong.refused(401, "credentials_invalid");
    let mut unknown = unknown.refused(401, "credentials_invalid");
    wrong["request_id"].take();
    unknown["request_id"].take();
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn long_password_estimate_does_not_delay_other_requests() {
    // Of the kind that takes longest.
    let password: String = "4@8({[<36!1|0$5+7%2'*6)".repeat(5).chars().take(100).collect();
    let register = async {
        let (mut body, _) = registration();
        body["password"] = json!(password);
        Actor::anonymous().post("/api/v1/auth/register", body).await.status
    };
    let others = async {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let started = std::time::Instant::now();
        for _ in 0..4 {
            Actor::anonymous().get("/health/live").await.expect(200);
        }
        started.elapsed()
    };
    let (status, waited) = futures_util::future::join(register, others).await;
    assert!(matches!(status, 201 | 429), "{status}");
    assert!(waited < std::time::Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn log_ins_at_once_are_delayed_and_do_not_fail() {
    let tenant = Tenant::new().await;
    let body = json!({ "email": tenant.owner.email, "password": PASSWORD });
    let attempts = (0..40).map(|_| {
        let body = body.clone();
        async move { Actor::anonymous().post("/api/v1/auth/login", body).await.status }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    // No attempt was wrong, so the account is not blocked once the others have ended.
    let mut status = 429;
    for _ in 0..10 {
        status = Actor::anonymous().post("/api/v1/auth/login", body.clone()).await.status;
        if status != 429 {
            break;
        }
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn address_in_two_spellings_is_one_account() {
    let name = format!("i{}", Uuid::new_v4().simple());
    let (mut body, _) = registration();
    body["email"] = json!(format!("{name}@BÜCHER.example"));
    let session = Actor::anonymous().post("/api/v1/auth/register", body).await.expect(201);
    let me = Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me["email"], json!(format!("{name}@xn--bcher-kva.example")));
    let (mut again, _) = registration();
    again["email"] = json!(format!("{name}@xn--bcher-kva.example"));
    Actor::anonymous().post("/api/v1/auth/register", again).await.refused(409, "email_taken");
    // Composed and decomposed.
    for spelling in
        ["bücher.example", "bu\u{308}cher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"]
    {
        let body = json!({ "email": format!("{name}@{spelling}"), "password": PASSWORD });
        Actor::anonymous().post("/api/v1/auth/login", body).await.expect(200);
    }
}
