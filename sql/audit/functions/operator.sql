-- error: An operator or a cast was created
--
-- If it matches the types of an expression better than the built-in one, it changes what `=` means. appointd creates
-- none; extensions bring their own.

select
    o.oid::regoperator::text as object,
    format('an operator, calling %s', o.oprcode) as found,
    format('drop operator %s;', o.oid::regoperator) as fix
from pg_operator as o
where
    o.oid >= 16384
    and not exists (
        select from pg_depend as d where d.classid = 'pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e'
    )
union all
select
    format('cast from %s to %s', format_type(c.castsource, null), format_type(c.casttarget, null)),
    case c.castcontext when 'i' then 'implicit' when 'a' then 'on assignment' else 'explicit' end,
    format('drop cast (%s as %s);', format_type(c.castsource, null), format_type(c.casttarget, null))
from pg_cast as c
where
    c.oid >= 16384
    and not exists (
        select from pg_depend as d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype in ('e', 'i')
    )
union all
select
    format('operator class %I for %s', o.opcname, format_type(o.opcintype, null)),
    'decides what indexes hold to be equal',
    format('drop operator class %s.%I using %I;', o.opcnamespace::regnamespace, o.opcname, m.amname)
from pg_opclass as o
join pg_am as m on m.oid = o.opcmethod
where
    o.oid >= 16384
    and not exists (
        select from pg_depend as d where d.classid = 'pg_opclass'::regclass and d.objid = o.oid and d.deptype = 'e'
    )
order by 1
