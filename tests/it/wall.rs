//! Who may do what to which table, read from the live catalog and checked in as a table for people.

use std::fmt::Write as _;

use crate::harness::{Tenant, snapshot, system};

const ROLES: [&str; 6] = ["customer", "viewer", "staff", "manager", "admin", "owner"];

#[tokio::test]
async fn the_permission_table_is_current_and_true() {
    let auditor = system().connect("appointd_auditor").await;
    let tables = auditor
        .query(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = any (array['identity', 'tenancy', 'crm', 'scheduling', 'operations']) and c.relkind in ('r', 'p') and not c.relispartition order by 1",
            &[],
        )
        .await
        .expect("tables");
    let mut text = String::from(
        "Members of an organization, by role: what the policies and grants let the server do to its rows for them.\n\
         s select, i insert, u update, d delete. Made by trying; see tests/it/wall.rs.\n\n",
    );
    write!(text, "{:<32}", "").expect("text");
    for role in ROLES {
        write!(text, "{role:<9}").expect("text");
    }
    text.push('\n');
    let tenant = Tenant::new().await;
    tenant.furnished().await;
    let superuser = system().superuser().await;
    // What requests make none of, or some time later.
    superuser
        .batch_execute(&format!(
            "insert into tenancy.usage_days (tenant_id, day, requests) values ('{0}', '2026-01-01', 1);
             insert into tenancy.verified_domains (domain, organization_id) values ('{0}.example', '{0}')",
            tenant.id
        ))
        .await
        .expect("rows");
    for table in tables {
        let table: String = table.get(0);
        write!(text, "{table:<32}").expect("text");
        for role in ROLES {
            let mut cell = String::new();
            for (letter, command) in [('s', "select"), ('i', "insert"), ('u', "update"), ('d', "delete")] {
                cell.push(if may(&superuser, &tenant, role, &table, command).await { letter } else { '-' });
            }
            write!(text, "{cell:<9}").expect("text");
        }
        text.push('\n');
    }
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    snapshot("tests/it/permissions.txt", &text);
}

/// Tries it, as the server's role with a member of this role in the context, and takes it back.
async fn may(
    superuser: &tokio_postgres::Client,
    tenant: &Tenant,
    role: &str,
    table: &str,
    command: &str,
) -> bool {
    let actor = match role {
        "customer" => &tenant.customer,
        role => tenant.members().into_iter().find(|(name, _)| *name == role).expect("a member of the role").1,
    };
    let columns: Option<String> = superuser
        .query_one(
            "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
             where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
               and has_column_privilege('appointd_api', attrelid, attnum, $2)",
            &[&table, &command],
        )
        .await
        .map(|row| row.get(0))
        .unwrap_or_default();
    superuser.batch_execute("begin; set local role appointd_api").await.expect("a transaction");
    let lowest = if role == "customer" { "customer" } else { "viewer" };
    superuser
        .execute(
            "select app.enter($1, $2, $3, $4, null, null, null)",
            &[&tenant.id, &actor.account, &actor.session, &lowest],
        )
        .await
        .expect("a member may enter");
    // A row that violates a constraint has passed the policies; one that violates a policy has not.
    let attempt = match (command, columns) {
        ("select", Some(columns)) => format!("select {columns} from {table}"),
        ("insert", Some(columns)) => {
            let nulls = columns.split(", ").map(|_| "null").collect::<Vec<_>>().join(", ");
            format!("insert into {table} ({columns}) values ({nulls})")
        }
        ("update", Some(columns)) => {
            let first = columns.split(", ").next().unwrap_or_default().to_owned();
            format!("update {table} set {first} = {first}")
        }
        ("delete", _) => format!("delete from {table}"),
        _ => {
            superuser.batch_execute("rollback").await.expect("a rollback");
            return false;
        }
    };
    let result = superuser.execute(&attempt, &[]).await;
    superuser.batch_execute("rollback").await.expect("a rollback");
    match result {
        Ok(rows) => rows > 0,
        Err(error) => {
            // A constraint: the row got that far. Anything else: it did not.
            error.code().is_some_and(|code| code.code().starts_with("23"))
        }
    }
}
