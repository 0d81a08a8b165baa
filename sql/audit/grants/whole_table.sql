-- error: The server may write every column of a table
--
-- INSERT and UPDATE are granted by column, except on those that only the context fills (the tenant, who created a row,
-- and when). A right on the table covers all columns, also those of later migrations, and a request could then set
-- them.

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
