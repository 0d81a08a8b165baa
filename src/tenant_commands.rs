//! `appointd tenant`: operations on a whole organization, as the owner of the database. The functions are in
//! `sql/migrations/V0026__operating.sql`; the owner enters the tenant, and its policies apply.

mod adopt;
mod database;
mod export;
mod output;

use std::{
    error::Error,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use clap::Subcommand;
use tokio_postgres::Client;
use uuid::Uuid;

use adopt::{Adopted, adopt};
use database::{Locked, Organization, Outcome, begin, organizations, said};
use export::{export, import};
use output::{ADOPTED, Done, Output};

use crate::db::{self, DatabaseUrl, migrate};

#[derive(Subcommand)]
pub enum Command {
    /// List the organizations
    #[command(after_help = "Example:\n  appointd tenant list")]
    List,
    /// Export all data of an organization as JSON lines
    ///
    /// The export contains accounts and their password hashes: protect it like a backup.
    #[command(after_help = "Example:\n  appointd tenant export acme --output acme.jsonl")]
    Export {
        /// Slug or id of the organization
        organization: String,
        /// The file to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Import an exported organization, into the same or another system
    ///
    /// Imports everything in one transaction. Fails if the organization exists.
    #[command(after_help = "Example:\n  appointd tenant import acme.jsonl")]
    Import {
        /// The file [default: standard input]
        file: Option<PathBuf>,
    },
    /// Create an organization from the data of another system
    ///
    /// Reads one JSON file, whose format is described in docs/deploy.md. Running it again only adds what was added to
    /// the file.
    #[command(after_help = "Example:\n  appointd tenant adopt old.json")]
    Adopt {
        /// The file [default: standard input]
        file: Option<PathBuf>,
    },
    /// Block all access to an organization until it is reactivated
    #[command(after_help = "Example:\n  appointd tenant suspend acme")]
    Suspend {
        /// Slug or id of the organization
        organization: String,
    },
    /// Reactivate a suspended organization
    #[command(after_help = "Example:\n  appointd tenant reactivate acme")]
    Reactivate {
        /// Slug or id of the organization
        organization: String,
    },
    /// Delete all data of an organization immediately and permanently
    #[command(after_help = "Example:\n  appointd tenant delete acme --yes")]
    Delete {
        /// Slug or id of the organization
        organization: String,
        /// Confirm the deletion
        #[arg(long)]
        yes: bool,
    },
    /// Delete all data of organizations that were deleted more than 30 days ago
    ///
    /// Also deletes expired sessions and tokens. Meant to run once a day.
    #[command(after_help = "Example:\n  appointd tenant purge")]
    Purge,
}

/// Runs one of the commands.
pub async fn run(url: &DatabaseUrl, command: Command, json: bool) -> Outcome<()> {
    let mut client = migrate::connect(url).await?;
    // The statements below depend on settings of the session.
    db::check_session(url).await?;
    let role = client.query_one(include_str!("../sql/tenant/role.sql"), &[]).await.map_err(said)?;
    if !row_is_true(&role) {
        return Err("connect as appointd_owner: APPOINTD_OWNER_DATABASE_URL is another role's")?;
    }
    client.batch_execute(include_str!("../sql/tenant/enter.sql")).await.map_err(said)?;
    let patience = if command.can_be_repeated() { migrate::PATIENCE } else { Duration::ZERO };
    let trying = async || execute(&mut client, &command, Output { json }).await;
    let done =
        migrate::with_patience::<_, Box<dyn Error>>(patience, |error| error.is::<Locked>(), trying).await;
    match done {
        Err(error) if error.is::<Locked>() => {
            let holders = migrate::lock_holders(&client).await.map_err(said)?;
            Err(format!("{error}. These sessions hold locks: {holders}"))?
        }
        done => done,
    }
}

impl Command {
    /// Whether it can run again after another session's lock made it fail: not what is read or written only once.
    fn can_be_repeated(&self) -> bool {
        !matches!(self, Self::Export { .. } | Self::Import { file: None } | Self::Adopt { file: None })
    }
}

async fn execute(client: &mut Client, command: &Command, output: Output) -> Outcome<()> {
    match command {
        Command::List => {
            for organization in organizations(client).await? {
                let Organization { id, slug, name, status, purge_after } = &organization;
                let until = purge_after.map(|until| format!(" until {until}")).unwrap_or_default();
                output.line(&organization, format_args!("{id}  {slug:<30} {status:<10} {name}{until}"))?;
            }
            Ok(())
        }
        Command::Export { organization, output: file } => {
            let organization = find(client, organization).await?;
            match file {
                Some(path) => {
                    // Readable by the owner only, because it contains password hashes. Never overwrites a file.
                    let file = File::options()
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(path)
                        .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
                    export(client, &organization, BufWriter::new(file)).await
                }
                None => export(client, &organization, io::stdout().lock()).await,
            }
        }
        Command::Import { file } => {
            let (slug, rows) = import(client, open(file.as_deref())?).await?;
            output.done("imported", &slug, i64::try_from(rows)?)
        }
        Command::Adopt { file } => {
            let adopted: Adopted = serde_path_to_error::deserialize(
                &mut serde_json::Deserializer::from_reader(open(file.as_deref())?),
            )
            .map_err(|error| explain(&error))?;
            let added = adopt(client, &adopted).await?;
            output.done(ADOPTED, &adopted.organization.slug, added)
        }
        Command::Suspend { organization } => set_status(client, organization, "suspended", output).await,
        Command::Reactivate { organization } => set_status(client, organization, "active", output).await,
        Command::Delete { organization, yes } => {
            // Data may be left of an organization whose own row is gone.
            let organization = match (find(client, organization).await, organization.parse()) {
                (Err(_), Ok(id)) => Organization::nameless(id),
                (found, _) => found?,
            };
            if !*yes {
                return Err(format!(
                    "this permanently deletes all data of {} ({}); confirm with --yes",
                    organization.slug, organization.name
                ))?;
            }
            let rows = delete(client, organization.id).await?;
            output.done("deleted", &organization.slug, rows)
        }
        Command::Purge => {
            let now = Utc::now();
            let due =
                |organization: &Organization| organization.purge_after.is_some_and(|until| until <= now);
            for organization in organizations(client).await?.into_iter().filter(due) {
                let rows = delete(client, organization.id).await?;
                output.done("purged", &organization.slug, rows)?;
            }
            client.query_one(include_str!("../sql/tenant/purge_expired.sql"), &[]).await.map_err(said)?;
            Ok(())
        }
    }
}

async fn find(client: &Client, name: &str) -> Outcome<Organization> {
    let id: Option<Uuid> = name.parse().ok();
    organizations(client)
        .await?
        .into_iter()
        .find(|organization| organization.slug == name || Some(organization.id) == id)
        .ok_or_else(|| format!("organization {name} not found; see `appointd tenant list`").into())
}

async fn set_status(
    client: &mut Client,
    organization: &str,
    status: &'static str,
    output: Output,
) -> Outcome<()> {
    let organization = find(client, organization).await?;
    let transaction = begin(client).await?;
    let row = transaction
        .query_one(include_str!("../sql/tenant/set_status.sql"), &[&organization.id, &status])
        .await
        .map_err(said)?;
    if !row.get::<_, bool>(0) {
        return Err(format!(
            "{} was deleted by its owner; only the owner can restore it",
            organization.slug
        ))?;
    }
    transaction.commit().await.map_err(said)?;
    let action = if status == "active" { "reactivated" } else { "suspended" };
    let done = Done { organization: &organization.slug, action, rows: None };
    output.line(&done, format_args!("{} is {status}", organization.slug))
}

async fn delete(client: &mut Client, organization: Uuid) -> Outcome<i64> {
    let transaction = begin(client).await?;
    let row = transaction
        .query_one(include_str!("../sql/tenant/delete.sql"), &[&organization])
        .await
        .map_err(said)?;
    transaction.commit().await.map_err(said)?;
    Ok(row.get(0))
}

fn open(file: Option<&Path>) -> Outcome<Box<dyn BufRead>> {
    Ok(match file {
        Some(path) => Box::new(BufReader::new(
            File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?,
        )),
        None => Box::new(BufReader::new(io::stdin())),
    })
}

/// The position of an error in the file, and how to correct it.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let message = error.inner().to_string();
    // Our own types write a code in front, for programs.
    let message = message.split_once('\u{1f}').map_or(message.as_str(), |(_, detail)| detail);
    match error.path().to_string().as_str() {
        "." => message.to_owned(),
        path => format!("{path}: {message}"),
    }
}

fn row_is_true(row: &tokio_postgres::Row) -> bool {
    row.get(0)
}
