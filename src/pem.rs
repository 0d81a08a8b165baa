//! Certificates and private keys in files of PEM form (RFC 7468). A mistake is a sentence that names the setting.

use std::{fs, os::unix::fs::MetadataExt as _};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Certificates and a key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A certificate with those that lead to its authority, and its key. All mistakes are reported together.
pub fn identity(
    (certificate, certificate_file): (&str, &str),
    (key, key_file): (&str, &str),
) -> Result<Identity, Vec<String>> {
    let mut mistakes = Vec::new();
    let chain = certificates(certificate, certificate_file).map_err(|mistake| mistakes.push(mistake)).ok();
    let key = private_key(key, key_file).map_err(|mistake| mistakes.push(mistake)).ok();
    chain.zip(key).ok_or(mistakes)
}

/// At least one certificate.
pub fn certificates(name: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("{name} {file:?} cannot be read: {error}"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{name} {file:?} has no certificate in PEM form")),
        found => found.map_err(|error| format!("{name} {file:?} is damaged: {error}")),
    }
}

/// A key that only its owner may read, or root and a group.
fn private_key(name: &str, file: &str) -> Result<PrivateKeyDer<'static>, String> {
    let unreadable = |error| format!("{name} {file:?} cannot be read: {error}");
    let about = fs::metadata(file).map_err(unreadable)?;
    let forbidden = if about.uid() == 0 { 0o037 } else { 0o077 };
    if about.mode() & forbidden != 0 {
        return Err(format!("{name} {file:?} can be read by others; run: chmod 600 {file}"));
    }
    let text = fs::read(file).map_err(unreadable)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("{name} {file:?} has no private key in PEM form without a passphrase"))
}
