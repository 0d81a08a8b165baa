-- error: A policy lets in a role that is not one of appointd's
--
-- The server (appointd_api), the worker, the gate and the owner are the only roles with rows to see. A policy holds for
-- the members of its role as well.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    format('permissive, for %s', r.role::regrole) as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join unnest(p.polroles) as r (role)
where
    p.polpermissive
    and r.role not in (
        0,
        coalesce(to_regrole('appointd_api'), 0),
        coalesce(to_regrole('appointd_worker'), 0),
        coalesce(to_regrole('appointd_gate'), 0),
        coalesce(to_regrole('appointd_owner'), 0)
    )
order by 1, 2
