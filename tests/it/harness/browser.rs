//! A real browser: headless Chromium, by its driver. A machine without them skips what needs one with a line; CI does
//! not.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// The height of its window, in pixels.
pub const HEIGHT: i64 = 900;

/// A driver of browsers, which ends with the test.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// `None` where there is no browser.
    pub fn start() -> Option<Self> {
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            assert!(std::env::var_os("CI").is_none(), "CI installs chromium and chromium-driver");
            eprintln!("not tried, there is no browser here: install chromium and chromium-driver");
            return None;
        };
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines
            .map(|line| line.expect("text"))
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        Some(Self { child, port })
    }

    /// A browser with further arguments.
    pub async fn browser(&self, further: &[&str]) -> Client {
        let window = format!("--window-size=1280,{HEIGHT}");
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", &window];
        arguments.extend(further);
        self.with(json!({ "args": arguments })).await
    }

    /// A browser that runs no scripts of pages.
    pub async fn without_scripts(&self) -> Client {
        self.with(json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"],
            "prefs": { "profile.managed_default_content_settings.javascript": 2 },
        }))
        .await
    }

    async fn with(&self, options: Value) -> Client {
        let options = json!({ "goog:chromeOptions": options });
        let Value::Object(capabilities) = options else { unreachable!("an object") };
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("a browser starts")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
