-- error: A function changes settings while it runs
--
-- A function with its own SET of backtrace_functions, row_security or session_replication_role runs in another context,
-- past the policies or without triggers, for every caller. Functions may only set their search_path.

select
    f.oid::regprocedure::text as object,
    setting.value as found,
    format('alter routine %s reset %I;', f.oid::regprocedure, split_part(setting.value, '=', 1)) as fix
from pg_proc as f
cross join lateral unnest(f.proconfig) as setting (value)
where f.oid >= 16384 and setting.value <> 'search_path=pg_catalog, pg_temp' and setting.value not like 'search\_path=%'
order by 1, 2
