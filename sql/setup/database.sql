-- Prepares one database for appointd. Run once, as a superuser, inside a database owned by appointd_owner:
--
--   createdb --owner appointd_owner appointd
--   psql --dbname appointd -f sql/setup/database.sql
--
-- Afterwards `appointd migrate`, connected as appointd_owner, does the rest. Running this file again changes nothing.

do $$
begin
    -- PUBLIC could otherwise connect, and could create temporary tables that shadow ours.
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to appointd_api, appointd_auditor', current_database());
end
$$;

revoke all on schema public from public;

-- Holds the migration history, the tenant context and the helper that builds the policies.
create schema if not exists app authorization appointd_owner;
