//! `appointd audit`: looks for holes in the wall of a live database, in its catalogs alone.
//!
//! A rule is a file `sql/audit/<theme>/<rule>.sql`: its comment says how bad what it finds is, what that means and why;
//! its statement returns a row for each finding: the object, what was found, the SQL that mends it. Run by psql it is the
//! same rule. Two rules need more than their statement: `schema/drift` is compared with the catalog as the migrations make
//! it, and `statements/scan` plans the server's statements.

mod files;
mod report;
mod rule;

pub use report::plain;
pub use rule::rules;

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use serde_json::Value;
use tokio_postgres::{Client, Config as DatabaseUrl};

use report::{Finding, Format, Report};
use rule::{Rule, rule};

use crate::db::migrate;

/// The catalog as the migrations make it.
const CATALOG: &str = include_str!("../sql/audit/schema/drift.txt");
const ABOUT: &str = include_str!("../sql/audit/about.sql");
const PARAMETERS: &str = include_str!("../sql/audit/parameters.sql");
const MATRIX: &str = include_str!("../sql/audit/matrix.sql");
const DRIFT: &str = "schema/drift";
const SCAN: &str = "statements/scan";

#[derive(Args)]
pub struct AuditArgs {
    /// URL of the database, as the role appointd_auditor. Required, other than for --list and --explain
    #[arg(long, env = "APPOINTD_AUDITOR_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// URL of the same database, as the role appointd_api: to see how the server's statements are planned
    #[arg(long, env = "APPOINTD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    server_database_url: Option<String>,
    /// How to say what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A finding that is known and not counted: a rule, or a rule, = and the object it is about. May be given several times
    #[arg(long, value_name = "RULE[=OBJECT]")]
    accept: Vec<String>,
    /// List the rules
    #[arg(long)]
    list: bool,
    /// Say what a rule is about, and print its statement
    #[arg(long, value_name = "RULE", conflicts_with = "list")]
    explain: Option<String>,
    /// Print who may do what to the rows of which table, instead of what is wrong
    #[arg(long, conflicts_with_all = ["list", "explain"])]
    matrix: bool,
    /// Print what there is, one object a line: every table with its row-level security, every policy with its command, roles
    /// and expressions, every column, key, trigger, function and right
    #[arg(long, conflicts_with_all = ["list", "explain", "matrix"])]
    inventory: bool,
}

/// Runs the command: 0 nothing that counts, 1 something, 2 it could not be looked at.
pub async fn run(args: AuditArgs) -> Result<ExitCode, String> {
    if args.list {
        return print(&report::list()).map(|()| ExitCode::SUCCESS);
    }
    if let Some(id) = &args.explain {
        return print(&report::explain(rule(id)?)).map(|()| ExitCode::SUCCESS);
    }
    let accepted = args.accept.iter().map(|text| Accepted::read(text)).collect::<Result<Vec<_>, _>>()?;
    let Some(url) = &args.database_url else {
        return Err("APPOINTD_AUDITOR_DATABASE_URL is not set (nor --database-url)".to_owned());
    };
    let auditor = connect(url, "APPOINTD_AUDITOR_DATABASE_URL").await?;
    if args.matrix {
        return print(&matrix(&auditor).await?).map(|()| ExitCode::SUCCESS);
    }
    if args.inventory {
        return print(&inventory(&auditor).await?).map(|()| ExitCode::SUCCESS);
    }
    let server = match &args.server_database_url {
        Some(url) => Some(connect(url, "APPOINTD_DATABASE_URL").await?),
        None => None,
    };
    let mut report = audit(&auditor, server.as_ref()).await?;
    for finding in &mut report.findings {
        finding.accepted = accepted.iter().any(|accepted| accepted.covers(finding));
    }
    for (accepted, given) in accepted.iter().zip(&args.accept) {
        if !report.findings.iter().any(|finding| accepted.covers(finding)) {
            eprintln!("appointd: nothing was found that --accept {} is about", plain(given));
        }
    }
    print(&report::write(&report, args.format))?;
    Ok(if report.failed.is_empty() { ExitCode::from(u8::from(report.counts())) } else { ExitCode::from(2) })
}

fn print(text: &str) -> Result<(), String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| format!("cannot write: {error}"))
}

/// What `--accept` says.
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

async fn connect(url: &str, name: &str) -> Result<Client, String> {
    let url: DatabaseUrl = url
        .parse()
        .map_err(|_| format!("{name} is no URL of a PostgreSQL: postgresql://user@host/database"))?;
    let client =
        migrate::connect(&url).await.map_err(|error| format!("cannot connect as {name} says: {error}"))?;
    // Nothing is changed, no name is looked up where somebody else can create, and nobody waits for us.
    client
        .batch_execute(
            "set search_path = pg_catalog, pg_temp; set default_transaction_read_only = on; \
             set statement_timeout = '60s'; set lock_timeout = '2s'",
        )
        .await
        .map_err(|error| migrate::explain(&error))?;
    Ok(client)
}

/// Looks at a database with all rules. `server` is a connection as the server has it; without one its plans are not seen.
pub async fn audit(auditor: &Client, server: Option<&Client>) -> Result<Report, String> {
    let row = auditor.query_one(ABOUT, &[]).await.map_err(|error| migrate::explain(&error))?;
    if !row.get::<_, bool>(3) {
        return Err(format!("database {} holds no appointd: it has no schema app", row.get::<_, String>(0)));
    }
    if !row.get::<_, bool>(5) {
        return Err(format!("database {} is not migrated; run `appointd migrate`", row.get::<_, String>(0)));
    }
    let mut report = Report {
        database: row.get(0),
        server_version: row.get(1),
        role: row.get(2),
        findings: Vec::new(),
        skipped: Vec::new(),
        failed: Vec::new(),
    };
    if let Some(server) = server {
        let there = server.query_one(ABOUT, &[]).await.map_err(|error| migrate::explain(&error))?;
        let same = |column: usize| row.get::<_, String>(column) == there.get::<_, String>(column);
        if !same(0) || !same(4) || there.get::<_, &str>(2) != "appointd_api" {
            return Err(format!(
                "APPOINTD_DATABASE_URL leads to database {} as {}, not to the one that is audited as appointd_api",
                there.get::<_, &str>(0),
                there.get::<_, &str>(2)
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
            _ => auditor
                .query(rule.sql, &[])
                .await
                .map(|rows| rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()),
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

/// Object, what was found, what mends it.
type Found = Vec<(String, String, String)>;

/// What is there and should not be, what is not and should, and what is different.
async fn drift(auditor: &Client, rule: &Rule) -> Result<Found, tokio_postgres::Error> {
    // By kind and name, which together name one object.
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
        let (kind, name, definition): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
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

/// Statements whose plans read a tenant's table from one end to the other.
async fn scans(server: &Client, rule: &Rule) -> Result<Found, tokio_postgres::Error> {
    let tables: Vec<String> = server.query(rule.sql, &[]).await?.into_iter().map(|row| row.get(0)).collect();
    server.batch_execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan").await?;
    let mut found = Vec::new();
    for (name, text) in files::STATEMENTS {
        let plan = match plan(server, text).await {
            Ok(plan) => plan,
            // As the server will find out.
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

/// How a statement is planned, whatever its values.
async fn plan(server: &Client, text: &str) -> Result<Value, tokio_postgres::Error> {
    server.batch_execute(&format!("deallocate all; prepare audited as {text}")).await?;
    let parameters: i32 = server.query_one(PARAMETERS, &[]).await?.get(0);
    let nulls = vec!["null"; usize::try_from(parameters).unwrap_or_default()].join(", ");
    let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    Ok(server.query_one(&format!("explain (verbose, format json) execute audited{nulls}"), &[]).await?.get(0))
}

/// The tables that a plan reads without an index, or through one without a condition on it.
fn read_whole(plan: &Value, tables: &mut Vec<String>) {
    let children = plan["Plans"].as_array().into_iter().flatten();
    let by_index = plan["Index Cond"].is_string()
        || children.clone().any(|child| child["Parent Relationship"] == "Outer" && child["Index Cond"].is_string())
        // Several indexes put together.
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

/// What there is, one object a line, in the form of the catalog the audit compares with.
pub async fn inventory(auditor: &Client) -> Result<String, String> {
    let rows = auditor.query(rule(DRIFT)?.sql, &[]).await.map_err(|error| migrate::explain(&error))?;
    let cell = |row: &tokio_postgres::Row, at: usize| plain(row.get(at));
    Ok(rows.iter().map(|row| format!("{} | {} | {}\n", cell(row, 0), cell(row, 1), cell(row, 2))).collect())
}

/// Who may do what to the rows of which table, as a table for people.
pub async fn matrix(auditor: &Client) -> Result<String, String> {
    let rows = auditor.query(MATRIX, &[]).await.map_err(|error| migrate::explain(&error))?;
    Ok(report::matrix(&rows))
}
