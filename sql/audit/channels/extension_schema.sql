-- warning: An extension is in a schema others can use
--
-- Its functions and operators are found by name by whoever has the schema in their path, and can be taken for, or
-- shadowed by, somebody else's.

select
    format('extension %I', e.extname) as object,
    format('in schema %s, which everybody may use', e.extnamespace::regnamespace) as found,
    format('revoke usage, create on schema %s from public;', e.extnamespace::regnamespace) as fix
from pg_extension as e
join pg_namespace as n on n.oid = e.extnamespace
where
    n.nspname <> 'pg_catalog'
    and exists (
        select from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a where a.grantee = 0
    )
order by 1
