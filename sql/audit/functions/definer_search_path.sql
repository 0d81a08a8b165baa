-- error: A SECURITY DEFINER function uses the search path of its caller
--
-- With the caller's search_path, or with pg_temp searched first, a temporary table or a function of the caller replaces
-- ours, with the rights of the owner (CVE-2018-1058). Every SECURITY DEFINER function sets its own search_path, in
-- which pg_temp comes last and no other role can create objects.

select
    f.oid::regprocedure::text as object,
    coalesce(
        (select setting.value from unnest(f.proconfig) as setting (value) where setting.value like 'search\_path=%'),
        'no search_path'
    ) as found,
    format('alter routine %s set search_path = pg_catalog, pg_temp;', f.oid::regprocedure) as fix
from pg_proc as f
where
    f.oid >= 16384
    and f.prosecdef
    and not coalesce('search_path=pg_catalog, pg_temp' = any (f.proconfig), false)
order by 1
