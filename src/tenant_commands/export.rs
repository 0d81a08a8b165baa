//! Exports all data of an organization from one snapshot as JSON lines, and imports them.

use std::{
    io::{self, BufRead},
    pin::pin,
};

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_postgres::{Client, IsolationLevel, types::ToSql};
use uuid::Uuid;

use super::database::{Batch, Organization, Outcome, begin, organizations, said};
use crate::db::migrate;

/// The first line of an export.
#[derive(Deserialize, Serialize)]
struct Header {
    /// The version of the format.
    appointd_export: u32,
    organization_id: Uuid,
    slug: String,
    /// The newest migration of the exporting database.
    migration: i32,
}

/// The last line of an export: the number of rows before it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    appointd_export_end: u64,
}

/// A line of an export between header and footer.
#[derive(Deserialize)]
struct Line {
    relation: String,
    row: Map<String, Value>,
}

const FORMAT: u32 = 1;

pub async fn export(
    client: &mut Client,
    organization: &Organization,
    mut out: impl io::Write,
) -> Outcome<()> {
    // One snapshot, so that a concurrent booking is exported with all its rows or not at all.
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(said)?;
    let header = Header {
        appointd_export: FORMAT,
        organization_id: organization.id,
        slug: organization.slug.clone(),
        migration: migrate::newest(),
    };
    writeln!(out, "{}", serde_json::to_string(&header)?)?;
    let params: [&(dyn ToSql + Sync); 1] = [&organization.id];
    let lines =
        transaction.query_raw(include_str!("../../sql/tenant/export.sql"), params).await.map_err(said)?;
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

pub async fn import(client: &mut Client, input: impl BufRead) -> Outcome<(String, u64)> {
    let mut lines = input.lines();
    let first = lines.next().ok_or("the file is empty")??;
    let header: Header = serde_json::from_str(&first)
        .map_err(|_| "the file is not an export of appointd: its first line is not a header")?;
    if header.appointd_export != FORMAT || header.migration > migrate::newest() {
        return Err("the export was written by a newer version of appointd")?;
    }
    if organizations(client).await?.iter().any(|organization| organization.id == header.organization_id) {
        return Err(format!("organization {} already exists; delete it first", header.slug))?;
    }
    let transaction = begin(client).await?;
    let statement = include_str!("../../sql/tenant/import.sql");
    let mut batch: Option<Batch> = None;
    let mut rows = 0;
    let mut end = None;
    for (number, line) in (2..).zip(lines) {
        let line = line?;
        if let Ok(Footer { appointd_export_end }) = serde_json::from_str(&line) {
            end = Some(appointd_export_end);
            break;
        }
        let Line { relation, row } =
            serde_json::from_str(&line).map_err(|error| format!("line {number}: {error}"))?;
        rows += 1;
        if let Some(full) = batch.take_if(|batch| !batch.takes(&relation, &row)) {
            full.send(&transaction, statement, header.organization_id).await?;
        }
        let batch = batch.get_or_insert_with(|| Batch {
            relation,
            columns: row.keys().cloned().collect(),
            rows: Vec::new(),
        });
        batch.rows.push((format!("line {number}"), Value::Object(row)));
    }
    if let Some(last) = batch {
        last.send(&transaction, statement, header.organization_id).await?;
    }
    if end != Some(rows) {
        return Err(
            "the file is incomplete: its last line is missing or counts more rows than the file contains",
        )?;
    }
    transaction.commit().await.map_err(said)?;
    Ok((header.slug, rows))
}
