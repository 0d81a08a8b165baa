-- Sent by `appointd migrate` before the migrations, as appointd_owner.

do $$
begin
    if not exists (select from pg_catalog.pg_namespace where nspname = 'app') then
        raise exception 'schema "app" is missing: as a superuser, run sql/setup/roles.sql once and sql/setup/database.sql in this database';
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the encoding of the database is %, and has to be UTF8', current_setting('server_encoding');
    end if;
end
$$;

-- One migrates, others wait. The number means nothing beyond that; the lock goes with the connection.
select pg_advisory_lock(7021862);
