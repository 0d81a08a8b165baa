-- error: tenant_id can be missing or chosen
--
-- The column is a uuid, never null, and filled from the context of the transaction (app.tenant()). A row whose tenant
-- is null is hidden from all roles; if a statement sets the tenant, it can set another one.

select
    a.attrelid::regclass || '.tenant_id' as object,
    concat_ws(
        ', ',
        case when a.atttypid <> 'uuid'::regtype then format(
            'of type %s, not uuid',
            format_type(a.atttypid, a.atttypmod)
        ) end,
        case when not a.attnotnull then 'may be null' end,
        case when pg_get_expr(d.adbin, d.adrelid) is distinct from 'app.tenant()' then
            format('default is %s, not the context', coalesce(pg_get_expr(d.adbin, d.adrelid), 'missing'))
        end
    ) as found,
    format(
        'alter table %s alter tenant_id set not null, alter tenant_id set default app.tenant();',
        a.attrelid::regclass
    ) as fix
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and a.attname = 'tenant_id'
    and not a.attisdropped
    and (
        a.atttypid <> 'uuid'::regtype
        or not a.attnotnull
        or pg_get_expr(d.adbin, d.adrelid) is distinct from 'app.tenant()'
    )
order by 1
