//! The settings of `appointd serve`. They are checked together, so that all errors are reported at once. Secrets have
//! no defaults and are never shown.

mod database;
mod mistakes;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    thread,
    time::Duration,
};

use ipnet::IpNet;
use lettre::message::Mailbox;
use poem::http::Uri;
use tracing::Level;

use crate::{
    db::DatabaseUrl,
    http::{
        captcha, certificate::Certificate, client::Network, limit::Rates, token::SigningKey,
        values::DomainName,
    },
    messaging::{mail::Mailer, worker::DEFAULT_PLACES},
};

pub use database::Database;
pub use mistakes::Mistakes;

/// The validated settings.
pub struct Settings {
    pub database: DatabaseUrl,
    /// The database as the front door; `None`: this process serves no requests.
    pub door: Option<DatabaseUrl>,
    /// The database as the worker; `None`: no worker runs in this process.
    pub worker: Option<DatabaseUrl>,
    pub token_keys: Vec<SigningKey>,
    pub link_keys: Vec<SigningKey>,
    pub listen: SocketAddr,
    /// The certificate shown to clients; `None`: they speak HTTP without TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// Where metrics and health are shown to the operator; `None`: nowhere.
    pub operations_listen: Option<SocketAddr>,
    /// How long the server is not ready before it stops accepting connections.
    pub lame_duck: Duration,
    pub threads: usize,
    pub connections: usize,
    /// How many jobs the worker runs at once.
    pub places: usize,
    pub network: Network,
    pub rates: Rates,
    pub mailer: Mailer,
    /// The DNS server for verifying domains; `None`: those of the system.
    pub dns: Option<SocketAddr>,
    /// Where webhooks may be sent to besides public addresses.
    pub webhook_networks: Vec<IpNet>,
    /// The captcha service for guests; `None`: no captcha is required.
    pub captcha: Option<captcha::Service>,
    pub log_level: Level,
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// The settings as given by flags or environment, not validated yet.
#[derive(Clone, Debug, Default)]
pub struct RawSettings {
    pub database_url: Option<String>,
    pub door_database_url: Option<String>,
    /// The process is a worker alone.
    pub no_requests: bool,
    pub worker_database_url: Option<String>,
    pub no_worker: bool,
    pub token_keys: Option<String>,
    pub link_keys: Option<String>,
    pub listen: Option<String>,
    pub tls_certificate: Option<String>,
    pub tls_key: Option<String>,
    pub operations_listen: Option<String>,
    pub lame_duck: Option<String>,
    pub threads: Option<String>,
    pub jobs: Option<String>,
    pub connections: Option<String>,
    pub base_domain: Option<String>,
    pub trusted_proxies: Option<String>,
    pub rate_limits: Option<String>,
    pub mail_url: Option<String>,
    pub mail_from: Option<String>,
    pub public_url: Option<String>,
    pub dns: Option<String>,
    pub webhook_networks: Option<String>,
    pub captcha_url: Option<String>,
    pub captcha_secret: Option<String>,
    pub log_level: Option<String>,
    pub log_format: Option<String>,
}

pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
pub const DEFAULT_CONNECTIONS: usize = 16;

impl Settings {
    pub fn new(given: RawSettings) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let database = Database::Server
            .read(given.database_url.as_deref())
            .map_err(|found| mistakes.extend(found.0))
            .ok();
        let mut needed = |database: Database, given: &Option<String>, needless: bool| match needless {
            true => Some(None),
            false => {
                let read = database.read(given.as_deref()).map(Some);
                read.map_err(|found| mistakes.extend(found.0)).ok()
            }
        };
        let door = needed(Database::FrontDoor, &given.door_database_url, given.no_requests);
        let worker = needed(Database::Worker, &given.worker_database_url, given.no_worker);
        let token_keys = signing_keys("APPOINTD_TOKEN_KEYS", given.token_keys.as_deref(), &mut mistakes);
        let link_keys = signing_keys("APPOINTD_LINK_KEYS", given.link_keys.as_deref(), &mut mistakes);
        let both = [&given.token_keys, &given.link_keys].map(|keys| {
            keys.iter()
                .flat_map(|keys| keys.split(','))
                .map(str::trim)
                .filter(|key| !key.is_empty())
                .collect()
        });
        let [of_tokens, of_links]: [Vec<&str>; 2] = both;
        if of_tokens.iter().any(|key| of_links.contains(key)) {
            mistakes.push(
                "APPOINTD_TOKEN_KEYS and APPOINTD_LINK_KEYS have a key in common; each needs its own"
                    .to_owned(),
            );
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let listen = parsed(
            "APPOINTD_LISTEN",
            given.listen.as_deref().unwrap_or(DEFAULT_LISTEN),
            LISTEN_FORM,
            listen_address,
            &mut mistakes,
        );
        let certificate =
            certificate(given.tls_certificate, given.tls_key).map_err(|found| mistakes.extend(found)).ok();
        let operations_listen = optional(
            "APPOINTD_OPERATIONS_LISTEN",
            given.operations_listen.as_deref(),
            LISTEN_FORM,
            listen_address,
            &mut mistakes,
        );
        if operations_listen.is_some_and(|address| address.port() != 0 && Some(address) == listen) {
            mistakes.push(
                "APPOINTD_OPERATIONS_LISTEN and APPOINTD_LISTEN are the same address; metrics are not for clients"
                    .to_owned(),
            );
        }
        let lame_duck = counted("APPOINTD_LAME_DUCK", given.lame_duck, 0, 0..=600, &mut mistakes);
        let threads = counted("APPOINTD_THREADS", given.threads, cores, 1..=256, &mut mistakes);
        let connections =
            counted("APPOINTD_CONNECTIONS", given.connections, DEFAULT_CONNECTIONS, 1..=1000, &mut mistakes);
        let places = counted("APPOINTD_JOBS", given.jobs, DEFAULT_PLACES, 1..=256, &mut mistakes);
        let base_domain = optional(
            "APPOINTD_BASE_DOMAIN",
            given.base_domain.as_deref(),
            "a domain name, such as appointd.example",
            |text| match text {
                "localhost" => Some(text.to_owned()),
                text => DomainName::parse(text).ok().map(|name| name.to_string()),
            },
            &mut mistakes,
        );
        let trusted_proxies = parsed(
            "APPOINTD_TRUSTED_PROXIES",
            given.trusted_proxies.as_deref().unwrap_or_default(),
            NETWORKS_FORM,
            networks,
            &mut mistakes,
        );
        let webhook_networks = parsed(
            "APPOINTD_WEBHOOK_NETWORKS",
            given.webhook_networks.as_deref().unwrap_or_default(),
            NETWORKS_FORM,
            networks,
            &mut mistakes,
        );
        let rates = parsed(
            "APPOINTD_RATE_LIMITS",
            given.rate_limits.as_deref().unwrap_or_default(),
            "pairs with commas between, such as address=3000,anonymous=60,account=600,key=1200 (requests per minute; \
             0: unlimited)",
            rates,
            &mut mistakes,
        );
        let dns = optional(
            "APPOINTD_DNS",
            given.dns.as_deref(),
            "an IP address and a port, such as 127.0.0.1:53",
            |text| text.parse().ok(),
            &mut mistakes,
        );
        let captcha_url = optional(
            "APPOINTD_CAPTCHA_URL",
            given.captcha_url.as_deref(),
            "an http or https URL",
            web_address,
            &mut mistakes,
        );
        let captcha_secret = given.captcha_secret.filter(|secret| !secret.is_empty());
        if given.captcha_url.is_some_and(|url| !url.is_empty()) != captcha_secret.is_some() {
            mistakes.push(
                "only one of APPOINTD_CAPTCHA_URL and APPOINTD_CAPTCHA_SECRET is set; set both or neither"
                    .to_owned(),
            );
        }
        let captcha = captcha_url.zip(captcha_secret).map(|(url, secret)| captcha::Service { url, secret });
        let public_url = parsed(
            "APPOINTD_PUBLIC_URL",
            given.public_url.as_deref().unwrap_or("http://localhost:8080"),
            "an http or https URL",
            |text| web_address(text).map(|_| text.to_owned()),
            &mut mistakes,
        );
        let mail_from = parsed(
            "APPOINTD_MAIL_FROM",
            given.mail_from.as_deref().unwrap_or("appointd <appointd@localhost>"),
            "an e-mail address, with or without a name: appointd <noreply@example.com>",
            |text| text.parse::<Mailbox>().ok(),
            &mut mistakes,
        );
        let mailer = public_url.zip(mail_from).and_then(|(public_url, from)| {
            let url = given.mail_url.as_deref().filter(|url| !url.is_empty());
            if url.is_some() && given.public_url.is_none() {
                mistakes.push(
                    "APPOINTD_PUBLIC_URL is not set; it is the base URL of links in e-mails".to_owned(),
                );
            }
            Mailer::new(url, from, public_url)
                .map_err(|error| {
                    // The text may contain a password, so it is not repeated.
                    mistakes.push(format!("APPOINTD_MAIL_URL is not an smtp, smtps or file URL: {error}"));
                })
                .ok()
        });
        let log_level = parsed(
            "APPOINTD_LOG",
            given.log_level.as_deref().unwrap_or("info"),
            "error, warn, info, debug or trace",
            |text| text.parse().ok(),
            &mut mistakes,
        );
        let log_format = parsed(
            "APPOINTD_LOG_FORMAT",
            given.log_format.as_deref().unwrap_or("json"),
            "json or text",
            |text| match text {
                "json" => Some(LogFormat::Json),
                "text" => Some(LogFormat::Text),
                _ => None,
            },
            &mut mistakes,
        );
        let settings = || {
            Some(Self {
                database: database?,
                door: door?,
                worker: worker?,
                token_keys: token_keys?,
                link_keys: link_keys?,
                listen: listen?,
                certificate: certificate?,
                operations_listen,
                lame_duck: Duration::from_secs(lame_duck? as u64),
                threads: threads?,
                connections: connections?,
                places: places?,
                network: Network { trusted_proxies: trusted_proxies?, base_domain, local_pages: false },
                rates: rates?,
                mailer: mailer?,
                dns,
                webhook_networks: webhook_networks?,
                captcha,
                log_level: log_level?,
                log_format: log_format?,
            })
        };
        match settings() {
            Some(settings) if mistakes.is_empty() => Ok(settings),
            _ => Err(Mistakes(mistakes)),
        }
    }
}

/// The certificate for clients, if both files are named.
fn certificate(
    file: Option<String>,
    key_file: Option<String>,
) -> Result<Option<Arc<Certificate>>, Vec<String>> {
    let named = |file: Option<String>| file.filter(|file| !file.is_empty());
    match (named(file), named(key_file)) {
        (None, None) => Ok(None),
        (Some(file), Some(key_file)) => Certificate::read(file, key_file).map(Some),
        _ => Err(vec![
            "only one of APPOINTD_TLS_CERTIFICATE and APPOINTD_TLS_KEY is set; set both or neither"
                .to_owned(),
        ]),
    }
}

/// The form of a list of networks.
const NETWORKS_FORM: &str = "comma-separated addresses or networks, such as 127.0.0.1,10.0.0.0/8";

/// The form of an address to listen on.
const LISTEN_FORM: &str =
    "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080, or a port of 127.0.0.1 alone";

fn listen_address(text: &str) -> Option<SocketAddr> {
    let on_loopback = |port: &str| Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)));
    text.parse().ok().or_else(|| on_loopback(text.strip_prefix("localhost:").unwrap_or(text)))
}

/// The same for a flag.
pub fn listen_flag(text: &str) -> Result<SocketAddr, String> {
    listen_address(text).ok_or_else(|| format!("expected {LISTEN_FORM}"))
}

fn signing_keys(name: &str, given: Option<&str>, mistakes: &mut Vec<String>) -> Option<Vec<SigningKey>> {
    let make_one = "make one with: openssl rand -base64 32";
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        mistakes.push(format!("{name} is not set; {make_one}"));
        return None;
    };
    // A secret is not repeated.
    let keys: Option<Vec<_>> = text.split(',').map(SigningKey::parse).collect();
    let mut texts: Vec<&str> = text.split(',').map(str::trim).collect();
    texts.sort_unstable();
    if texts.windows(2).any(|pair| pair[0] == pair[1]) {
        mistakes.push(format!("{name} contains a key twice"));
    }
    if keys.is_none() {
        mistakes.push(format!(
            "{name} must be 32 random bytes in base64, or several of these, comma-separated; {make_one}"
        ));
    }
    keys
}

fn web_address(text: &str) -> Option<Uri> {
    let url = text.parse::<Uri>().ok().filter(|url| url.authority().is_some())?;
    matches!(url.scheme_str()?, "http" | "https").then_some(url)
}

fn networks(text: &str) -> Option<Vec<IpNet>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from))).collect()
}

fn rates(text: &str) -> Option<Rates> {
    let mut rates = Rates::DEFAULT;
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, rate) = pair.split_once('=')?;
        let rate = NonZeroU32::new(rate.trim().parse().ok()?);
        match name.trim() {
            "address" => rates.address = rate,
            "anonymous" => rates.anonymous = rate,
            "account" => rates.account = rate,
            "key" => rates.key = rate,
            _ => return None,
        }
    }
    Some(rates)
}

/// A setting that may be omitted or empty.
fn optional<T>(
    name: &str,
    text: Option<&str>,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    mistakes: &mut Vec<String>,
) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    parsed(name, text, expected, parse, mistakes)
}

fn parsed<T>(
    name: &str,
    text: &str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    mistakes: &mut Vec<String>,
) -> Option<T> {
    let value = parse(text);
    if value.is_none() {
        mistakes.push(format!("{name} is {text:?}; it must be {expected}"));
    }
    value
}

fn counted(
    name: &str,
    given: Option<String>,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
    mistakes: &mut Vec<String>,
) -> Option<usize> {
    let Some(text) = given else {
        return Some(default);
    };
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    parsed(name, &text, &expected, |text| text.parse().ok().filter(|n| range.contains(n)), mistakes)
}
