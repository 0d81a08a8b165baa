-- Prepares one database for appointd. Run once, as a superuser or as its owner, inside a database owned by
-- appointd_owner:
--
--   createdb --owner appointd_owner --encoding UTF8 --template template0 appointd
--   psql -v ON_ERROR_STOP=1 --dbname appointd -f sql/setup/database.sql
--
-- Afterwards `appointd migrate`, connected as appointd_owner, does the rest. Running this file again changes nothing.

do $$
begin
    -- PUBLIC could otherwise connect, and could create temporary tables that shadow ours.
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to appointd_api, appointd_door, appointd_worker, appointd_auditor',
        current_database()
    );
end
$$;

-- Runs as the owner of the schema. Without a superuser, a member of the owner of the database would otherwise revoke
-- nothing and get only a warning.
do $$
declare
    caller constant name := current_user;
begin
    if not (select rolsuper from pg_catalog.pg_roles where rolname = caller) then
        execute format(
            'set local role %s', (select nspowner::regrole from pg_catalog.pg_namespace where nspname = 'public')
        );
    end if;
    revoke all on schema public from public;
    execute format('set local role %I', caller);
end
$$;

-- Large objects belong to no table, so no policy holds them.
do $$
begin
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        revoke execute on function
            lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea),
            lowrite(integer, bytea)
        from public;
    end if;
end
$$;

-- A SELECT could change settings with this function, and so could SQL that is brought into one. The gate and the owner
-- set the context with it. (pg_dump and vacuumdb call it: a role that runs them and is no superuser needs the right.)
do $$
begin
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        revoke execute on function set_config(text, text, boolean) from public;
        grant execute on function set_config(text, text, boolean) to appointd_gate, appointd_owner;
    end if;
end
$$;

-- Holds the migration history, the tenant context and the helper that builds the policies.
create schema if not exists app authorization appointd_owner;
