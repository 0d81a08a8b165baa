//! Rights that are too many.

use super::{Fault, cluster, fault};

pub const GRANTS: &[Fault] = &[
    fault("grants/to_public", "a table for public", "grant select on crm.contacts to public"),
    fault("grants/to_public", "a column for public", "grant select (email) on crm.contacts to public"),
    fault("grants/to_public", "a schema for public", "grant usage on schema crm to public"),
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
        "grant update (tenant_id) on crm.contacts to appointd_api; drop policy tenant_floor on crm.contacts; alter policy staff_update on crm.contacts with check ((select app.role()) = 'owner')",
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
        "public connects",
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
        "the server may set the context",
        "grant set on parameter backtrace_functions to appointd_api",
        "revoke set on parameter backtrace_functions from appointd_api",
    ),
    cluster(
        "grants/parameter",
        "triggers may be switched off",
        "grant set on parameter session_replication_role to appointd_api",
        "revoke set on parameter session_replication_role from appointd_api",
    ),
    fault(
        "grants/system_object",
        "statistics of the planner",
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
];
