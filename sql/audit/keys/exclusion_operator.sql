-- error: A constraint compares tenants by something other than equality
--
-- An exclusion constraint that has the tenant but not with `=` rejects rows of one organization because of rows of
-- another. Known: no person is booked by two organizations at once.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    pg_get_constraintdef(k.oid) as found,
    format(
        'alter table %s drop constraint %I; -- and make it again with tenant_id with =',
        k.conrelid::regclass,
        k.conname
    ) as fix
from pg_constraint as k
join pg_attribute as a on a.attrelid = k.conrelid and a.attname = 'tenant_id'
join pg_operator as o on o.oid = k.conexclop[array_position(k.conkey, a.attnum)]
where
    k.contype = 'x'
    and a.attnum = any (k.conkey)
    and o.oprname <> '='
    and (k.conrelid::regclass::text, k.conname) <> ('scheduling.shared_claims', 'shared_claims_no_overlap')
order by 1
