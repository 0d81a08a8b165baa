-- warning: A table has no permissive policy
--
-- With row-level security on and no permissive policy there are no rows for anybody. That is safe, and hardly meant:
-- the next who wonders why it is empty may open it wider than it should be. (Partitions have none: they are reached
-- through their parent, whose policies hold.)

select
    c.oid::regclass::text as object,
    'no permissive policy: nobody sees a row' as found,
    format('call app.build_wall(%L, ''viewer'');', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relispartition
    and c.relrowsecurity
    and not exists (select from pg_policy as p where p.polrelid = c.oid and p.polpermissive)
order by 1
