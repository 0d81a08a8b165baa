//! Servers that are replaced one after the other behind a load balancer, while clients book.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::sleep};

use crate::harness::{
    Tenant, eventually,
    program::{Serve, as_owner},
    system,
};

/// How often the load balancer asks each server whether it is ready.
const INTERVAL: Duration = Duration::from_millis(300);

/// Leads requests to servers that were ready when it last asked.
#[derive(Default)]
struct LoadBalancer {
    servers: RwLock<Vec<(String, Arc<AtomicBool>)>>,
    next: AtomicUsize,
}

impl LoadBalancer {
    fn add(self: &Arc<Self>, server: &Serve) -> Arc<AtomicBool> {
        let (address, ready) = (server.address.clone(), Arc::new(AtomicBool::new(false)));
        self.servers.write().expect("no panic").push((address.clone(), ready.clone()));
        let (asked, client) = (ready.clone(), Client::new());
        tokio::spawn(async move {
            loop {
                let answer = client.get(format!("http://{address}/health/ready")).send().await;
                asked.store(answer.is_ok_and(|answer| answer.status() == StatusCode::OK), Relaxed);
                sleep(INTERVAL).await;
            }
        });
        ready
    }

    fn ready(&self) -> String {
        let servers = self.servers.read().expect("no panic");
        let ready: Vec<&String> =
            servers.iter().filter(|(_, ready)| ready.load(Relaxed)).map(|(address, _)| address).collect();
        assert!(!ready.is_empty(), "a server is ready at any time");
        ready[self.next.fetch_add(1, Relaxed) % ready.len()].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_replaced_without_a_failed_request() {
    const CLIENTS: usize = 4;
    let tenant = Tenant::new().await;
    let database = system().cluster.url("appointd_api", "appointd");
    let unlimited = "address=0,anonymous=0,account=0,key=0";
    let start = || Serve::start_with(&database, &["--lame-duck", "1", "--rate-limits", unlimited]);
    let balancer = Arc::new(LoadBalancer::default());
    let mut servers = Vec::new();
    for _ in 0..2 {
        let server = start();
        let ready = balancer.add(&server);
        eventually(async || ready.load(Relaxed).then_some(())).await;
        servers.push(server);
    }
    let token = servers[0].log_in(&tenant).await;

    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (balancer, done, token) = (balancer.clone(), done.clone(), token.clone());
            tokio::spawn(async move {
                // Keeps its connections, as browsers and load balancers do.
                let client = Client::new();
                let mut sent = 0;
                while !done.load(Relaxed) {
                    sent += 1;
                    let address = balancer.ready();
                    let body = json!({ "first_name": "Ada", "last_name": format!("of {number}, {sent}") });
                    let created = client
                        .post(format!("http://{address}/api/v1/contacts"))
                        .bearer_auth(&token)
                        .header("content-type", "application/json")
                        .body(body.to_string())
                        .send()
                        .await
                        .expect("an answer");
                    assert_eq!(created.status(), StatusCode::CREATED);
                    let text = created.text().await.expect("all of it");
                    let contact: Value = serde_json::from_str(&text).expect("JSON");
                    let path = format!("/api/v1/contacts/{}", contact["id"].as_str().expect("an id"));
                    let read = client.get(format!("http://{}{path}", balancer.ready())).bearer_auth(&token);
                    let read = read.send().await.expect("an answer");
                    assert_eq!(read.status(), StatusCode::OK, "what one server wrote another one reads");
                    // A plan has 600 requests a minute.
                    sleep(INTERVAL / 3).await;
                }
                sent
            })
        })
        .collect();

    for _ in 0..2 {
        // The new one first: an operator migrates, starts it, and ends an old one when it is ready.
        assert!(as_owner(&system().cluster, &["migrate"]).await.status.success());
        let new = start();
        let ready = balancer.add(&new);
        eventually(async || ready.load(Relaxed).then_some(())).await;
        let mut old = servers.remove(0);
        old.terminate();
        let ended = spawn_blocking(move || old.child.wait().expect("an end")).await.expect("no panic");
        assert!(ended.success());
        servers.push(new);
    }
    done.store(true, Relaxed);
    for client in clients {
        assert!(client.await.expect("no request failed") > 5);
    }
}
