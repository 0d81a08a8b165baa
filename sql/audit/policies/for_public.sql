-- error: A permissive policy is for every role
--
-- It opens the table to every existing and future role. Permissive policies name their role; restrictive ones apply to
-- every role, because they only restrict.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    'permissive, for every role' as found,
    format('alter policy %I on %s to appointd_api;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
where p.polpermissive and 0 = any (p.polroles)
order by 1
