-- error: Row-level security is off
--
-- Nobody asks the policies of such a table: whoever has a right on it has it on the rows of every organization. A table
-- made by `create table … (like …)` or `create table … as` starts this way, and so does every partition.
--
-- app.migrations holds the names of the migrations and nothing of anybody.

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
