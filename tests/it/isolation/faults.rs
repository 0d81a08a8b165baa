//! Faults, planted one by one: each in a copy of a database with two organizations, where `appointd audit`, the
//! permission table and the attacks of [`attack`](super::attack) are then let loose on it. What caught which fault is
//! checked in (`faults.txt`); a fault that nobody catches fails the test, and so does a rule that no fault proves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use appointd::{db::cluster::Cluster, wall_audit};
use tokio_postgres::Client;

use super::attack::{Attack, Side, Target};
use crate::harness::{private_system, snapshot, within};

struct Fault {
    /// The rule of the audit that is there for it, if there is one: the fault proves the rule.
    rule: &'static str,
    name: &'static str,
    sql: &'static str,
    /// For what is in no database: takes it back.
    undo: &'static str,
}

const fn fault(rule: &'static str, name: &'static str, sql: &'static str) -> Fault {
    Fault { rule, name, sql, undo: "" }
}

const fn cluster(rule: &'static str, name: &'static str, sql: &'static str, undo: &'static str) -> Fault {
    Fault { rule, name, sql, undo }
}

const FAULTS: &[Fault] = &[
    // Tables.
    fault(
        "tables/not_enabled",
        "row-level security off",
        "alter table crm.contacts disable row level security",
    ),
    fault(
        "tables/not_enabled",
        "row-level security off, of a table about people",
        "alter table identity.accounts disable row level security",
    ),
    fault(
        "tables/not_enabled",
        "a copy of a table",
        "create table crm.contacts_copy as table crm.contacts; alter table crm.contacts_copy owner to appointd_owner; grant select on crm.contacts_copy to appointd_api",
    ),
    fault(
        "tables/not_forced",
        "row-level security not forced",
        "alter table scheduling.claims no force row level security",
    ),
    fault(
        "tables/without_policies",
        "all policies of a table dropped",
        "do $$ declare p record; begin for p in select * from pg_policies where tablename = 'series' loop execute format('drop policy %I on scheduling.series', p.policyname); end loop; end $$",
    ),
    fault(
        "tables/of_no_tenant",
        "a new table without tenant_id",
        "create table crm.notes (id uuid primary key, note text); alter table crm.notes owner to appointd_owner; alter table crm.notes enable row level security; alter table crm.notes force row level security; insert into crm.notes values (gen_random_uuid(), 'theirs'); create policy viewer_select on crm.notes for select to appointd_api using (true); grant select on crm.notes to appointd_api",
    ),
    fault(
        "tables/tenant_column",
        "tenant_id may be null",
        "alter table crm.contacts drop constraint contacts_tenant_fkey, alter column tenant_id drop default",
    ),
    fault(
        "tables/tenant_column",
        "tenant_id of a new table may be null",
        "create table crm.notes (tenant_id uuid, id uuid); alter table crm.notes owner to appointd_owner; call app.build_wall('crm.notes', 'viewer')",
    ),
    fault("tables/floor", "no floor", "drop policy tenant_floor on crm.contacts"),
    fault(
        "tables/floor",
        "a floor for the server alone",
        "drop policy tenant_floor on crm.contacts; create policy tenant_floor on crm.contacts as restrictive for all to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "tables/floor",
        "a floor with a way around",
        "alter policy tenant_floor on crm.contacts using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) or (select nullif(current_setting('app.tenant_id', true), '')) is null)",
    ),
    fault(
        "tables/without_primary_key",
        "no primary key",
        "alter table scheduling.closures drop constraint closures_pkey",
    ),
    fault(
        "tables/partition_reachable",
        "a right on a partition",
        "grant select on operations.audit_events_default to appointd_api",
    ),
    fault(
        "tables/partition_reachable",
        "a right on a partition without row-level security",
        "do $$ declare p regclass; begin for p in select inhrelid from pg_inherits where inhparent = 'operations.audit_events'::regclass loop execute format('alter table %s disable row level security; grant select on %s to appointd_api', p, p); end loop; end $$",
    ),
    fault(
        "tables/inheritance",
        "a table that inherits",
        "create table crm.people () inherits (crm.contacts); alter table crm.people owner to appointd_owner",
    ),
    fault(
        "tables/rewrite_rule",
        "a rule that rewrites",
        "create rule everybody as on delete to crm.contacts do also delete from scheduling.closures",
    ),
    fault(
        "tables/foreign_data",
        "a foreign table",
        "create extension file_fdw; create server files foreign data wrapper file_fdw; create foreign table crm.file (line text) server files options (filename '/dev/null')",
    ),
    fault(
        "tables/trigger_disabled",
        "the audit log switched off for a table",
        "alter table crm.contacts disable trigger record_change",
    ),
    fault(
        "tables/trigger_disabled",
        "foreign keys switched off",
        "alter table scheduling.appointments disable trigger all",
    ),
    fault(
        "tables/not_audited",
        "a table without the audit log",
        "drop trigger record_change on crm.contacts",
    ),
    fault("tables/unlogged", "an unlogged table", "alter table tenancy.usage_days set unlogged"),
    fault(
        "tables/autovacuum_off",
        "a table nobody vacuums",
        "alter table crm.contacts set (autovacuum_enabled = off)",
    ),
    fault(
        "tables/dead_rows",
        "a table of dead rows",
        "create table crm.heap (tenant_id uuid) with (autovacuum_enabled = off); insert into crm.heap select gen_random_uuid() from generate_series(1, 20000); delete from crm.heap",
    ),
    fault(
        "tables/often_scanned",
        "a big table read from end to end",
        "create table crm.heap (tenant_id uuid); insert into crm.heap select gen_random_uuid() from generate_series(1, 20000); analyze crm.heap; do $$ begin for i in 1..100 loop perform count(*) from crm.heap; end loop; end $$",
    ),
    // Policies.
    fault(
        "tables/partition_altered",
        "a trigger on a partition",
        "create trigger zz before insert on operations.audit_events_default for each row execute function suppress_redundant_updates_trigger()",
    ),
    fault(
        "tables/partition_altered",
        "a policy of a partition",
        "create policy oops on operations.audit_events_default for select to appointd_owner using (tenant_id is not null)",
    ),
    fault(
        "tables/partition_missing",
        "no partition for what falls between",
        "drop table operations.audit_events_default",
    ),
    fault(
        "policies/without_person",
        "the person as a part of something else",
        "create policy oops on identity.accounts for select to appointd_api using (((id = (select nullif(current_setting('app.account_id', true), '')::uuid)) and true) is not null)",
    ),
    fault(
        "tables/partition_altered",
        "a check on a partition",
        "alter table operations.audit_events_default add constraint c check (actor_kind <> 'member') not valid",
    ),
    fault(
        "policies/without_person",
        "accounts whoever asks",
        "alter policy own_account_select on identity.accounts using (id = coalesce((select nullif(current_setting('app.account_id', true), '')::uuid), id))",
    ),
    fault(
        "policies/without_person",
        "second factors of everybody, for owners",
        "alter policy own_all on identity.second_factors using (account_id = (select nullif(current_setting('app.account_id', true), '')::uuid) or (select current_setting('app.role', true)) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "the predicate as a part of something else",
        "create policy oops on crm.contacts for select to appointd_api using ((tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)) is not null)",
    ),
    fault(
        "policies/without_tenant",
        "an exception that says something else, and its floor",
        "alter policy own_select on tenancy.members using ((select nullif(current_setting('app.account_id', true), '')) is not null); alter policy tenant_floor_select on tenancy.members using (tenant_id is not null)",
    ),
    fault(
        "tables/floor",
        "a floor that is an exception and says something else",
        "alter policy tenant_floor_select on tenancy.members using (tenant_id is not null)",
    ),
    fault(
        "policies/unknown_setting",
        "a setting whose name is put together",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select current_setting('app.' || first_name, true)) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "a policy without the tenant",
        "create policy oops on crm.contacts for select to appointd_api using ((select current_setting('app.role', true)) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "a policy with a way around, and no floor",
        "drop policy tenant_floor on crm.contacts; alter policy viewer_select on crm.contacts using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) or (select nullif(current_setting('app.tenant_id', true), '')) is null)",
    ),
    fault(
        "policies/without_tenant",
        "an insert policy without a condition, and no floor",
        "drop policy tenant_floor on scheduling.closures; drop policy manager_insert on scheduling.closures; create policy manager_insert on scheduling.closures for insert to appointd_api with check (true); grant insert (tenant_id) on scheduling.closures to appointd_api",
    ),
    fault(
        "policies/without_tenant",
        "a policy of another organization's memberships",
        "alter policy own_select on tenancy.members to appointd_api, appointd_auditor",
    ),
    fault(
        "policies/always_true",
        "a policy that is true",
        "create policy oops on crm.contacts for select to appointd_api using (true)",
    ),
    fault(
        "policies/always_true",
        "a policy that is true, and no floor",
        "drop policy tenant_floor on crm.contacts; create policy oops on crm.contacts for select to appointd_api using (true)",
    ),
    fault(
        "policies/always_true",
        "a policy that is always true without saying so",
        "create policy oops on tenancy.settings for update to appointd_api using (tenant_id = tenant_id)",
    ),
    fault(
        "policies/always_true",
        "accounts for everybody",
        "create policy everybody_select on identity.accounts for select to appointd_api using (id is not null)",
    ),
    fault(
        "policies/always_true",
        "sessions for everybody",
        "alter policy own_all on identity.sessions using (true)",
    ),
    fault(
        "policies/always_true",
        "hosts of everybody",
        "alter policy gate_all on tenancy.verified_domains to appointd_gate, appointd_api",
    ),
    fault(
        "policies/for_public",
        "a policy for everybody",
        "create policy oops on scheduling.series for select using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "policies/for_unknown_role",
        "a policy for another role",
        "create policy oops on crm.contacts for select to appointd_auditor using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "policies/unknown_setting",
        "a policy that believes a header",
        "create policy oops on tenancy.settings for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select current_setting('request.header', true)) = 'x')",
    ),
    fault(
        "policies/bare_setting",
        "a policy that reads its setting for every row",
        "alter policy viewer_select on crm.contacts using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)",
    ),
    fault(
        "policies/raising_setting",
        "a policy that fails without a context",
        "alter policy viewer_select on crm.contacts using (tenant_id = (select current_setting('app.tenant_id')::uuid))",
    ),
    fault(
        "policies/function_volatility",
        "a policy with an immutable function, and no floor",
        "create function app.tenant() returns uuid language plpgsql immutable as 'begin return nullif(current_setting(''app.tenant_id'', true), '''')::uuid; end'; alter function app.tenant() owner to appointd_owner; drop policy tenant_floor on crm.contacts; drop policy viewer_select on crm.contacts; create policy viewer_select on crm.contacts for select to appointd_api using (tenant_id = app.tenant())",
    ),
    fault(
        "policies/function_volatility",
        "a policy with a volatile function",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and random() < 2)",
    ),
    fault(
        "policies/weaker_check",
        "a policy that lets more be written than seen",
        "alter policy staff_update on crm.contacts with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "policies/constant",
        "a restrictive policy that takes nothing away",
        "create policy oops on crm.contacts as restrictive for all to public using (true)",
    ),
    fault(
        "policies/constant",
        "a policy that lets nobody in",
        "create policy oops on crm.contacts for select to appointd_api using (false)",
    ),
    fault(
        "policies/database_user",
        "a policy that asks who is connected",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and current_user = 'appointd_api')",
    ),
    fault(
        "policies/pattern",
        "a policy that compares by a pattern",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and last_name like (select current_setting('app.role', true)))",
    ),
    fault(
        "policies/duplicate",
        "the same policy twice",
        "create policy again on scheduling.closures for select to appointd_gate using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)); create policy once_more on scheduling.closures for select to appointd_gate using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "policies/overlap",
        "many policies for one command",
        "create policy one on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and first_name = 'one'); create policy two on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and first_name = 'two'); create policy three on crm.contacts for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and first_name = 'three')",
    ),
    fault(
        "policies/name",
        "a policy called todo",
        "alter policy viewer_select on crm.contacts rename to todo_select",
    ),
    fault(
        "",
        "a role that is too low may delete",
        "drop policy manager_delete on crm.contacts; create policy manager_delete on crm.contacts for delete to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select current_setting('app.role', true)) = any ('{viewer,staff,manager,admin,owner}'))",
    ),
    fault(
        "",
        "a customer sees everybody's appointments",
        "drop policy customer_select on scheduling.appointments; create policy customer_select on scheduling.appointments for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select current_setting('app.role', true)) = any ('{customer}'))",
    ),
    fault(
        "",
        "a guest sees every appointment",
        "drop policy guest_select on scheduling.appointments; create policy guest_select on scheduling.appointments for select to appointd_api using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select current_setting('app.role', true)) = any ('{guest}'))",
    ),
    fault("", "invitations above one's own role", "drop policy role_ceiling_insert on tenancy.invitations"),
    fault(
        "",
        "an organization for everybody on its table's floor",
        "alter policy tenant_floor_select on tenancy.organizations using (true)",
    ),
    // Keys.
    fault(
        "keys/without_tenant",
        "a primary key without the tenant",
        "alter table scheduling.closures drop constraint closures_pkey, add primary key (id)",
    ),
    fault(
        "keys/without_tenant",
        "a unique key without the tenant",
        "create unique index contacts_key on crm.contacts (id, last_name)",
    ),
    fault(
        "keys/without_tenant",
        "an e-mail address unique for all",
        "create unique index on tenancy.invitations (email)",
    ),
    fault(
        "keys/exclusion_operator",
        "a constraint that compares tenants by inequality",
        "alter table scheduling.closures add constraint odd exclude using gist (tenant_id with <>, id with =)",
    ),
    fault(
        "keys/foreign_key_without_tenant",
        "a foreign key to the id alone",
        "alter table scheduling.time_off drop constraint time_off_provider_fkey; create unique index on scheduling.providers (id); alter table scheduling.time_off add constraint time_off_provider_fkey foreign key (provider_id) references scheduling.providers (id) on delete cascade",
    ),
    fault(
        "keys/foreign_key_without_tenant",
        "a foreign key with its columns crossed",
        "create unique index on crm.contacts (id, tenant_id); alter table scheduling.appointments drop constraint appointments_contact_fkey; alter table scheduling.appointments add constraint appointments_contact_fkey foreign key (contact_id, tenant_id) references crm.contacts (id, tenant_id)",
    ),
    fault(
        "keys/set_null_tenant",
        "a foreign key that would take the tenant away",
        "alter table scheduling.providers drop constraint providers_account_fkey, add constraint providers_account_fkey foreign key (tenant_id, account_id) references tenancy.members (tenant_id, account_id) on delete set null",
    ),
    fault(
        "keys/no_tenant_index",
        "no index that begins with the tenant",
        "alter table tenancy.branding drop constraint branding_pkey",
    ),
    fault(
        "keys/not_valid",
        "a constraint that was not validated",
        "alter table crm.contacts add constraint odd check (length(last_name) > 0) not valid",
    ),
    fault(
        "keys/not_valid",
        "an index that is not valid",
        "update pg_index set indisvalid = false where indexrelid = 'scheduling.appointments_time_idx'::regclass",
    ),
    fault(
        "keys/foreign_key_without_index",
        "a foreign key without an index",
        "drop index scheduling.claims_hold_idx",
    ),
    fault(
        "keys/foreign_key_type",
        "a foreign key of another type",
        "create table crm.names (tenant_id uuid, name varchar(10)); create table crm.name_list (tenant_id uuid, name text, primary key (tenant_id, name)); alter table crm.names add foreign key (tenant_id, name) references crm.name_list",
    ),
    fault(
        "keys/duplicate_index",
        "the same index twice",
        "create index again on scheduling.appointments (tenant_id, starts_at, id)",
    ),
    fault(
        "keys/leaky_operator",
        "an index that policies keep from being used",
        "create index odd on scheduling.claims using gist (tenant_id, during)",
    ),
    fault(
        "keys/unused_index",
        "an index nobody reads",
        "create index odd on tenancy.branding (primary_color); set enable_seqscan = off; set enable_bitmapscan = off; do $$ begin for i in 1..100001 loop perform from tenancy.branding where tenant_id = '00000000-0000-0000-0000-000000000000'; end loop; end $$",
    ),
    fault(
        "keys/policy_column_without_index",
        "a policy on a column without an index",
        "alter table identity.one_time_tokens drop constraint one_time_tokens_pkey",
    ),
    fault(
        "keys/counter",
        "a column that counts",
        "alter table crm.contacts add column number bigint generated always as identity",
    ),
    fault(
        "keys/counter",
        "a sequence somebody may read",
        "create sequence crm.numbers; alter sequence crm.numbers owner to appointd_owner; grant usage on sequence crm.numbers to appointd_api; select nextval('crm.numbers')",
    ),
    fault(
        "keys/column_type",
        "a column of an enum",
        "create type crm.mood as enum ('good', 'bad'); alter type crm.mood owner to appointd_owner; alter table crm.contacts add column mood crm.mood",
    ),
    fault(
        "keys/double_booking",
        "no exclusion constraint",
        "alter table scheduling.claims drop constraint claims_no_overlap",
    ),
    fault(
        "keys/double_booking",
        "a weaker exclusion constraint",
        "alter table scheduling.claims drop constraint claims_no_overlap, add constraint claims_no_overlap exclude using gist (tenant_id with =, resource_id with =, during with &&, session_id with <>) where (appointment_id is null)",
    ),
    fault(
        "keys/double_booking",
        "no exclusion constraint for people",
        "alter table scheduling.shared_claims drop constraint shared_claims_no_overlap",
    ),
    fault(
        "keys/double_booking",
        "an exclusion constraint whose index is dead",
        "update pg_index set indisready = false, indislive = false where indexrelid = 'scheduling.claims_no_overlap'::regclass",
    ),
    fault("keys/double_booking", "seats that can be taken twice", "drop index scheduling.claims_seat_key"),
    fault(
        "",
        "an appointment may end before it starts",
        "alter table scheduling.claims drop constraint claims_time",
    ),
    // Grants.
    fault("grants/to_public", "a table for everybody", "grant select on crm.contacts to public"),
    fault("grants/to_public", "a column for everybody", "grant select (email) on crm.contacts to public"),
    fault("grants/to_public", "a schema for everybody", "grant usage on schema crm to public"),
    fault("grants/above_rows", "truncate", "grant truncate on crm.contacts to appointd_api"),
    fault(
        "grants/above_rows",
        "references and triggers",
        "grant references, trigger on crm.contacts to appointd_api",
    ),
    fault(
        "grants/whole_table",
        "every column may be written",
        "grant insert, update on crm.contacts to appointd_api",
    ),
    fault(
        "grants/context_column",
        "the tenant may be written",
        "grant insert (tenant_id), update (tenant_id) on crm.contacts to appointd_api",
    ),
    fault(
        "grants/context_column",
        "the tenant may be written, and no floor",
        "grant update (tenant_id) on crm.contacts to appointd_api; drop policy tenant_floor on crm.contacts; alter policy staff_update on crm.contacts with check ((select current_setting('app.role', true)) = 'owner')",
    ),
    fault(
        "grants/context_column",
        "who made a row may be written",
        "grant update (created_by) on scheduling.appointments to appointd_api",
    ),
    fault(
        "grants/unknown_role",
        "a right for a predefined role",
        "grant select on crm.contacts to pg_monitor",
    ),
    fault(
        "grants/grant_option",
        "a right that may be passed on",
        "grant select on crm.contacts to appointd_api with grant option",
    ),
    fault("grants/auditor", "the auditor reads rows", "grant select on crm.contacts to appointd_auditor"),
    fault(
        "grants/secret_readable",
        "the server reads password hashes",
        "grant select on identity.accounts to appointd_api",
    ),
    fault(
        "grants/create",
        "the server makes things in a schema",
        "grant create on schema crm to appointd_api",
    ),
    fault(
        "grants/create",
        "the server makes temporary tables",
        "do $$ begin execute format('grant temporary on database %I to appointd_api', current_database()); end $$",
    ),
    fault(
        "grants/connect",
        "the gate connects",
        "do $$ begin execute format('grant connect on database %I to appointd_gate', current_database()); end $$",
    ),
    fault(
        "grants/connect",
        "everybody connects",
        "do $$ begin execute format('grant connect on database %I to public', current_database()); end $$",
    ),
    fault(
        "grants/default_privileges",
        "new tables for the server",
        "alter default privileges for role appointd_owner grant select on tables to appointd_api",
    ),
    fault(
        "grants/audit_log",
        "the audit log may be changed",
        "grant update (actor_id) on operations.audit_events to appointd_api",
    ),
    fault(
        "grants/audit_log",
        "the audit log may be deleted",
        "grant delete on operations.audit_events to appointd_api",
    ),
    cluster(
        "grants/parameter",
        "triggers may be switched off",
        "grant set on parameter session_replication_role to appointd_api",
        "revoke set on parameter session_replication_role from appointd_api",
    ),
    fault(
        "grants/system_object",
        "what the planner knows of everybody's rows",
        "grant select on pg_statistic to appointd_api",
    ),
    fault(
        "grants/system_object",
        "the server's files",
        "grant execute on function pg_read_file(text) to public",
    ),
    fault(
        "grants/unknown_role",
        "a function for another role",
        "grant execute on function identity.password_of_account() to pg_monitor",
    ),
    fault(
        "grants/grant_option",
        "a schema that may be passed on",
        "grant usage on schema crm to appointd_api with grant option",
    ),
    fault("", "a grant that no statement needs", "grant delete on scheduling.appointments to appointd_api"),
    // Roles.
    cluster(
        "roles/above_policies",
        "the server has BYPASSRLS",
        "alter role appointd_api bypassrls",
        "alter role appointd_api nobypassrls",
    ),
    cluster(
        "roles/above_policies",
        "the gate is a superuser",
        "alter role appointd_gate superuser",
        "alter role appointd_gate nosuperuser",
    ),
    cluster("roles/above_policies", "another superuser", "create role mighty superuser", "drop role mighty"),
    cluster(
        "roles/powers",
        "the server makes roles",
        "alter role appointd_api createrole",
        "alter role appointd_api nocreaterole",
    ),
    cluster(
        "roles/powers",
        "the owner replicates",
        "alter role appointd_owner replication",
        "alter role appointd_owner noreplication",
    ),
    cluster(
        "roles/membership",
        "somebody can become the first superuser",
        "create role reporting login noinherit; grant postgres to reporting",
        "drop role reporting",
    ),
    cluster("roles/powers", "somebody makes roles", "create role helpdesk createrole", "drop role helpdesk"),
    cluster(
        "roles/setting",
        "an account by default, in capitals",
        "alter role appointd_api set \"APP.ACCOUNT_ID\" = 'x'",
        "alter role appointd_api reset \"APP.ACCOUNT_ID\"",
    ),
    cluster(
        "roles/unset",
        "no limit to a statement, in one database",
        "do $$ begin execute format('alter role appointd_api in database %I set statement_timeout = 0', current_database()); end $$",
        "select 'it goes with its database'",
    ),
    cluster(
        "roles/missing",
        "no gate by that name",
        "alter role appointd_gate rename to appointd_door",
        "alter role appointd_door rename to appointd_gate",
    ),
    cluster(
        "roles/membership",
        "the server is a member of the owner",
        "grant appointd_owner to appointd_api",
        "revoke appointd_owner from appointd_api",
    ),
    cluster(
        "roles/membership",
        "the server is a member of the gate by way of another",
        "create role between; grant appointd_gate to between; grant between to appointd_api",
        "drop role between",
    ),
    cluster(
        "roles/membership",
        "the server may read everything",
        "grant pg_read_all_data to appointd_api",
        "revoke pg_read_all_data from appointd_api",
    ),
    cluster(
        "roles/setting",
        "a tenant by default",
        "alter role appointd_api set app.tenant_id = '00000000-0000-0000-0000-000000000000'",
        "alter role appointd_api reset app.tenant_id",
    ),
    cluster(
        "roles/setting",
        "triggers off by default",
        "alter role appointd_api set session_replication_role = replica",
        "alter role appointd_api reset session_replication_role",
    ),
    cluster(
        "roles/unset",
        "names are looked up anywhere",
        "alter role appointd_api reset search_path",
        "alter role appointd_api set search_path = pg_catalog, pg_temp",
    ),
    cluster(
        "roles/unset",
        "migrations change nothing in silence",
        "alter role appointd_owner reset row_security",
        "alter role appointd_owner set row_security = off",
    ),
    fault(
        "roles/ownership",
        "a table of the server's",
        "grant create on schema crm to appointd_api; alter table crm.contacts owner to appointd_api; revoke create on schema crm from appointd_api",
    ),
    fault(
        "roles/ownership",
        "a function of a superuser's",
        "alter function app.roles_from(text) owner to postgres",
    ),
    // Functions.
    fault(
        "functions/for_public",
        "a function for everybody",
        "grant execute on function tenancy.list_organizations() to public",
    ),
    fault(
        "functions/definer_search_path",
        "a function that looks names up where its caller says",
        "alter function identity.sign_in(text, inet) reset search_path",
    ),
    fault(
        "functions/definer_search_path",
        "a function that finds temporary tables first",
        "alter function identity.sign_in(text, inet) set search_path = pg_temp, pg_catalog",
    ),
    fault(
        "functions/definer_owner",
        "a function that runs as the owner",
        "alter function app.has_feature(uuid, text) security definer",
    ),
    fault(
        "functions/definer_owner",
        "a function that runs as a superuser",
        "create function crm.everybody() returns setof crm.contacts language sql security definer set search_path = pg_catalog, pg_temp as 'select * from crm.contacts'; revoke execute on function crm.everybody() from public; grant execute on function crm.everybody() to appointd_api",
    ),
    fault(
        "functions/callable",
        "the server lists all organizations",
        "grant execute on function tenancy.list_organizations() to appointd_api",
    ),
    fault(
        "functions/callable",
        "the server exports organizations",
        "grant execute on function app.export_tenant(uuid) to appointd_api",
    ),
    fault(
        "functions/search_path",
        "a function for a role whose path is not pinned",
        "grant execute on function app.has_feature(uuid, text) to appointd_auditor",
    ),
    fault(
        "functions/leakproof",
        "a function that is said not to leak",
        "alter function app.roles_from(text) leakproof",
    ),
    fault(
        "functions/language",
        "a function in C",
        "create function crm.c(internal) returns internal language c as '$libdir/btree_gist', 'gbt_decompress'; revoke execute on function crm.c(internal) from public; alter function crm.c(internal) owner to appointd_owner",
    ),
    fault(
        "functions/operator",
        "an operator",
        "create operator crm.=== (function = texteq, leftarg = text, rightarg = text)",
    ),
    fault("functions/operator", "a cast", "create cast (text as uuid) with inout as implicit"),
    fault(
        "functions/dynamic_sql",
        "a statement made of what was given",
        "create function crm.run(what text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as 'begin execute ''select '' || what; end'; revoke execute on function crm.run(text) from public; alter function crm.run(text) owner to appointd_gate",
    ),
    fault(
        "functions/dynamic_sql",
        "a statement put together before",
        "create function crm.run(what text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as 'declare made text; begin made := format(''select %1$s'', what); execute made; end'; revoke execute on function crm.run(text) from public; alter function crm.run(text) owner to appointd_gate",
    ),
    fault(
        "functions/operator",
        "an operator class",
        "create operator class app.evil for type uuid using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 uuid_cmp(uuid, uuid)",
    ),
    fault(
        "functions/system_function",
        "an operator of the system that calls another function",
        "set allow_system_table_mods = on; update pg_operator set oprcode = 'cash_eq'::regproc where oid = '<> (money, money)'::regoperator",
    ),
    fault(
        "functions/system_function",
        "a view of the system without its barrier",
        "set allow_system_table_mods = on; alter view pg_stats set (security_barrier = false)",
    ),
    fault(
        "functions/setting",
        "a function in a context of its own",
        "alter function app.has_feature(uuid, text) set app.tenant_id = '00000000-0000-0000-0000-000000000000'",
    ),
    fault(
        "functions/system_function",
        "a function of the system that leaks",
        "alter function int4div(int, int) leakproof",
    ),
    fault(
        "functions/system_function",
        "a function of the system that is planned once",
        "alter function current_setting(text, boolean) immutable",
    ),
    fault(
        "schema/drift",
        "a check that null switches off",
        "alter function app.check_way_in(uuid, text, text) strict",
    ),
    fault(
        "functions/trigger",
        "a trigger nobody knows of",
        "create trigger again before update on crm.contacts for each row execute function suppress_redundant_updates_trigger()",
    ),
    fault(
        "tables/not_audited",
        "an audit log of some changes",
        "drop trigger record_change on crm.contacts; create trigger record_change after insert on crm.contacts for each row execute function operations.record_change()",
    ),
    fault(
        "functions/large_object",
        "large objects for everybody",
        "grant execute on function lo_from_bytea(oid, bytea) to public",
    ),
    fault(
        "functions/trigger",
        "a trigger that runs as somebody else",
        "create function crm.peep() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as 'begin return new; end'; alter function crm.peep() owner to appointd_gate; revoke execute on function crm.peep() from public; create trigger peep before insert on crm.contacts for each row execute function crm.peep()",
    ),
    fault(
        "",
        "entering without a membership",
        "do $$ begin execute replace(replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,text,text,text,text)'::regprocedure), 'if held is null', 'held := coalesce(held, ''owner''); if held is null'), 'm.status = ''active''', 'true'); end $$",
    ),
    fault(
        "",
        "entering with somebody else's session",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,text,text,text,text)'::regprocedure), 'and s.id = session', ''); end $$",
    ),
    fault(
        "",
        "entering in whatever role",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,text,text,text,text)'::regprocedure), 'if not held = any (app.roles_from(needs))', 'if false'); end $$",
    ),
    fault(
        "",
        "entering twice",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,text,text,text,text)'::regprocedure), 'nullif(current_setting(''app.role'', true), '''') is not null', 'false'); end $$",
    ),
    fault(
        "",
        "a context that stays",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,text,text,text,text)'::regprocedure), 'set local', 'set'); end $$",
    ),
    fault(
        "",
        "a host that is not checked",
        "do $$ begin execute replace(pg_get_functiondef('app.check_way_in(uuid,text,text)'::regprocedure), 'if host is not null', 'if false'); end $$",
    ),
    fault(
        "",
        "a key whose secret is not compared",
        "do $$ begin execute replace(pg_get_functiondef('app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text)'::regprocedure), 'and k.secret_hash = enter_by_key.secret_hash', ''); end $$",
    ),
    // Views.
    fault(
        "views/definer",
        "a view of everybody's rows",
        "create view crm.everybody with (security_barrier) as select * from crm.contacts; grant select on crm.everybody to appointd_api",
    ),
    fault(
        "views/barrier",
        "a view that lets a condition look first",
        "create view crm.people with (security_invoker) as select * from crm.contacts; alter view crm.people owner to appointd_owner",
    ),
    fault(
        "views/definer_function",
        "a view that calls a function of the gate's",
        "create view crm.organizations with (security_invoker, security_barrier) as select * from tenancy.list_organizations(); alter view crm.organizations owner to appointd_owner",
    ),
    fault(
        "views/materialized",
        "a materialized view",
        "create materialized view crm.people as select * from crm.contacts; grant select on crm.people to appointd_api",
    ),
    // Channels.
    fault(
        "channels/publication",
        "a publication of everything",
        "create publication everything for all tables",
    ),
    fault(
        "channels/publication",
        "a publication of a table",
        "create publication contacts for table crm.contacts",
    ),
    cluster(
        "channels/replication_slot",
        "a logical replication slot",
        "select pg_create_logical_replication_slot('peep', 'pgoutput')",
        "select 'the slot goes with its database'",
    ),
    fault(
        "channels/event_trigger",
        "an event trigger",
        "create function crm.peep() returns event_trigger language plpgsql as 'begin end'; create event trigger peep on ddl_command_end execute function crm.peep()",
    ),
    fault("channels/extension", "an extension that reads pages", "create extension pageinspect"),
    fault(
        "channels/extension_member",
        "a view that hides in an extension",
        "create view crm.hidden as select * from crm.contacts; grant select on crm.hidden to appointd_api; alter extension btree_gist add view crm.hidden",
    ),
    fault(
        "channels/extension_member",
        "a function that hides in an extension",
        "create function crm.hidden() returns setof crm.contacts language sql security definer as 'select * from crm.contacts'; alter extension btree_gist add function crm.hidden()",
    ),
    fault(
        "channels/extension_member",
        "an operator that hides in an extension",
        "create operator crm.= (function = uuid_ne, leftarg = uuid, rightarg = uuid); alter extension btree_gist add operator crm.= (uuid, uuid)",
    ),
    fault(
        "channels/extension_outdated",
        "an old extension",
        "update pg_extension set extversion = '1.0' where extname = 'btree_gist'",
    ),
    fault(
        "channels/extension_schema",
        "an extension where everybody looks",
        "grant usage on schema public to public",
    ),
    fault(
        "functions/advisory_lock",
        "a lock that other organizations wait for",
        "create function app.wait_for(id uuid) returns void language plpgsql as $$ begin perform pg_advisory_xact_lock(hashtextextended(id::text, 0)); end $$; alter function app.wait_for(uuid) owner to appointd_owner; revoke execute on function app.wait_for(uuid) from public",
    ),
    fault(
        "functions/advisory_lock",
        "a lock by a key that is not made of the tenant",
        "create function app.wait_for(id uuid) returns void language plpgsql as $$ begin perform pg_advisory_xact_lock(app.lock_key(id, 'x')); end $$; alter function app.wait_for(uuid) owner to appointd_owner; revoke execute on function app.wait_for(uuid) from public",
    ),
    fault(
        "keys/foreign_key_without_index",
        "an index on half of a foreign key",
        "drop index scheduling.shared_claims_provider_idx; create index shared_claims_provider_idx on scheduling.shared_claims (tenant_id, provider_id); drop index tenancy.subscriptions_plan_idx",
    ),
    // The server.
    fault(
        "server/context",
        "a tenant before anybody entered",
        "do $$ begin execute format('alter database %I set app.tenant_id = %L', current_database(), '00000000-0000-0000-0000-000000000000'); end $$",
    ),
    fault(
        "server/template",
        "a database to be copied",
        "do $$ begin execute format('alter database %I is_template true', current_database()); end $$",
    ),
    fault(
        "server/setting",
        "large objects without rights",
        "do $$ begin execute format('alter database %I set lo_compat_privileges = on', current_database()); end $$",
    ),
    fault(
        "server/passwords",
        "passwords as md5",
        "do $$ begin execute format('alter database %I set password_encryption = md5', current_database()); end $$",
    ),
    fault("schema/drift", "a column that no migration made", "alter table crm.contacts add column iban text"),
    fault(
        "schema/drift",
        "a constraint that is gone",
        "alter table crm.contacts drop constraint contacts_first_name_length",
    ),
    fault(
        "schema/drift",
        "a function changed by hand",
        "do $$ begin execute replace(pg_get_functiondef('operations.record_change()'::regprocedure), 'begin', 'begin null;'); end $$",
    ),
    fault(
        "statements/scan",
        "a table without any index",
        "alter table tenancy.settings drop constraint settings_pkey",
    ),
];

/// Runs several statements; each in a transaction of its own, where one cannot be in any.
async fn execute(client: &Client, sql: &str) {
    let alone = sql.starts_with("alter system") || sql.contains("replication_slot");
    if !alone {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        return;
    }
    for statement in sql.split("; ") {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_caught_and_every_rule_catches_one() {
    let system = private_system(&["max_connections=50", "wal_level=logical"]).await;
    let sides = within(system, async { (Side::new().await, Side::new().await) }).await;
    // Nobody may be connected to what is copied; the server of the system is.
    let elsewhere =
        Target { cluster: &system.cluster, database: "postgres".to_owned() }.connect("postgres").await;
    elsewhere
        .batch_execute("alter database appointd allow_connections false")
        .await
        .expect("a closed database");
    elsewhere
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'appointd'", &[])
        .await
        .expect("no more connections");

    let clean = Fault { rule: "", name: "nothing", sql: "select 1", undo: "" };
    assert_eq!(
        caught(&system.cluster, "clean", &sides, &clean).await,
        BTreeMap::new(),
        "nothing is wrong with a database as the migrations make it"
    );
    // Those of one database two at a time; those of the whole cluster one by one, when the others are done.
    let (of_the_cluster, of_a_database): (Vec<_>, Vec<_>) =
        FAULTS.iter().partition(|fault| !fault.undo.is_empty());
    let half = of_a_database.len() / 2;
    let (first, second, third) = {
        let some = async |name: &str, faults: &[&Fault]| {
            let mut all = BTreeMap::new();
            for fault in faults {
                all.insert(fault.name, caught(&system.cluster, name, &sides, fault).await);
            }
            all
        };
        let (first, second) =
            tokio::join!(some("one", &of_a_database[..half]), some("two", &of_a_database[half..]));
        (first, second, some("three", &of_the_cluster).await)
    };
    let all: BTreeMap<_, _> = first.into_iter().chain(second).chain(third).collect();
    assert_eq!(all.len(), FAULTS.len(), "every fault has a name of its own");

    let mut text = String::from(
        "Faults planted one by one, and what catches each: rules of `appointd audit`, and in brackets the attacks of\n\
         tests/it/isolation/attack.rs and the permission table. Written by tests/it/isolation/faults.rs.\n\n",
    );
    let mut proven = BTreeSet::new();
    let mut uncaught = Vec::new();
    for fault in FAULTS {
        let caught = &all[fault.name];
        if caught.is_empty() || (!fault.rule.is_empty() && !caught.contains_key(fault.rule)) {
            uncaught.push(fault.name);
        }
        proven.extend(caught.contains_key(fault.rule).then_some(fault.rule));
        let names: Vec<_> = caught.keys().cloned().collect();
        let _ = writeln!(text, "{}\n    {}", fault.name, names.join(", "));
    }
    assert_eq!(
        uncaught,
        Vec::<&str>::new(),
        "faults that nobody caught, or not the rule that is there for them\n{text}"
    );
    // Which releases there are is no fault of a database's: `server_versions` tries that rule.
    let unproven: Vec<_> = wall_audit::rules()
        .iter()
        .map(|rule| rule.id)
        .filter(|id| !proven.contains(id) && *id != "server/version")
        .collect();
    assert_eq!(unproven, Vec::<&str>::new(), "rules that no fault proves");
    let _ = writeln!(
        text,
        "\n{} faults, all caught; {} rules, each proven by one at least",
        FAULTS.len(),
        proven.len()
    );
    snapshot("tests/it/isolation/faults.txt", &text);
}

/// What finds the fault in a fresh copy of the database, and what it says.
async fn caught(
    cluster: &'static Cluster,
    name: &str,
    (ours, theirs): &(Side, Side),
    fault: &Fault,
) -> BTreeMap<String, String> {
    let elsewhere = Target { cluster, database: "postgres".to_owned() }.connect("postgres").await;
    for statement in [
        format!("update pg_database set datistemplate = false where datname = '{name}'"),
        format!("drop database if exists {name} with (force)"),
        format!("create database {name} owner appointd_owner template appointd"),
        // Rights on a database are not copied.
        format!("revoke all on database {name} from public"),
        format!("grant connect on database {name} to appointd_api, appointd_auditor"),
    ] {
        elsewhere.batch_execute(&statement).await.expect("a copy");
    }
    let target = Target { cluster, database: name.to_owned() };
    let superuser = target.connect("postgres").await;
    execute(&superuser, fault.sql).await;
    // Statistics are told with a delay.
    superuser.batch_execute("select pg_stat_force_next_flush()").await.expect("statistics");
    drop(superuser);

    let (auditor, server) = (target.connect("appointd_auditor").await, target.connect("appointd_api").await);
    auditor.batch_execute("set search_path = pg_catalog, pg_temp").await.expect("a setting");
    // Planning all statements takes a while.
    let server = Some(server).filter(|_| fault.rule == "statements/scan" || fault.name == "nothing");
    let report = wall_audit::audit(&auditor, server.as_ref()).await.expect("an audit");
    let mut caught: BTreeMap<String, String> =
        report.findings.into_iter().map(|finding| (finding.rule.id.to_owned(), finding.found)).collect();
    let matrix = wall_audit::matrix(&auditor).await.expect("a matrix");
    if matrix != include_str!("../permissions.txt") {
        caught.insert("[permissions]".to_owned(), matrix);
    }
    for (attack, hole) in (Attack { target, ours, theirs }).begin().await.run().await {
        caught.insert(format!("[{attack}]"), hole);
    }
    for statement in [
        format!("update pg_database set datistemplate = false where datname = '{name}'"),
        format!("drop database {name} with (force)"),
    ] {
        elsewhere.batch_execute(&statement).await.expect("no copy");
    }
    if !fault.undo.is_empty() {
        execute(&elsewhere, fault.undo).await;
    }
    caught
}

#[tokio::test]
async fn server_versions() {
    let auditor = crate::harness::system().connect("appointd_auditor").await;
    let rule = wall_audit::rules().iter().find(|rule| rule.id == "server/version").expect("a rule");
    for (version, lacks) in [
        (140020, true),
        (150013, true),
        (150014, false),
        (160009, true),
        (160010, false),
        (170005, true),
        (170006, false),
        (180000, false),
    ] {
        let as_if = rule.sql.replace("current_setting('server_version_num')::integer", &version.to_string());
        let found = auditor.query(&as_if, &[]).await.expect("a look");
        assert_eq!(!found.is_empty(), lacks, "{version}");
    }
}
