-- The roles of appointd. Run once per PostgreSQL cluster, as a superuser or as a role with CREATEROLE:
--
--   psql -v ON_ERROR_STOP=1 -f sql/setup/roles.sql
--
-- Running it again restores what is said here and changes nothing else. Passwords are yours to set
-- (alter role … password …); none is set here.
--
--   appointd_owner    owns every object and runs the migrations; the server never connects as this role
--   appointd_api      the server; a member of nothing, no DDL, subject to every policy
--   appointd_door     the server, for what happens before it knows who asks: signing in, registering, refreshing a
--                     session. It calls a few functions of the gate and reaches no table; a member of nothing, no DDL
--   appointd_worker   works in the background: publishes events; a member of nothing, no DDL, subject to every policy,
--                     and without rights on most tables
--   appointd_gate     owns the few functions that must look before a tenant is known (sign-in, registration); it has
--                     policies of its own instead of BYPASSRLS. It has LOGIN only because the nodes of a Citus cluster
--                     connect to each other as the role they work for: give it no password. It may not connect to the
--                     database (sql/setup/database.sql)
--   appointd_auditor  reads the catalogs to check the policies; has no right on any table of appointd

do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'appointd_owner', 'appointd_api', 'appointd_door', 'appointd_worker', 'appointd_gate', 'appointd_auditor'
    ] loop
        if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
            execute format('create role %I login noinherit', role_name);
        end if;
        -- Only what is wrong is altered: taking away what only a superuser can give takes a superuser.
        if exists (
            select
            from pg_catalog.pg_roles
            where
                rolname = role_name
                and (
                    rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls or rolinherit
                    or not rolcanlogin
                )
        ) then
            execute format(
                'alter role %I with login nosuperuser nocreatedb nocreaterole noreplication nobypassrls noinherit',
                role_name
            );
        end if;
    end loop;
end
$$;

-- The owner hands functions over to the gate (alter function … owner to), which takes membership. It does not inherit:
-- the gate's policies never apply to what the owner itself does.
grant appointd_gate to appointd_owner;

-- A migration that would meet a policy fails instead of silently changing no rows.
alter role appointd_owner set row_security = off;

-- A session that waits for an exclusive lock on a table makes all later writers wait behind it. The owner gives up
-- after 2 seconds, and `appointd migrate` tries again.
alter role appointd_owner set lock_timeout = '2s';

-- Every name in our SQL has its schema; no name is looked up in a schema that other roles can write to.
alter role appointd_api set search_path = pg_catalog, pg_temp;
alter role appointd_door set search_path = pg_catalog, pg_temp;
alter role appointd_worker set search_path = pg_catalog, pg_temp;

-- A safeguard besides the server's own deadline (10 s): no statement or idle transaction locks a row for long.
alter role appointd_api set statement_timeout = '8s';
alter role appointd_api set lock_timeout = '4s';
alter role appointd_api set idle_in_transaction_session_timeout = '15s';
alter role appointd_door set statement_timeout = '8s';
alter role appointd_door set lock_timeout = '4s';
alter role appointd_door set idle_in_transaction_session_timeout = '15s';
alter role appointd_worker set statement_timeout = '8s';
alter role appointd_worker set lock_timeout = '4s';
alter role appointd_worker set idle_in_transaction_session_timeout = '15s';

-- Every statement is short; compiling one would cost more than running it.
alter role appointd_api set jit = off;
alter role appointd_door set jit = off;
alter role appointd_worker set jit = off;

-- Secrets are parameters of statements: the log of PostgreSQL shows none. Only a superuser can set it; elsewhere set
-- log_parameter_max_length = 0 for the database or the server, or log no statements.
do $$
begin
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        alter role appointd_api set log_parameter_max_length = 0;
        alter role appointd_door set log_parameter_max_length = 0;
    end if;
end
$$;

-- Who asks is kept where only the gate and the owner can write: in a parameter that is for superusers unless one grants
-- it (sql/migrations/V0002__wall.sql). Where no superuser is at hand: sql/setup/unsealed.sql.
do $$
begin
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        grant set on parameter backtrace_functions to appointd_gate, appointd_owner;
    end if;
end
$$;
