use chrono::Utc;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, system};

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Actor {
    pub account: Uuid,
    pub email: String,
    pub token: Option<String>,
    client: reqwest::Client,
}

impl Actor {
    /// A member with a valid token.
    pub fn new(tenant: Uuid, account: Uuid, email: String) -> Self {
        let token = system().tokens.issue(account, tenant, Utc::now()).expect("a token");
        Self { account, email, token: Some(token), client: client() }
    }

    /// Somebody without credentials.
    pub fn nobody() -> Self {
        Self { account: Uuid::nil(), email: String::new(), token: None, client: client() }
    }

    /// Somebody who sends this token, whatever it is.
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..Self::nobody() }
    }

    /// A request of this person, for what the short forms cannot say.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", system().address));
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

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}
