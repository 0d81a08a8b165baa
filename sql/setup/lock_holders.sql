-- Sent by `appointd migrate` and `appointd tenant` if they could not get a lock: the sessions that hold a lock on a
-- table of this database.

select format('pid %s (%s as %s)', a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.usename) as holder
from pg_catalog.pg_stat_activity as a
where
    a.datname = current_database()
    and a.pid <> pg_catalog.pg_backend_pid()
    and exists (
        select
        from pg_catalog.pg_locks as l
        where l.pid = a.pid and l.granted and l.locktype = 'relation' and l.relation >= 16384
    )
order by a.pid
limit 5
