//! The URL of a database: what the driver reads, and the settings of TLS, which have the names and the meaning that
//! libpq gives them.

use std::{net::IpAddr, str::FromStr, time::Duration};

use futures_util::{Stream, stream};
use tokio_postgres::{
    AsyncMessage, Client, Config, Error,
    config::{Host, SslMode, TargetSessionAttrs},
};

use super::{
    error,
    tls::{Given, Mode, Peers, Tls, failure},
};

/// Where a database is, and how it is reached.
#[derive(Clone, Debug)]
pub struct DatabaseUrl {
    config: Config,
    tls: Tls,
    mode: Mode,
    peers: Peers,
}

/// Why a text is no URL of a database. Does not repeat it: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("not a PostgreSQL URL: {0}")]
    Malformed(String),
    #[error("names no host")]
    WithoutHost,
    #[error("{}", .0.join("; "))]
    Tls(Vec<String>),
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !["postgresql://", "postgres://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(UrlError::Malformed("it does not begin with postgresql://".to_owned()));
        }
        let (text, given) = Given::take_from(text);
        let mut config: Config =
            text.parse().map_err(|error: Error| UrlError::Malformed(error.to_string()))?;
        if config.get_hosts().is_empty() {
            // An address alone is also the name that a certificate has to have.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        let peers = peers(config.get_hosts()).ok_or(UrlError::WithoutHost)?;
        if config.get_application_name().is_none() {
            config.application_name("appointd");
        }
        let (mode, tls) = given.read(peers, &config).map_err(UrlError::Tls)?;
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        Ok(Self { config, tls, mode, peers })
    }
}

/// What kind of hosts these are; `None` without any.
fn peers(hosts: &[Host]) -> Option<Peers> {
    let is_local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    let sockets = hosts.iter().filter(|host| matches!(host, Host::Unix(_))).count();
    match hosts {
        [] => None,
        hosts if sockets == hosts.len() => Some(Peers::Sockets),
        _ if sockets > 0 => Some(Peers::Mixed),
        hosts if hosts.iter().all(is_local) => Some(Peers::Loopback),
        _ => Some(Peers::Network),
    }
}

impl DatabaseUrl {
    /// A URL that leads nowhere, for programs that use no database.
    pub fn nowhere() -> Self {
        Self { config: Config::new(), tls: Tls::unused(), mode: Mode::Disable, peers: Peers::Sockets }
    }

    /// The same database, with connections that PostgreSQL shows under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.config.application_name(name);
        self
    }

    /// With several hosts, the primary among them. A single host is checked at the start and by errors 25006.
    pub(super) fn primary(&self) -> Self {
        let mut url = self.clone();
        if url.config.get_hosts().len() > 1
            && url.config.get_target_session_attrs() == TargetSessionAttrs::Any
        {
            url.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        url
    }

    /// The role that it is reached as.
    pub(super) fn role(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Opens a connection. The second part is the task that moves its bytes.
    pub(super) async fn connect(
        &self,
    ) -> Result<(Client, impl Future<Output = Result<(), Error>> + Send + use<>), Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// Opens a connection of which the caller reads the messages. After `idle` without traffic the system checks that
    /// the other side is still there.
    pub(super) async fn hear(
        &self,
        idle: Duration,
    ) -> Result<(Client, impl Stream<Item = Result<AsyncMessage, Error>> + Send + use<>), Error> {
        let mut config = self.config.clone();
        config.keepalives_idle(idle);
        let (client, mut connection) = config.connect(self.tls.clone()).await?;
        Ok((client, stream::poll_fn(move |context| connection.poll_message(context))))
    }

    /// Cancels the running statement of a connection that was opened with this URL, over TLS if that is.
    pub(super) async fn cancel(&self, client: &Client) -> Result<(), Error> {
        client.cancel_token().cancel_query(self.tls.clone()).await
    }

    /// What an attacker between this machine and the database could do; `None` if nothing.
    pub fn risk(&self) -> Option<&'static str> {
        match (self.peers, self.mode) {
            (Peers::Sockets | Peers::Loopback, _) | (_, Mode::VerifyCa | Mode::VerifyFull) => None,
            (_, Mode::Disable) => Some(
                "sslmode=disable: the connection to PostgreSQL is not encrypted; use sslmode=verify-full unless you \
                 trust the network between",
            ),
            (_, Mode::Prefer) => Some(
                "sslmode=prefer: the connection to PostgreSQL may be unencrypted, and the server is not verified; use \
                 sslmode=verify-full",
            ),
            (_, Mode::Require) => Some(
                "sslmode=require without sslrootcert: the connection to PostgreSQL is encrypted, but the server is not \
                 verified; use sslmode=verify-full",
            ),
        }
    }

    /// What a failure means, for the person at the terminal.
    pub fn explain(&self, error: &Error) -> String {
        failure(error, self.mode >= Mode::Require, self.tls.trusted()).unwrap_or_else(|| {
            let reason = error::explain(error);
            reason.strip_prefix("error connecting to server: ").unwrap_or(&reason).to_owned()
        })
    }

    /// Where it leads: hosts and ports, or sockets, database and role. Never the password.
    pub(super) fn destination(&self) -> String {
        let port = |index: usize| {
            let ports = self.config.get_ports();
            ports.get(index).or(ports.first()).copied().unwrap_or(5432)
        };
        let places: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(index, host)| match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port(index)),
                Host::Tcp(name) => format!("{name}:{}", port(index)),
                Host::Unix(folder) => format!("{}/.s.PGSQL.{}", folder.display(), port(index)),
            })
            .collect();
        let named = [("database", self.config.get_dbname()), ("role", self.config.get_user())];
        let named: Vec<_> =
            named.iter().filter_map(|(what, name)| Some(format!("{what} {}", (*name)?))).collect();
        match named.as_slice() {
            [] => places.join(", "),
            named => format!("{} ({})", places.join(", "), named.join(", ")),
        }
    }
}
