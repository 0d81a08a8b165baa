//! A PostgreSQL that accepts only encrypted connections, the certificates around it, and a wiretap before it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use appointd::db::{DatabaseUrl, cluster::Cluster, migrate};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Folder, eventually, private_database_with};

/// The password of every role.
pub const PASSWORD: &str = "of the tests";

/// A PostgreSQL that has a certificate for `db.internal`, at port 5432 of an address of its own.
pub struct Encrypted {
    pub cluster: Cluster,
    pub superuser: Client,
    pub address: String,
    /// Certificates and keys.
    pub files: Folder,
    data: PathBuf,
}

impl Encrypted {
    /// Not encrypted yet: [`encrypt`](Self::encrypt) it. Every role needs the password.
    pub async fn plain() -> Self {
        // Loopback has 16 million addresses.
        let [a, b, c, ..] = Uuid::new_v4().into_bytes();
        let address = format!("127.{a}.{b}.{}", c % 254 + 1);
        let settings: &'static [&'static str] =
            Box::leak(Box::new([&*Box::leak(format!("listen_addresses={address}").into_boxed_str())]));
        let (cluster, superuser) = private_database_with(settings).await;
        let data: String = superuser.query_one("show data_directory", &[]).await.expect("a folder").get(0);
        let new = Self { cluster, superuser, address, files: Folder::new(), data: data.into() };
        for role in ["api", "door", "worker", "owner", "auditor"] {
            let set = format!("alter role appointd_{role} password '{PASSWORD}'");
            new.superuser.batch_execute(&set).await.expect("a password");
        }
        new.access("host all all all scram-sha-256").await;
        new
    }

    /// Accepts encrypted connections only; `appointd_auditor` comes with a certificate.
    pub async fn start() -> Self {
        let new = Self::plain().await;
        authority(&new.files.0, "ca");
        certify(&new.files.0, "server", "ca", "subjectAltName=DNS:db.internal", &[]);
        new.encrypt("server", "server").await;
        new.access(
            "hostssl all appointd_auditor all cert\nhostssl all all all scram-sha-256\nhostnossl all all all reject",
        )
        .await;
        new
    }

    /// Who may come by a network.
    async fn access(&self, lines: &str) {
        self.write("pg_hba.conf", format!("local all all trust\n{lines}\n").as_bytes());
        self.superuser.batch_execute("select pg_reload_conf()").await.expect("read again");
    }

    /// Uses a certificate and a key from now on.
    pub async fn encrypt(&self, certificate: &str, key: &str) {
        for (name, file) in [
            ("server.crt", format!("{certificate}.crt")),
            ("server.key", format!("{key}.key")),
            ("root.crt", "ca.crt".to_owned()),
        ] {
            self.write(name, &fs::read(self.files.0.join(file)).expect("a certificate"));
        }
        for command in [
            "alter system set ssl_ca_file = 'root.crt'",
            "alter system set ssl = on",
            "select pg_reload_conf()",
        ] {
            self.superuser.batch_execute(command).await.expect("a setting");
        }
    }

    /// A file of PostgreSQL's.
    fn write(&self, name: &str, content: &[u8]) {
        let path = self.data.join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        let owner = fs::metadata(&self.data).expect("a folder");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("a file of theirs");
    }

    /// A file of certificates.
    pub fn file(&self, name: &str) -> String {
        self.files.0.join(name).display().to_string()
    }

    /// Where a role reaches it, as a host of a network.
    pub fn url(&self, role: &str, parameters: &str) -> String {
        format!(
            "postgresql://{role}:{}@db.internal/appointd?hostaddr={}&{parameters}",
            PASSWORD.replace(' ', "%20"),
            self.address
        )
    }

    /// Connects until it comes about as expected: PostgreSQL reads its files again in its own time.
    pub async fn expect(&self, url: &str, expected: Result<(), &str>) {
        let url: DatabaseUrl = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let last = Mutex::new(String::new());
        let came = eventually(async || {
            let connected = migrate::connect(&url).await.map(drop);
            *last.lock().expect("no panic") = format!("{connected:?}");
            match (connected, expected) {
                (Ok(()), Ok(())) => Some(()),
                (Err(said), Err(words)) => {
                    assert!(said.chars().count() < 400 && !said.contains(PASSWORD), "{said}");
                    said.contains(words).then_some(())
                }
                _ => None,
            }
        });
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), came).await;
        assert!(waited.is_ok(), "{expected:?}, and not {}", last.lock().expect("no panic"));
    }
}

/// Runs openssl in a folder, with words that have no spaces.
pub fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is there: PostgreSQL's packages need it");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// An authority.
pub fn authority(folder: &Path, name: &str) {
    let subject = format!("-keyout {name}.key -out {name}.crt -subj /CN={name}");
    openssl(folder, &format!("req -x509 {KEY} -days 3 {subject}"));
}

/// A certificate that an authority issues, with these extensions; without any it is one of version 1.
pub fn certify(folder: &Path, name: &str, authority: &str, extensions: &str, more: &[&str]) {
    openssl(folder, &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let mut command = format!("x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key");
    command += &format!(" -CAcreateserial -days 3 -out {name}.crt");
    if !extensions.is_empty() {
        fs::write(folder.join("extensions"), format!("{extensions}\n")).expect("a file");
        command += " -extfile extensions";
    }
    for argument in more {
        command += &format!(" {argument}");
    }
    openssl(folder, &command);
}

/// Stands between the program and the database, and keeps how each connection began.
pub struct Wiretap {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wiretap {
    pub async fn before(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let new = Self { address: listener.local_addr().expect("an address"), heard: Arc::default() };
        let (heard, server) = (new.heard.clone(), format!("{address}:5432"));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), heard.clone()));
            }
        });
        new
    }

    /// What each client sent first.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().expect("no panic").clone()
    }
}

/// How much of each connection is kept: a request, or the request for TLS and the first byte after it.
const KEPT: usize = 9;

async fn pass(client: TcpStream, server: String, heard: Arc<Mutex<Vec<Vec<u8>>>>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let own = {
        let mut heard = heard.lock().expect("no panic");
        heard.push(Vec::new());
        heard.len() - 1
    };
    tokio::spawn(async move {
        let _ = copy(&mut from_server, &mut to_client).await;
    });
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        {
            let mut heard = heard.lock().expect("no panic");
            let missing = KEPT.saturating_sub(heard[own].len()).min(read);
            heard[own].extend_from_slice(&buffer[..missing]);
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}
