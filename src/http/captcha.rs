//! Verifies captcha tokens of guests with the service that the operator configures. Turnstile, hCaptcha and reCAPTCHA
//! all accept the same form (`secret`, `response`, `remoteip`) and answer with the same JSON (`success`).

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

/// The header that carries the captcha token.
pub const HEADER: &str = "Captcha-Token";

/// The timeout of a verification.
const PATIENCE: Duration = Duration::from_secs(3);

/// The maximum size of the service's answer, in bytes.
const LONGEST: usize = 16 * 1024;

/// The captcha service.
#[derive(Clone)]
pub struct Service {
    /// The http or https URL that verifies tokens.
    pub url: Uri,
    /// The secret that identifies this server to the service.
    pub secret: String,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client of the captcha service. Without a service every request passes. Cheap to clone.
#[derive(Clone, Default)]
pub struct Captcha {
    asks: Option<(Service, Http)>,
}

/// Error codes that mean the token is invalid. All others mean a fault of our configuration or of the service.
const OF_THE_TOKEN: [&str; 3] = ["missing-input-response", "invalid-input-response", "timeout-or-duplicate"];

#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

impl Captcha {
    /// Fails if this machine has no root certificates.
    pub fn of(service: Service) -> io::Result<Self> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self { asks: Some((service, Client::builder(TokioExecutor::new()).build(connector))) })
    }

    /// 422 if the service rejects the token, 503 if it does not answer.
    pub async fn check(&self, token: Option<&str>, address: IpAddr) -> Result<(), Problem> {
        let Some((service, client)) = &self.asks else {
            return Ok(());
        };
        let Some(token) = token else {
            let detail = "expected the token of the captcha on the page; guests cannot book without it";
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
                let detail = "expected a fresh captcha token that was not sent before";
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
    // Such as a wrong secret: no guest could book, so it must be logged.
    if let Some(code) = verdict.error_codes.iter().find(|code| !OF_THE_TOKEN.contains(&code.as_str())) {
        return Err(format!("it answered {code}").into());
    }
    Ok(verdict)
}
