-- note: A policy has a temporary name
--
-- Names like `todo`, `tmp` or `debug` tend to stay.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    'a name for now' as found,
    format('drop policy %I on %s; -- or give it a name', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
where p.polname ~* '(^|[^a-z])(todo|fixme|tmp|temp|hack|xxx|debug|placeholder|test)([^a-z]|$)'
order by 1
