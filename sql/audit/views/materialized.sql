-- error: A materialized view holds copies of rows
--
-- It contains the rows visible to the role that refreshed it, and it cannot have policies: a right on it is a right on
-- all its rows.

select
    c.oid::regclass::text as object,
    'rows outside all policies' as found,
    format('drop materialized view %s;', c.oid::regclass) as fix
from pg_class as c
where c.oid >= 16384 and c.relkind = 'm'
order by 1
