-- warning: An extension is in a schema that other roles can use
--
-- Its functions and operators are found by name by every role that has the schema in its search path; they can be
-- mistaken for, or shadowed by, those of another role.

select
    format('extension %I', e.extname) as object,
    format('in schema %s, which every role may use', e.extnamespace::regnamespace) as found,
    format('revoke usage, create on schema %s from public;', e.extnamespace::regnamespace) as fix
from pg_extension as e
join pg_namespace as n on n.oid = e.extnamespace
where
    n.nspname <> 'pg_catalog'
    and exists (
        select from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a where a.grantee = 0
    )
order by 1
