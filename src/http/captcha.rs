//! Whether somebody who books without an account is a person: asked of a captcha service that the operator chooses. All
//! of Turnstile, hCaptcha and reCAPTCHA answer the same form (`secret`, `response`, `remoteip`) with the same JSON
//! (`success`); so can a service of the operator's own.

use std::{io, net::IpAddr, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{ACCEPT, CONTENT_TYPE},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;

use super::problem::Problem;

/// The header that carries what the captcha gave the browser.
pub const HEADER: &str = "Captcha-Token";

/// The longest that is waited for a verdict.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 * 1024;

/// Which service is asked.
#[derive(Clone)]
pub struct Service {
    /// Where it verifies tokens: an http or https URL.
    pub url: Uri,
    /// What it knows us by.
    pub secret: String,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Asks for verdicts, or nobody, and then everybody counts as a person. Cheap to clone.
#[derive(Clone, Default)]
pub struct Captcha {
    asks: Option<(Service, Http)>,
}

/// Codes that say that the token is at fault. All others are about us, or about the service.
const OF_THE_TOKEN: [&str; 3] = ["missing-input-response", "invalid-input-response", "timeout-or-duplicate"];

#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

impl Captcha {
    /// Fails where this machine has no certificates to know servers by.
    pub fn of(service: Service) -> io::Result<Self> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self { asks: Some((service, Client::builder(TokioExecutor::new()).build(connector))) })
    }

    /// 422 where the service says that this is no person, 503 where it does not say.
    pub async fn check(&self, token: Option<&str>, address: IpAddr) -> Result<(), Problem> {
        let Some((service, client)) = &self.asks else {
            return Ok(());
        };
        let Some(token) = token else {
            let detail =
                "the token of the captcha on the page: this server takes no booking of a guest without";
            return Err(Problem::invalid_field(HEADER, "required", detail));
        };
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("secret", &service.secret)
            .append_pair("response", token)
            .append_pair("remoteip", &address.to_string())
            .finish();
        let asked = tokio::time::timeout(PATIENCE, ask(service, client, form)).await;
        match asked.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(Verdict { success: true, .. }) => Ok(()),
            Ok(_) => {
                let detail = "a token that the captcha gave a moment ago, and that was sent once";
                Err(Problem::invalid_field(HEADER, "captcha_failed", detail))
            }
            Err(error) => {
                tracing::error!(error, "the captcha service does not answer");
                let detail = "The captcha cannot be verified at the moment.";
                Err(Problem::unavailable("captcha_unavailable", detail))
            }
        }
    }
}

async fn ask(
    service: &Service,
    client: &Http,
    form: String,
) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&service.url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Full::from(form))?;
    let answer = client.request(request).await?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status()).into());
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await?.to_bytes();
    let verdict: Verdict = serde_json::from_slice(&body)?;
    // A wrong secret, say: then nobody could book, and nothing would say why.
    if let Some(code) = verdict.error_codes.iter().find(|code| !OF_THE_TOKEN.contains(&code.as_str())) {
        return Err(format!("it answered {code}").into());
    }
    Ok(verdict)
}
