//! What holds for every table, read from the catalog: a table is covered the day it exists.

use tokio_postgres::{Client, error::SqlState};

use crate::harness::{Tenant, enter, system};

/// Tables that belong to no tenant. A new one belongs here only if it is about all of them.
const GLOBAL: [&str; 13] = [
    "app.migrations",
    "identity.accounts",
    "identity.one_time_tokens",
    "identity.recovery_codes",
    "identity.refresh_tokens",
    "identity.second_factors",
    "identity.sessions",
    "identity.sign_in_failures",
    "tenancy.features",
    "tenancy.organizations",
    "tenancy.plan_features",
    "tenancy.plans",
    "tenancy.verified_domains",
];

const SCHEMAS: &str = "('app', 'identity', 'tenancy', 'crm', 'scheduling', 'operations')";

async fn names(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.expect("a look into the catalog");
    rows.into_iter().map(|row| row.get(0)).collect()
}

async fn tenant_tables(client: &Client) -> Vec<String> {
    names(
        client,
        &format!(
            "select format('%s.%s', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in {SCHEMAS} and c.relkind in ('r', 'p') and not c.relispartition order by 1"
        ),
    )
    .await
    .into_iter()
    .filter(|table| !GLOBAL.contains(&table.as_str()))
    .collect()
}

#[tokio::test]
async fn every_table_is_forced_behind_policies() {
    let auditor = system().connect("appointd_auditor").await;
    let open = names(
        &auditor,
        &format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in {SCHEMAS} and c.relkind in ('r', 'p') and c.relname <> 'migrations'
               and not (c.relrowsecurity and c.relforcerowsecurity)"
        ),
    )
    .await;
    assert_eq!(open, Vec::<String>::new());
    let tables = tenant_tables(&auditor).await;
    assert!(tables.len() >= 9, "{tables:?}");
    for table in tables {
        let columns = names(
            &auditor,
            &format!(
                "select attname::text from pg_attribute
                 where attrelid = '{table}'::regclass and attname = 'tenant_id' and attnotnull and atthasdef"
            ),
        )
        .await;
        assert_eq!(columns, ["tenant_id"], "{table} belongs to a tenant, filled from the context");
    }
}

#[tokio::test]
async fn every_policy_begins_with_the_tenant() {
    let auditor = system().connect("appointd_auditor").await;
    let policies = auditor
        .query(
            "select format('%s.%s %s', schemaname, tablename, policyname), permissive,
                    coalesce(qual, with_check), coalesce(with_check, qual)
             from pg_policies where schemaname = any (array['tenancy', 'crm', 'scheduling', 'operations'])",
            &[],
        )
        .await
        .expect("policies");
    let tenant =
        "= ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS \"nullif\")";
    // The doors through which an account finds its own memberships, and the gate an organization by its name.
    let exceptions = [
        "tenancy.members tenant_floor_select",
        "tenancy.members gate_select",
        "tenancy.members own_select",
        "tenancy.organizations tenant_floor_select",
        "tenancy.organizations gate_select",
        // Through which the gate says when a person is busy elsewhere, and passes on offers that are over.
        "scheduling.shared_claims tenant_floor_select",
        "scheduling.shared_claims gate_select",
        "scheduling.holds tenant_floor_select",
        "scheduling.holds gate_select",
    ];
    assert!(policies.len() > 30);
    for policy in policies {
        let name: String = policy.get(0);
        let global =
            |table: &&str| *table != "tenancy.organizations" && name.starts_with(&format!("{table} "));
        if exceptions.contains(&name.as_str()) || GLOBAL.iter().any(global) {
            continue;
        }
        // What is restrictive takes away, whatever it says.
        let gives = policy.get::<_, &str>(1) == "PERMISSIVE";
        for expression in [policy.get::<_, String>(2), policy.get::<_, String>(3)] {
            let expression = expression.trim_start_matches('(');
            let rest = expression.strip_prefix("tenant_id ").or_else(|| expression.strip_prefix("id "));
            assert!(rest.is_some_and(|rest| rest.starts_with(tenant)), "{name}: {expression}");
            assert!(!gives || !expression.contains(" OR "), "{name}: {expression}");
        }
    }
}

#[tokio::test]
async fn every_table_has_a_restrictive_floor_for_every_command() {
    let auditor = system().connect("appointd_auditor").await;
    for table in tenant_tables(&auditor).await {
        let commands = names(
            &auditor,
            &format!(
                "select distinct polcmd::text from pg_policy
                 where polrelid = '{table}'::regclass and not polpermissive and polroles = '{{0}}' order by 1"
            ),
        )
        .await;
        assert!(commands == ["*"] || commands == ["a", "d", "r", "w"], "{table}: {commands:?}");
    }
}

#[tokio::test]
async fn every_key_and_foreign_key_begins_with_the_tenant() {
    let auditor = system().connect("appointd_auditor").await;
    let keys = auditor
        .query(
            &format!(
                "select con.conrelid::regclass::text, con.conname::text, con.contype::text,
                        first_column.attname::text, con.confrelid::regclass::text
                 from pg_constraint con
                 join pg_namespace n on n.oid = con.connamespace
                 join pg_attribute first_column on first_column.attrelid = con.conrelid and first_column.attnum = con.conkey[1]
                 where n.nspname in {SCHEMAS} and con.contype in ('p', 'u', 'x', 'f')"
            ),
            &[],
        )
        .await
        .expect("keys");
    let tables = tenant_tables(&auditor).await;
    let mut seen = 0;
    for key in keys {
        let (table, name, kind, first, target): (String, String, String, String, String) =
            (key.get(0), key.get(1), key.get(2), key.get(3), key.get(4));
        if !tables.contains(&table) {
            continue;
        }
        seen += 1;
        // Global rows have no tenant to begin with.
        let to_global = kind == "f" && GLOBAL.contains(&target.as_str());
        // The one thing tenants share: nobody is in two organizations at once.
        let shared = name == "shared_claims_no_overlap";
        assert!(first == "tenant_id" || to_global || shared, "{table} {name}");
    }
    assert!(seen > 20);
}

#[tokio::test]
async fn the_servers_role_has_the_rights_it_needs_and_no_more() {
    let auditor = system().connect("appointd_auditor").await;
    let none = Vec::<String>::new();
    let role = names(
        &auditor,
        "select rolname::text from pg_roles
         where rolname like 'appointd%' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)",
    )
    .await;
    assert_eq!(role, none, "roles above the policies");
    let member = names(
        &auditor,
        "select rolname::text from pg_roles
         where rolname not in ('appointd_api') and pg_has_role('appointd_api', oid, 'member')",
    )
    .await;
    assert_eq!(member, none, "roles the server could become");
    let tables = names(
        &auditor,
        &format!(
            "select c.oid::regclass || ' ' || right_name
             from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                  unnest(array['truncate', 'references', 'trigger', 'insert', 'update']) as right_name
             where n.nspname in {SCHEMAS} and c.relkind in ('r', 'p', 'v', 'm')
               and has_table_privilege('appointd_api', c.oid, right_name)"
        ),
    )
    .await;
    assert_eq!(tables, none, "rights on whole tables; writing is granted by column");
    let tenant_columns = names(
        &auditor,
        &format!(
            "select a.attrelid::regclass || '.' || a.attname || ' ' || right_name
             from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace,
                  unnest(array['insert', 'update']) as right_name
             where n.nspname in {SCHEMAS} and c.relkind = 'r' and a.attnum > 0
               and a.attname in ('tenant_id', 'created_by', 'created_at', 'password_hash')
               and has_column_privilege('appointd_api', a.attrelid, a.attnum, right_name)"
        ),
    )
    .await;
    assert_eq!(tenant_columns, none, "columns that only the context may fill");
    let passwords = names(
        &auditor,
        "select rolname::text from pg_roles
         where rolname in ('appointd_api', 'appointd_auditor')
           and has_column_privilege(oid, 'identity.accounts', 'password_hash', 'select')",
    )
    .await;
    assert_eq!(passwords, none, "who reads passwords");
    let auditing = names(
        &auditor,
        &format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in {SCHEMAS} and has_table_privilege('appointd_auditor', c.oid, 'select, insert, update, delete')"
        ),
    )
    .await;
    assert_eq!(auditing, none, "the auditor reads catalogs");
    let creating = names(
        &auditor,
        "select nspname::text from pg_namespace where has_schema_privilege('appointd_api', oid, 'create')
         union all
         select 'temporary tables' where has_database_privilege('appointd_api', current_database(), 'temporary, create')",
    )
    .await;
    assert_eq!(creating, none, "where the server could make something");
}

#[tokio::test]
async fn the_functions_the_server_may_call_are_these() {
    let auditor = system().connect("appointd_auditor").await;
    let callable = names(
        &auditor,
        &format!(
            "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where n.nspname in {SCHEMAS} and has_function_privilege('appointd_api', p.oid, 'execute') order by 1"
        ),
    )
    .await;
    assert_eq!(
        callable,
        [
            "app.check_way_in(uuid,text,text)",
            "app.enter(uuid,uuid,uuid,text,text,text,text)",
            "app.enter_account(uuid,uuid,text)",
            "app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text)",
            "app.enter_guest(uuid,uuid,text,text,text)",
            "app.has_feature(uuid,text)",
            "app.roles_from(text)",
            "app.roles_up_to(text)",
            "identity.change_password(uuid,text)",
            "identity.move_session(uuid,uuid,bytea)",
            "identity.my_memberships()",
            "identity.password_given()",
            "identity.password_of_account()",
            "identity.refresh_session(uuid,uuid,bytea,bytea)",
            "identity.register(uuid,text,text,text,uuid,text,text,text)",
            "identity.request_password_reset(text,bytea,interval)",
            "identity.reset_password(uuid,bytea,text,inet)",
            "identity.sign_in(text,inet)",
            "identity.start_session(uuid,uuid,uuid,text,bytea,interval,text,inet,text,text,bigint,bytea)",
            "identity.token_email(uuid,bytea)",
            "identity.verify_email(uuid,bytea)",
            "scheduling.busy_elsewhere(uuid,timestamp with time zone,timestamp with time zone)",
            "scheduling.calendar_feed(uuid,uuid,bytea)",
            "scheduling.decline_offer(uuid,text,interval)",
            "scheduling.my_appointments_everywhere(timestamp with time zone,uuid,bigint)",
            "scheduling.offer_freed(uuid,uuid,uuid,timestamp with time zone,timestamp with time zone,jsonb,interval)",
            "scheduling.pass_on_expired(interval)",
            "tenancy.accept_invitation(uuid,uuid,bytea,uuid,text,text)",
            "tenancy.add_requests(uuid[],bigint[])",
            "tenancy.counted(uuid,text)",
            "tenancy.create_organization(uuid,text,text,text,text,text,text[])",
            "tenancy.delete_organization(interval)",
            "tenancy.invitation_for(uuid,uuid,bytea)",
            "tenancy.leave_organization(uuid)",
            "tenancy.organization_at(text)",
            "tenancy.public_face(text,text)",
            "tenancy.restore_organization(uuid)",
        ]
    );
    let public = names(
        &auditor,
        &format!(
            "select p.oid::regprocedure::text
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
                  aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as right_of
             where n.nspname in {SCHEMAS} and right_of.grantee = 0"
        ),
    )
    .await;
    assert_eq!(public, Vec::<String>::new(), "functions for everybody");
    let definers = auditor
        .query(
            &format!(
                "select p.oid::regprocedure::text, p.proowner::regrole::text, array_to_string(p.proconfig, ' ')
                 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                 where n.nspname in {SCHEMAS} and p.prosecdef"
            ),
            &[],
        )
        .await
        .expect("functions");
    assert!(definers.len() > 20);
    for definer in definers {
        assert_eq!(definer.get::<_, String>(1), "appointd_gate");
        assert_eq!(definer.get::<_, String>(2), "search_path=pg_catalog, pg_temp");
    }
}

#[tokio::test]
async fn writing_rows_of_another_tenant_is_impossible() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    let theirs = other.furnished().await;
    let api = system().connect("appointd_api").await;
    let attempt = async |sql: &str| {
        enter(&api, tenant.id, &tenant.owner).await;
        let result = api.execute(sql, &[]).await.map_err(|error| error.code().expect("a refusal").clone());
        api.batch_execute("rollback").await.expect("a rollback");
        result
    };
    let there = other.id;
    for sql in [
        format!(
            "insert into crm.contacts (tenant_id, id, first_name, last_name) values ('{there}', gen_random_uuid(), 'a', 'b')"
        ),
        format!("update crm.contacts set tenant_id = '{there}'"),
        format!(
            "insert into tenancy.members (tenant_id, account_id, role) values ('{there}', '{}', 'owner')",
            tenant.owner.account
        ),
        format!("update tenancy.members set account_id = '{}'", other.owner.account),
        "insert into tenancy.members (account_id, role) values (gen_random_uuid(), 'owner')".to_owned(),
        "insert into operations.audit_events (action) values ('insert')".to_owned(),
        "update operations.audit_events set actor_id = null".to_owned(),
        "delete from operations.audit_events".to_owned(),
        "select from operations.audit_events_default".to_owned(),
        "update tenancy.plans set max_providers = null".to_owned(),
        "update identity.sessions set expires_at = 'infinity'".to_owned(),
        "insert into identity.sessions (account_id) values (null)".to_owned(),
        "select hash from identity.refresh_tokens".to_owned(),
        "truncate crm.contacts".to_owned(),
        "update tenancy.organizations set status = 'active'".to_owned(),
        "select password_hash from identity.accounts".to_owned(),
        "create temporary table contacts (id uuid)".to_owned(),
        "create table crm.mine (id uuid)".to_owned(),
        "alter table crm.contacts disable row level security".to_owned(),
        "set role appointd_owner".to_owned(),
        "set role appointd_gate".to_owned(),
        "call app.build_wall('crm.contacts', 'viewer')".to_owned(),
    ] {
        assert_eq!(attempt(&sql).await, Err(SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
    for sql in [
        format!("update crm.contacts set first_name = 'x' where id = '{}'", theirs.contact),
        format!("delete from crm.contacts where tenant_id = '{there}'"),
        format!("delete from scheduling.claims where tenant_id = '{there}'"),
        format!("update tenancy.organizations set name = 'x' where id = '{there}'"),
    ] {
        assert_eq!(attempt(&sql).await, Ok(0), "{sql}");
    }
    // A key of theirs is like a key of nobody: a foreign key fails, the same id can be used.
    let appointment = |contact: &str| {
        format!(
            "insert into scheduling.appointments (id, service_id, provider_id, contact_id, starts_at, ends_at)
             select gen_random_uuid(), service_id, provider_id, '{contact}', starts_at, ends_at from scheduling.appointments"
        )
    };
    assert_eq!(attempt(&appointment(&theirs.contact)).await, Err(SqlState::FOREIGN_KEY_VIOLATION));
    assert_eq!(
        attempt(&appointment(&uuid::Uuid::now_v7().to_string())).await,
        Err(SqlState::FOREIGN_KEY_VIOLATION)
    );
    let same_id = format!(
        "insert into crm.contacts (id, first_name, last_name) values ('{}', 'a', 'b')",
        theirs.contact
    );
    assert_eq!(attempt(&same_id).await, Ok(1));
    // With row_security off a query fails rather than shows.
    assert_eq!(attempt("set local row_security = off").await, Ok(0));
    api.batch_execute("begin; set local row_security = off").await.expect("a setting");
    let error =
        api.query("select from crm.contacts", &[]).await.expect_err("policies are not to be switched off");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn the_owner_of_the_tables_is_held_by_the_policies_too() {
    Tenant::new().await.furnished().await;
    let owner = system().connect("appointd_owner").await;
    let error =
        owner.query("select from crm.contacts", &[]).await.expect_err("row_security is off for the owner");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    owner.batch_execute("set row_security = on").await.expect("a setting");
    let rows = owner.query("select from crm.contacts", &[]).await.expect("a query");
    assert!(rows.is_empty());
}
