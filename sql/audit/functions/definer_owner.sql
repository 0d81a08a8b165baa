-- error: A function runs as a role with more rights than it needs
--
-- SECURITY DEFINER functions belong to appointd_gate, which has few rights and is subject to policies. A function that
-- belongs to the owner or a superuser gives its callers the rights of that role.

select
    f.oid::regprocedure::text as object,
    format('runs as %s', f.proowner::regrole) as found,
    format('alter routine %s owner to appointd_gate;', f.oid::regprocedure) as fix
from pg_proc as f
where f.oid >= 16384 and f.prosecdef and f.proowner is distinct from to_regrole('appointd_gate')
order by 1
