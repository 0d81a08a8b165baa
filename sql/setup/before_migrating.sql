-- Sent by `appointd migrate` before the migrations, as appointd_owner.

do $$
begin
    -- What a migration makes belongs to the role that runs it, for good.
    if (session_user, current_user) <> ('appointd_owner', 'appointd_owner') then
        raise exception 'connected as role "%", and migrations run as appointd_owner alone: '
            'what they make belongs to the role that runs them', current_user;
    end if;
    if pg_is_in_recovery() then
        raise exception 'the database is a standby, which takes no migrations; connect to the primary';
    end if;
    if not exists (select from pg_catalog.pg_namespace where nspname = 'app') then
        raise exception 'schema "app" is missing: as a superuser, run sql/setup/roles.sql once and '
            'sql/setup/database.sql in this database';
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the encoding of the database is %, and has to be UTF8', current_setting('server_encoding');
    end if;
end
$$;

-- One migrates, others wait. The number means nothing beyond that; the lock goes with the connection.
set lock_timeout = 0;
select pg_advisory_lock(7021862);

-- Everything else that has to wait for somebody gives up, for the sake of those who wait behind it, and is tried again.
set lock_timeout = '2s';
