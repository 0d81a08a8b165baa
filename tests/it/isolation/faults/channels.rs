//! Views, channels beside the policies, and settings of the server.

use super::{Fault, cluster, fault};

pub const CHANNELS: &[Fault] = &[
    // Views.
    fault(
        "views/definer",
        "a view of all rows",
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
        "an extension in a public schema",
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
        "a tenant before entering",
        "do $$ begin execute format('alter database %I set backtrace_functions = %L', current_database(), '00000000000000000000000000000000,,,,owner'); end $$",
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
