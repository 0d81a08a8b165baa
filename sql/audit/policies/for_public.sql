-- error: A permissive policy is for everybody
--
-- It opens the table to every role there is and ever will be. Permissive policies name the role they are for;
-- restrictive ones are for everybody, because they take away.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    'permissive, for every role' as found,
    format('alter policy %I on %s to appointd_api;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
where p.polpermissive and 0 = any (p.polroles)
order by 1
