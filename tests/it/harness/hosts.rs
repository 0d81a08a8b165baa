//! Hosts of organizations, and a name server of the test's own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use appointd::{http::client::Network, server::Server};
use reqwest::Method;
use serde_json::json;
use tokio::net::UdpSocket;
use uuid::Uuid;

use super::{Actor, Answer, Tenant, system};

/// A name server that knows TXT records and nothing else (RFC 1035 section 4).
#[derive(Clone, Default)]
pub struct NameServer(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl NameServer {
    pub async fn serve(&self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
        let address = socket.local_addr().expect("an address");
        let names = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = names.answer(&buffer[..length]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        address
    }

    pub fn set(&self, name: &str, text: &str) {
        self.set_all(name, &[text]);
    }

    pub fn set_all(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.0.lock().expect("no panic").insert(name.to_owned(), texts);
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (mut at, mut labels) = (12, Vec::new());
        while *query.get(at)? != 0 {
            let length = usize::from(query[at]);
            labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
            at += 1 + length;
        }
        let question = query.get(12..at + 5)?;
        let texts = self.0.lock().expect("no panic").get(&labels.join(".")).cloned().unwrap_or_default();
        let found = u8::try_from(texts.len()).ok()?;
        let code = if found > 0 { 0 } else { 3 };
        let mut answer = [&query[..2], &[0x84, code, 0, 1, 0, found, 0, 0, 0, 0], question].concat();
        for text in texts {
            let length = u8::try_from(text.len()).ok()?;
            answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
            answer.extend(text.as_bytes());
        }
        Some(answer)
    }
}

/// A server whose base domain is `book.test`, and who asks these names.
pub async fn hosting_server(names: &NameServer) -> Server {
    let dns = names.serve().await;
    system()
        .another_server(move |parts| {
            parts.dns = Some(dns);
            parts.network =
                Arc::new(Network { base_domain: Some("book.test".to_owned()), ..Network::default() });
        })
        .await
}

/// Gets what is at a path of a host.
pub async fn get_at(actor: &Actor, host: &str, path: &str) -> Answer {
    actor.send(actor.request(Method::GET, path).header("host", host)).await
}

/// An organization with a subdomain, and the subdomain.
pub async fn with_subdomain() -> (Tenant, String) {
    let tenant = Tenant::new().await;
    let subdomain = format!("s{}", Uuid::new_v4().simple());
    tenant.admin.patch("/api/v1/organizations/me", json!({ "subdomain": subdomain })).await.expect(200);
    (tenant, subdomain)
}
