//! The second wall: with the policies taken away, the statements' own `tenant_id = $1` still separates tenants. And the
//! mutations: a part of the first wall that is taken away is noticed.

use std::fs;

use crate::{
    db::statements::{files, files_below, root},
    harness::{private_database, private_system, program::expect_serve_to_refuse, system, within},
    isolation::foreign,
};

#[tokio::test]
async fn statement_on_rows_of_a_tenant_binds_the_tenant() {
    // Those with tables of tenants.
    let schemas: Vec<String> = system()
        .superuser()
        .await
        .query_one(
            "select array_agg(distinct c.relnamespace::regnamespace::text)
             from pg_policy p join pg_class c on c.oid = p.polrelid where p.polname = 'tenant_floor'",
            &[],
        )
        .await
        .expect("schemas")
        .get(0);
    assert!(schemas.len() > 3, "{schemas:?}");
    for (name, text) in files() {
        let words = text.to_lowercase();
        let code: String =
            words.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        for schema in &schemas {
            for verb in ["from", "join", "update", "delete from"] {
                // As many times the tenant as tables are read or changed.
                let tables = code
                    .split(&format!("{verb} {schema}."))
                    .skip(1)
                    .filter(|rest| {
                        let name: String =
                            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                        // Calls of functions, and tables that are the same for every organization.
                        !rest[name.len()..].starts_with('(')
                            && !["plans", "plan_features", "features"].contains(&name.as_str())
                    })
                    .count();
                // Of a person, what the person has.
                let own = text.starts_with("-- $1 account_id");
                let bounds = match own {
                    true => &["account_id = $1"][..],
                    false => &["tenant_id = $1", "where id = $1", "o.id = $1", "organization_id = $1"],
                };
                let binds: usize = bounds.iter().map(|bound| code.matches(bound).count()).sum();
                assert!(binds >= tables, "{name}: {tables} times {verb} {schema}, {binds} times the tenant");
                assert!(tables == 0 || own || text.starts_with("-- $1 tenant_id"), "{name}");
            }
        }
    }
}

#[test]
fn statement_leaves_no_state_on_its_connection() {
    // Settings outside the transaction, cursors, channels, temporary tables, session locks, plans, whole-table locks.
    let words = [
        "set session",
        "set_config",
        "declare",
        "with hold",
        "listen",
        "notify",
        "temp",
        "temporary",
        "pg_advisory_lock",
        "prepare",
        "discard",
        "explain",
        "copy",
        "lock table",
        "nextval",
        "lo_create",
        "dblink",
        "execute",
    ];
    for (name, text) in files() {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
        for word in words {
            let found = code.match_indices(word).any(|(at, _)| {
                let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
                boundary(code[..at].chars().next_back()) && boundary(code[at + word.len()..].chars().next())
            });
            assert!(!found, "{name}: {word}");
        }
        assert!(!code.contains("', false)"), "{name}: a setting that outlives its transaction");
    }
}

#[test]
fn advisory_lock_key_begins_with_the_tenant() {
    let mut locks = 0;
    for (name, text) in files() {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
        for (at, _) in code.match_indices("advisory") {
            let call = &code[at..];
            let key =
                call.split_once("lock(").or_else(|| call.split_once("lock_shared(")).map(|(_, key)| key);
            let by_tenant = ["$1", "p.tenant_id"]
                .iter()
                .any(|tenant| key.is_some_and(|key| key.starts_with(&format!("app.lock_key({tenant}, "))));
            assert!(by_tenant && text.starts_with("-- $1 tenant_id"), "{name}: {call}");
            locks += 1;
        }
    }
    assert!(locks >= 2, "{locks}: the statements that lock are found");
}

#[tokio::test]
async fn statement_in_pg_stat_activity_contains_no_value() {
    let tenant = crate::harness::Tenant::new().await;
    let furnished = tenant.furnished().await;
    tenant.viewer.get(&format!("/api/v1/contacts/{}", furnished.contact)).await.expect(200);
    let api = system().connect("appointd_api").await;
    let seen = api
        .query(
            "select query from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()",
            &[],
        )
        .await
        .expect("what the server's connections did last");
    assert!(!seen.is_empty());
    for row in seen {
        let query: String = row.get(0);
        assert!(!query.contains(&tenant.id.to_string()) && !query.contains(&furnished.contact), "{query}");
    }
}

#[tokio::test]
async fn statements_without_policies_keep_organizations_apart() {
    let system = private_system(&["max_connections=100"]).await;
    let superuser = system.superuser().await;
    let open = superuser
        .query_one(
            "select string_agg(format('alter table %s disable row level security', c.oid::regclass), '; ')
             from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p') and c.relrowsecurity",
            &[],
        )
        .await
        .expect("tables")
        .get::<_, String>(0);
    superuser.batch_execute(&open).await.expect("a database without a policy");
    within(system, async {
        foreign::foreign_paths().await;
        foreign::foreign_queries().await;
        foreign::foreign_bodies().await;
        foreign::foreign_cursors().await;
        foreign::foreign_words().await;
    })
    .await;
    // The policies were really off: without entering, all rows are there.
    let api = system.connect("appointd_api").await;
    let rows = api.query("select distinct tenant_id from crm.contacts", &[]).await.expect("rows");
    assert!(rows.len() > 5, "{}", rows.len());
}

/// Every role may change settings with names of ours: these decide nothing about whose rows are seen.
#[test]
fn no_sql_reads_the_context_from_a_setting_of_all() {
    const KNOWN: [&str; 3] = ["request_id", "host", "restoring"];
    for path in files_below(&root().join("sql"), "sql") {
        let text = fs::read_to_string(&path).expect("a file");
        if path.ends_with("setup/unsealed.sql") {
            continue;
        }
        for before in
            ["current_setting('app.", "current_setting(''app.", "set local app.", "set_config('app."]
        {
            for name in text.split(before).skip(1) {
                let known = KNOWN.iter().any(|known| name.starts_with(known));
                assert!(known, "{}: {before}{}", path.display(), name.chars().take(20).collect::<String>());
            }
        }
    }
}

#[tokio::test]
async fn server_with_a_hole_in_the_wall_does_not_start() {
    let (cluster, superuser) = private_database().await;
    let refused = async |role: &str, reason: &str| {
        expect_serve_to_refuse(cluster.url(role, "appointd"), reason).await;
    };
    refused("postgres", "superuser").await;
    refused("appointd_owner", "member of other roles").await;
    for (hole, mend, reason) in [
        (
            "alter table crm.contacts no force row level security",
            "alter table crm.contacts force row level security",
            "crm.contacts",
        ),
        (
            "alter table scheduling.claims disable row level security",
            "alter table scheduling.claims enable row level security",
            "scheduling.claims",
        ),
        (
            "drop policy tenant_floor on crm.contacts",
            "create policy tenant_floor on crm.contacts as restrictive for all to public using (false)",
            "crm.contacts",
        ),
        (
            "create policy oops on crm.contacts for select to public using (true)",
            "drop policy oops on crm.contacts",
            "crm.contacts",
        ),
        (
            "create view crm.everybody as select * from crm.contacts; grant select on crm.everybody to appointd_api",
            "drop view crm.everybody",
            "crm.everybody",
        ),
        ("alter role appointd_api bypassrls", "alter role appointd_api nobypassrls", "BYPASSRLS"),
        (
            "grant set on parameter backtrace_functions to appointd_api",
            "revoke set on parameter backtrace_functions from appointd_api",
            "act in any organization",
        ),
        (
            "revoke set on parameter backtrace_functions from appointd_gate",
            "grant set on parameter backtrace_functions to appointd_gate",
            "appointd_gate may not set backtrace_functions",
        ),
        ("update app.migrations set version = version - 1000", "select 1", "lacks migrations"),
    ] {
        superuser.batch_execute(hole).await.expect("a hole");
        refused("appointd_api", reason).await;
        superuser.batch_execute(mend).await.expect("a repair");
    }
    superuser.batch_execute("drop table app.migrations").await.expect("a hole");
    refused("appointd_api", "never migrated").await;
    superuser.batch_execute("drop schema app cascade").await.expect("a hole");
    refused("appointd_api", "never migrated").await;
}
