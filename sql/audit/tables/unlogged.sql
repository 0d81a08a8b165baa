-- error: A table does not survive a crash
--
-- An unlogged table is empty after a crash, on replicas, and in a backup made from the write-ahead log.

select
    c.oid::regclass::text as object,
    'unlogged' as found,
    format('alter table %s set logged;', c.oid::regclass) as fix
from pg_class as c
where c.oid >= 16384 and c.relkind in ('r', 'p') and c.relpersistence = 'u'
order by 1
