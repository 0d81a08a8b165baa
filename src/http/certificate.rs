//! TLS for clients: the certificate that the server shows, read again when it was renewed.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use tokio_rustls::TlsAcceptor;

use crate::pem;

/// HTTP/1.1 (RFC 7301); HTTP/2 is what a proxy in front speaks.
const ALPN: &[u8] = b"http/1.1";

/// The names of the settings, for messages.
const CERTIFICATE: &str = "APPOINTD_TLS_CERTIFICATE";
const KEY: &str = "APPOINTD_TLS_KEY";

/// The certificate of the server, in two files of PEM form.
pub struct Certificate {
    file: String,
    key_file: String,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files. All mistakes are reported together.
    pub fn read(file: String, key_file: String) -> Result<Arc<Self>, Vec<String>> {
        let current = RwLock::new(certified(&file, &key_file)?);
        Ok(Arc::new(Self { file, key_file, current }))
    }

    /// Reads the files again, for the connections from now on. With a mistake the certificate stays as it was.
    pub fn reload(&self) -> Result<(), Vec<String>> {
        let renewed = certified(&self.file, &self.key_file)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// TLS 1.2 and 1.3 with this certificate, for every name that a client asks for.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config).into())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("file", &self.file).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn certified(file: &str, key_file: &str) -> Result<Arc<CertifiedKey>, Vec<String>> {
    let (chain, key) = pem::identity((CERTIFICATE, file), (KEY, key_file))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map(Arc::new)
        .map_err(|error| vec![format!("{CERTIFICATE} and {KEY} cannot be used together: {error}")])
}
