-- error: A function runs as a role that is above what it needs
--
-- SECURITY DEFINER functions belong to appointd_gate, which has a few rights and policies of its own and is held by
-- them. One of the owner's, or of a superuser's, lends that role to whoever may call it.

select
    f.oid::regprocedure::text as object,
    format('runs as %s', f.proowner::regrole) as found,
    format('alter routine %s owner to appointd_gate;', f.oid::regprocedure) as fix
from pg_proc as f
where f.oid >= 16384 and f.prosecdef and f.proowner is distinct from to_regrole('appointd_gate')
order by 1
