//! People who use pages: requests as a browser without scripts sends them.

use std::{net::SocketAddr, sync::Mutex};

use appointd::{http::client::Network, server::Server};
use reqwest::{Method, header};
use serde_json::json;

use super::{booking::BookingFixture, system};

/// The server of pages: names below `localhost` lead to organizations.
pub async fn page_server() -> Server {
    system()
        .another_server(|parts| {
            parts.network.clone_from(
                &Network { base_domain: Some("localhost".to_owned()), ..Network::default() }.into(),
            );
        })
        .await
}

/// A person with a browser.
pub struct Visitor {
    client: reqwest::Client,
    address: SocketAddr,
    host: String,
    cookie: Mutex<Option<String>>,
    language: &'static str,
}

/// What a browser got.
pub struct Shown {
    pub status: u16,
    pub html: String,
    pub headers: header::HeaderMap,
}

impl Visitor {
    /// At a host, without its port.
    pub fn at(server: &Server, host: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self {
            client: client.expect("a client"),
            address: server.address(),
            host: format!("{host}:{}", server.address().port()),
            cookie: Mutex::new(None),
            language: "en",
        }
    }

    /// Who reads another language.
    pub fn reading(self, language: &'static str) -> Self {
        Self { language, ..self }
    }

    pub async fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, &[], &[]).await
    }

    /// Sends a form of this host.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Shown {
        self.send(Method::POST, path, form, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a form, and goes where it leads.
    pub async fn follow(&self, path: &str, form: &[(&str, &str)]) -> (String, Shown) {
        let to = self.post(path, form).await.location();
        let shown = self.get(&to).await;
        (to, shown)
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Shown {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let mut request = self
            .client
            .request(method.clone(), format!("http://{}{path}", self.address))
            .header("host", &self.host)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("accept-language", self.language);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookie = self.cookie.lock().expect("no panic").clone();
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        if method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        }
        let response = request.send().await.expect("an answer");
        let headers = response.headers().clone();
        if let Some(set) = headers.get("set-cookie") {
            let set = set.to_str().expect("text").split(';').next().expect("a pair").to_owned();
            *self.cookie.lock().expect("no panic") = Some(set);
        }
        Shown { status: response.status().as_u16(), headers, html: response.text().await.expect("text") }
    }
}

impl Shown {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.html);
        self
    }

    /// Where it leads.
    #[track_caller]
    pub fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.html);
        self.headers["location"].to_str().expect("text").to_owned()
    }

    /// The first value of inputs or buttons with a name.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        self.values(name).into_iter().next().unwrap_or_else(|| panic!("{name}: {}", self.html))
    }

    /// The values of all inputs or buttons with a name.
    pub fn values(&self, name: &str) -> Vec<String> {
        let name = format!(" name=\"{name}\"");
        let parts = self.html.split(&name).skip(1);
        parts
            .filter_map(|part| {
                let tag = part.split('>').next()?;
                let value = tag.split_once(" value=\"")?.1.split('"').next()?;
                Some(value.replace("&#38;", "&").replace("&#43;", "+"))
            })
            .collect()
    }

    /// The first address of a link that contains a text.
    #[track_caller]
    pub fn link(&self, part: &str) -> String {
        let links = self.html.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let found = links.map(|link| link.replace("&#38;", "&")).find(|link| link.contains(part));
        found.unwrap_or_else(|| panic!("no link to {part}: {}", self.html))
    }

    #[track_caller]
    pub fn says(&self, text: &str) {
        assert!(self.html.contains(text), "{text}: {}", self.html);
    }
}

/// What a guest types.
pub const DETAILS: [(&str, &str); 2] = [("first_name", "Grace"), ("last_name", "Hopper")];

impl BookingFixture {
    /// With a subdomain: the organization's host.
    pub async fn host(&self) -> String {
        let slug = self.tenant.slug().await;
        let body = json!({ "subdomain": slug });
        self.tenant.admin.patch("/api/v1/organizations/me", body).await.expect(200);
        format!("{slug}.localhost")
    }

    /// A guest chooses the last free time of the first day: the address of the details, and the page.
    pub async fn choose(&self, visitor: &Visitor, base: &str) -> (String, Shown) {
        let times = visitor.get(&format!("{base}/book/{}", self.service)).await.expect(200);
        let starts_at = times.values("starts_at").pop().expect("a time");
        let form = [("key", times.value("key")), ("with", String::new()), ("starts_at", starts_at)];
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.follow(&format!("{base}/book/{}/hold", self.service), &form).await
    }

    /// The form of the details, filled in.
    pub fn filled<'a>(
        &self,
        details: &'a [(&'static str, String)],
        email: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let hidden = details.iter().map(|(name, value)| (*name, value.as_str()));
        hidden.chain(DETAILS).chain([("email", email)]).collect()
    }
}

/// The hidden fields of the details.
pub fn hidden(details: &Shown) -> Vec<(&'static str, String)> {
    ["hold", "key", "starts_at", "with"].map(|name| (name, details.value(name))).into()
}
