//! Settings: read once, checked together, so that every mistake is reported at once. Secrets have no defaults and are
//! never shown.

use std::{net::SocketAddr, thread};

use tokio_postgres::Config as DatabaseUrl;
use tracing::Level;

/// What `appointd serve` needs.
pub struct Settings {
    pub database: DatabaseUrl,
    pub token_secret: Vec<u8>,
    pub listen: SocketAddr,
    pub threads: usize,
    pub connections: usize,
    pub log_level: Level,
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The settings as given, by flag or environment, not looked at yet.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub database_url: Option<String>,
    pub token_secret: Option<String>,
    pub listen: Option<String>,
    pub threads: Option<String>,
    pub connections: Option<String>,
    pub log_level: Option<String>,
    pub log_format: Option<String>,
}

/// Everything that is wrong, a line each.
#[derive(Debug)]
pub struct Mistakes(pub Vec<String>);

const SHORTEST_SECRET: usize = 32;
/// Fewer different bytes than this were typed, not drawn.
const FEWEST_BYTES: usize = 10;
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
pub const DEFAULT_CONNECTIONS: usize = 16;

impl Settings {
    pub fn new(given: Given) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let database = database_url("APPOINTD_DATABASE_URL", given.database_url.as_deref(), &mut mistakes);
        let token_secret = token_secret(given.token_secret.as_deref(), &mut mistakes);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let listen = parsed(
            "APPOINTD_LISTEN",
            given.listen.as_deref().unwrap_or(DEFAULT_LISTEN),
            "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080",
            |text| text.parse().ok(),
            &mut mistakes,
        );
        let threads = counted("APPOINTD_THREADS", given.threads, cores, 1..=256, &mut mistakes);
        let connections =
            counted("APPOINTD_CONNECTIONS", given.connections, DEFAULT_CONNECTIONS, 1..=1000, &mut mistakes);
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
        match (database, token_secret, listen, threads, connections, log_level, log_format) {
            (
                Some(database),
                Some(token_secret),
                Some(listen),
                Some(threads),
                Some(connections),
                Some(log_level),
                Some(log_format),
            ) if mistakes.is_empty() => {
                Ok(Self { database, token_secret, listen, threads, connections, log_level, log_format })
            }
            _ => Err(Mistakes(mistakes)),
        }
    }
}

/// A database URL, required.
pub fn database_url(name: &str, given: Option<&str>, mistakes: &mut Vec<String>) -> Option<DatabaseUrl> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        mistakes.push(format!(
            "{name} is not set; it is a URL such as postgresql://appointd_api@localhost/appointd"
        ));
        return None;
    };
    // The text may hold a password, so it is not repeated.
    match text.parse::<DatabaseUrl>() {
        Ok(mut url) => {
            url.application_name("appointd");
            Some(url)
        }
        Err(error) => {
            mistakes.push(format!("{name} is not a PostgreSQL URL: {error}"));
            None
        }
    }
}

fn token_secret(given: Option<&str>, mistakes: &mut Vec<String>) -> Option<Vec<u8>> {
    let make_one = "make one with: openssl rand -base64 48";
    let Some(secret) = given.filter(|secret| !secret.is_empty()) else {
        mistakes.push(format!("APPOINTD_TOKEN_SECRET is not set; {make_one}"));
        return None;
    };
    let mut different: Vec<u8> = secret.bytes().collect();
    different.sort_unstable();
    different.dedup();
    if secret.len() < SHORTEST_SECRET {
        mistakes.push(format!("APPOINTD_TOKEN_SECRET is shorter than {SHORTEST_SECRET} bytes; {make_one}"));
        None
    } else if different.len() < FEWEST_BYTES || secret.to_lowercase().contains("change") {
        mistakes.push(format!("APPOINTD_TOKEN_SECRET is not random; {make_one}"));
        None
    } else {
        Some(secret.as_bytes().to_owned())
    }
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
