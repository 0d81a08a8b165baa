-- error: Every role may call a function
--
-- PostgreSQL grants EXECUTE on every new function to PUBLIC; each of ours revokes it. A function that runs as its owner
-- would give every role the rights of the owner.

select
    f.oid::regprocedure::text as object,
    format(
        'every role may execute it%s',
        case when f.prosecdef then format(', as %s', f.proowner::regrole) else '' end
    ) as found,
    format('revoke execute on routine %s from public;', f.oid::regprocedure) as fix
from pg_proc as f
cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
where
    f.oid >= 16384
    and a.grantee = 0
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
order by 1
