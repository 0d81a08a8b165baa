-- warning: Autovacuum is off for a table
--
-- Without autovacuum a table grows with every change, its statistics become outdated, and in the end transaction ids
-- run out for the whole cluster.

select
    c.oid::regclass::text as object,
    setting.value as found,
    format('alter table %s reset (autovacuum_enabled);', c.oid::regclass) as fix
from pg_class as c
cross join lateral unnest(c.reloptions) as setting (value)
where c.oid >= 16384 and c.relkind <> 't' and setting.value ~ '^autovacuum_enabled=(f|fa|fal|fals|false|of|off|n|no|0)$'
order by 1
