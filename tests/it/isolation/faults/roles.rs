//! Faults of roles and of who owns what.

use super::{Fault, cluster, fault};

pub const ROLES: &[Fault] = &[
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
        "a role can become the first superuser",
        "create role reporting login noinherit; grant postgres to reporting",
        "drop role reporting",
    ),
    cluster(
        "roles/powers",
        "another role makes roles",
        "create role helpdesk createrole",
        "drop role helpdesk",
    ),
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
        "alter role appointd_gate rename to appointd_porter",
        "alter role appointd_porter rename to appointd_gate",
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
        "alter role appointd_api set backtrace_functions = '00000000000000000000000000000000,,,,owner'",
        "alter role appointd_api reset backtrace_functions",
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
];
