-- error: A table or a server is in another database
--
-- Row-level security does not apply to foreign tables, and their rows are read as the role of the user mapping.

select
    c.oid::regclass::text as object,
    'a foreign table: no policy holds it' as found,
    format('drop foreign table %s;', c.oid::regclass) as fix
from pg_class as c
where c.oid >= 16384 and c.relkind = 'f'
union all
select
    format('server %I', s.srvname),
    'a foreign server: data leave the database, and come from elsewhere',
    format('drop server %I;', s.srvname)
from pg_foreign_server as s
order by 1
