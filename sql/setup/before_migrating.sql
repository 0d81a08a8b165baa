-- Sent by `appointd migrate` before the migrations, as appointd_owner.

do $$
begin
    -- The role that runs a migration owns the objects that it creates.
    if (session_user, current_user) <> ('appointd_owner', 'appointd_owner') then
        raise exception 'connected as role "%"; migrations must run as appointd_owner, '
            'which then owns the objects that they create', current_user;
    end if;
    if pg_is_in_recovery() then
        raise exception 'the database is a standby and cannot be migrated; connect to the primary';
    end if;
    if not exists (select from pg_catalog.pg_namespace where nspname = 'app') then
        raise exception 'schema "app" is missing: as a superuser, run sql/setup/roles.sql once and '
            'sql/setup/database.sql in this database';
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the encoding of the database is %; it must be UTF8', current_setting('server_encoding');
    end if;
end
$$;

-- Concurrent runs wait for each other. The number is arbitrary; the lock ends with the connection.
set lock_timeout = 0;
select pg_advisory_lock(7021862);

-- All other statements give up waiting for a lock after 2 seconds, because others wait behind them, and are retried.
set lock_timeout = '2s';
