-- warning: A view evaluates conditions of its reader first
--
-- Without security_barrier, a condition of the reader may be evaluated before the condition of the view, and its errors
-- may reveal rows that the view excludes.

select
    c.oid::regclass::text as object,
    'no security_barrier' as found,
    format('alter view %s set (security_barrier = true);', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind = 'v'
    and c.relpersistence <> 't'
    and not coalesce(
        c.reloptions
        && array['security_barrier=true', 'security_barrier=on', 'security_barrier=yes', 'security_barrier=1'],
        false
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
