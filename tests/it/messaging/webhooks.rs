//! Webhooks, from an endpoint to what its receiver gets.

mod addresses;
mod delivering;
mod endpoints;
mod sender;

use std::sync::Arc;

use appointd::{
    db::WorkerDb,
    http::token::SigningKey,
    messaging::{
        queue::{Done, Failed, Handler as _, Job, Lane, Queue},
        webhooks::{
            addresses::Reach,
            delivering::Deliver,
            secrets::SecretKeys,
            sender::{LookUp, LookingUp, Sender},
        },
    },
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{LINK_KEY, Tenant, merged, receiver::Receiver, system};

const ENDPOINTS: &str = "/api/v1/webhook-endpoints";
const DELIVERIES: &str = "/api/v1/webhook-deliveries";

/// A way to look up names that knows none.
fn nowhere() -> LookUp {
    Arc::new(|_| -> LookingUp { Box::pin(async { Err(std::io::Error::other("no such name")) }) })
}

/// A sender that may send to this machine.
fn sender() -> Sender {
    Sender::new(Reach::new(&["127.0.0.1/32".parse().expect("a network")])).looking_up(nowhere())
}

/// An endpoint at a receiver, and its secret.
struct Hook {
    id: Uuid,
    secret: String,
}

/// Creates an endpoint, and leads it to this URL: the server of the tests may not send to this machine.
async fn hook_at(tenant: &Tenant, url: &str, with: Value) -> Hook {
    let body = merged(json!({ "url": "https://hooks.example.com/x" }), &with);
    let made = tenant.admin.post(ENDPOINTS, body).await.expect(201);
    let id: Uuid = made["id"].as_str().expect("an id").parse().expect("an id");
    let sql = "update messaging.webhook_endpoints set url = $2 where id = $1";
    system().superuser().await.execute(sql, &[&id, &url]).await.expect("a change");
    Hook { id, secret: made["secret"].as_str().expect("a secret").to_owned() }
}

async fn hook(tenant: &Tenant, receiver: &Receiver, with: Value) -> Hook {
    hook_at(tenant, &receiver.url(), with).await
}

fn handler(sender: Sender) -> Deliver {
    Deliver {
        worker: WorkerDb::new(&system().worker_url(), 4),
        sender,
        keys: SecretKeys::new(&[SigningKey::from_bytes(LINK_KEY)]),
    }
}

/// Claims the jobs of the organization that send webhooks: workers of other tests do not know them.
async fn claim(tenant: &Tenant, deliver: &Deliver) -> Vec<Job> {
    let queue = Queue(deliver.worker.clone());
    let ready = "select exists (
        select from messaging.jobs where tenant_id = $1 and kind = 'messaging.deliver' and state = 'ready')";
    loop {
        let jobs = queue.claim(tenant.id, Lane::Live, &[deliver.kind()], 10).await.expect("jobs");
        let rows = system().superuser().await.query_one(ready, &[&tenant.id]).await.expect("a row");
        // Where another worker is claiming, none is claimed.
        if !jobs.is_empty() || !rows.get::<_, bool>(0) {
            return jobs;
        }
    }
}

async fn run(deliver: &Deliver, job: &Job) -> Result<Done, Failed> {
    let done = deliver.run(job).await?;
    assert_eq!(done, Done::Finished);
    Ok(done)
}

/// Publishes the events, and sends what is due to all endpoints.
async fn deliver_with(tenant: &Tenant, sender: Sender) {
    system().publish(tenant.id).await;
    let deliver = handler(sender);
    loop {
        let jobs = claim(tenant, &deliver).await;
        if jobs.is_empty() {
            return;
        }
        for done in join_all(jobs.iter().map(|job| run(&deliver, job))).await {
            done.expect("the job ends");
        }
    }
}

async fn deliver(tenant: &Tenant) {
    deliver_with(tenant, sender()).await;
}

/// What is to be sent later is due now, as only waiting could.
async fn make_due(tenant: &Tenant) {
    let sql = "update messaging.webhook_deliveries set next_at = now() where tenant_id = $1 and next_at is not null";
    system().superuser().await.execute(sql, &[&tenant.id]).await.expect("a change");
}

/// The latest delivery, with its requests.
async fn latest(tenant: &Tenant) -> Value {
    let listed = tenant.admin.get(DELIVERIES).await.expect(200);
    let id = listed["items"][0]["id"].as_str().expect("a delivery").to_owned();
    tenant.admin.get(&format!("{DELIVERIES}/{id}")).await.expect(200)
}

/// The errors of its requests, in their order.
fn errors(delivery: &Value) -> Vec<&str> {
    let log = delivery["log"].as_array().expect("requests");
    log.iter().map(|attempt| attempt["error"].as_str().unwrap_or_default()).collect()
}

async fn post(tenant: &Tenant, path: &str) -> crate::harness::Answer {
    tenant.admin.send(tenant.admin.request(reqwest::Method::POST, path)).await
}
