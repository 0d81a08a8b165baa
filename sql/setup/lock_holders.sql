-- Sent by `appointd migrate` where it could not get a lock: who holds one on a table of this database, other than for
-- a moment.

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
