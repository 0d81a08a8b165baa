//! `appointd serve`: the settings, what a server must not be started on, and the server.

use std::{
    error::Error,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tokio_postgres::Client;

use crate::{
    config::{Database, Mistakes, RawSettings, Settings},
    db::{self, migrate, row},
    http::{captcha::Captcha, certificate::Certificate, limit::Limits, token::Tokens},
    identity::passwords::{Passwords, Policy},
    messaging::webhooks::{addresses::Reach, secrets::SecretKeys},
    operations::health::Stopping,
    server::{Bounds, Capacity, OperatorListener, Parts, Server, Shown, StopSignal, worker},
    sql,
    terminal::{block_on, list, log_to_stderr, raise_open_files},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  export APPOINTD_DATABASE_URL=postgresql://appointd_api@localhost/appointd
  export APPOINTD_DOOR_DATABASE_URL=postgresql://appointd_door@localhost/appointd
  export APPOINTD_WORKER_DATABASE_URL=postgresql://appointd_worker@localhost/appointd
  export APPOINTD_TOKEN_KEYS=…    # openssl rand -base64 32; keep it
  export APPOINTD_LINK_KEYS=…     # another one
  appointd serve
  appointd serve --listen 0.0.0.0:8080 --log-format text
  appointd serve --mail-url file:///tmp/mail --public-url https://example.com";

pub(super) const WORKER_EXAMPLES: &str = "\
Examples:
  appointd worker                 # and `appointd serve --no-worker` elsewhere
  appointd worker --jobs 32";

#[derive(Args)]
pub(super) struct ServeArgs {
    /// URL of the database, as the role appointd_api. Required
    #[arg(long, env = "APPOINTD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// URL of the database, as the role appointd_door. Required by serve
    #[arg(long, env = "APPOINTD_DOOR_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    door_database_url: Option<String>,
    /// URL of the database, as the role appointd_worker. Required, unless --no-worker is given
    #[arg(long, env = "APPOINTD_WORKER_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    worker_database_url: Option<String>,
    /// Do not work in the background: another process does
    #[arg(long)]
    no_worker: bool,
    /// Keys that sign access tokens: Ed25519, 32 random bytes in base64; several are separated by commas, and the first
    /// one signs. Required. Set them in the environment: every user of the machine can read a flag
    #[arg(long, env = "APPOINTD_TOKEN_KEYS", hide_env_values = true, value_name = "KEYS")]
    token_keys: Option<String>,
    /// Keys that sign the links of guests, in the same form; none of them may be a token key. Required
    #[arg(long, env = "APPOINTD_LINK_KEYS", hide_env_values = true, value_name = "KEYS")]
    link_keys: Option<String>,
    /// Address and port to listen on; a port alone is one of 127.0.0.1 [default: 127.0.0.1:8080]
    #[arg(long, env = "APPOINTD_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Certificate for clients, which then speak HTTP over TLS: a file in PEM form, with the certificates that lead to
    /// its authority. Read again on SIGHUP. Needs APPOINTD_TLS_KEY [default: none, HTTP without TLS]
    #[arg(long, env = "APPOINTD_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Private key of the certificate: a file in PEM form that others cannot read
    #[arg(long, env = "APPOINTD_TLS_KEY", value_name = "FILE")]
    tls_key: Option<String>,
    /// Address and port for the operator: /metrics for Prometheus, and /health. A port alone is one of 127.0.0.1. It
    /// asks for no credentials: let no client reach it [default: none]
    #[arg(long, env = "APPOINTD_OPERATIONS_LISTEN", value_name = "ADDRESS")]
    operations_listen: Option<String>,
    /// For how many seconds to go on after SIGTERM while /health/ready says 503, so that load balancers notice before
    /// connections are refused. A second signal ends it [default: 0]
    #[arg(long, env = "APPOINTD_LAME_DUCK", value_name = "SECONDS")]
    lame_duck: Option<String>,
    /// Threads that serve requests [default: one per core]
    #[arg(long, env = "APPOINTD_THREADS", value_name = "NUMBER")]
    threads: Option<String>,
    /// Connections to the database, shared out among the threads [default: 16]
    #[arg(long, env = "APPOINTD_CONNECTIONS", value_name = "NUMBER")]
    connections: Option<String>,
    /// Jobs that are done in the background at once [default: 8]
    #[arg(long, env = "APPOINTD_JOBS", value_name = "NUMBER")]
    jobs: Option<String>,
    /// The domain whose subdomains are those of organizations. Without it the host of a request means nothing
    #[arg(long, env = "APPOINTD_BASE_DOMAIN", value_name = "DOMAIN")]
    base_domain: Option<String>,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Host are believed: addresses or networks, separated by commas
    #[arg(long, env = "APPOINTD_TRUSTED_PROXIES", value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Requests per minute; 0 is unlimited [default: address=3000,anonymous=60,account=600,key=1200]
    #[arg(long, env = "APPOINTD_RATE_LIMITS", value_name = "LIMITS")]
    rate_limits: Option<String>,
    /// How to send e-mail: smtp:// or smtps:// with user, password, host and port; or file:/// and a folder to write it
    /// into
    #[arg(long, env = "APPOINTD_MAIL_URL", hide_env_values = true, value_name = "URL")]
    mail_url: Option<String>,
    /// Sender of e-mails
    #[arg(long, env = "APPOINTD_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Where the pages are that links in e-mails lead to. Required if e-mail is sent
    #[arg(long, env = "APPOINTD_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The DNS server to ask about domains [default: those of the system]
    #[arg(long, env = "APPOINTD_DNS", value_name = "ADDRESS")]
    dns: Option<String>,
    /// Networks that webhooks may be sent to besides public addresses, also by http: addresses or networks, separated
    /// by commas. Set it only if every organization may reach them
    #[arg(long, env = "APPOINTD_WEBHOOK_NETWORKS", value_name = "NETWORKS")]
    webhook_networks: Option<String>,
    /// Where a captcha service verifies tokens. If it is set, guests cannot book, hold or wait without one. Needs
    /// APPOINTD_CAPTCHA_SECRET
    #[arg(long, env = "APPOINTD_CAPTCHA_URL", value_name = "URL")]
    captcha_url: Option<String>,
    /// The secret by which the captcha service knows this server
    #[arg(long, env = "APPOINTD_CAPTCHA_SECRET", hide_env_values = true, value_name = "SECRET")]
    captcha_secret: Option<String>,
    /// The least important messages to log: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "APPOINTD_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// Form of the log: json, or text for people [default: json]
    #[arg(long, env = "APPOINTD_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
}

impl From<ServeArgs> for RawSettings {
    fn from(args: ServeArgs) -> Self {
        Self {
            database_url: args.database_url,
            door_database_url: args.door_database_url,
            no_requests: false,
            worker_database_url: args.worker_database_url,
            no_worker: args.no_worker,
            token_keys: args.token_keys,
            link_keys: args.link_keys,
            listen: args.listen,
            tls_certificate: args.tls_certificate,
            tls_key: args.tls_key,
            operations_listen: args.operations_listen,
            lame_duck: args.lame_duck,
            threads: args.threads,
            jobs: args.jobs,
            connections: args.connections,
            base_domain: args.base_domain,
            trusted_proxies: args.trusted_proxies,
            rate_limits: args.rate_limits,
            mail_url: args.mail_url,
            mail_from: args.mail_from,
            public_url: args.public_url,
            dns: args.dns,
            webhook_networks: args.webhook_networks,
            captcha_url: args.captcha_url,
            captcha_secret: args.captcha_secret,
            log_level: args.log,
            log_format: args.log_format,
        }
    }
}

pub(super) fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(args.into()).map_err(list)?;
    log_to_stderr(settings.log_level, settings.log_format);
    raise_open_files();
    block_on(async {
        let mut stop = StopSignal::listen()?;
        check_databases(&settings).await?;
        let (sends_mail, lame_duck) = (settings.mailer.sends(), settings.lame_duck);
        let listener = bind(settings.listen, "--listen")?;
        let for_operator =
            settings.operations_listen.map(|address| bind(address, "--operations-listen")).transpose()?;
        let certificate = settings.certificate.clone();
        let parts = parts(settings)?;
        let (database, worker) = (parts.database.clone(), parts.worker.clone());
        certificate.map(renew).transpose()?;
        let server = Server::start(parts, listener)?;
        tracing::info!(address = %server.address(), version = env!("CARGO_PKG_VERSION"), "serving");
        let work = worker.zip(server.work_counts().cloned());
        let operator = show(for_operator, Shown { database, work, stopping: server.stopping().clone() })?;
        warn_without_mail(sends_mail);
        stop.received().await;
        server.stopping().begin();
        if !lame_duck.is_zero() {
            tracing::info!(seconds = lame_duck.as_secs(), "not ready any more; stopping soon");
            // A second signal, or the time.
            let _ = timeout(lame_duck, stop.received()).await;
        }
        tracing::info!("stopping");
        tokio::task::spawn_blocking(move || {
            server.stop();
            // Last, so that it can be seen until then.
            if let Some(operator) = operator {
                operator.stop();
            }
        })
        .await?;
        Ok(())
    })
}

/// Works in the background, and serves no requests.
pub(super) fn work(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let settings =
        Settings::new(RawSettings { no_requests: true, no_worker: false, ..args.into() }).map_err(list)?;
    log_to_stderr(settings.log_level, settings.log_format);
    block_on(async {
        let mut stop = StopSignal::listen()?;
        check_databases(&settings).await?;
        let sends_mail = settings.mailer.sends();
        let for_operator =
            settings.operations_listen.map(|address| bind(address, "--operations-listen")).transpose()?;
        let parts = parts(settings)?;
        let database = parts.worker.clone().ok_or("the worker has no database")?;
        let (stop_working, told) = watch::channel(false);
        let worker = worker(&parts, &database);
        let work = Some((database, worker.counts.clone()));
        let working = tokio::spawn(worker.run(told));
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "working");
        let stopping = Stopping::default();
        let shown = Shown { database: parts.database.clone(), work, stopping: stopping.clone() };
        let operator = show(for_operator, shown)?;
        warn_without_mail(sends_mail);
        stop.received().await;
        tracing::info!("stopping");
        stopping.begin();
        stop_working.send_replace(true);
        working.await?;
        if let Some(operator) = operator {
            tokio::task::spawn_blocking(|| operator.stop()).await?;
        }
        Ok(())
    })
}

/// Reads the certificate again on every SIGHUP.
fn renew(certificate: Arc<Certificate>) -> io::Result<()> {
    let mut renewed = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while renewed.recv().await.is_some() {
            match certificate.reload() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(mistakes) => {
                    tracing::error!(mistakes = mistakes.join("; "), "the certificate stays as it was");
                }
            }
        }
    });
    Ok(())
}

fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another address with {flag}"))
}

/// Shows the operator metrics and health.
fn show(listener: Option<TcpListener>, shown: Shown) -> io::Result<Option<OperatorListener>> {
    let operator = listener.map(|listener| OperatorListener::start(listener, shown)).transpose()?;
    if let Some(operator) = &operator {
        tracing::info!(address = %operator.address(), "metrics and health for the operator");
    }
    Ok(operator)
}

/// Connects once, because a pool does not report why connecting fails.
async fn check_databases(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let server = (&settings.database, Database::Server);
    let door = settings.door.as_ref().map(|door| (door, Database::FrontDoor));
    let worker = settings.worker.as_ref().map(|worker| (worker, Database::Worker));
    for (database, kind) in [server].into_iter().chain(door).chain(worker) {
        if let Some(risk) = database.risk() {
            tracing::warn!("{}: {risk}", kind.setting());
        }
        let client = migrate::connect(database).await?;
        db::check_session(database).await?;
        check(&client, kind.role()).await?;
    }
    Ok(())
}

fn parts(settings: Settings) -> Result<Parts, Box<dyn Error>> {
    Ok(Parts {
        database: settings.database,
        door: settings.door,
        worker: settings.worker,
        tokens: Arc::new(
            Tokens::new(&settings.token_keys, &settings.link_keys).ok_or("the token keys cannot be used")?,
        ),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        mailer: settings.mailer,
        dns: settings.dns,
        captcha: settings.captcha.map_or_else(|| Ok(Captcha::default()), Captcha::of)?,
        network: Arc::new(settings.network),
        limits: Arc::new(Limits::new(&settings.rates)),
        webhook_keys: SecretKeys::new(&settings.link_keys),
        webhook_reach: Reach::new(&settings.webhook_networks),
        places: settings.places,
        threads: settings.threads,
        connections: settings.connections,
        tls: settings.certificate.map(|certificate| certificate.acceptor()).transpose()?,
        capacity: Capacity::DEFAULT,
        streams: Bounds::DEFAULT,
        demo: None,
    })
}

fn warn_without_mail(sends_mail: bool) {
    if !sends_mail {
        tracing::warn!(
            "APPOINTD_MAIL_URL is not set: no e-mail is sent, so people cannot be invited or reset their passwords"
        );
    }
}

/// What is checked before a server starts.
struct ServerCheck {
    above_policies: bool,
    member_of_others: bool,
    migrated_ever: bool,
    unprotected: Vec<String>,
    sealed: bool,
    can_enter: bool,
    can_forge: bool,
    read_only: bool,
}

row! {
    ServerCheck {
        above_policies, member_of_others, migrated_ever, unprotected, sealed, can_enter, can_forge, read_only,
    }
}

/// Checks that a server may be started on this database, connected as `role`.
async fn check(client: &Client, role: &str) -> Result<(), Box<dyn Error>> {
    let ServerCheck {
        above_policies,
        member_of_others,
        migrated_ever,
        unprotected,
        sealed,
        can_enter,
        can_forge,
        read_only,
    } = migrate::ask(client, sql!("operations/server_check.sql" as ServerCheck)).await?;
    let mut mistakes = Vec::new();
    if read_only {
        mistakes.push(
            "the database is read-only: it is a standby, or default_transaction_read_only is on; connect to \
             the primary"
                .to_owned(),
        );
    }
    if above_policies {
        mistakes.push(format!(
            "the role is a superuser or has BYPASSRLS, so policies do not apply to it; connect as {role}"
        ));
    } else if member_of_others {
        mistakes.push(format!(
            "the role is a member of other roles and could use their rights; connect as {role}"
        ));
    }
    if !migrated_ever {
        mistakes.push("the database was never migrated; run `appointd migrate`".to_owned());
    } else if !above_policies && !member_of_others {
        let sql = sql!("operations/migrations_last.sql" as (Option<i32>, bool));
        let (version, _) = migrate::ask(client, sql).await?;
        if version < Some(migrate::newest()) {
            mistakes.push("the database lacks migrations of this version; run `appointd migrate`".to_owned());
        }
    }
    if migrated_ever && sealed && !can_enter {
        mistakes.push(
            "appointd_gate may not set backtrace_functions, where the context is kept; run sql/setup/roles.sql as a \
             superuser, or, without one, sql/setup/unsealed.sql as appointd_owner"
                .to_owned(),
        );
    }
    if can_forge && !above_policies {
        mistakes
            .push(format!("{role} may set backtrace_functions, and so act in any organization; revoke it"));
    }
    if migrated_ever && !sealed && role == Database::Server.role() {
        tracing::warn!(
            "the context is not sealed (sql/setup/unsealed.sql): who can send whole statements as {role} can act in any \
             organization"
        );
    }
    if !unprotected.is_empty() {
        mistakes.push(format!(
            "not fully isolated (no forced row-level security, no restrictive policy, a policy without the \
             tenant, or a view): {}",
            unprotected.join(", ")
        ));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(list(Mistakes(mistakes)))? }
}
