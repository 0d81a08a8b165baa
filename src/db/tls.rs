//! TLS to PostgreSQL: the parameters `sslmode`, `sslrootcert`, `sslcert` and `sslkey` of libpq, read into a
//! configuration of rustls. (`sslnegotiation` and `channel_binding` the driver knows itself.)

mod failure;
mod lenient;

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
};
use tokio_postgres::{
    Config, Socket,
    config::{ChannelBinding, SslNegotiation},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(super) use failure::failure;
use lenient::Lenient;

use crate::pem::{self, Identity};

/// `sslmode`, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    /// Encrypted if the server offers it; nothing is verified.
    Prefer,
    /// Encrypted; verified like `VerifyCa` if `sslrootcert` is set.
    Require,
    /// The certificate of the server is issued by an authority that is trusted.
    VerifyCa,
    /// And it is for the host of the URL.
    VerifyFull,
}

/// What kind of hosts a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peers {
    /// Unix sockets, which have no TLS.
    Sockets,
    /// This machine.
    Loopback,
    Network,
    /// Sockets and others.
    Mixed,
}

/// The ALPN protocol of PostgreSQL, which `sslnegotiation=direct` requires.
const ALPN: &[u8] = b"postgresql";

/// The parameters as given in a URL.
#[derive(Debug, Default)]
pub(super) struct Given {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Given {
    /// Takes the parameters out of a URL; the driver refuses those it does not know.
    pub(super) fn take_from(url: &str) -> (String, Self) {
        let mut given = Self::default();
        // A password may have a question mark.
        let credentials = url.find('@').unwrap_or_default();
        let Some(query) = url[credentials..].find('?').map(|at| credentials + at) else {
            return (url.to_owned(), given);
        };
        let mut left = Vec::new();
        for part in url[query + 1..].split('&') {
            // In these URLs a plus sign is a plus sign.
            let plain = part.replace('+', "%2B");
            let decoded = form_urlencoded::parse(plain.as_bytes()).next();
            let (name, value) = decoded.map(|(name, value)| (name, value.into_owned())).unwrap_or_default();
            match &*name {
                "sslmode" => given.mode = Some(value),
                "sslrootcert" => given.root = Some(value),
                "sslcert" => given.certificate = Some(value),
                "sslkey" => given.key = Some(value),
                _ => left.push(part),
            }
        }
        (format!("{}?{}", &url[..query], left.join("&")), given)
    }

    /// Checks and reads them. All mistakes are reported together.
    pub(super) fn read(&self, peers: Peers, config: &Config) -> Result<(Mode, Tls), Vec<String>> {
        let mut mistakes = Vec::new();
        let binds = config.get_channel_binding() == ChannelBinding::Require;
        let is_direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let wants_tls = self.root.is_some() || self.certificate.is_some() || binds || is_direct;
        let mode = match self.mode.as_deref() {
            None if peers == Peers::Network || wants_tls => Mode::VerifyFull,
            None | Some("disable") => Mode::Disable,
            Some("prefer") => Mode::Prefer,
            Some("require") => Mode::Require,
            Some("verify-ca") => Mode::VerifyCa,
            Some("verify-full") => Mode::VerifyFull,
            Some(other) => {
                mistakes.push(format!(
                    "sslmode is {other:?}; it must be disable, prefer, require, verify-ca or verify-full"
                ));
                Mode::VerifyFull
            }
        };
        // As for libpq, which has no TLS there either.
        let mode = if peers == Peers::Sockets { Mode::Disable } else { mode };
        if peers == Peers::Mixed && mode != Mode::Disable {
            mistakes.push("Unix sockets have no TLS; name only hosts, or set sslmode=disable".to_owned());
        }
        if binds && mode == Mode::Disable && peers != Peers::Sockets {
            mistakes.push("channel_binding=require needs TLS; remove sslmode=disable".to_owned());
        }
        if is_direct && mode < Mode::Require && peers != Peers::Sockets {
            mistakes.push("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full".to_owned());
        }
        if mode == Mode::Disable {
            return if mistakes.is_empty() { Ok((mode, Tls::unused())) } else { Err(mistakes) };
        }
        let authorities = self.authorities(mode).map_err(|mistake| mistakes.push(mistake)).ok();
        let client = self.client().map_err(|found| mistakes.extend(found)).ok();
        let tls = authorities.zip(client).and_then(|(authorities, client)| {
            let trusted = self.root.clone().filter(|root| root != SYSTEM);
            configure(mode, authorities, client)
                .map(|made| Tls { make: MakeRustlsConnect::new(made), is_used: true, trusted })
                .map_err(|mistake| mistakes.push(mistake))
                .ok()
        });
        match tls {
            Some(tls) if mistakes.is_empty() => Ok((mode, tls)),
            _ => Err(mistakes),
        }
    }

    /// The authorities that are trusted; `None` if the server is not verified.
    fn authorities(&self, mode: Mode) -> Result<Option<RootCertStore>, String> {
        match (mode, self.root.as_deref()) {
            (Mode::Disable | Mode::Prefer | Mode::Require, None) => Ok(None),
            (Mode::VerifyFull, None | Some(SYSTEM)) => system_authorities().map(Some),
            (Mode::VerifyCa, None) => Err(
                "sslmode=verify-ca needs sslrootcert, the file with the certificate of the authority; or use verify-full"
                    .to_owned(),
            ),
            // A public authority gives anyone a certificate.
            (_, Some(SYSTEM)) => Err("sslrootcert=system needs sslmode=verify-full".to_owned()),
            (Mode::Disable | Mode::Prefer, Some(_)) => Err(
                "sslmode=prefer verifies nothing, so sslrootcert means nothing; use sslmode=verify-full".to_owned(),
            ),
            (_, Some(file)) => {
                let mut authorities = RootCertStore::empty();
                for certificate in pem::certificates("sslrootcert", file)? {
                    authorities.add(certificate).map_err(|error| {
                        format!("sslrootcert {file:?} has a certificate that cannot be used: {error}")
                    })?;
                }
                Ok(Some(authorities))
            }
        }
    }

    /// The certificate of this client and its key.
    fn client(&self) -> Result<Option<Identity>, Vec<String>> {
        let (certificate, key) = match (&self.certificate, &self.key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            _ => return Err(vec!["only one of sslcert and sslkey is set; set both or neither".to_owned()]),
        };
        pem::identity(("sslcert", certificate), ("sslkey", key)).map(Some)
    }
}

/// `sslrootcert` for the authorities that the machine trusts.
const SYSTEM: &str = "system";

fn system_authorities() -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if authorities.is_empty() {
        return Err(
            "this machine trusts no authorities that could verify the server (Debian: apt-get install ca-certificates); \
             set sslrootcert to the certificate of the authority, or, if you trust the network, sslmode=disable"
                .to_owned(),
        );
    }
    Ok(authorities)
}

fn configure(
    mode: Mode,
    authorities: Option<RootCertStore>,
    client: Option<Identity>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = versions(&provider)?;
    let builder = match authorities {
        Some(authorities) if mode == Mode::VerifyFull => builder.with_root_certificates(authorities),
        authorities => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { authorities, provider }))
        }
    };
    let mut made = match client {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("sslcert and sslkey cannot be used together: {error}"))?,
        None => builder.with_no_client_auth(),
    };
    made.alpn_protocols = vec![ALPN.to_vec()];
    Ok(made)
}

fn versions(
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

/// Makes connections encrypted, for the driver.
#[derive(Clone)]
pub(super) struct Tls {
    make: MakeRustlsConnect,
    is_used: bool,
    trusted: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("is_used", &self.is_used).field("trusted", &self.trusted).finish()
    }
}

impl Tls {
    /// The file with the authorities that are trusted; `None`: those of the machine.
    pub(super) fn trusted(&self) -> Option<&str> {
        self.trusted.as_deref()
    }

    /// For connections without TLS. It trusts nothing.
    pub(super) fn unused() -> Self {
        let made = configure(Mode::VerifyFull, Some(RootCertStore::empty()), None);
        let make = MakeRustlsConnect::new(made.expect("ring has the versions that rustls considers safe"));
        Self { make, is_used: false, trusted: None }
    }
}

type Made = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

impl MakeTlsConnect<Socket> for Tls {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = Made;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Made, Self::Error> {
        // The driver asks for every connection. The name of one without TLS may be none that a certificate could have.
        let host = if self.is_used { host } else { "unused" };
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.make, host)
    }
}
