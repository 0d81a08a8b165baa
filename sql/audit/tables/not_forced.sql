-- error: The owner of a table is not held by its policies
--
-- Row-level security without FORCE does not apply to the owner: a maintenance script, a function that runs as the owner
-- or a server that was given the owner's URL reads and changes every organization's rows.

select
    c.oid::regclass::text as object,
    format('%s is not held by the policies', c.relowner::regrole) as found,
    format('alter table %s force row level security;', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relforcerowsecurity
    and c.oid is distinct from to_regclass('app.migrations')
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
