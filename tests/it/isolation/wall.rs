//! Who may do what to the rows of which table: what `appointd audit --matrix` reads from grants and policies, checked
//! in as a table for people, and every cell of it tried.

use std::collections::BTreeMap;

use appointd::wall_audit;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::attack::{Outcome, outcomes, record};
use crate::harness::{Tenant, proofs, snapshot, system};

#[tokio::test]
async fn permission_table_is_current_and_every_cell_holds() {
    let auditor = system().connect("appointd_auditor").await;
    auditor.batch_execute("set search_path = pg_catalog, pg_temp").await.expect("a setting");
    let text = wall_audit::matrix(&auditor).await.expect("a matrix");
    snapshot("tests/it/permissions.txt", &text);

    // Two organizations: what the gate may see of a person is what it has elsewhere, too.
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let furnished = tenant.complete().await;
    other.complete().await;
    let (superuser, api) = (system().superuser().await, system().connect("appointd_api").await);
    let publisher = system().superuser().await;
    let (owner, worker) =
        (system().connect("appointd_owner").await, system().connect("appointd_worker").await);
    let door = system().connect("appointd_door").await;
    owner.batch_execute("set row_security = on").await.expect("a setting");
    let mut lines = text.lines().skip_while(|line| !line.is_empty()).skip(1);
    let audiences: Vec<_> = lines.next().expect("a head").split_whitespace().collect();
    let mut matrix: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in lines {
        let (table, rights) = line.split_once(char::is_whitespace).expect("a table");
        matrix.extend(
            audiences
                .iter()
                .zip(rights.split_whitespace())
                .map(|(audience, rights)| ((table, *audience), rights)),
        );
    }
    assert!(matrix.len() > 400, "{}", matrix.len());

    let context = format!(
        "select app.set_context(app.context_of('{}', '{}', null, null, null))",
        tenant.id, tenant.owner.account
    );
    let [guest, scheduler] = proofs(tenant.id, furnished.appointment.parse().expect("an id")).await;
    let mut wrong = Vec::new();
    for audience in audiences {
        let (client, role, enter) = match audience {
            "gate" => (&superuser, "appointd_gate", format!("{context}; set local role appointd_gate")),
            "migrator" => (&owner, "appointd_owner", context.clone()),
            "auditor" => (&auditor, "appointd_auditor", "select".to_owned()),
            "door" => (&door, "appointd_door", "select".to_owned()),
            "worker" => (&worker, "appointd_worker", format!("select app.enter_worker('{}')", tenant.id)),
            "scheduler" => {
                let enter = format!("select app.enter_scheduler('{}', {scheduler}, null)", tenant.id);
                (&api, "appointd_api", enter)
            }
            "guest" => {
                let enter = format!(
                    "select app.enter_guest('{}', '{}', {guest}, null, null, null)",
                    tenant.id, furnished.appointment
                );
                (&api, "appointd_api", enter)
            }
            "customer" => {
                let (account, session) = (tenant.customer.account, tenant.customer.session);
                let enter = format!(
                    "select app.enter_customer('{}', '{account}', '{session}', uuid_send('{session}'), '{}', null, null, null)",
                    tenant.id, furnished.appointment
                );
                (&api, "appointd_api", enter)
            }
            person => {
                let (_, actor) =
                    tenant.members().into_iter().find(|(name, _)| *name == person).expect("a member");
                let (account, session) = (actor.account, actor.session);
                let enter = format!(
                    "select app.enter('{}', '{account}', '{session}', uuid_send('{session}'), 'viewer', null, null, null)",
                    tenant.id
                );
                (&api, "appointd_api", enter)
            }
        };
        for ((table, _), rights) in matrix.iter().filter(|((_, name), _)| *name == audience) {
            let outbox = *table == "messaging.outbox";
            if outbox {
                // An event to try it with, which the publisher leaves there while another has the organization's turn.
                let turn = format!(
                    "begin; select from messaging.turns where tenant_id = '{}' for update",
                    tenant.id
                );
                publisher.batch_execute(&turn).await.expect("the turn");
                let contact = format!("/api/v1/contacts/{}", furnished.contact);
                tenant.admin.patch(&contact, json!({ "last_name": audience })).await.expect(200);
            }
            let tried = tried(&superuser, client, role, &enter, table, tenant.id).await;
            if outbox {
                publisher.batch_execute("rollback").await.expect("the end of the turn");
            }
            if tried != **rights {
                wrong.push(format!("{table} as {audience}: read {rights}, tried {tried}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What a role may do to a table, by trying each with what is there.
async fn tried(
    superuser: &Client,
    client: &Client,
    role: &str,
    enter: &str,
    table: &str,
    tenant: Uuid,
) -> String {
    let columns = async |right: &str| -> Vec<String> {
        superuser
            .query_one(
                "select coalesce(array_agg(quote_ident(attname) order by attnum), '{}') from pg_attribute
                 where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
                   and has_column_privilege($2::text, attrelid, attnum, $3)",
                &[&table, &role, &right],
            )
            .await
            .expect("columns")
            .get(0)
    };
    let selects =
        columns("select").await.into_iter().take(1).map(|column| format!("select {column} from {table}"));
    let updates =
        columns("update").await.into_iter().map(|column| format!("update {table} set {column} = {column}"));
    let confirms = (table == "scheduling.claims").then(|| {
        "update scheduling.claims
         set appointment_id = app.subject(), hold_id = null
         where hold_id is not null"
            .to_owned()
    });
    let inserted = columns("insert").await;
    // With rows that are there: one that violates a key has passed the policies, one that violates a policy has not.
    let own = match table {
        "tenancy.organizations" => format!("id = '{tenant}'"),
        "tenancy.verified_domains" | "tenancy.former_names" => format!("organization_id = '{tenant}'"),
        "identity.accounts" => {
            format!("id in (select account_id from tenancy.members where tenant_id = '{tenant}')")
        }
        "identity.sign_in_failures"
        | "messaging.mail_budgets"
        | "messaging.cron_runs"
        | "app.migrations"
        | "app.proof_key" => "true".to_owned(),
        table if table.starts_with("identity.") => {
            format!("account_id in (select account_id from tenancy.members where tenant_id = '{tenant}')")
        }
        "tenancy.plans" | "tenancy.features" | "tenancy.plan_features" => "true".to_owned(),
        _ => format!("tenant_id = '{tenant}'"),
    };
    let rows = format!("select to_json(r) from {table} as r where {own} limit 50");
    let rows: Vec<Value> =
        superuser.query(&rows, &[]).await.expect("rows").into_iter().map(|row| row.get(0)).collect();
    let inserts = rows.iter().filter(|_| !inserted.is_empty()).map(|row| record(table, row, &inserted, &[]));
    let attempts: [(char, Vec<String>); 5] = [
        ('s', selects.collect()),
        ('i', inserts.collect()),
        // What a guest confirms becomes their appointment's.
        ('u', updates.chain(confirms).collect()),
        ('d', vec![format!("delete from {table}")]),
        ('t', vec![format!("truncate {table}")]),
    ];
    let mut cell = String::new();
    for (letter, statements) in attempts {
        let outcomes = outcomes(client, Some(enter), &statements).await;
        let passed = outcomes.iter().any(|outcome| match outcome {
            Outcome::Rows(rows) => *rows > 0 || letter == 't',
            // A constraint, or (truncate) that others lead to it: it got that far.
            Outcome::Refused { sqlstate, .. } => sqlstate.starts_with("23") || sqlstate == "0A000",
        });
        cell.push(if passed { letter } else { '-' });
    }
    cell
}
