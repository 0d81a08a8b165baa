-- no parameters; the newest migration of the database, and whether it is read-only, such as a standby or a demoted
-- primary
select
    (select max(version) from app.migrations) as version,
    pg_catalog.pg_is_in_recovery() or pg_catalog.current_setting('transaction_read_only')::boolean as read_only
