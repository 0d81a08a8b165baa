//! The command line: parses arguments and runs the commands.

mod health;
mod pages;
mod serve;

use std::{error::Error, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tracing::Level;

use crate::{
    api,
    config::{DEFAULT_LISTEN, Database, LogFormat, listen_flag},
    db::migrate,
    dev, tenant_commands,
    terminal::{self, block_on, log_to_stderr, print, raise_open_files},
    wall_audit,
};
use health::HealthArgs;
use pages::{CompletionsArgs, ManArgs};
use serve::ServeArgs;

/// EX_TEMPFAIL of sysexits.h.
const TRY_AGAIN_LATER: u8 = 75;

const EXAMPLES: &str = "\
Examples:
  appointd dev               # a system to try things on, with demo data
  appointd dev --show        # again, how to use the one that is running
  appointd serve --help      # every setting of a server
  appointd migrate
  appointd audit

Exit codes:
  0    done, or stopped as asked
  1    failed: the last line on standard error says why
       (health: not ready; audit: something was found)
  2    the command line is wrong (audit: it could not look)
  75   try again later (migrate: another session holds a lock)
  130  stopped by a second Ctrl-C (dev)";

const DEV_EXAMPLES: &str = "\
Examples:
  appointd dev
  appointd dev --listen 8081 --data-dir /tmp/appointd    # a second one
  appointd dev --show
  appointd dev --reset";

const MIGRATE_EXAMPLES: &str = "\
Examples:
  export APPOINTD_OWNER_DATABASE_URL=postgresql://appointd_owner@localhost/appointd
  appointd migrate
  appointd migrate --patience 600";

const TENANT_EXAMPLES: &str = "\
Examples:
  export APPOINTD_OWNER_DATABASE_URL=postgresql://appointd_owner@localhost/appointd
  appointd tenant list
  appointd tenant export acme --output acme.jsonl
  appointd tenant delete acme --yes
  appointd tenant import acme.jsonl";

const AUDIT_EXAMPLES: &str = "\
Examples:
  export APPOINTD_AUDITOR_DATABASE_URL=postgresql://appointd_auditor@localhost/appointd
  appointd audit
  appointd audit --explain policies/without_tenant
  appointd audit --accept schema/drift --format sarif > audit.sarif
  appointd audit --matrix";

const OPENAPI_EXAMPLES: &str = "\
Examples:
  appointd openapi > openapi.json";

/// Appointments for many businesses in one PostgreSQL, isolated by row-level security
///
/// To try it: `appointd dev`. To run it: run sql/setup/roles.sql and sql/setup/database.sql as a superuser, then
/// `appointd migrate`, then `appointd serve`.
#[derive(Parser)]
#[command(name = "appointd", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a whole system to try things on: a private PostgreSQL, demo data, a server
    ///
    /// Everything it makes is in one folder. A second start keeps the data. Not for production: its passwords are
    /// public.
    #[command(after_help = DEV_EXAMPLES)]
    Dev(DevArgs),
    /// Start a server for production
    ///
    /// Refuses to start with a weak secret, as a superuser, or on a database that is not migrated or not protected.
    /// Stops at Ctrl-C or SIGTERM when the running requests have ended, after 10 seconds at most.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Work in the background: publish events, run jobs
    ///
    /// `appointd serve` does this as well, unless it is started with --no-worker. Any number of workers can run at
    /// once. Takes the settings of `appointd serve`; those about requests mean nothing to it. Stops at Ctrl-C or
    /// SIGTERM when the running jobs have ended, after 25 seconds at most.
    #[command(after_help = serve::WORKER_EXAMPLES)]
    Worker(Box<ServeArgs>),
    /// Ask a server of this machine whether it is ready
    ///
    /// Ends with 0 if it is, and with 1 if not. For health checks of containers, which need no shell for it.
    #[command(after_help = health::EXAMPLES)]
    Health(HealthArgs),
    /// Apply missing migrations to a database
    ///
    /// Applies the migrations it lacks, each in a transaction. Running it again changes nothing.
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Export, import, suspend or delete one organization, as the owner of the database
    ///
    /// The policies bind it too: what it does to one organization it does to no other.
    #[command(after_help = TENANT_EXAMPLES)]
    Tenant(TenantArgs),
    /// Check the row-level security of a live database
    ///
    /// Reads the catalogs, as a role that has no other right, and changes nothing. Ends with 0 if it found nothing (or
    /// only notes), 1 if it found something, 2 if it could not look. The rules are the files in sql/audit; each runs in
    /// psql as well.
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(wall_audit::AuditArgs),
    /// Print the OpenAPI description of the API
    ///
    /// The same text as openapi/openapi.json. Needs no database.
    #[command(after_help = OPENAPI_EXAMPLES)]
    Openapi,
    /// Print a script that completes commands in a shell
    #[command(after_help = pages::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print the manual page of a command, for `man`
    #[command(after_help = pages::MAN_EXAMPLES)]
    Man(ManArgs),
}

#[derive(Args)]
struct DevArgs {
    /// The folder for all data
    #[arg(long, default_value = ".appointd", value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Address and port to listen on; a port alone is one of 127.0.0.1, port 0 any free one
    #[arg(long, default_value = DEFAULT_LISTEN, value_name = "ADDRESS", value_parser = listen_flag)]
    listen: SocketAddr,
    /// Delete the data first
    #[arg(long, conflicts_with = "show")]
    reset: bool,
    /// Print again how to use the system that is running in the folder, and start nothing
    #[arg(long)]
    show: bool,
}

#[derive(Args)]
struct MigrateArgs {
    /// URL of the database, as the role appointd_owner. Required
    #[arg(long, env = "APPOINTD_OWNER_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// For how many seconds to wait for a lock that another session holds, such as pg_dump. Other sessions wait behind
    /// an attempt for at most 2 seconds. Ends with 75 if it got no lock: run it again later
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
    /// Print JSON, one object a line, instead of text. An export is always JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: tenant_commands::Command,
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Dev(args) => run_dev(args),
        Command::Serve(args) => serve::serve(*args),
        Command::Worker(args) => serve::work(*args),
        Command::Health(args) => health::health(&args),
        Command::Migrate(args) => match run_migrations(args) {
            Err(error) if matches!(error.downcast_ref(), Some(migrate::Error::Locked { .. })) => {
                eprintln!("appointd: {error}");
                return ExitCode::from(TRY_AGAIN_LATER);
            }
            result => result,
        },
        Command::Tenant(args) => run_tenant(args),
        Command::Audit(args) => return run_audit(args),
        Command::Openapi => print(api::description().published.as_bytes()).map_err(Into::into),
        Command::Completions(args) => pages::completions(command(), &args),
        Command::Man(args) => pages::man(command(), &args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("appointd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The commands and their flags.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run_dev(args: DevArgs) -> Result<(), Box<dyn Error>> {
    if args.show {
        return print(block_on(dev::show(&args.data_dir))?.as_bytes()).map_err(Into::into);
    }
    log_to_stderr(Level::INFO, LogFormat::Text);
    raise_open_files();
    block_on(dev::run(dev::Options { data_dir: args.data_dir, listen: args.listen, reset: args.reset }))
}

fn run_migrations(args: MigrateArgs) -> Result<(), Box<dyn Error>> {
    let url = terminal::database(Database::Owner, args.database_url.as_deref())?;
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
    let url = terminal::database(Database::Owner, args.database_url.as_deref())?;
    block_on(tenant_commands::run(&url, args.command, args.json))
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
