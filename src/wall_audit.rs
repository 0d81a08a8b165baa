//! `appointd audit`: checks tenant isolation of a live database by reading its catalogs.
//!
//! A rule is a file `sql/audit/<theme>/<rule>.sql`. Its comment gives the severity, the title and the reason; its
//! statement returns a row per finding: the object, the finding, and the SQL that fixes it. It also runs in psql. Two
//! rules need more than their statement: the result of `schema/drift` is compared with the catalog that the migrations
//! create, and `statements/scan` plans the server's statements.

mod files;
mod report;
mod rule;

pub use report::plain;
pub use rule::rules;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use serde_json::Value;
use tokio_postgres::{Client, Row};

use report::{Finding, Format, Report};
use rule::{Rule, rule};

use crate::{
    config::Database,
    db::{DatabaseUrl, migrate},
    terminal,
};

/// The catalog that the migrations create.
const CATALOG: &str = include_str!("../sql/audit/schema/drift.txt");
const ABOUT: &str = include_str!("../sql/audit/about.sql");
const PARAMETERS: &str = include_str!("../sql/audit/parameters.sql");
const MATRIX: &str = include_str!("../sql/audit/matrix.sql");
const DRIFT: &str = "schema/drift";
const SCAN: &str = "statements/scan";

#[derive(Args)]
pub struct AuditArgs {
    /// URL of the database, as the role appointd_auditor. Required, except for --list and --explain
    #[arg(long, env = "APPOINTD_AUDITOR_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// URL of the same database, as the role appointd_api, to check the plans of the server's statements
    #[arg(long, env = "APPOINTD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    server_database_url: Option<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A known finding that does not count: a rule, or a rule and an object. May be repeated
    #[arg(long, value_name = "RULE[=OBJECT]")]
    accept: Vec<String>,
    /// List the rules
    #[arg(long)]
    list: bool,
    /// Explain a rule, and print its statement
    #[arg(long, value_name = "RULE", conflicts_with = "list")]
    explain: Option<String>,
    /// Print the rights on the rows of each table, instead of findings
    #[arg(long, conflicts_with_all = ["list", "explain"])]
    matrix: bool,
    /// Print the catalog, one object a line: every table with its row-level security, every policy with its command,
    /// roles and expressions, every column, key, trigger, function and right
    #[arg(long, conflicts_with_all = ["list", "explain", "matrix"])]
    inventory: bool,
}

/// Runs the command. Exit code 0: no errors or warnings; 1: some; 2: a rule could not be checked.
pub async fn run(args: AuditArgs) -> Result<ExitCode, String> {
    if args.list {
        return print(&report::list()).map(|()| ExitCode::SUCCESS);
    }
    if let Some(id) = &args.explain {
        return print(&report::explain(rule(id)?)).map(|()| ExitCode::SUCCESS);
    }
    let accepted = args.accept.iter().map(|text| Accepted::read(text)).collect::<Result<Vec<_>, _>>()?;
    let auditor = connect(&terminal::database(Database::Auditor, args.database_url.as_deref())?).await?;
    if args.matrix {
        return print(&matrix(&auditor).await?).map(|()| ExitCode::SUCCESS);
    }
    if args.inventory {
        return print(&inventory(&auditor).await?).map(|()| ExitCode::SUCCESS);
    }
    let server = match &args.server_database_url {
        Some(url) => Some(connect(&terminal::database(Database::Server, Some(url))?).await?),
        None => None,
    };
    let mut report = audit(&auditor, server.as_ref()).await?;
    for finding in &mut report.findings {
        finding.accepted = accepted.iter().any(|accepted| accepted.covers(finding));
    }
    for (accepted, given) in accepted.iter().zip(&args.accept) {
        if !report.findings.iter().any(|finding| accepted.covers(finding)) {
            eprintln!("appointd: --accept {} matches no finding", plain(given));
        }
    }
    print(&report::write(&report, args.format))?;
    Ok(if report.failed.is_empty() { ExitCode::from(u8::from(report.counts())) } else { ExitCode::from(2) })
}

fn print(text: &str) -> Result<(), String> {
    terminal::print(text.as_bytes()).map_err(|error| format!("cannot write: {error}"))
}

/// One value of `--accept`.
struct Accepted {
    rule: &'static str,
    object: Option<String>,
}

impl Accepted {
    fn read(text: &str) -> Result<Self, String> {
        let (id, object) = match text.split_once('=') {
            Some((id, object)) => (id, Some(object.to_owned())),
            None => (text, None),
        };
        Ok(Self { rule: rule(id)?.id, object })
    }

    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule.id && self.object.as_ref().is_none_or(|object| *object == finding.object)
    }
}

async fn connect(url: &DatabaseUrl) -> Result<Client, String> {
    let client = migrate::connect(url).await?;
    // Read-only, with a search path in which others cannot create objects, and with timeouts so that others do not
    // wait.
    client
        .batch_execute(
            "set search_path = pg_catalog, pg_temp; set default_transaction_read_only = on; \
             set statement_timeout = '60s'; set lock_timeout = '2s'",
        )
        .await
        .map_err(|error| migrate::explain(&error))?;
    Ok(client)
}

/// The database, and the role that audits it.
struct About {
    database: String,
    server_version: String,
    role: String,
    is_appointd: bool,
    /// When the server started: two connections to one server have the same.
    started: String,
    is_migrated: bool,
}

impl About {
    async fn of(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let row = client.query_one(ABOUT, &[]).await?;
        Ok(Self {
            database: row.try_get("database")?,
            server_version: row.try_get("server_version")?,
            role: row.try_get("role")?,
            is_appointd: row.try_get("is_appointd")?,
            started: row.try_get("started")?,
            is_migrated: row.try_get("is_migrated")?,
        })
    }
}

/// Looks at a database with all rules. `server` is a connection as the server has it; without one its plans are not
/// seen.
pub async fn audit(auditor: &Client, server: Option<&Client>) -> Result<Report, String> {
    let about = About::of(auditor).await.map_err(|error| migrate::explain(&error))?;
    if !about.is_appointd {
        return Err(format!("database {} is not an appointd database: it has no schema app", about.database));
    }
    if !about.is_migrated {
        return Err(format!("database {} is not migrated; run `appointd migrate`", about.database));
    }
    let mut report = Report {
        database: about.database.clone(),
        server_version: about.server_version,
        role: about.role,
        findings: Vec::new(),
        skipped: Vec::new(),
        failed: Vec::new(),
    };
    if let Some(server) = server {
        let there = About::of(server).await.map_err(|error| migrate::explain(&error))?;
        let same = there.database == about.database && there.started == about.started;
        if !same || there.role != "appointd_api" {
            return Err(format!(
                "APPOINTD_DATABASE_URL leads to database {} as {}, not to the one that is audited as appointd_api",
                there.database, there.role
            ));
        }
    }
    for rule in rules() {
        let found = match (rule.id, server) {
            (SCAN, None) => {
                report
                    .skipped
                    .push((rule.id, "APPOINTD_DATABASE_URL is not set (nor --server-database-url)"));
                continue;
            }
            (SCAN, Some(server)) => scans(server, rule).await,
            (DRIFT, _) => drift(auditor, rule).await,
            _ => auditor.query(rule.sql, &[]).await.and_then(|rows| {
                let found =
                    |row: &Row| Ok((row.try_get("object")?, row.try_get("found")?, row.try_get("fix")?));
                rows.iter().map(found).collect()
            }),
        };
        match found {
            Ok(found) => report.findings.extend(found.into_iter().map(|(object, found, fix)| Finding {
                rule,
                object: plain(&object),
                found: plain(&found),
                fix: plain(&fix),
                accepted: false,
            })),
            Err(error) => report.failed.push((rule.id, plain(&migrate::explain(&error)))),
        }
    }
    Ok(report)
}

/// Object, finding and fix.
type Found = Vec<(String, String, String)>;

/// Objects that are unexpected, missing or different.
async fn drift(auditor: &Client, rule: &Rule) -> Result<Found, tokio_postgres::Error> {
    // By kind and name, which together identify an object.
    let mut wanted: BTreeMap<String, &str> = CATALOG
        .lines()
        .filter_map(|line| {
            let (kind, rest) = line.split_once(" | ")?;
            let (name, definition) = rest.split_once(" | ")?;
            Some((format!("{kind} {name}"), definition))
        })
        .collect();
    let mut found = Vec::new();
    for row in auditor.query(rule.sql, &[]).await? {
        let (kind, name): (&str, &str) = (row.try_get("kind")?, row.try_get("name")?);
        let definition: &str = row.try_get("definition")?;
        let object = format!("{kind} {name}");
        match wanted.remove(&object) {
            Some(wanted) if wanted == definition => {}
            Some(wanted) => {
                let fix = format!("-- make it again as it was: {wanted}");
                found.push((object, format!("is not what the migrations make: {definition}"), fix));
            }
            None => {
                let fix = format!("-- drop it, or make it by a migration: {object}");
                found.push((object, format!("is in no migration: {definition}"), fix));
            }
        }
    }
    found.extend(wanted.into_iter().map(|(object, definition)| {
        (object, "missing".to_owned(), format!("-- make it again: {definition}"))
    }));
    Ok(found)
}

/// What says that a statement is sent as another role, whose rights the server does not have.
const OF_ANOTHER: [&str; 2] = ["-- Sent as appointd_door.", "-- Sent as appointd_worker."];

/// Statements whose plans scan a whole table of tenants.
async fn scans(server: &Client, rule: &Rule) -> Result<Found, tokio_postgres::Error> {
    let tables: Vec<String> = server.query(rule.sql, &[]).await?.into_iter().map(|row| row.get(0)).collect();
    server.batch_execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan").await?;
    let mut found = Vec::new();
    for (name, text) in files::STATEMENTS {
        if OF_ANOTHER.iter().any(|mark| text.contains(mark)) {
            continue;
        }
        let plan = match plan(server, text).await {
            Ok(plan) => plan,
            // The server would fail in the same way.
            Err(error) if error.as_db_error().is_some() => {
                let reason = format!("cannot be planned as appointd_api: {}", migrate::explain(&error));
                let fix = "-- see the other findings, or run appointd migrate".to_owned();
                found.push((format!("sql/queries/{name}.sql"), reason, fix));
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut whole = Vec::new();
        read_whole(&plan[0]["Plan"], &mut whole);
        whole.retain(|table| tables.contains(table));
        whole.dedup();
        found.extend(whole.into_iter().map(|table| {
            let fix = format!("create index on {table} (tenant_id, …); -- for what the statement asks");
            (format!("sql/queries/{name}.sql"), format!("reads all of {table}"), fix)
        }));
    }
    Ok(found)
}

/// The generic plan of a statement.
async fn plan(server: &Client, text: &str) -> Result<Value, tokio_postgres::Error> {
    server.batch_execute(&format!("deallocate all; prepare audited as {text}")).await?;
    let parameters: i32 = server.query_one(PARAMETERS, &[]).await?.get(0);
    let nulls = vec!["null"; usize::try_from(parameters).unwrap_or_default()].join(", ");
    let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    Ok(server.query_one(&format!("explain (verbose, format json) execute audited{nulls}"), &[]).await?.get(0))
}

/// The tables that a plan reads without an index, or through an index without a condition.
fn read_whole(plan: &Value, tables: &mut Vec<String>) {
    let children = plan["Plans"].as_array().into_iter().flatten();
    let by_index = plan["Index Cond"].is_string()
        || children.clone().any(|child| child["Parent Relationship"] == "Outer" && child["Index Cond"].is_string())
        // A combination of several indexes.
        || plan["Node Type"] == "Bitmap Heap Scan" && plan["Plans"][0]["Node Type"] != "Bitmap Index Scan";
    if let (Some(schema), Some(name)) = (plan["Schema"].as_str(), plan["Relation Name"].as_str())
        && plan["Node Type"].as_str().is_some_and(|kind| kind.ends_with("Scan"))
        && !by_index
    {
        tables.push(format!("{schema}.{name}"));
    }
    for child in children {
        read_whole(child, tables);
    }
}

/// The catalog, one object per line, in the format of `schema/drift.txt`.
pub async fn inventory(auditor: &Client) -> Result<String, String> {
    let rows = auditor.query(rule(DRIFT)?.sql, &[]).await.map_err(|error| migrate::explain(&error))?;
    let line = |row: &Row| {
        let cell = |name: &str| row.try_get(name).map(plain).map_err(|error| migrate::explain(&error));
        Ok(format!("{} | {} | {}\n", cell("kind")?, cell("name")?, cell("definition")?))
    };
    rows.iter().map(line).collect()
}

/// The rights of each audience on the rows of each table, as text.
pub async fn matrix(auditor: &Client) -> Result<String, String> {
    let rows = auditor.query(MATRIX, &[]).await.map_err(|error| migrate::explain(&error))?;
    Ok(report::matrix(&rows))
}
