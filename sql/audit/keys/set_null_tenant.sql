-- error: Deleting a row would remove the tenant of other rows
--
-- ON DELETE (or ON UPDATE) SET NULL and SET DEFAULT change all columns of the key, including tenant_id, unless they
-- name the columns: `on delete set null (contact_id)`.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    pg_get_constraintdef(k.oid) as found,
    format(
        'alter table %s drop constraint %I; -- and make it again with set null (column)',
        k.conrelid::regclass,
        k.conname
    ) as fix
from pg_constraint as k
join pg_attribute as a on a.attrelid = k.conrelid and a.attname = 'tenant_id'
where
    k.contype = 'f'
    and a.attnum = any (k.conkey)
    and (
        (k.confdeltype in ('n', 'd') and (k.confdelsetcols is null or a.attnum = any (k.confdelsetcols)))
        or k.confupdtype in ('n', 'd')
    )
order by 1
