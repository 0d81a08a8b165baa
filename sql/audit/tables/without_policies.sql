-- warning: A table has no permissive policy
--
-- With row-level security and no permissive policy, no role sees a row. That is safe but probably not intended, and the
-- missing rows may lead to a policy that is too wide. (Partitions have no policies: they are accessed through their
-- parent.)

select
    c.oid::regclass::text as object,
    'no permissive policy: no role sees a row' as found,
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
