-- warning: A function uses the search path of its caller
--
-- A function without a search_path of its own uses that of its caller. The server's is set on its role (checked by
-- roles/unset), and the gate calls from functions that set theirs; for any other role that may call one, a role that
-- can create objects in a schema of that path decides what its operators and functions mean.

select
    f.oid::regprocedure::text as object,
    format('%s may execute it', a.grantee::regrole) as found,
    format('alter routine %s set search_path = pg_catalog, pg_temp;', f.oid::regprocedure) as fix
from pg_proc as f
cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
where
    f.oid >= 16384
    and not coalesce(
        exists (select from unnest(f.proconfig) as setting (value) where setting.value like 'search\_path=%'),
        false
    )
    -- In an SQL-standard body (BEGIN ATOMIC, RETURN) names were looked up when it was made.
    and f.prosqlbody is null
    and a.grantee not in (0, f.proowner, coalesce(to_regrole('appointd_gate'), 0))
    and not exists (
        select
        from pg_db_role_setting as s
        where s.setrole = a.grantee and s.setdatabase = 0 and 'search_path=pg_catalog, pg_temp' = any (s.setconfig)
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
order by 1, 2
