-- warning: A table has no primary key
--
-- Its rows cannot be told apart: no foreign key can lead to them, logical replication cannot update them, and a backup
-- of one organization cannot be merged into it.

select
    c.oid::regclass::text as object,
    'no primary key' as found,
    format('alter table %s add primary key (tenant_id, id);', c.oid::regclass) as fix
from pg_class as c
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not exists (select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'p')
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
