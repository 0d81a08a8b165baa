//! `appointd tenant`: one organization as a whole, by the operator, as the owner of the database. What is done is in
//! `sql/migrations/V0021__operating.sql`; the owner enters the tenant and is held by its policies.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    pin::pin,
};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::{Client, Config as DatabaseUrl, error::SqlState, types::ToSql};
use uuid::Uuid;

use crate::{
    db::migrate,
    http::text::{EmailAddress, Number, Slug, Text, TimeZone},
    tenancy::members::MemberRole,
};

#[derive(Subcommand)]
pub enum Command {
    /// List the organizations
    List,
    /// Write everything an organization has into a file of JSON lines
    ///
    /// With the accounts of its people and their password hashes: keep it like a backup.
    Export {
        /// Slug or id of the organization
        organization: String,
        /// The file to write; standard output where not given
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Bring an exported organization back, or into another system
    ///
    /// All of it or nothing. Refuses where the organization is there.
    Import {
        /// The file; standard input where not given
        file: Option<PathBuf>,
    },
    /// Make an organization of the data of another system
    ///
    /// From one JSON file; README says what is in it. Running it again changes nothing, and adds what was added to the file.
    Adopt {
        /// The file; standard input where not given
        file: Option<PathBuf>,
    },
    /// Let nobody into an organization until it is reactivated
    Suspend {
        /// Slug or id of the organization
        organization: String,
    },
    /// Let a suspended organization in again
    Reactivate {
        /// Slug or id of the organization
        organization: String,
    },
    /// Delete everything an organization has, at once and for good
    Delete {
        /// Slug or id of the organization
        organization: String,
        /// Say that you mean it
        #[arg(long)]
        yes: bool,
    },
    /// Delete everything of the organizations whose owners deleted them and can restore them no more
    ///
    /// And sessions and tokens that have expired. For a timer, once a day.
    Purge,
}

/// The first line of an export.
#[derive(Deserialize, Serialize)]
struct Header {
    /// Of the format.
    appointd_export: u32,
    organization_id: Uuid,
    slug: String,
    /// The newest migration of the database it comes from.
    migration: i32,
}

/// The last line of an export: how many rows came before it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    appointd_export_end: u64,
}

const FORMAT: u32 = 1;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs one of the commands.
pub async fn run(url: &DatabaseUrl, command: Command) -> Outcome<()> {
    let mut client =
        migrate::connect(url).await.map_err(|error| format!("cannot connect to the database: {error}"))?;
    let role = client.query_one(include_str!("../sql/tenant/role.sql"), &[]).await.map_err(said)?;
    if !row_is_true(&role) {
        return Err("connect as appointd_owner: APPOINTD_OWNER_DATABASE_URL is another role's")?;
    }
    client.batch_execute(include_str!("../sql/tenant/enter.sql")).await.map_err(said)?;
    match command {
        Command::List => {
            for organization in organizations(&client).await? {
                let Organization { id, slug, name, status, purge_after, .. } = organization;
                let until = purge_after.map(|until| format!(" until {until}")).unwrap_or_default();
                println!("{id}  {slug:<30} {status:<10} {name}{until}");
            }
            Ok(())
        }
        Command::Export { organization, output } => {
            let organization = find(&client, &organization).await?;
            match output {
                Some(path) => {
                    // Holds password hashes; and no backup is overwritten by mistake.
                    let file = File::options()
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(&path)
                        .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
                    export(&mut client, &organization, BufWriter::new(file)).await
                }
                None => export(&mut client, &organization, io::stdout().lock()).await,
            }
        }
        Command::Import { file } => {
            let (slug, rows) = import(&mut client, open(file)?).await?;
            println!("imported {slug}: {rows} rows");
            Ok(())
        }
        Command::Adopt { file } => {
            let adopted: Adopted =
                serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_reader(open(file)?))
                    .map_err(|error| explain(&error))?;
            let added = adopt(&mut client, &adopted).await?;
            println!("adopted {}: {added} rows added", &*adopted.organization.slug);
            Ok(())
        }
        Command::Suspend { organization } => set_status(&mut client, &organization, "suspended").await,
        Command::Reactivate { organization } => set_status(&mut client, &organization, "active").await,
        Command::Delete { organization, yes } => {
            // What an organization has may be left where it itself is not.
            let organization = match (find(&client, &organization).await, organization.parse()) {
                (Err(_), Ok(id)) => Organization::nameless(id),
                (found, _) => found?,
            };
            if !yes {
                return Err(format!(
                    "this deletes everything {} ({}) has, for good; say --yes if you mean it",
                    organization.slug, organization.name
                ))?;
            }
            let rows = delete(&mut client, organization.id).await?;
            println!("deleted {}: {rows} rows", organization.slug);
            Ok(())
        }
        Command::Purge => {
            let now = Utc::now();
            let due =
                |organization: &Organization| organization.purge_after.is_some_and(|until| until <= now);
            for organization in organizations(&client).await?.into_iter().filter(due) {
                let rows = delete(&mut client, organization.id).await?;
                println!("purged {}: {rows} rows", organization.slug);
            }
            client.query_one(include_str!("../sql/tenant/purge_expired.sql"), &[]).await.map_err(said)?;
            Ok(())
        }
    }
}

struct Organization {
    id: Uuid,
    slug: String,
    name: String,
    status: String,
    purge_after: Option<DateTime<Utc>>,
}

impl Organization {
    fn nameless(id: Uuid) -> Self {
        let name = id.to_string();
        Self { id, slug: name.clone(), name, status: String::new(), purge_after: None }
    }
}

async fn organizations(client: &Client) -> Outcome<Vec<Organization>> {
    let rows = client.query(include_str!("../sql/tenant/list.sql"), &[]).await.map_err(said)?;
    Ok(rows
        .into_iter()
        .map(|row| Organization {
            id: row.get(0),
            slug: row.get(1),
            name: row.get(2),
            status: row.get(3),
            purge_after: row.get(5),
        })
        .collect())
}

async fn find(client: &Client, name: &str) -> Outcome<Organization> {
    let id: Option<Uuid> = name.parse().ok();
    organizations(client)
        .await?
        .into_iter()
        .find(|organization| organization.slug == name || Some(organization.id) == id)
        .ok_or_else(|| format!("there is no organization {name}; see `appointd tenant list`").into())
}

/// One transaction. Whoever drops it without committing has changed nothing.
async fn begin(client: &mut Client) -> Outcome<tokio_postgres::Transaction<'_>> {
    Ok(client.transaction().await.map_err(said)?)
}

async fn export(client: &mut Client, organization: &Organization, mut out: impl io::Write) -> Outcome<()> {
    let transaction = begin(client).await?;
    let header = Header {
        appointd_export: FORMAT,
        organization_id: organization.id,
        slug: organization.slug.clone(),
        migration: migrate::newest(),
    };
    writeln!(out, "{}", serde_json::to_string(&header)?)?;
    let params: [&(dyn ToSql + Sync); 1] = [&organization.id];
    let lines =
        transaction.query_raw(include_str!("../sql/tenant/export.sql"), params).await.map_err(said)?;
    let mut lines = pin!(lines);
    let mut rows = 0;
    while let Some(line) = lines.try_next().await.map_err(said)? {
        writeln!(out, "{}", line.get::<_, &str>(0))?;
        rows += 1;
    }
    writeln!(out, "{}", serde_json::to_string(&Footer { appointd_export_end: rows })?)?;
    out.flush()?;
    Ok(())
}

async fn import(client: &mut Client, input: impl BufRead) -> Outcome<(String, u64)> {
    let mut lines = input.lines();
    let first = lines.next().ok_or("the file is empty")??;
    let header: Header =
        serde_json::from_str(&first).map_err(|_| "the first line is not that of an export of appointd")?;
    if header.appointd_export != FORMAT || header.migration > migrate::newest() {
        return Err("the export is of a newer appointd than this")?;
    }
    if organizations(client).await?.iter().any(|organization| organization.id == header.organization_id) {
        return Err(format!("{} is here; delete it first, or leave it as it is", header.slug))?;
    }
    let transaction = begin(client).await?;
    let statement = transaction.prepare(include_str!("../sql/tenant/import.sql")).await.map_err(said)?;
    let mut rows = 0;
    let mut end = None;
    for (number, line) in (2..).zip(lines) {
        let line = line?;
        if let Ok(Footer { appointd_export_end }) = serde_json::from_str(&line) {
            end = Some(appointd_export_end);
            break;
        }
        transaction
            .execute(&statement, &[&header.organization_id, &line])
            .await
            .map_err(|error| format!("line {number}: {}", said(error)))?;
        rows += 1;
    }
    if end != Some(rows) {
        return Err(
            "the file is not whole: its last line is missing, or speaks of more rows than there are",
        )?;
    }
    transaction.commit().await.map_err(said)?;
    Ok((header.slug, rows))
}

async fn set_status(client: &mut Client, organization: &str, status: &str) -> Outcome<()> {
    let organization = find(client, organization).await?;
    let transaction = begin(client).await?;
    let row = transaction
        .query_one(include_str!("../sql/tenant/set_status.sql"), &[&organization.id, &status])
        .await
        .map_err(said)?;
    if !row.get::<_, bool>(0) {
        return Err(format!("{} was deleted by its owner, who can restore it", organization.slug))?;
    }
    transaction.commit().await.map_err(said)?;
    println!("{} is {status}", organization.slug);
    Ok(())
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

/// The data of another system. Its ids are whatever they were there; ours follow from them, so that the same row is the same
/// row each time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adopted {
    organization: AdoptedOrganization,
    #[serde(default)]
    members: Vec<AdoptedMember>,
    #[serde(default)]
    contacts: Vec<AdoptedContact>,
    #[serde(default)]
    providers: Vec<AdoptedProvider>,
    #[serde(default)]
    services: Vec<AdoptedService>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedOrganization {
    name: Text<1, 200>,
    slug: Slug,
    time_zone: TimeZone,
    #[serde(default = "smallest")]
    plan_type: Text<1, 50>,
}

fn smallest() -> Text<1, 50> {
    Text::parse("basic").expect("a name is text")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedMember {
    email: EmailAddress,
    #[serde(default)]
    full_name: Option<Text<1, 200>>,
    role: MemberRole,
    /// Argon2 in PHC string format, or bcrypt. Without one the person asks for a new password.
    #[serde(default)]
    password_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedContact {
    id: Text<1, 200>,
    first_name: Text<1, 100>,
    last_name: Text<1, 100>,
    #[serde(default)]
    email: Option<EmailAddress>,
    #[serde(default)]
    phone: Option<Text<1, 50>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedProvider {
    id: Text<1, 200>,
    name: Text<1, 200>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedService {
    id: Text<1, 200>,
    name: Text<1, 200>,
    duration_minutes: Number<1, 1440>,
    slot_step_minutes: Number<1, 1440>,
}

async fn adopt(client: &mut Client, adopted: &Adopted) -> Outcome<u64> {
    if !adopted.members.iter().any(|member| member.role == MemberRole::Owner) {
        return Err("an organization needs an owner: a member with the role owner")?;
    }
    for member in &adopted.members {
        let known = ["$argon2", "$2a$", "$2b$", "$2y$"];
        if member.password_hash.as_ref().is_some_and(|hash| !known.iter().any(|kind| hash.starts_with(kind)))
        {
            return Err(format!("the password_hash of {} is neither Argon2 nor bcrypt", &*member.email))?;
        }
    }
    let slug = &*adopted.organization.slug;
    let id = |kind: &str, theirs: &str| {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("appointd:{slug}/{kind}/{theirs}").as_bytes())
    };
    let here = organizations(client).await?.into_iter().find(|organization| organization.slug == slug);
    let tenant = here.map_or_else(|| id("organization", slug), |organization| organization.id);
    let transaction = begin(client).await?;
    let mut added = 0;
    let mut add = async |line: Value| -> Outcome<()> {
        let row = transaction
            .query_one(include_str!("../sql/tenant/adopt.sql"), &[&tenant, &line.to_string()])
            .await
            .map_err(|error| format!("{line}: {}", said(error)))?;
        added += u64::from(row.get::<_, bool>(0));
        Ok(())
    };
    let row = |relation: &str, row: Value| serde_json::json!({ "relation": relation, "row": row });
    let organization = &adopted.organization;
    add(row(
        "tenancy.organizations",
        serde_json::json!({
            "id": tenant, "name": organization.name, "slug": organization.slug, "time_zone": organization.time_zone,
        }),
    ))
    .await?;
    add(row("tenancy.subscriptions", serde_json::json!({ "plan_type": organization.plan_type }))).await?;
    add(row("tenancy.settings", serde_json::json!({ "exclusive_members": true }))).await?;
    add(row("tenancy.branding", serde_json::json!({}))).await?;
    // By address: the same person may be here already.
    let members: BTreeMap<&str, &AdoptedMember> =
        adopted.members.iter().map(|member| (&*member.email, member)).collect();
    for (email, member) in members {
        let account = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("appointd:account/{email}").as_bytes());
        add(row(
            "identity.accounts",
            serde_json::json!({
                "id": account,
                "email": email,
                "full_name": member.full_name,
                "password_hash": member.password_hash.as_deref().unwrap_or("none"),
            }),
        ))
        .await?;
        add(row("tenancy.members", serde_json::json!({ "email": email, "role": member.role.name() })))
            .await?;
    }
    for contact in &adopted.contacts {
        add(row(
            "crm.contacts",
            serde_json::json!({
                "id": id("contact", &contact.id),
                "first_name": contact.first_name,
                "last_name": contact.last_name,
                "email": contact.email,
                "phone": contact.phone,
            }),
        ))
        .await?;
    }
    for provider in &adopted.providers {
        let id = id("provider", &provider.id);
        add(row("scheduling.resources", serde_json::json!({ "id": id, "kind": "provider" }))).await?;
        add(row("scheduling.providers", serde_json::json!({ "id": id, "name": provider.name }))).await?;
    }
    for service in &adopted.services {
        add(row(
            "scheduling.services",
            serde_json::json!({
                "id": id("service", &service.id),
                "name": service.name,
                "duration_minutes": service.duration_minutes,
                "slot_step_minutes": service.slot_step_minutes,
            }),
        ))
        .await?;
    }
    transaction.commit().await.map_err(said)?;
    Ok(added)
}

fn open(file: Option<PathBuf>) -> Outcome<Box<dyn BufRead>> {
    Ok(match file {
        Some(path) => Box::new(BufReader::new(
            File::open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?,
        )),
        None => Box::new(BufReader::new(io::stdin())),
    })
}

/// Where in the file, and what would be right.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let message = error.inner().to_string();
    // Types of ours put a code in front, for programs.
    let message = message.split_once('\u{1f}').map_or(message.as_str(), |(_, detail)| detail);
    match error.path().to_string().as_str() {
        "." => message.to_owned(),
        path => format!("{path}: {message}"),
    }
}

fn row_is_true(row: &tokio_postgres::Row) -> bool {
    row.get(0)
}

/// What PostgreSQL said, for the operator, who may read it all.
fn said(error: tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) if refusal.code() == &SqlState::UNDEFINED_FUNCTION => {
            "the database lacks migrations of this version; run `appointd migrate`".to_owned()
        }
        Some(refusal) => match refusal.constraint() {
            Some(constraint) => format!("{} ({constraint})", refusal.message()),
            None => refusal.message().to_owned(),
        },
        None => error.to_string(),
    }
}
