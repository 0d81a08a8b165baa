//! Rate limits, whom they count, and that no organization starves another.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use appointd::{
    db::Context,
    http::{
        client::Network,
        limit::Rates,
        secret::{ApiKey, Secret},
    },
};
use serde_json::json;

use crate::harness::{Actor, Answer, PASSWORD, Tenant, system};

pub fn rate(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}

/// How many of so many requests are let through; the first that is not is a whole refusal.
async fn let_through(actor: &Actor, attempts: usize) -> usize {
    let mut passed = 0;
    for _ in 0..attempts {
        let answer = actor.get("/api/v1/contacts").await;
        if answer.status != 429 {
            passed += 1;
            continue;
        }
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(answer.header("ratelimit").contains("r=0;t="), "{answer:?}");
        answer.refused(429, "rate_limited");
    }
    passed
}

#[tokio::test]
async fn address_account_and_key_have_separate_limits() {
    let tenant = Tenant::new().await;
    let accounts =
        system().server_with(Rates { account: rate(5), ..Rates::default() }, Network::default()).await;
    let (staff, viewer) = (tenant.staff.at(accounts.address()), tenant.viewer.at(accounts.address()));
    let answer: Answer = staff.get("/api/v1/contacts").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""account";q=5;w=60, "organization";q=12000;w=60"#);
    assert!(answer.header("ratelimit").starts_with(r#""account";r=4;t=0, "organization";r=11999;"#));
    assert_eq!(let_through(&staff, 8).await, 4);
    assert_eq!(let_through(&viewer, 8).await, 5, "others are not concerned");

    let keys = system().server_with(Rates { key: rate(3), ..Rates::default() }, Network::default()).await;
    let (key, _) = tenant.owner.api_key("viewer", &["crm:read"]).await;
    let key = key.at(keys.address());
    assert_eq!(let_through(&key, 6).await, 3);
    assert_eq!(let_through(&tenant.staff.at(keys.address()), 6).await, 6);

    let addresses =
        system().server_with(Rates { address: rate(4), ..Rates::default() }, Network::default()).await;
    assert_eq!(let_through(&tenant.staff.at(addresses.address()), 3).await, 3);
    let anonymous = Actor::anonymous().at(addresses.address());
    assert_eq!(let_through(&anonymous, 3).await, 1, "also without a token");
    anonymous.get("/health/live").await.expect(200);
}

#[tokio::test]
async fn slot_listing_counts_by_its_providers_and_days() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    for _ in 0..4 {
        tenant.provider().await;
    }
    let one = tenant.provider().await;
    // Each comes back after six seconds, one at a time.
    let accounts =
        system().server_with(Rates { account: rate(10), ..Rates::default() }, Network::default()).await;
    let viewer = tenant.viewer.at(accounts.address());
    let slots = |from: &str, to: &str| format!("/api/v1/services/{service}/slots?from={from}&to={to}");
    // A day of five providers: one request. 62 days of them: 310 days, four.
    let answer = viewer.get(&slots("2031-05-05", "2031-05-06")).await;
    assert!(answer.header("ratelimit").starts_with(r#""account";r=9;"#), "{answer:?}");
    answer.expect(200);
    let long = slots("2031-05-05", "2031-07-06");
    let answer = viewer.get(&long).await;
    assert!(answer.header("ratelimit").starts_with(r#""account";r=5;"#), "{answer:?}");
    answer.expect(200);
    let answer = viewer.get(&format!("{long}&provider_id={one}")).await;
    assert!(answer.header("ratelimit").starts_with(r#""account";r=4;"#), "{answer:?}");
    answer.expect(200);
    viewer.get(&long).await.expect(200);
    let answer = viewer.get(&long).await;
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    answer.refused(429, "rate_limited");
    // Guests pay for it as members do.
    let addresses =
        system().server_with(Rates { address: rate(10), ..Rates::default() }, Network::default()).await;
    let path = format!("/api/v1/guest/services/{service}/slots?organization_slug={}", tenant.slug().await);
    let guest = Actor::anonymous().at(addresses.address());
    let listed = guest.get(&format!("{path}&from=2031-05-05&to=2031-07-06")).await;
    assert_eq!(listed.header("ratelimit"), r#""address";r=6;t=0"#);
    listed.expect(200);
}

#[tokio::test]
async fn anonymous_writing_has_its_own_limit() {
    let server =
        system().server_with(Rates { anonymous: rate(3), ..Rates::default() }, Network::default()).await;
    let anonymous = Actor::anonymous().at(server.address());
    let body = json!({ "email": "unknown@nowhere.example" });
    for _ in 0..3 {
        anonymous.post("/api/v1/auth/password/forgot", body.clone()).await.expect(204);
    }
    anonymous.post("/api/v1/auth/password/forgot", body).await.refused(429, "rate_limited");
    anonymous
        .post("/api/v1/auth/login", json!({ "email": "x", "password": "y" }))
        .await
        .refused(429, "rate_limited");
    anonymous.get("/api/v1/contacts").await.refused(401, "credentials_missing");
    // What only looks like a key is no way around.
    let likeness = format!("appointd_key_{}", "A".repeat(86));
    let pretender = Actor::with_token(likeness).at(server.address());
    pretender
        .post("/api/v1/auth/login", json!({ "email": "x", "password": "y" }))
        .await
        .refused(429, "rate_limited");
    let tenant = Tenant::new().await;
    tenant
        .staff
        .at(server.address())
        .post("/api/v1/contacts", json!({ "first_name": "A", "last_name": "B" }))
        .await
        .expect(201);
}

/// A plan of a test's own with everything, and so many requests a minute.
pub async fn plan(requests_per_minute: i32) -> String {
    let letters = |c: char| if c.is_ascii_digit() { 'x' } else { c };
    let plan: String = format!("p{}", uuid::Uuid::new_v4().simple()).chars().map(letters).collect();
    let superuser = system().superuser().await;
    superuser
        .execute(
            "insert into tenancy.plans (plan_type, position, requests_per_minute)
             select $1, 1000 + (random() * 1000000000)::integer, $2",
            &[&plan, &requests_per_minute],
        )
        .await
        .expect("a plan");
    superuser
        .execute(
            "insert into tenancy.plan_features (plan_type, feature) select $1, feature from tenancy.features",
            &[&plan],
        )
        .await
        .expect("features");
    plan
}

/// A member who has signed in, with the plan of then.
async fn signed_in(tenant: &Tenant) -> Actor {
    let body = json!({ "email": tenant.staff.email, "password": PASSWORD });
    let session = Actor::anonymous().post("/api/v1/auth/login", body).await.expect(200);
    Actor::signed_in(&session)
}

#[tokio::test]
async fn changed_plan_changes_the_rate_of_issued_tokens() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let staff = signed_in(&tenant).await;
    let answer = staff.get("/api/v1/contacts").await;
    assert!(answer.header("ratelimit-policy").contains(r#""organization";q=12000;w=60"#), "{answer:?}");
    tenant.subscribe(&plan(4).await).await;
    let server = system().server_with(Rates::default(), Network::default()).await;
    let answer = tenant.viewer.at(server.address()).get("/api/v1/plans").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""organization";q=4;w=60"#);
    assert_eq!(let_through(&staff.at(server.address()), 3).await, 3);
    assert_eq!(let_through(&tenant.viewer.at(server.address()), 3).await, 0, "together");
    assert_eq!(let_through(&other.staff.at(server.address()), 6).await, 6, "others are not concerned");
}

#[tokio::test]
#[ignore = "waits until a server asks for the plan again, ten seconds"]
async fn changed_plan_is_noticed_by_a_running_server_within_ten_seconds() {
    let tenant = Tenant::new().await;
    let server = system().server_with(Rates::default(), Network::default()).await;
    let staff = signed_in(&tenant).await.at(server.address());
    let answer = staff.get("/api/v1/contacts").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""organization";q=12000;w=60"#);
    tenant.subscribe(&plan(4).await).await;
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let answer = tenant.viewer.at(server.address()).get("/api/v1/plans").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""organization";q=4;w=60"#);
    assert_eq!(let_through(&staff, 4).await, 3);
}

#[tokio::test]
async fn api_keys_count_towards_the_rate_of_their_organization() {
    let tenant = Tenant::new().await;
    let small = plan(6).await;
    tenant.subscribe(&small).await;
    let server = system().server_with(Rates::default(), Network::default()).await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        let (key, _) = tenant.owner.api_key("viewer", &["crm:read"]).await;
        keys.push(key.at(server.address()));
    }
    let mut passed = 0;
    for _ in 0..4 {
        for key in &keys {
            passed += usize::from(key.get("/api/v1/contacts").await.status == 200);
        }
    }
    assert_eq!(passed, 6, "all keys together");
    keys[0].get("/api/v1/contacts").await.refused(429, "rate_limited");
    tenant.staff.at(server.address()).get("/api/v1/contacts").await.refused(429, "rate_limited");
    // A made-up key of the organization does not count for it.
    let other = Tenant::new().await;
    other.subscribe(&small).await;
    let forged = Secret::<ApiKey>::draw(other.id, uuid::Uuid::now_v7()).reveal();
    for _ in 0..20 {
        let forger = Actor::with_token(forged.clone()).at(server.address());
        forger.get("/api/v1/contacts").await.refused(401, "api_key_invalid");
    }
    other.staff.at(server.address()).get("/api/v1/contacts").await.expect(200);
}

#[tokio::test]
async fn api_keys_beyond_the_plan_are_refused() {
    let tenant = Tenant::new().await;
    let plan = plan(1000).await;
    system()
        .superuser()
        .await
        .execute("update tenancy.plans set max_api_keys = 2 where plan_type = $1", &[&plan])
        .await
        .expect("a limit");
    tenant.subscribe(&plan).await;
    let body = json!({ "name": "Key", "role": "viewer", "scopes": ["crm:read"] });
    let make = async || tenant.owner.post("/api/v1/api-keys", body.clone()).await;
    let attempts = futures_util::future::join_all((0..6).map(|_| make())).await;
    let mut statuses: Vec<_> = attempts.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 403, 403, 403, 403]);
    make().await.refused(403, "plan_limit");
    let usage = tenant.admin.get("/api/v1/organizations/me/usage").await.expect(200);
    assert_eq!(usage["api_keys"], json!({ "used": 2, "limit": 2 }));
    let listed = tenant.admin.get("/api/v1/api-keys").await.expect(200);
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    tenant.owner.post(&format!("/api/v1/api-keys/{id}/revoke"), json!({})).await.expect(200);
    make().await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flooding_organization_leaves_connections_to_others() {
    let (flooding, other) = (Tenant::new().await, Tenant::new().await);
    let db = system().db(4);
    let slow = appointd::sql!("tenancy/subscriptions_lock.sql");
    // Its statements wait for a lock, as many as it can have under way.
    let superuser = system().superuser().await;
    superuser
        .batch_execute(&format!(
            "begin; select from tenancy.subscriptions where tenant_id = '{}' for update",
            flooding.id
        ))
        .await
        .expect("a lock");
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..12)
        .map(|_| {
            let context = Context { needs: "owner", ..flooding.context() };
            let (db, over) = (db.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let _ = db.all(context, slow, &[]).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    for _ in 0..20 {
        db.one(other.context(), appointd::sql!("tenancy/organizations_get.sql"), &[])
            .await
            .expect("a connection");
    }
    let took = started.elapsed();
    // Of four connections two are waiting for the lock; without shares it would be all, for seconds.
    assert!(took < Duration::from_secs(1), "{took:?}");
    over.store(true, Ordering::Relaxed);
    superuser.batch_execute("rollback").await.expect("the lock is let go");
    for flood in floods {
        flood.await.expect("no panic");
    }
}
