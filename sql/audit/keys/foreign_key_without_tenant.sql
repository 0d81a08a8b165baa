-- error: A foreign key leads from one organization to another
--
-- Foreign keys are checked, and cascade, below the policies. One that does not pair the tenant with the tenant accepts
-- the id of a row its author cannot see, tells by its error whether an id exists, and removes one organization's rows
-- when another deletes its own.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    pg_get_constraintdef(k.oid) as found,
    format(
        'alter table %s drop constraint %I; -- and make it again from (tenant_id, …) to (tenant_id, …)',
        k.conrelid::regclass,
        k.conname
    ) as fix
from pg_constraint as k
join pg_class as target on target.oid = k.confrelid
join pg_namespace as n on n.oid = target.relnamespace
join pg_attribute as there
    on there.attrelid = k.confrelid
    and (
        there.attname = 'tenant_id' or (
            there.attname = 'id' and n.nspname = 'tenancy' and target.relname = 'organizations'
        )
    )
left join pg_attribute as here
    on here.attrelid = k.conrelid
    and here.attname = any (array['tenant_id', 'organization_id'])
    and here.attnum = k.conkey[1]
where
    k.contype = 'f'
    and k.conrelid >= 16384
    and (here.attnum is null or k.confkey[1] <> there.attnum)
order by 1
