-- error: No index of a tenant's table begins with the tenant
--
-- The policies ask for the tenant in every statement. Without an index that begins with it, every statement of every
-- organization reads the whole table.

select
    c.oid::regclass::text as object,
    'no whole and valid index begins with the tenant' as found,
    format('create index on %s (%I);', c.oid::regclass, a.attname) as fix
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a
    on a.attrelid = c.oid
    and (a.attname = 'tenant_id' or (a.attname = 'id' and n.nspname = 'tenancy' and c.relname = 'organizations'))
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not exists (
        select
        from pg_index as i
        where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null and i.indisvalid
    )
order by 1
