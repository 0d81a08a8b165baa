//! Writes findings as text, JSON or SARIF.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use super::rule::{Rule, Severity, rules};

/// The output format of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0 (OASIS), for code-scanning tools
    Sarif,
}

/// A finding.
#[derive(Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    pub object: String,
    pub found: String,
    /// SQL that fixes it, or a comment if a person has to decide.
    pub fix: String,
    /// Whether `--accept` names it.
    pub accepted: bool,
}

/// The result of an audit.
#[derive(Debug)]
pub struct Report {
    pub database: String,
    /// The version of PostgreSQL.
    pub server_version: String,
    pub role: String,
    pub findings: Vec<Finding>,
    /// Rules that were skipped, and the missing option.
    pub skipped: Vec<(&'static str, &'static str)>,
    /// Rules that could not be checked, and why. If not empty, the audit does not pass.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Whether it has errors or warnings that are not accepted.
    pub fn counts(&self) -> bool {
        self.findings.iter().any(|finding| !finding.accepted && finding.rule.severity < Severity::Note)
    }
}

/// Replaces control characters: names of objects come from the audited database, and must neither control the terminal
/// nor end the comment of a fix.
pub fn plain(text: &str) -> String {
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

pub fn list() -> String {
    rules()
        .iter()
        .map(|rule| format!("{:<8} {:<34} {}\n", name(rule.severity), rule.id, rule.title))
        .collect()
}

pub fn explain(rule: &Rule) -> String {
    let statement: String =
        rule.sql.lines().skip_while(|line| line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    format!(
        "{} {}: {}\n\n{}\n\nIts statement (sql/audit/{}.sql):\n{statement}",
        name(rule.severity),
        rule.id,
        rule.title,
        rule.why,
        rule.id
    )
}

pub fn write(report: &Report, format: Format) -> String {
    match format {
        Format::Text => text(report),
        Format::Json => lines(&as_json(report)),
        Format::Sarif => lines(&sarif(report)),
    }
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut last = "";
    let mut findings: Vec<_> = report.findings.iter().filter(|finding| !finding.accepted).collect();
    findings.sort_by_key(|finding| finding.rule.severity);
    for finding in findings {
        let rule = finding.rule;
        if rule.id != last {
            // The first paragraph; --explain prints all of them.
            let why = rule.why.split("\n\n").next().unwrap_or_default().replace('\n', "\n  ");
            let _ = writeln!(text, "{} {}: {}\n  {why}\n", name(rule.severity), rule.id, rule.title);
            last = rule.id;
        }
        let _ = writeln!(text, "  * {}: {}", finding.object, finding.found);
        let _ = writeln!(text, "    {}\n", finding.fix);
    }
    for (rule, why) in &report.skipped {
        let _ = writeln!(text, "skipped: {rule}: {why}");
    }
    for (rule, why) in &report.failed {
        let _ = writeln!(text, "failed: {rule}: {why}");
    }
    let count = |severity| {
        report
            .findings
            .iter()
            .filter(|finding| !finding.accepted && finding.rule.severity == severity)
            .count()
    };
    let accepted = report.findings.iter().filter(|finding| finding.accepted).count();
    let _ = writeln!(
        text,
        "{} errors, {} warnings, {} notes, {accepted} accepted; {} rules, database {} as {}, PostgreSQL {}",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note),
        rules().len() - report.skipped.len() - report.failed.len(),
        plain(&report.database),
        plain(&report.role),
        report.server_version,
    );
    text
}

/// Identifies a finding by object and rule, for comparison with a baseline.
fn fingerprint(finding: &Finding) -> String {
    let digest = Sha256::digest(format!("{}\0{}", finding.rule.id, finding.object));
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn as_json(report: &Report) -> Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.rule.id,
                "severity": finding.rule.severity,
                "title": finding.rule.title,
                "object": finding.object,
                "found": finding.found,
                "why": finding.rule.why,
                "fix": finding.fix,
                "accepted": finding.accepted,
                "fingerprint": fingerprint(finding),
            })
        })
        .collect();
    let skipped: Vec<_> =
        report.skipped.iter().map(|(rule, why)| json!({ "rule": rule, "why": why })).collect();
    let failed: Vec<_> =
        report.failed.iter().map(|(rule, why)| json!({ "rule": rule, "why": why })).collect();
    json!({
        "format": 1,
        "appointd": env!("CARGO_PKG_VERSION"),
        "database": report.database,
        "role": report.role,
        "server_version": report.server_version,
        "rules": rules().len() - report.skipped.len() - report.failed.len(),
        "findings": findings,
        "skipped": skipped,
        "failed": failed,
    })
}

/// SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
fn sarif(report: &Report) -> Value {
    let described: Vec<_> = rules()
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.why },
                "defaultConfiguration": { "level": rule.severity },
            })
        })
        .collect();
    let results: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let suppressions = if finding.accepted {
                json!([{ "kind": "external", "justification": "accepted on the command line" }])
            } else {
                json!([])
            };
            json!({
                "ruleId": finding.rule.id,
                "ruleIndex": rules().iter().position(|rule| rule.id == finding.rule.id),
                "level": finding.rule.severity,
                "message": { "text": format!("{}: {}\nTo mend it: {}", finding.object, finding.found, finding.fix) },
                "locations": [{
                    "physicalLocation": { "artifactLocation": { "uri": format!("sql/audit/{}.sql", finding.rule.id) } },
                    "logicalLocations": [{ "fullyQualifiedName": finding.object }],
                }],
                "partialFingerprints": { "ruleAndObject/v1": fingerprint(finding) },
                "suppressions": suppressions,
            })
        })
        .collect();
    let skipped = report.skipped.iter().map(|(rule, why)| ("warning", rule, (*why).to_owned()));
    let failed = report.failed.iter().map(|(rule, why)| ("error", rule, why.clone()));
    let notifications: Vec<_> = skipped
        .chain(failed)
        .map(|(level, rule, why)| json!({ "level": level, "message": { "text": why }, "associatedRule": { "id": rule } }))
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "appointd audit", "version": env!("CARGO_PKG_VERSION"), "rules": described } },
            "invocations": [{ "executionSuccessful": report.failed.is_empty(), "toolExecutionNotifications": notifications }],
            "results": results,
        }],
    })
}

/// The matrix of rights: one line per table, one column per audience.
pub fn matrix(rows: &[Row]) -> String {
    let mut text = String::from(
        "Rights on the rows of each table: s select, i insert, u update, d delete, t truncate.\n\
         guest to owner: people for whom the server has entered an organization (an API key has a role like a person).\n\
         scheduler: the server itself, when it offers freed time to the waitlist.\n\
         door, worker, gate, migrator, auditor: the roles appointd_door, appointd_worker, appointd_gate, appointd_owner and\n\
         appointd_auditor. A letter means that the right covers at least some rows or columns. Read from grants and policies.\n\n",
    );
    let Some(first) = rows.first() else {
        return text;
    };
    let mut line = |cells: Vec<String>| {
        let (table, rights) = cells
            .split_first()
            .map_or_else(Default::default, |(table, rights)| (table.clone(), rights.to_vec()));
        let mut line = format!("{table:<36}");
        for cell in rights {
            let _ = write!(line, "{cell:<10}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(first.columns().iter().map(|column| column.name().replace("relation", "")).collect());
    for row in rows {
        line((0..row.len()).map(|at| plain(row.get(at))).collect());
    }
    text
}
