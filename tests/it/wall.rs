//! Who may do what to which table, read from the live catalog and checked in as a table for people.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::harness::{Tenant, snapshot, system};

const ROLES: [&str; 7] = ["guest", "customer", "viewer", "staff", "manager", "admin", "owner"];

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
    write!(text, "{:<36}", "").expect("text");
    for role in ROLES {
        write!(text, "{role:<9}").expect("text");
    }
    text.push('\n');
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let appointment: Uuid = furnished.appointment.parse().expect("an id");
    let superuser = system().superuser().await;
    // What requests make none of, or some time later.
    superuser
        .batch_execute(&format!(
            "insert into tenancy.usage_days (tenant_id, day, requests) values ('{0}', '2026-01-01', 1);
             insert into tenancy.verified_domains (domain, organization_id) values ('{0}.example', '{0}');
             insert into operations.idempotency_keys (tenant_id, actor_id, operation, key, request_hash)
             values ('{0}', '{0}', 'x', 'x', sha256('x'));
             insert into scheduling.schedule_travels (tenant_id, provider_id, starts_on, ends_on, time_zone)
             values ('{0}', '{1}', '2031-01-01', '2031-01-02', 'UTC');
             insert into scheduling.service_providers (tenant_id, service_id, provider_id) values ('{0}', '{2}', '{1}');
             insert into scheduling.service_resources (tenant_id, service_id, requirement, resource_id)
             values ('{0}', '{2}', 1, '{3}');
             insert into scheduling.appointment_segments (tenant_id, appointment_id, position, service_id, provider_id, starts_at, ends_at)
             values ('{0}', '{4}', 1, '{2}', '{1}', '2031-01-01', '2031-01-02');
             insert into scheduling.appointment_transitions (tenant_id, appointment_id, id, action, from_status, to_status)
             values ('{0}', '{4}', '{4}', 'confirm', 'pending', 'confirmed');
             update scheduling.providers set account_id = '{5}' where tenant_id = '{0}' and id = '{1}';
             insert into scheduling.shared_claims (tenant_id, claim_id, provider_id, account_id, session_id, starts_at, ends_at)
             select tenant_id, id, '{1}', '{5}', session_id, starts_at, ends_at from scheduling.claims
             where tenant_id = '{0}' and appointment_id = '{4}' limit 1",
            tenant.id,
            furnished.provider,
            furnished.service,
            furnished.resource,
            furnished.appointment,
            tenant.staff.account
        ))
        .await
        .expect("rows");
    for table in tables {
        let table: String = table.get(0);
        write!(text, "{table:<36}").expect("text");
        for role in ROLES {
            let mut cell = String::new();
            for (letter, command) in [('s', "select"), ('i', "insert"), ('u', "update"), ('d', "delete")] {
                cell.push(if may(&superuser, &tenant, role, &table, command, appointment).await {
                    letter
                } else {
                    '-'
                });
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
    appointment: Uuid,
) -> bool {
    let actor = match role {
        "customer" | "guest" => &tenant.customer,
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
    if role == "guest" {
        // With the link of one of the appointments.
        superuser
            .execute("select app.enter_guest($1, $2, null, null, null)", &[&tenant.id, &appointment])
            .await
            .expect("a guest may enter");
    } else {
        superuser
            .execute(
                "select app.enter($1, $2, $3, $4, null, null, null)",
                &[&tenant.id, &actor.account, &actor.session, &lowest],
            )
            .await
            .expect("a member may enter");
    }
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
