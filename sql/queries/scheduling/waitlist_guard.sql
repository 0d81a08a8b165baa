-- $1 tenant_id
--
-- Before the waitlist is read to offer freed time, in a statement of its own: entries that join meanwhile are committed
-- before the next statement, or wait for this transaction (scheduling.keep_waiting_few).
select pg_advisory_xact_lock_shared(app.lock_key($1, 'waitlist'))
