use std::net::SocketAddr;

use appointd::{
    db::{Pass, Who},
    http::token::Subject,
};
use chrono::Utc;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, system};

/// The secret of a session that a test makes: its id.
pub fn secret_of(session: Uuid) -> Pass {
    Pass(*session.as_bytes())
}

/// A person or a program that sends requests.
#[derive(Clone)]
pub struct Actor {
    pub account: Uuid,
    pub session: Uuid,
    pub email: String,
    pub token: Option<String>,
    server: SocketAddr,
    client: reqwest::Client,
}

impl Actor {
    /// A person with a session and a valid token, for an organization or for none.
    pub fn new(organization: Option<Uuid>, account: Uuid, session: Uuid, email: String) -> Self {
        let subject = Subject { account, session, secret: secret_of(session), organization };
        let token = system().tokens.issue(&subject, Utc::now()).expect("a token");
        Self { account, session, email, token: Some(token), server: system().address, client: client() }
    }

    /// The session of this person, for entering the organization.
    pub fn who(&self) -> Who {
        Who::Session { account: self.account, session: self.session, secret: secret_of(self.session) }
    }

    /// Without credentials.
    pub fn anonymous() -> Self {
        Self {
            account: Uuid::nil(),
            session: Uuid::nil(),
            email: String::new(),
            token: None,
            server: system().address,
            client: client(),
        }
    }

    /// With this token, whether it is one or not.
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..Self::anonymous() }
    }

    /// The person who has just signed in: `session` is the answer.
    pub fn signed_in(session: &Value) -> Self {
        Self::with_token(session["access_token"].as_str().expect("a token"))
    }

    /// The same person, at another server.
    pub fn at(&self, server: SocketAddr) -> Self {
        Self { server, ..self.clone() }
    }

    /// A request of this person, for what the short forms cannot say.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.expect("the server answers");
        Answer::read(&method, &path, response).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::PATCH, path, body).await
    }

    pub async fn with_body(&self, method: Method, path: &str, body: Value) -> Answer {
        let request =
            self.request(method, path).header("content-type", "application/json").body(body.to_string());
        self.send(request).await
    }
}

impl Actor {
    /// Sends a body with headers.
    pub async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request(Method::POST, path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.to_string())).await
    }

    /// Makes an API key: the key as an actor, and its id.
    pub async fn api_key(&self, role: &str, scopes: &[&str]) -> (Self, String) {
        let body = json!({ "name": "Key", "role": role, "scopes": scopes });
        let made = self.post("/api/v1/api-keys", body).await.expect(201);
        let id = made["id"].as_str().expect("an id").to_owned();
        (Self::with_token(made["key"].as_str().expect("a key")), id)
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}
