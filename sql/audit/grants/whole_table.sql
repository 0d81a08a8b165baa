-- error: The server may write every column of a table
--
-- INSERT and UPDATE are granted by column, without those that only the context fills (the tenant, who made a row,
-- when). A right on the table holds for all columns, also those a later migration adds, and a request that names one is
-- obeyed.

select
    c.oid::regclass::text as object,
    format('appointd_api may %s all columns', lower(a.privilege_type)) as found,
    format(
        'revoke %s on %s from appointd_api; -- and grant it on the columns that requests fill',
        lower(a.privilege_type),
        c.oid::regclass
    ) as fix
from pg_class as c
cross join lateral aclexplode(c.relacl) as a
where
    c.oid >= 16384
    and a.grantee = to_regrole('appointd_api')
    and a.privilege_type in ('INSERT', 'UPDATE')
order by 1, 2
