-- error: A view is read with the rights of its owner
--
-- Without security_invoker a view is read with the rights and the policies of its owner: for a superuser or a role with
-- BYPASSRLS the rows of every organization, for our owner the rows that its policies show.

select
    c.oid::regclass::text as object,
    format('read as %s', c.relowner::regrole) as found,
    format('alter view %s set (security_invoker = true);', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind = 'v'
    and c.relpersistence <> 't'
    and not coalesce(
        c.reloptions
        && array['security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1'],
        false
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
