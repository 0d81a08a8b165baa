-- no parameters; the newest migration this database has, and whether it takes no writes: a standby, or one that was
-- demoted
select
    (select max(version) from app.migrations) as version,
    pg_catalog.pg_is_in_recovery() or pg_catalog.current_setting('transaction_read_only')::boolean as read_only
