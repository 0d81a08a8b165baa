-- error: The server or the worker may write every column of a table
--
-- INSERT and UPDATE are granted by column, except on those that only the context fills (the tenant, who created a row,
-- and when). A right on the table covers all columns, also those of later migrations, and a request could then set
-- them.

select
    c.oid::regclass::text as object,
    format('%s may %s all columns', a.grantee::regrole, lower(a.privilege_type)) as found,
    format(
        'revoke %s on %s from %s; -- and grant it on the columns that it fills',
        lower(a.privilege_type),
        c.oid::regclass,
        a.grantee::regrole
    ) as fix
from pg_class as c
cross join lateral aclexplode(c.relacl) as a
where
    c.oid >= 16384
    and a.grantee in (to_regrole('appointd_api'), to_regrole('appointd_door'), to_regrole('appointd_worker'))
    and a.privilege_type in ('INSERT', 'UPDATE')
order by 1, 2
