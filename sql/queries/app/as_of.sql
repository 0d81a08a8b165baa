-- no parameters; an instant before which all changes are visible to the next statement
--
-- updated_at is the beginning of a transaction, or later, so an open transaction cannot write an earlier one than the
-- beginning of the oldest. One second less, because a transaction becomes visible here a little after it began.
select least(statement_timestamp(), min(a.xact_start)) - interval '1 second' as as_of
from pg_catalog.pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_catalog.pg_backend_pid()
