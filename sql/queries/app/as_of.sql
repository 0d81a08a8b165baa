-- no parameters; an instant that no change can be older than that is not visible to the next statement
--
-- updated_at is when a transaction began, or later; so nothing that is under way can write an earlier one than the
-- beginning of the oldest. A second less: a transaction is seen here a little after it began.
select least(statement_timestamp(), min(a.xact_start)) - interval '1 second' as as_of
from pg_catalog.pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_catalog.pg_backend_pid()
