-- warning: A statement of the server reads a whole table
--
-- Each statement in sql/queries, except those that the worker sends, is planned as appointd_api, with any values and
-- with sequential scans as the last resort (enable_seqscan off): one that still reads a tenant's table from one end to
-- the other has no index it could use, and gets slower with every organization that joins.
--
-- The auditor may not plan statements on tables without rights on them, so this rule also needs the server's own
-- APPOINTD_DATABASE_URL. By hand, as appointd_api: `set enable_seqscan = off; prepare s as …; explain
-- execute s(null, …);`. This statement lists the tables whose plans are checked.

select c.oid::regclass::text as object
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    -- Of a table that is known to be empty, one index costs as much as another, and all of it is nothing.
    and c.reltuples <> 0
    and (
        exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id')
        or (n.nspname = 'tenancy' and c.relname = 'organizations')
    )
order by 1
