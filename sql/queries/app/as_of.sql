-- no parameters; an instant before which all changes are visible to the next statement
--
-- updated_at is the beginning of a transaction, or later, so an open transaction cannot write an earlier one than the
-- beginning of the oldest. One second less, because a transaction becomes visible here a little after it began. Of
-- transactions of the front door (an accepted invitation changes a contact) only that they are open is visible: they
-- are at most two statements of 8 seconds each.
select
    least(statement_timestamp(), min(a.xact_start))
    - case
        when exists (
            select
            from pg_catalog.pg_stat_activity as d
            join pg_catalog.pg_locks as l on l.pid = d.pid and l.locktype = 'virtualxid'
            where d.datname = current_database() and d.usename = 'appointd_door'
        ) then interval '20 seconds'
        else interval '1 second'
    end as as_of
from pg_catalog.pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_catalog.pg_backend_pid()
