-- error: Row-level security is off
--
-- Policies of such a table are not checked: a right on it is a right on the rows of every organization. A table created
-- by `create table … (like …)` or `create table … as` starts this way, and so does every partition.
--
-- app.migrations contains only the names of the migrations.

select
    c.oid::regclass::text as object,
    'row-level security is not enabled' as found,
    format('alter table %s enable row level security;', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relrowsecurity
    and c.oid is distinct from to_regclass('app.migrations')
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
