//! The operations on jobs.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Tenant, system};

const JOBS: &str = "/api/v1/jobs";

/// Adds a job past every rule, and answers with its id.
async fn job(tenant: &Tenant, kind: &str, state: &str, key: Option<&str>) -> String {
    let sql = "insert into messaging.jobs (tenant_id, kind, state, key, attempt, last_error, payload)
               values ($1, $2, $3, $4, 12, 'it failed', '{\"contact_id\": \"x\"}') returning id";
    let row =
        system().superuser().await.query_one(sql, &[&tenant.id, &kind, &state, &key]).await.expect("a job");
    row.get::<_, Uuid>(0).to_string()
}

#[tokio::test]
async fn dead_job_is_listed_requeued_and_discarded() {
    let tenant = Tenant::new().await;
    let (dead, other) = (job(&tenant, "a.b", "dead", None).await, job(&tenant, "a.c", "dead", None).await);
    let ready = job(&tenant, "a.b", "ready", None).await;
    let listed = tenant.admin.get(&format!("{JOBS}?state=dead&kind=a.b")).await.expect(200);
    let item = &listed["items"][0];
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&item["id"], &item["attempt"], &item["last_error"], &item["payload"]),
        (&json!(dead), &json!(12), &json!("it failed"), &json!({ "contact_id": "x" }))
    );
    assert!(!listed.to_string().contains("lease"), "{listed}");
    let count = |kind: &str, state: &str| {
        let (kind, state) = (json!(kind), json!(state));
        move |summary: &Value| {
            let items = summary["items"].as_array().expect("items");
            items
                .iter()
                .find(|item| item["kind"] == kind && item["state"] == state)
                .map(|item| item["jobs"].clone())
        }
    };
    let summary = tenant.admin.get(&format!("{JOBS}/summary")).await.expect(200);
    assert_eq!(count("a.b", "dead")(&summary), Some(json!(1)));

    let requeue = async |id: &str| {
        let path = format!("{JOBS}/{id}/requeue");
        tenant.admin.send(tenant.admin.request(reqwest::Method::POST, &path)).await
    };
    let again = requeue(&dead).await.expect(200);
    assert_eq!((&again["state"], &again["attempt"]), (&json!("ready"), &json!(0)));
    requeue(&dead).await.refused(409, "not_dead");
    requeue(&ready).await.refused(409, "not_dead");
    requeue(&Uuid::new_v4().to_string()).await.refused(404, "not_found");
    tenant.admin.delete(&format!("{JOBS}/{dead}")).await.refused(409, "not_dead");
    tenant.admin.delete(&format!("{JOBS}/{other}")).await.expect(204);
    tenant.admin.delete(&format!("{JOBS}/{other}")).await.refused(404, "not_found");
    let summary = tenant.admin.get(&format!("{JOBS}/summary")).await.expect(200);
    assert_eq!((count("a.b", "ready")(&summary), count("a.c", "dead")(&summary)), (Some(json!(2)), None));
    tenant.admin.get(&format!("{JOBS}?state=done")).await.invalid("state", "invalid_value");
    tenant.admin.get(&format!("{JOBS}?kind=")).await.invalid("kind", "too_short");
}

#[tokio::test]
async fn job_of_another_organization_does_not_exist() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let theirs = job(&other, "a.b", "dead", None).await;
    let path = format!("{JOBS}/{theirs}");
    assert_eq!(tenant.owner.get(JOBS).await.expect(200)["items"], json!([]));
    let requeue = tenant.owner.request(reqwest::Method::POST, &format!("{path}/requeue"));
    tenant.owner.send(requeue).await.refused(404, "not_found");
    tenant.owner.delete(&path).await.refused(404, "not_found");
    tenant.manager.get(JOBS).await.refused(403, "role_too_low");
    assert_eq!(
        other.owner.get(&format!("{JOBS}?state=dead")).await.expect(200)["items"][0]["id"],
        json!(theirs)
    );
}

#[tokio::test]
async fn dead_job_whose_key_another_has_is_not_requeued() {
    let tenant = Tenant::new().await;
    let dead = job(&tenant, "a.b", "dead", Some("k")).await;
    let waiting = job(&tenant, "a.b", "ready", Some("k")).await;
    let path = format!("{JOBS}/{dead}/requeue");
    let requeue = async || tenant.admin.send(tenant.admin.request(reqwest::Method::POST, &path)).await;
    requeue().await.refused(409, "job_waiting");
    let done = "delete from messaging.jobs where id = $1";
    let waiting: Uuid = waiting.parse().expect("an id");
    system().superuser().await.execute(done, &[&waiting]).await.expect("a job");
    requeue().await.expect(200);
}
