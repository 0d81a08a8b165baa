//! TLS for clients: the certificate they see, and what happens when it is renewed.

use std::{fs, path::Path, sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{
    Folder,
    encrypted::{authority, certify},
    eventually,
    program::{Serve, appointd, text},
    system,
};

const NAME: &str = "DNS:salon.internal";

/// An authority `ca`, and what it issued as `name` to salon.internal.
fn issue(folder: &Path, name: &str) {
    if !folder.join("ca.crt").exists() {
        authority(folder, "ca");
    }
    certify(folder, name, "ca", &format!("subjectAltName={NAME}"), &[]);
    close(&folder.join(format!("{name}.key")));
}

fn close(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("a mode");
}

fn flags(folder: &Path) -> [String; 4] {
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    ["--tls-certificate".to_owned(), file("server.crt"), "--tls-key".to_owned(), file("server.key")]
}

fn serve(folder: &Path) -> Serve {
    let flags = flags(folder);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Serve::start_with(&system().cluster.url("appointd_api", "appointd"), &flags)
}

/// A connection of a client that trusts the authority alone, and asks for HTTP/2 first.
async fn connect(folder: &Path, address: &str, host: &'static str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(folder.join("ca.crt")).expect("a certificate")).expect("trust");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host).expect("a name"), stream).await
}

/// The status of /health/live over a connection that stays open.
async fn live(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: salon.internal\r\n\r\n").await.expect("it is sent");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

fn certificate(folder: &Path, name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(folder.join(name)).expect("a certificate").to_vec()
}

#[tokio::test]
async fn clients_speak_http_over_tls_and_not_without() {
    let folder = Folder::new();
    issue(&folder.0, "server");
    let server = serve(&folder.0);
    let mut stream = connect(&folder.0, &server.address, "salon.internal").await.expect("a connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(shown(&stream), certificate(&folder.0, "server.crt"));
    assert_eq!(live(&mut stream).await, "HTTP/1.1 200 OK");
    assert_eq!(live(&mut stream).await, "HTTP/1.1 200 OK", "the connection stays open");

    let refused = connect(&folder.0, &server.address, "elsewhere.internal").await.expect_err("another name");
    assert!(refused.to_string().contains("salon.internal"), "{refused}");

    let mut plain = TcpStream::connect(&server.address).await.expect("a connection");
    plain.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is sent");
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.expect("an end");
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));

    let asked = ["health", "--listen", &server.address];
    let output = appointd(&asked, &[("APPOINTD_TLS_CERTIFICATE", "server.crt".to_owned())]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("set APPOINTD_OPERATIONS_LISTEN"), "{output:?}");
}

#[tokio::test]
async fn certificate_is_renewed_on_sighup_and_kept_with_a_mistake() {
    let folder = Folder::new();
    issue(&folder.0, "server");
    let server = serve(&folder.0);
    let reload = || {
        let process = Pid::from_raw(server.child.id().try_into().expect("an id"));
        kill(process, Signal::SIGHUP).expect("it runs");
    };
    let first = certificate(&folder.0, "server.crt");
    let mut before = connect(&folder.0, &server.address, "salon.internal").await.expect("a connection");
    assert_eq!(shown(&before), first);

    fs::write(folder.0.join("server.crt"), "half a file").expect("a file");
    reload();
    let said = eventually(async || server.logged("the certificate stays as it was").pop()).await;
    let mistakes = said["mistakes"].as_str().expect("mistakes");
    assert!(
        mistakes.starts_with("APPOINTD_TLS_CERTIFICATE") && mistakes.ends_with("no certificate in PEM form"),
        "{said}"
    );
    let stream = connect(&folder.0, &server.address, "salon.internal").await.expect("a connection");
    assert_eq!(shown(&stream), first);

    issue(&folder.0, "server");
    let second = certificate(&folder.0, "server.crt");
    assert_ne!(second, first);
    reload();
    eventually(async || server.logged("the certificate was read again").pop()).await;
    let stream = connect(&folder.0, &server.address, "salon.internal").await.expect("a connection");
    assert_eq!(shown(&stream), second);
    assert_eq!(live(&mut before).await, "HTTP/1.1 200 OK", "an open connection goes on");
}

#[tokio::test]
async fn mistakes_of_the_certificate_are_reported_before_the_start() {
    let folder = Folder::new();
    issue(&folder.0, "server");
    issue(&folder.0, "other");
    let file = |name: &str| folder.0.join(name).to_str().expect("a path").to_owned();
    let refused = async |certificate: &str, key: &str| {
        let environment =
            [("APPOINTD_TLS_CERTIFICATE", certificate.to_owned()), ("APPOINTD_TLS_KEY", key.to_owned())];
        let output = appointd(&["serve"], &environment).await;
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let said = refused(&file("server.crt"), "").await;
    assert!(said.contains("only one of APPOINTD_TLS_CERTIFICATE and APPOINTD_TLS_KEY is set"), "{said}");
    let said = refused(&file("server.crt"), &file("other.key")).await;
    assert!(said.contains("APPOINTD_TLS_CERTIFICATE and APPOINTD_TLS_KEY cannot be used together"), "{said}");
    let said = refused(&file("missing.crt"), &file("missing.key")).await;
    for name in ["APPOINTD_TLS_CERTIFICATE", "APPOINTD_TLS_KEY"] {
        assert!(said.contains(&format!("{name} \"")), "{said}");
    }
}

#[tokio::test]
async fn client_that_begins_no_handshake_keeps_nothing_waiting() {
    let folder = Folder::new();
    issue(&folder.0, "server");
    let mut server = serve(&folder.0);
    let mut half = TcpStream::connect(&server.address).await.expect("a connection");
    // The first bytes of a record that never ends.
    half.write_all(&[22, 3, 1, 2, 0]).await.expect("it is sent");
    let mut stream = connect(&folder.0, &server.address, "salon.internal").await.expect("a connection");
    assert_eq!(live(&mut stream).await, "HTTP/1.1 200 OK");
    server.terminate();
    let ended = tokio::task::spawn_blocking(move || server.child.wait().expect("an end"));
    let ended = timeout(Duration::from_secs(5), ended).await.expect("the drain does not wait for it");
    assert!(ended.expect("no panic").success());
}
