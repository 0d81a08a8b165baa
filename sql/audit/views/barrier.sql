-- warning: A view lets a condition look first
--
-- Without security_barrier a condition of whoever reads the view may be asked before the view's own, and tell by its
-- errors about the rows the view leaves out.

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
