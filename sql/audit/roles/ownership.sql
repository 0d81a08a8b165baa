-- error: An object belongs to the wrong role
--
-- The owner of a table can drop its policies, the owner of a function can replace it, and the owner of the database or
-- a schema can drop all of it. All objects belong to appointd_owner, the functions of the gate to appointd_gate, and
-- none to the server.

select
    thing.name as object,
    format('belongs to %s', thing.owner::regrole) as found,
    format('alter %s owner to appointd_owner;', thing.name) as fix
from (
    select
        format(
            '%s %s',
            case c.relkind
                when 'v' then 'view'
                when 'm' then 'materialized view'
                when 'S' then 'sequence'
                when 'f' then 'foreign table'
                else 'table'
            end,
            c.oid::regclass
        ),
        c.relowner, false, 'pg_class'::regclass, c.oid
    from pg_class as c
    where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
    union all
    select format('routine %s', f.oid::regprocedure), f.proowner, true, 'pg_proc'::regclass, f.oid
    from pg_proc as f where f.oid >= 16384
    union all
    select format('type %s', t.oid::regtype), t.typowner, false, 'pg_type'::regclass, t.oid
    from pg_type as t
    left join pg_class as c on c.oid = t.typrelid
    -- Types of their own: not those of rows, arrays and temporary tables.
    where t.oid >= 16384 and t.typcategory <> 'A' and (c.oid is null or c.relkind = 'c')
    union all
    select format('schema %I', n.nspname), n.nspowner, false, 'pg_namespace'::regclass, n.oid
    from pg_namespace as n
    where n.oid >= 16384 and n.nspname !~ '^pg_'
    union all
    select format('database %I', d.datname), d.datdba, false, 'pg_database'::regclass, d.oid
    from pg_database as d where d.datname = current_database()
) as thing (name, owner, may_be_gates, catalog, id)
where
    thing.owner is distinct from to_regrole('appointd_owner')
    and not (thing.may_be_gates and thing.owner is not distinct from to_regrole('appointd_gate'))
    and not exists (
        select from pg_depend as d where d.classid = thing.catalog and d.objid = thing.id and d.deptype = 'e'
    )
order by 1
