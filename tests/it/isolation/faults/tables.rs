//! Faults of tables.

use super::{Fault, fault};

pub const TABLES: &[Fault] = &[
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
        "drop policy tenant_floor on crm.contacts; create policy tenant_floor on crm.contacts as restrictive for all to appointd_api using (tenant_id = (select app.tenant()))",
    ),
    fault(
        "tables/floor",
        "a floor with a way around",
        "alter policy tenant_floor on crm.contacts using (tenant_id = (select app.tenant()) or (select app.tenant()) is null)",
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
        "a table that is not vacuumed",
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
];
