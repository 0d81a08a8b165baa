-- The wall: tenant isolation by row-level security. Helpers write every tenant table's policies, so that their text is
-- the same to the letter everywhere.
--
-- A table behind the wall has
--   * row-level security enabled and forced (the owner is subject to it as well);
--   * the floor, `tenant_floor`: a restrictive policy for every command and every role. No later policy can open the
--     table any wider;
--   * one permissive policy per command for appointd_api, which repeats the tenant predicate (so that losing the floor
--     opens nothing either) and names the member roles that may run the command.
--
-- The tenant predicate compares with a sub-select on purpose: PostgreSQL then evaluates the context once per statement,
-- and never plans a cached statement for the tenant that happened to ask first. Without a context the predicate is null
-- and admits no rows.

-- The context ---------------------------------------------------------------------------------------------------------

-- Who asks, for the rest of the transaction: five fields, separated by commas, the ids as 32 hexadecimal digits. All
-- that policies know is read from here, so it must stand where SQL of a request cannot write.
--
-- Every role may set a parameter with a name of our own (app.…), and no right can be taken from it. PostgreSQL has one
-- parameter that only a superuser, and those to whom a superuser grants it, can set, that every role can read, and that
-- takes any text of letters, digits and commas: backtrace_functions. It names C functions whose errors are logged with
-- a backtrace; no function is named like a context. The gate and the owner may set it (sql/setup/roles.sql). It ends
-- with the transaction, is copied to parallel workers, and follows savepoints, as every parameter does.
--
-- All of it is written in SQL, so that PostgreSQL inlines it. Where no superuser can grant the parameter,
-- sql/setup/unsealed.sql replaces these two functions, and nothing else.
create function app.context() returns text
language sql stable parallel safe
return current_setting('backtrace_functions');

comment on function app.context() is
    'The context of the transaction: tenant, account, API key, subject and role, separated by commas; empty: none.';

create function app.set_context(context text) returns text
language sql volatile
return set_config('backtrace_functions', context, true);

comment on function app.set_context(text) is
    'Sets the context until the transaction ends, and returns it. Only for roles that may set the parameter: the gate '
    'and the owner.';

create function app.tenant() returns uuid
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 1), '')::uuid;

comment on function app.tenant() is 'The organization that the transaction has entered; null: none.';

create function app.account() returns uuid
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 2), '')::uuid;

comment on function app.account() is 'The account of the person who asks; null: not a person who has signed in.';

create function app.api_key() returns uuid
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 3), '')::uuid;

comment on function app.api_key() is 'The API key of the program that asks; null: not a program.';

create function app.subject() returns uuid
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 4), '')::uuid;

comment on function app.subject() is
    'The one hold, waitlist entry or appointment that a guest or a customer makes or changes; null: none.';

create function app.role() returns text
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 5), '');

comment on function app.role() is
    'The role in the organization: that of the member or the key, or guest, scheduler or worker. Null before a tenant '
    'is entered.';

-- STABLE, as concat is: an IMMUTABLE function that calls it is not inlined.
create function app.context_of(tenant uuid, account uuid, api_key uuid, subject uuid, role text) returns text
language sql stable parallel safe
return replace(concat(tenant, ',', account, ',', api_key, ',', subject, ',', role), '-', '');

comment on function app.context_of(uuid, uuid, uuid, uuid, text) is 'A context, as text.';

-- For functions that work in another organization, or for another person, than the caller has entered. Those that go on
-- afterwards set back what they found.
create function app.set_tenant(tenant uuid) returns text
language sql volatile
return app.set_context(app.context_of(tenant, app.account(), app.api_key(), app.subject(), app.role()));

comment on function app.set_tenant(uuid) is 'Replaces the tenant of the context.';

create function app.set_account(account uuid) returns text
language sql volatile
return app.set_context(app.context_of(app.tenant(), account, app.api_key(), app.subject(), app.role()));

comment on function app.set_account(uuid) is 'Replaces the account of the context.';

grant execute on function app.context(), app.tenant(), app.account(), app.api_key(), app.subject(), app.role()
to appointd_api, appointd_worker, appointd_gate;
grant execute on function
    app.set_context(text), app.context_of(uuid, uuid, uuid, uuid, text), app.set_tenant(uuid), app.set_account(uuid)
to appointd_gate;

-- Roles ---------------------------------------------------------------------------------------------------------------

-- A customer does not rank below a viewer: an operation for customers admits customers alone.
create function app.roles_from(lowest text) returns text[]
language sql immutable parallel safe
return case lowest
    when 'customer' then array['customer']
    when 'viewer' then array['viewer', 'staff', 'manager', 'admin', 'owner']
    when 'staff' then array['staff', 'manager', 'admin', 'owner']
    when 'manager' then array['manager', 'admin', 'owner']
    when 'admin' then array['admin', 'owner']
    when 'owner' then array['owner']
end;

comment on function app.roles_from(text) is
    'The member roles that rank at least as high as the given one: viewer < staff < manager < admin < owner; customer '
    'stands apart. Null for an unknown role.';

-- Stable, because policies call it: what a policy calls must not be computed once and kept in a plan.
create function app.roles_up_to(highest text) returns text[]
language sql stable parallel safe
return case highest
    when 'customer' then array['customer']
    when 'viewer' then array['customer', 'viewer']
    when 'staff' then array['customer', 'viewer', 'staff']
    when 'manager' then array['customer', 'viewer', 'staff', 'manager']
    when 'admin' then array['customer', 'viewer', 'staff', 'manager', 'admin']
    when 'owner' then array['customer', 'viewer', 'staff', 'manager', 'admin', 'owner']
end;

comment on function app.roles_up_to(text) is
    'The roles that rank at most as high as the given one: those its holder may give and take away. '
    'Null for an unknown role.';

create function app.lower_role(one text, other text) returns text
language sql stable parallel safe
return case when one = any (app.roles_up_to(other)) then one when other = any (app.roles_up_to(one)) then other end;

comment on function app.lower_role(text, text) is 'The lower of two roles. Null if either is null or unknown.';

grant execute on function app.roles_from(text), app.roles_up_to(text), app.lower_role(text, text)
to appointd_api, appointd_gate;

-- Locks ---------------------------------------------------------------------------------------------------------------

-- Policies hold rows, and an advisory lock is no row: a key that did not begin with the tenant would let one
-- organization have another wait. Everything that locks takes its key from here; an audit rule holds functions to it
-- (functions/advisory_lock), a test the statements.
create function app.lock_key(tenant uuid, what text) returns bigint
language sql immutable parallel safe
return hashtextextended(tenant::text || what, 0);

comment on function app.lock_key(uuid, text) is
    'The key of an advisory lock inside a tenant. what: the id of a resource or service, or a name of what is counted.';

grant execute on function app.lock_key(uuid, text) to appointd_api, appointd_gate;

-- Policies ------------------------------------------------------------------------------------------------------------

-- A floor with a door shows more rows to a select and is unchanged for every other command: split into a policy per
-- command, with the door in that of select.
create procedure app.build_wall(
    relation regclass,
    reads text,
    inserts text default null,
    updates text default null,
    deletes text default null,
    tenant_column name default 'tenant_id',
    door text default null
)
language plpgsql
as $$
declare
    tenant constant text := format('%I = (select app.tenant())', tenant_column);
    command record;
    audience text;
begin
    execute format('alter table %s enable row level security', relation);
    execute format('alter table %s force row level security', relation);
    if tenant_column = 'tenant_id' then
        execute format(
            'comment on column %s.tenant_id is %L',
            relation,
            'The organization. Filled from the context; the server has no right to write it.'
        );
    end if;
    if door is null then
        execute format(
            'create policy tenant_floor on %s as restrictive for all to public using (%s) with check (%s)',
            relation, tenant, tenant
        );
    else
        execute format(
            'create policy tenant_floor_select on %s as restrictive for select to public using (%s or %s)',
            relation, tenant, door
        );
        execute format(
            'create policy tenant_floor_insert on %s as restrictive for insert to public with check (%s)',
            relation, tenant
        );
        execute format(
            'create policy tenant_floor_update on %s as restrictive for update to public using (%s) with check (%s)',
            relation, tenant, tenant
        );
        execute format(
            'create policy tenant_floor_delete on %s as restrictive for delete to public using (%s)',
            relation, tenant
        );
    end if;
    for command in
        select *
        from (
            values ('select', reads), ('insert', inserts), ('update', updates), ('delete', deletes)
        ) as c (name, lowest)
        where c.lowest is not null
    loop
        if app.roles_from(command.lowest) is null then
            raise exception 'unknown role %', command.lowest;
        end if;
        audience := format('%s and (select app.role() = any (%L))', tenant, app.roles_from(command.lowest));
        execute format(
            'create policy %I on %s as permissive for %s to appointd_api %s %s',
            command.lowest || '_' || command.name,
            relation,
            command.name,
            case when command.name <> 'insert' then format('using (%s)', audience) end,
            case when command.name in ('insert', 'update') then format('with check (%s)', audience) end
        );
    end loop;
end
$$;

comment on procedure app.build_wall(regclass, text, text, text, text, name, text) is
    'Puts a table behind the wall and writes the comment of its tenant_id. Each of reads, inserts, updates and deletes '
    'is the lowest member role that may run the command; null: no role may. door: a condition under which a row of '
    'another tenant passes the floor for select; null: none does.';
revoke execute on procedure app.build_wall(regclass, text, text, text, text, name, text) from public;

-- Used for appointd_gate, whose functions work inside one organization, and for appointd_owner, which exports, imports
-- and deletes one organization at a time.
create procedure app.admit(relation regclass, admitted name, commands text[], tenant_column name default 'tenant_id')
language plpgsql
as $$
declare
    tenant constant text := format('%I = (select app.tenant())', tenant_column);
    command text;
begin
    foreach command in array commands loop
        execute format(
            'create policy %I on %s as permissive for %s to %I %s %s',
            replace(admitted, 'appointd_', '') || '_' || command,
            relation,
            command,
            admitted,
            case when command <> 'insert' then format('using (%s)', tenant) end,
            case when command in ('insert', 'update', 'all') then format('with check (%s)', tenant) end
        );
    end loop;
end
$$;

comment on procedure app.admit(regclass, name, text[], name) is
    'Admits a database role to the rows of the tenant in the context, for the commands named (select, insert, update, '
    'delete, all). Grants are separate.';
revoke execute on procedure app.admit(regclass, name, text[], name) from public;

-- Opens a table to people who do not work there, as app.build_wall does for those who do.
create procedure app.open_to(relation regclass, audience text, command text, condition text default null)
language plpgsql
as $$
declare
    expression constant text := concat(
        'tenant_id = (select app.tenant())',
        format(' and (select app.role() = any (%L))', string_to_array(audience, ',')),
        ' and (' || condition || ')'
    );
begin
    execute format(
        'create policy %I on %s as permissive for %s to appointd_api %s %s',
        replace(audience, ',', '_or_') || '_' || command,
        relation,
        command,
        case when command <> 'insert' then format('using (%s)', expression) end,
        case when command in ('insert', 'update') then format('with check (%s)', expression) end
    );
end
$$;

comment on procedure app.open_to(regclass, text, text, text) is
    'Lets an audience (guest, customer, scheduler, or several separated by commas) run one command on the rows of the '
    'tenant that meet a condition.';
revoke execute on procedure app.open_to(regclass, text, text, text) from public;

-- Transactions --------------------------------------------------------------------------------------------------------

create function app.begin_request(request text, host text) returns void
language plpgsql volatile
as $$
begin
    execute format('set local app.request_id = %L', coalesce(request, ''));
    -- Read by tenancy.host_admits, in functions of the gate.
    execute format('set local app.host = %L', coalesce(host, ''));
end
$$;

comment on function app.begin_request(text, text) is
    'Begins a transaction of a caller who is not known: notes the request for the change log, and the host that '
    'was requested for functions of the gate.';

create function app.refuse_leftovers() returns void
language plpgsql stable
as $$
begin
    if exists (
        select
        from pg_catalog.pg_prepared_statement() as p
        where
            p.from_sql
            -- The mark of a session of the server: src/db/connection.rs.
            and p.statement !~ '^prepare appointd_[0-9a-f]{32} as select pg_catalog\.pg_advisory_unlock_all\(\);?$'
    ) then
        raise exception 'a statement was prepared in this session by SQL' using errcode = 'AP407';
    end if;
end
$$;

comment on function app.refuse_leftovers() is
    'Fails with AP407 if SQL has prepared a statement in this session: it may stand for one that the server prepared, '
    'and would run in the transaction of the next caller.';

grant execute on function app.begin_request(text, text)
to appointd_api, appointd_door, appointd_worker, appointd_gate;
grant execute on function app.refuse_leftovers() to appointd_api, appointd_door, appointd_worker;
