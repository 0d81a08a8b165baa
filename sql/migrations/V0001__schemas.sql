-- The schemas: one per module of the server, plus `app`, which sql/setup/database.sql creates and every module uses.
-- And the triggers that say when a row has last changed.

create extension if not exists btree_gist with schema public;

create schema identity;
create schema tenancy;
create schema crm;
create schema scheduling;
create schema operations;
create schema messaging;

comment on schema app is 'What every module uses: migration history, tenant context, helpers that write policies.';
comment on schema identity is 'Who people are: accounts, sessions, second factors. Global, not owned by a tenant.';
comment on schema tenancy is 'Organizations (the tenants), their plans, settings and members.';
comment on schema crm is 'The people an organization deals with: contacts.';
comment on schema scheduling is 'Services, providers, their hours, and the appointments that claim their time.';
comment on schema operations is 'Running the system: the audit log, idempotency keys, deletions.';
comment on schema messaging is 'Telling people and programs: events, jobs, webhooks, messages.';

-- The auditor may resolve names and read no row. The gate owns the functions that run before, or across, tenants.
grant usage on schema app, identity, tenancy, crm, scheduling, operations, messaging
to appointd_api, appointd_auditor, appointd_gate;
-- The role for what happens before the caller is known calls functions of the gate and reaches no table.
grant usage on schema app, identity, tenancy, crm, scheduling to appointd_door;

-- No role may call a new function until a migration grants it. The setting belongs to the role that creates the
-- function: once for the owner, once for the gate.
alter default privileges revoke execute on functions from public;
set local role appointd_gate;
alter default privileges revoke execute on functions from public;
reset role;

-- The server compares this with the migrations it was built with, and refuses to start on an older database.
comment on table app.migrations is
    'Which migrations were applied, when, and their checksums. Written by `appointd migrate`.';
grant select on app.migrations to appointd_api, appointd_door;

-- Changes -------------------------------------------------------------------------------------------------------------

-- A client that sends the current values has changed nothing: the row keeps the time of its last change, so it has
-- no other version, is not listed as changed, and no event says so.
create function app.keep_updated_at() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The time itself, and columns that are computed after this trigger.
    aside constant text[] := array['updated_at'] || tg_argv[0]::text[];
begin
    if to_jsonb(new) - aside = to_jsonb(old) - aside then
        new.updated_at := old.updated_at;
    end if;
    return new;
end
$$;

comment on function app.keep_updated_at() is
    'Trigger, before an update that sets columns beside updated_at: keeps updated_at if no column gets another value. '
    'Argument: the generated columns of the table.';

-- The trigger names columns: a migration that changes the type of one, or drops it, drops the trigger first and calls
-- this again.
create procedure app.date_changes(relation regclass)
language plpgsql
as $$
declare
    -- A statement that sets updated_at alone means it: something that belongs to the row has changed.
    settable text;
    generated text[];
begin
    select
        string_agg(quote_ident(a.attname), ', ') filter (
            where a.attgenerated = '' and a.attname <> 'updated_at'
        ),
        coalesce(array_agg(a.attname::text) filter (where a.attgenerated <> ''), '{}')
    into settable, generated
    from pg_attribute as a
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped;
    execute format(
        'create trigger keep_updated_at before update of %s on %s for each row '
        'execute function app.keep_updated_at(%L)',
        settable, relation, generated
    );
end
$$;

comment on procedure app.date_changes(regclass) is
    'Has updated_at of a table, which its statements set, say when a row last changed: an update to the '
    'current values keeps it.';
revoke execute on procedure app.date_changes(regclass) from public;

create function app.touch() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

comment on function app.touch() is
    'Trigger, before a change that does not set updated_at itself, such as one by the gate or by a foreign key: '
    'sets it.';
