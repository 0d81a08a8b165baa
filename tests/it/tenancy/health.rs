//! What is wrong in an organization, and who is told.

use appointd::{api::CHECKS, db::WorkerDb, messaging::mail::Mailer, tenancy::health};
use serde_json::{Value, json};

use crate::harness::{Tenant, system};

const HEALTH: &str = "/api/v1/organizations/me/health";

async fn tell_owners(tenant: &Tenant) {
    let mailer: Mailer = system().parts.mailer.clone().asking(system().db(1));
    let db = WorkerDb::new(&system().worker_url(), 1);
    health::tell_owners(&db, &mailer, CHECKS, tenant.id).await.expect("told");
}

async fn change(tenant: &Tenant, sql: &str) {
    system().superuser().await.execute(sql, &[&tenant.id]).await.expect("a change");
}

async fn job_dies(tenant: &Tenant) {
    change(tenant, "insert into messaging.jobs (tenant_id, kind, state) values ($1, 'test.health', 'dead')")
        .await;
}

async fn alerts(tenant: &Tenant) -> Vec<Value> {
    let answer = tenant.admin.get(HEALTH).await.expect(200);
    let alerts = answer["alerts"].as_array().expect("alerts").clone();
    assert_eq!(answer["healthy"], alerts.is_empty());
    alerts
}

#[tokio::test]
async fn health_says_what_is_wrong() {
    let (tenant, other) = (Tenant::on_plan("basic").await, Tenant::on_plan("basic").await);
    assert_eq!(alerts(&tenant).await, Vec::<Value>::new());
    for _ in 0..5 {
        tenant.provider().await;
    }
    job_dies(&tenant).await;
    job_dies(&tenant).await;
    change(
        &tenant,
        "insert into messaging.webhook_endpoints (tenant_id, id, url, key_id, created_by, failing_since)
         values
             ($1, gen_random_uuid(), 'https://hooks.example.com/in?token=x', 'k', $1, now() - interval '2 hours'),
             ($1, gen_random_uuid(), 'https://hooks.example.com/new', 'k', $1, now() - interval '2 minutes')",
    )
    .await;
    let failed = "select tenancy.count_message($1, 'email', true)";
    system().superuser().await.query(failed, &[&tenant.id]).await.expect("a mail");
    let found = alerts(&tenant).await;
    let said: Vec<_> = found.iter().map(|alert| (&alert["kind"], &alert["count"])).collect();
    assert_eq!(
        said,
        [
            (&json!("failed_emails"), &json!(1)),
            (&json!("limit_near"), &json!(5)),
            (&json!("dead_jobs"), &json!(2)),
            (&json!("failing_webhooks"), &json!(0)),
        ]
    );
    assert_eq!(found[3]["about"], "https://hooks.example.com/in");
    assert_eq!((&found[1]["about"], &found[1]["limit"]), (&json!("providers"), &json!(5)));
    assert!(found[2]["since"].is_string(), "{found:?}");
    assert_eq!(alerts(&other).await, Vec::<Value>::new());
    tenant.manager.get(HEALTH).await.refused(403, "role_too_low");
}

#[tokio::test]
async fn owners_are_told_once_of_each_problem_and_once_a_day() {
    let tenant = Tenant::new().await;
    let owner = &tenant.owner.email;
    // Nothing is wrong.
    tell_owners(&tenant).await;
    job_dies(&tenant).await;
    tell_owners(&tenant).await;
    let mails = system().mails_to(owner, 1).await;
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Jobs in the background that failed for the last time: 1."), "{}", mails[0]);
    // Known, and on the same day.
    tell_owners(&tenant).await;
    let failed = "select tenancy.count_message($1, 'email', true)";
    system().superuser().await.query(failed, &[&tenant.id]).await.expect("a mail");
    tell_owners(&tenant).await;
    // On the next day the new one is told.
    change(&tenant, "update tenancy.alerts set told_on = told_on - 1 where tenant_id = $1").await;
    tell_owners(&tenant).await;
    let mails = system().mails_to(owner, 2).await;
    assert!(mails[1].contains("could not be delivered: 1."), "{}", mails[1]);
    // Known all, also on another day.
    change(&tenant, "update tenancy.alerts set told_on = told_on - 1 where tenant_id = $1").await;
    tell_owners(&tenant).await;
    // It ended, and comes back.
    change(&tenant, "delete from messaging.jobs where tenant_id = $1").await;
    tell_owners(&tenant).await;
    job_dies(&tenant).await;
    tell_owners(&tenant).await;
    assert_eq!(system().mails_to(owner, 3).await.len(), 3);
}

#[test]
fn what_is_told_is_new_and_told_once_a_day() {
    let list = |names: &str| -> Vec<String> { names.split_whitespace().map(ToOwned::to_owned).collect() };
    for (told, told_today, now, known, tells) in [
        ("", false, "", "", false),
        ("", false, "a", "a", true),
        ("a", false, "a", "a", false),
        ("a", false, "a b", "a b", true),
        ("a", true, "a b", "a", false),
        ("a b", false, "b", "b", false),
        ("a", false, "b", "b", true),
    ] {
        assert_eq!(
            health::to_tell(list(told), told_today, &list(now)),
            (list(known), tells),
            "{told} {told_today} {now}"
        );
    }
}
