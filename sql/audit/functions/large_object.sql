-- warning: Every role can store data outside all tables
--
-- Large objects belong to no table, so no policy applies to them, and one organization could use them to pass data to
-- another. No role may call the functions that create and write them (revoking them from PUBLIC requires a superuser;
-- sql/setup/database.sql does it if it can).

select
    f.oid::regprocedure::text as object,
    'every role may execute it' as found,
    format('revoke execute on function %s from public;', f.oid::regprocedure) as fix
from pg_proc as f
cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
where
    f.pronamespace = 'pg_catalog'::regnamespace
    and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite')
    and a.grantee = 0
union all
select
    format('large object %s', m.oid),
    format('belongs to %s', m.lomowner::regrole),
    format('select lo_unlink(%s);', m.oid)
from pg_largeobject_metadata as m
order by 1
