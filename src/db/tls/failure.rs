//! What a failure of TLS means, for the person at the terminal: one line that says what to do.

use std::{error::Error as StdError, io};

use chrono::{DateTime, Utc};
use rustls::{CertificateError, Error as TlsError, pki_types::UnixTime};
use tokio_postgres::{Error, error::SqlState};

use super::super::error::error_chain;

/// How a certificate is made that is accepted: docs/dba.md has the lines.
const MAKE_OTHER: &str =
    "make an authority, and with it a certificate that has the host as subjectAltName (docs/dba.md)";

/// Texts of the driver, which has no codes for these.
const NOT_OFFERED: &str = "server does not support TLS";
const NOT_BOUND: &str = "channel binding";

/// Why a connection failed, if TLS is the reason. `is_encrypted`: the URL insists on TLS. `trusted`: the file with the
/// authorities that are trusted; `None`: those of the machine.
pub fn failure(error: &Error, is_encrypted: bool, trusted: Option<&str>) -> Option<String> {
    if let Some(reported) = error.as_db_error() {
        // The words are those of pg_hba.conf and not translated.
        let wants_tls = reported.code() == &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && !is_encrypted
            && ["no encryption", "SSL off"].iter().any(|words| reported.message().contains(words));
        return wants_tls.then(|| {
            format!(
                "{}; if the server accepts only encrypted connections, set sslmode=verify-full",
                reported.message()
            )
        });
    }
    if let Some(error) = find(error) {
        return Some(explain(error, trusted));
    }
    let text = error_chain(error);
    if text.contains(NOT_OFFERED) {
        return Some(
            "the server offers no TLS; switch it on there (ssl = on), or, if you trust the network between, set \
             sslmode=disable"
                .to_owned(),
        );
    }
    if text.contains(NOT_BOUND) {
        return Some(
            "channel_binding=require, but the server cannot bind to its certificate: it needs TLS, passwords of \
             scram-sha-256, and a certificate that is signed with RSA or ECDSA (not Ed25519)"
                .to_owned(),
        );
    }
    // A server that does not know this closes the connection, or answers something that is not TLS.
    text.starts_with("error performing TLS handshake")
        .then(|| format!("{text}; sslnegotiation=direct needs PostgreSQL 17, and a pooler that knows it"))
}

/// The error of rustls behind an error.
fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref());
        if found.is_some() {
            return found;
        }
        next = error.source();
    }
    None
}

fn explain(error: &TlsError, trusted: Option<&str>) -> String {
    match error {
        TlsError::InvalidCertificate(error) => certificate(error, trusted),
        TlsError::AlertReceived(alert) => format!(
            "the server refused the TLS connection ({alert:?}); if it asks for a certificate of the client, set sslcert \
             and sslkey"
        ),
        error => format!("TLS failed: {}", short(&error.to_string())),
    }
}

fn certificate(error: &CertificateError, trusted: Option<&str>) -> String {
    match error {
        CertificateError::UnknownIssuer => match trusted {
            Some(file) => {
                format!("the certificate of the server was issued by an authority that is not in {file}")
            }
            None => "the certificate of the server was issued by an authority that this machine does not trust; set \
                     sslrootcert to the file with its certificate"
                .to_owned(),
        },
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of the server expired on {}", day(not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate of the server is not valid before {}", day(not_before))
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("the certificate of the server names no host; {MAKE_OTHER}")
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the certificate of the server is for {}, not for {}",
            presented.iter().map(|name| name_in(name)).collect::<Vec<_>>().join(", "),
            expected.to_str()
        ),
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate of the server is signed in a way that is not supported; sign with RSA or ECDSA P-256 and \
             SHA-256"
                .to_owned()
        }
        CertificateError::Other(error) => {
            let text = error.to_string();
            match text.as_str() {
                text if text.contains("CaUsedAsEndEntity") => {
                    format!("the certificate of the server is that of an authority (CA:TRUE); {MAKE_OTHER}")
                }
                text if text.contains("UnsupportedCertVersion") => {
                    format!("the certificate of the server is of version 1 of X.509; {MAKE_OTHER}")
                }
                text => format!("the certificate of the server cannot be used: {}", short(text)),
            }
        }
        error => format!("the certificate of the server cannot be used: {}", short(&error.to_string())),
    }
}

/// `DnsName("db")` is db.
fn name_in(shown: &str) -> &str {
    let inner = shown.split_once('(').map_or(shown, |(_, rest)| rest.trim_end_matches(')'));
    inner.trim_matches('"')
}

fn day(time: &UnixTime) -> String {
    let at =
        i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    at.map_or_else(|| "an unknown day".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// Some texts list every algorithm.
fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
