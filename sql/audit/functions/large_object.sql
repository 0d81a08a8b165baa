-- warning: Everybody can keep data outside all tables
--
-- Large objects belong to no table, so no policy holds them, and from one transaction to the next they are a way to
-- hand data from one organization's to another's. The functions that make and write them are for nobody (taking them
-- from PUBLIC takes a superuser; sql/setup/database.sql does, where it can).

select
    f.oid::regprocedure::text as object,
    'everybody may execute it' as found,
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
