//! The command line: parses arguments and runs the commands.

use std::{
    error::Error,
    io::{self, IsTerminal as _},
    net::TcpListener,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use tracing::Level;

use crate::{
    api,
    config::{self, DEFAULT_LISTEN, LogFormat, Mistakes, RawSettings, Settings},
    db::{self, Db, migrate},
    dev,
    http::{captcha::Captcha, limit::Limits, token::Tokens},
    identity::passwords::{Passwords, Policy},
    server::{Capacity, Parts, Server, StopSignal},
    sql, tenant_commands, wall_audit,
};

/// EX_TEMPFAIL of sysexits.h.
const TRY_AGAIN_LATER: u8 = 75;

/// Appointments for many businesses in one PostgreSQL, isolated by the database
///
/// To try it: `appointd dev`. To deploy it: run sql/setup/roles.sql and sql/setup/database.sql as a superuser, then
/// `appointd migrate`, then `appointd serve`.
#[derive(Parser)]
#[command(name = "appointd", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a complete development system: a private PostgreSQL, demo data and a server
    ///
    /// Everything is stored in one folder, and a restart keeps the data. Not for production: its passwords are public.
    Dev(DevArgs),
    /// Start a production server
    ///
    /// Does not start with a weak secret, as a superuser, or on a database that is not migrated or not isolated by
    /// row-level security. Stops at Ctrl-C or SIGTERM, after current requests have ended.
    Serve(Box<ServeArgs>),
    /// Apply missing migrations to a database
    ///
    /// Each migration is one transaction. Running it again changes nothing.
    Migrate(MigrateArgs),
    /// Export, import, suspend or delete one organization, as the owner of the database
    ///
    /// Row-level security applies to it too: it can only change the organization that it names.
    Tenant(TenantArgs),
    /// Check tenant isolation of a live database
    ///
    /// Reads only the catalogs, as a role without other rights, and changes nothing. Exit code 0: no findings except
    /// notes; 1: findings; 2: a check failed. The rules are the files in sql/audit; each also runs in psql.
    Audit(wall_audit::AuditArgs),
    /// Print the OpenAPI description of the API
    ///
    /// Prints the text of openapi/openapi.json. Needs no database.
    Openapi,
}

#[derive(Args)]
struct DevArgs {
    /// The folder for all data
    #[arg(long, default_value = ".appointd", value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Address and port to listen on; port 0 selects a free port
    #[arg(long, default_value = DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
    /// Delete the data first
    #[arg(long)]
    reset: bool,
}

#[derive(Args)]
struct ServeArgs {
    /// URL of the database, as the role appointd_api. Required
    #[arg(long, env = "APPOINTD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// The keys that sign access tokens: Ed25519 keys, each 32 random bytes in base64, comma-separated; the first one
    /// signs. Required. Prefer the environment to the flag, which other users of the machine can read
    #[arg(long, env = "APPOINTD_TOKEN_KEYS", hide_env_values = true, value_name = "KEYS")]
    token_keys: Option<String>,
    /// The keys that sign links for guests, in the same format. They must differ from the token keys. Required
    #[arg(long, env = "APPOINTD_LINK_KEYS", hide_env_values = true, value_name = "KEYS")]
    link_keys: Option<String>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "APPOINTD_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Threads that serve requests [default: one for each core]
    #[arg(long, env = "APPOINTD_THREADS", value_name = "NUMBER")]
    threads: Option<String>,
    /// Connections to the database, divided among the threads [default: 16]
    #[arg(long, env = "APPOINTD_CONNECTIONS", value_name = "NUMBER")]
    connections: Option<String>,
    /// The domain whose subdomains lead to organizations. Without it, the host of requests is ignored
    #[arg(long, env = "APPOINTD_BASE_DOMAIN", value_name = "DOMAIN")]
    base_domain: Option<String>,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Host are trusted: comma-separated addresses or networks
    #[arg(long, env = "APPOINTD_TRUSTED_PROXIES", value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Rate limits in requests a minute, 0 for unlimited [default: address=3000,anonymous=60,account=600,key=1200]
    #[arg(long, env = "APPOINTD_RATE_LIMITS", value_name = "LIMITS")]
    rate_limits: Option<String>,
    /// How to send e-mail: smtp:// or smtps:// with user, password, host and port; or file:/// with a folder to write
    /// it to
    #[arg(long, env = "APPOINTD_MAIL_URL", hide_env_values = true, value_name = "URL")]
    mail_url: Option<String>,
    /// The sender of e-mails
    #[arg(long, env = "APPOINTD_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// The base URL of the pages that links in e-mails lead to. Required if e-mail is sent
    #[arg(long, env = "APPOINTD_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The DNS server for verifying domains [default: those of the system]
    #[arg(long, env = "APPOINTD_DNS", value_name = "ADDRESS")]
    dns: Option<String>,
    /// The URL where a captcha service verifies tokens. If set, guests need a captcha token to book, hold or join the
    /// waitlist. Requires APPOINTD_CAPTCHA_SECRET
    #[arg(long, env = "APPOINTD_CAPTCHA_URL", value_name = "URL")]
    captcha_url: Option<String>,
    /// The secret that identifies this server to the captcha service
    #[arg(long, env = "APPOINTD_CAPTCHA_SECRET", hide_env_values = true, value_name = "SECRET")]
    captcha_secret: Option<String>,
    /// The least important messages to log: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "APPOINTD_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// How to log: json, or text for people [default: json]
    #[arg(long, env = "APPOINTD_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Args)]
struct MigrateArgs {
    /// URL of the database, as the role appointd_owner. Required
    #[arg(long, env = "APPOINTD_OWNER_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// For how many seconds to try to get a lock that another session, such as pg_dump, holds. No other session waits
    /// behind an attempt for longer than 2 seconds. Exit code 75 if the lock was not free in time: run it again later
    #[arg(long, default_value_t = migrate::PATIENCE.as_secs(), value_name = "SECONDS")]
    patience: u64,
}

#[derive(Args)]
struct TenantArgs {
    /// URL of the database, as the role appointd_owner. Required
    #[arg(
        long,
        env = "APPOINTD_OWNER_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    database_url: Option<String>,
    #[command(subcommand)]
    command: tenant_commands::Command,
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Dev(args) => start_dev(args),
        Command::Serve(args) => serve(*args),
        Command::Migrate(args) => match run_migrations(args) {
            Err(error) if matches!(error.downcast_ref(), Some(migrate::Error::Locked { .. })) => {
                eprintln!("appointd: {error}");
                return ExitCode::from(TRY_AGAIN_LATER);
            }
            result => result,
        },
        Command::Tenant(args) => run_tenant(args),
        Command::Audit(args) => return run_audit(args),
        Command::Openapi => {
            print!("{}", api::description());
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("appointd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start_dev(args: DevArgs) -> Result<(), Box<dyn Error>> {
    log_to_stderr(Level::INFO, LogFormat::Text);
    raise_open_files();
    block_on(dev::run(dev::Options { data_dir: args.data_dir, listen: args.listen, reset: args.reset }))
}

fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(RawSettings {
        database_url: args.database_url,
        token_keys: args.token_keys,
        link_keys: args.link_keys,
        listen: args.listen,
        threads: args.threads,
        connections: args.connections,
        base_domain: args.base_domain,
        trusted_proxies: args.trusted_proxies,
        rate_limits: args.rate_limits,
        mail_url: args.mail_url,
        mail_from: args.mail_from,
        public_url: args.public_url,
        dns: args.dns,
        captcha_url: args.captcha_url,
        captcha_secret: args.captcha_secret,
        log_level: args.log,
        log_format: args.log_format,
    })
    .map_err(list)?;
    log_to_stderr(settings.log_level, settings.log_format);
    raise_open_files();
    block_on(async {
        let mut stop = StopSignal::listen()?;
        // Connects once, because a pool does not report why connecting fails.
        migrate::connect(&settings.database)
            .await
            .map_err(|error| format!("cannot connect to the database: {error}"))?;
        db::check_session(&settings.database).await?;
        check(&Db::new(&settings.database, 1)).await?;
        let sends_mail = settings.mailer.sends();
        let captcha = settings.captcha.map_or_else(|| Ok(Captcha::default()), Captcha::of)?;
        let listener = TcpListener::bind(settings.listen)
            .map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
        let server = Server::start(
            Parts {
                database: settings.database,
                tokens: Arc::new(
                    Tokens::new(&settings.token_keys, &settings.link_keys)
                        .ok_or("the token keys cannot be used")?,
                ),
                passwords: Arc::new(Passwords::new(Policy::Strict)),
                mailer: settings.mailer,
                dns: settings.dns,
                captcha,
                network: Arc::new(settings.network),
                limits: Arc::new(Limits::new(&settings.rates)),
                threads: settings.threads,
                connections: settings.connections,
                capacity: Capacity::DEFAULT,
            },
            listener,
        )?;
        tracing::info!(address = %server.address(), version = env!("CARGO_PKG_VERSION"), "serving");
        if !sends_mail {
            tracing::warn!(
                "APPOINTD_MAIL_URL is not set: no e-mail is sent, so people cannot be invited or reset their passwords"
            );
        }
        stop.received().await;
        tracing::info!("stopping");
        tokio::task::spawn_blocking(move || server.stop()).await?;
        Ok(())
    })
}

/// Checks that a server may be started on this database.
async fn check(db: &Db) -> Result<(), Box<dyn Error>> {
    let row = db.gate(sql!("operations/server_check.sql"), &[]).await?;
    let (above_policies, member_of_others, migrated_ever): (bool, bool, bool) =
        (row.get(0), row.get(1), row.get(2));
    let unprotected: Vec<String> = row.get(3);
    let mut mistakes = Vec::new();
    if row.get(4) {
        mistakes.push(
            "the database is read-only: it is a standby, or default_transaction_read_only is on; connect to the primary"
                .to_owned(),
        );
    }
    if above_policies {
        mistakes.push(
            "the role is a superuser or has BYPASSRLS, so policies do not apply to it; connect as appointd_api"
                .to_owned(),
        );
    } else if member_of_others {
        mistakes.push(
            "the role is a member of other roles and could use their rights; connect as appointd_api"
                .to_owned(),
        );
    }
    if !migrated_ever {
        mistakes.push("the database was never migrated; run `appointd migrate`".to_owned());
    } else if !above_policies && !member_of_others {
        let row = db.gate(sql!("operations/migrations_last.sql"), &[]).await?;
        if row.get::<_, Option<i32>>(0) < Some(migrate::newest()) {
            mistakes.push("the database lacks migrations of this version; run `appointd migrate`".to_owned());
        }
    }
    if !unprotected.is_empty() {
        mistakes.push(format!(
            "not fully isolated (no forced row-level security, no restrictive policy, a policy without the tenant, or a view): {}",
            unprotected.join(", ")
        ));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(list(Mistakes(mistakes)))? }
}

fn run_migrations(args: MigrateArgs) -> Result<(), Box<dyn Error>> {
    let mut mistakes = Vec::new();
    let url =
        config::database_url("APPOINTD_OWNER_DATABASE_URL", args.database_url.as_deref(), &mut mistakes);
    let Some(url) = url else {
        return Err(list(Mistakes(mistakes)))?;
    };
    block_on(async {
        let applied = migrate::run_within(&url, Duration::from_secs(args.patience)).await?;
        for migration in &applied {
            println!("applied {migration}");
        }
        println!("the database is up to date ({} applied)", applied.len());
        Ok(())
    })
}

fn run_tenant(args: TenantArgs) -> Result<(), Box<dyn Error>> {
    let mut mistakes = Vec::new();
    let url =
        config::database_url("APPOINTD_OWNER_DATABASE_URL", args.database_url.as_deref(), &mut mistakes);
    match url {
        Some(url) => block_on(tenant_commands::run(&url, args.command)),
        None => Err(list(Mistakes(mistakes)))?,
    }
}

fn run_audit(args: wall_audit::AuditArgs) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let result = block_on(async {
        code = wall_audit::run(args).await?;
        Ok(())
    });
    match result {
        Ok(()) => code,
        Err(error) => {
            // The error may quote names from the audited database.
            eprintln!("appointd: {}", wall_audit::plain(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

fn list(mistakes: Mistakes) -> String {
    match mistakes.0.as_slice() {
        [one] => one.clone(),
        several => format!("several errors:\n  - {}", several.join("\n  - ")),
    }
}

/// Raises the limit of open files: every connection takes one, and the usual soft limit is for interactive programs.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Some systems have a lower limit than they report; then it stays as it is.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

fn block_on(task: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

fn log_to_stderr(level: Level, format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).init()
        }
        LogFormat::Text => builder.with_target(false).init(),
    }
}
