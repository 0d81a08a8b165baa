-- error: A materialized view holds copies of rows
--
-- It holds the rows of whoever refreshed it, and no policy can be put on it: one right on it is one on all of them.

select
    c.oid::regclass::text as object,
    'rows outside all policies' as found,
    format('drop materialized view %s;', c.oid::regclass) as fix
from pg_class as c
where c.oid >= 16384 and c.relkind = 'm'
order by 1
