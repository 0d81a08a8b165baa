-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- What every module uses: migration history, tenant context, helpers that write policies.
create schema app authorization appointd_owner;

grant usage on schema app to appointd_api;
grant usage on schema app to appointd_auditor;
grant usage on schema app to appointd_door;
grant usage on schema app to appointd_gate;
grant usage on schema app to appointd_worker;


-- Which migrations were applied, when, and their checksums. Written by `appointd migrate`.
create table app.migrations (
    version integer not null,
    name character varying(255),
    applied_on character varying(255),
    checksum character varying(255),
    constraint migrations_pkey primary key (version)
);

alter table app.migrations disable row level security, no force row level security;

grant select on app.migrations to appointd_api;
grant select on app.migrations to appointd_door;
grant select on app.migrations to appointd_worker;


-- The key of proofs: one row, made by the migration. Only functions of the gate read it. A guest's link has a proof, so
-- links of before end if it is replaced.
create table app.proof_key (
    -- Always true.
    only_one boolean not null default true,
    -- The key, combined with the inner padding of HMAC (RFC 2104).
    inner_pad bytea not null,
    -- The key, combined with the outer padding.
    outer_pad bytea not null,
    -- When it was made.
    created_at timestamptz not null default now(),
    constraint proof_key_pkey primary key (only_one),
    constraint proof_key_only_one check (only_one),
    constraint proof_key_pads check (length(inner_pad) = 64 and length(outer_pad) = 64)
);

alter table app.proof_key enable row level security, force row level security;

create policy gate_select on app.proof_key as permissive for select to appointd_gate
    using (true);

grant select on app.proof_key to appointd_gate;


-- The account of the person who asks; null: not a person who has signed in.
create function app.account()
returns uuid
language sql stable parallel safe
return (nullif(split_part(app.context(), ',', 2), ''))::uuid;

grant execute on function app.account() to appointd_api;
grant execute on function app.account() to appointd_gate;
grant execute on function app.account() to appointd_worker;


-- Admits a database role to the rows of the tenant in the context, for the commands named (select, insert, update,
-- delete, all). Grants are separate.
create procedure app.admit(
    in relation regclass, in admitted name, in commands text[], in tenant_column name default 'tenant_id'::name
)
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


-- Adds rows of another system, which all have the same columns, to a table of the tenant, except those that exist;
-- returns how many were added. tenant_id is filled from the context.
create function app.adopt_rows(tenant uuid, wanted text, lines jsonb)
returns bigint
language plpgsql
as $$
declare
    target constant regclass := app.target_table(wanted);
    data jsonb := lines;
    columns text;
    added bigint;
begin
    perform app.set_tenant(tenant);
    -- A member is given by e-mail address: the account may exist already, with another id.
    if target = 'tenancy.members'::regclass then
        select jsonb_agg((l.line - 'email') || jsonb_build_object('account_id', a.id) order by l.position)
        into data
        from jsonb_array_elements(lines) with ordinality as l (line, position)
        left join identity.accounts as a on a.email = l.line ->> 'email';
    end if;
    columns := app.columns_of(target, data -> 0);
    if columns is null then
        execute format('insert into %s default values on conflict do nothing', target);
    else
        execute format(
            'insert into %s (%s) select %s from jsonb_populate_recordset(null::%s, $1) on conflict %s do nothing',
            target, columns, columns, target,
            -- A claim that overlaps, or another seat of a contact, is not a duplicate but an error: it must fail.
            case
                when target in ('scheduling.claims'::regclass, 'scheduling.appointments'::regclass)
                    then '(tenant_id, id)'
            end
        )
        using data;
    end if;
    get diagnostics added = row_count;
    return added;
end
$$;


-- The API key of the program that asks; null: not a program.
create function app.api_key()
returns uuid
language sql stable parallel safe
return (nullif(split_part(app.context(), ',', 3), ''))::uuid;

grant execute on function app.api_key() to appointd_api;
grant execute on function app.api_key() to appointd_gate;
grant execute on function app.api_key() to appointd_worker;


-- Begins a transaction of a caller who is not known: notes the request for the change log, and the host that was
-- requested for functions of the gate.
create function app.begin_request(request text, host text)
returns void
language plpgsql
as $$
begin
    execute format('set local app.request_id = %L', coalesce(request, ''));
    -- Read by tenancy.host_admits, in functions of the gate.
    execute format('set local app.host = %L', coalesce(host, ''));
end
$$;

grant execute on function app.begin_request(text,text) to appointd_api;
grant execute on function app.begin_request(text,text) to appointd_door;
grant execute on function app.begin_request(text,text) to appointd_gate;
grant execute on function app.begin_request(text,text) to appointd_worker;


-- Puts a table behind the wall and writes the comment of its tenant_id. Each of reads, inserts, updates and deletes is
-- the lowest member role that may run the command; null: no role may. door: a condition under which a row of another
-- tenant passes the floor for select; null: none does.
create procedure app.build_wall(
    in relation regclass, in reads text, in inserts text default null::text, in updates text default null::text,
    in deletes text default null::text, in tenant_column name default 'tenant_id'::name, in door text default null::text
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


-- Checks common to app.enter and app.enter_by_key, once the tenant is in the context.
create function app.check_way_in(tenant uuid, feature text, host text)
returns void
language plpgsql stable
as $$
begin
    if host is not null
    and (
        exists (select from tenancy.organizations as o where o.id = tenant and o.subdomain = host)
        or exists (
            select
            from tenancy.former_names as f
            where f.kind = 'subdomain' and f.name = host and f.organization_id = tenant and f.kept_until > now()
        )
        or (
            exists (select from tenancy.verified_domains as d where d.domain = host and d.organization_id = tenant)
            and app.has_feature(tenant, 'custom_branding')
        )
    ) is not true then
        raise exception 'the host leads elsewhere' using errcode = 'AP404';
    end if;
    if feature is not null and app.has_feature(tenant, feature) is not true then
        raise exception 'feature not in plan' using errcode = 'AP402', hint = app.plans_with(tenant, feature);
    end if;
end
$$;

grant execute on function app.check_way_in(uuid,text,text) to appointd_gate;


-- The columns of a table that a row has, without generated ones, as a list for insert. Null: none.
create function app.columns_of(target regclass, given jsonb)
returns text
language plpgsql stable
as $$
begin
    return (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_catalog.pg_attribute as a
        where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and given ? a.attname
    );
end
$$;


-- The context of the transaction: tenant, account, API key, subject and role, separated by commas; empty: none.
create function app.context()
returns text
language sql stable parallel safe
return current_setting('backtrace_functions');

grant execute on function app.context() to appointd_api;
grant execute on function app.context() to appointd_gate;
grant execute on function app.context() to appointd_worker;


-- A context, as text.
create function app.context_of(tenant uuid, account uuid, api_key uuid, subject uuid, role text)
returns text
language sql stable parallel safe
return replace(concat(tenant, ',', account, ',', api_key, ',', subject, ',', role), '-', '');

grant execute on function app.context_of(uuid,uuid,uuid,uuid,text) to appointd_gate;


-- Has updated_at of a table, which its statements set, say when a row last changed: an update to the current values
-- keeps it.
create procedure app.date_changes(in relation regclass)
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


-- Deletes every row of a tenant for good, its audit log too; returns how many. The accounts of its people stay, and
-- their sessions, which no longer enter it.
create function app.delete_tenant(tenant uuid)
returns bigint
language plpgsql
as $$
declare
    tenant_table record;
    deleted bigint := 0;
    here bigint;
begin
    perform app.set_tenant(tenant);
    set local app.restoring = 'on';
    -- So that the last owner can be deleted.
    update tenancy.organizations set status = 'deleted', deleted_at = now(), purge_after = now() where id = tenant;
    for tenant_table in
        select t.relation, t.tenant_column
        from app.tenant_tables() with ordinality as t (relation, tenant_column, position)
        order by t.position desc
    loop
        execute format('delete from %s where %I = $1', tenant_table.relation, tenant_table.tenant_column) using tenant;
        get diagnostics here = row_count;
        deleted := deleted + here;
    end loop;
    return deleted;
end
$$;


-- Enters a tenant for the rest of the transaction, as the signed-in member who has the secret of the session. First
-- statement of an explicit transaction, once, never in a savepoint. Fails with AP401 (not an active member with a
-- session, or another secret), AP403 (the member's role ranks below `needs`), AP402 (the plan lacks `feature`) or AP404
-- (`host` belongs to another organization); a transaction that failed to enter sees no rows.
create function app.enter(
    tenant uuid, account uuid, session uuid, secret bytea, needs text, feature text, host text, request text
)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    held text;
begin
    if tenant is null or account is null or session is null or secret is null or app.roles_from(needs) is null then
        raise exception 'a tenant, an account, a session, its secret and a known role are required'
            using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    -- It ends with the transaction, so a pooled connection forgets. Without a role it admits the gate alone.
    perform app.set_context(app.context_of(tenant, account, null, null, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));

    -- The rows decide, not the token: signing out, removal and suspension (of the member or of the organization) take
    -- effect at once.
    select m.role
    into held
    from tenancy.members as m
    join tenancy.organizations as o on o.id = m.tenant_id
    join identity.sessions as s on s.account_id = m.account_id
    where
        m.tenant_id = tenant
        and m.account_id = account
        and m.status = 'active'
        and o.status = 'active'
        and s.account_id = account
        and s.id = session
        and s.secret_hash = sha256(secret)
        and s.organization_id = tenant
        and s.expires_at > now()
        -- A session from before the member left and rejoined is not valid.
        and s.last_used_at >= m.created_at;

    if held is null then
        raise exception 'no active membership or session' using errcode = 'AP401';
    end if;
    if (held = any (app.roles_from(needs))) is not true then
        -- The hint is for the answer: which role is held.
        raise exception 'role too low' using errcode = 'AP403', hint = held;
    end if;
    -- Rare: most operations ask for no feature, and most requests come to a host of the server itself.
    if host is not null or feature is not null then
        perform app.check_way_in(tenant, feature, host);
    end if;
    perform app.set_context(app.context_of(tenant, account, null, null, held));
end
$$;

alter function app.enter(uuid,uuid,uuid,bytea,text,text,text,text) owner to appointd_gate;
grant execute on function app.enter(uuid,uuid,uuid,bytea,text,text,text,text) to appointd_api;


-- Enters as a signed-in person, who has the secret of the session, without a tenant: shows the rows of the account, and
-- of no organization. Fails with AP401 (no active session, or another secret) or AP404 (`host` belongs to another
-- organization than the session).
create function app.enter_account(account uuid, session uuid, secret bytea, host text, request text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    organization uuid;
begin
    if account is null or session is null or secret is null then
        raise exception 'an account, a session and its secret are required' using errcode = 'AP401';
    end if;
    if app.account() is not null then
        raise exception 'this transaction has entered already' using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.begin_request(request, host);
    perform app.set_context(app.context_of(null, account, null, null, null));
    select s.organization_id
    into organization
    from identity.sessions as s
    where
        s.account_id = account
        and s.id = session
        and s.secret_hash = sha256(secret)
        and s.expires_at > now();
    if not found then
        raise exception 'no active session' using errcode = 'AP401';
    end if;
    -- A session for no organization is valid at every host: to accept an invitation, or to register there.
    if host is not null
    and organization is not null
    and organization is distinct from tenancy.organization_at(host) then
        raise exception 'the host leads elsewhere' using errcode = 'AP404';
    end if;
end
$$;

alter function app.enter_account(uuid,uuid,bytea,text,text) owner to appointd_gate;
grant execute on function app.enter_account(uuid,uuid,bytea,text,text) to appointd_api;
grant execute on function app.enter_account(uuid,uuid,bytea,text,text) to appointd_door;


-- Enters a tenant as app.enter does, for a program that sent an API key. Fails as app.enter does, with AP406 (the key
-- is unknown, was revoked or has expired, its maker is no active member, or the organization is not active) and with
-- AP405 (the key lacks the scope). A scope to write includes that to read.
create function app.enter_by_key(
    tenant uuid, key uuid, secret bytea, needs text, scope text, feature text, host text, request text
)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found record;
begin
    if tenant is null or key is null or secret is null or app.roles_from(needs) is null then
        raise exception 'a tenant, a key, its secret and a known role are required' using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.set_context(app.context_of(tenant, null, key, null, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));

    -- A key is worth at most what its maker is now: nothing once they are removed or suspended.
    select app.lower_role(k.role, tenancy.standing(k.created_by)) as role, k.scopes, k.last_used_at
    into found
    from tenancy.api_keys as k
    join tenancy.organizations as o on o.id = k.tenant_id
    where
        k.tenant_id = tenant
        and k.id = key
        and k.secret_hash = sha256(secret)
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now())
        and o.status = 'active';

    if found.role is null then
        raise exception 'unknown key' using errcode = 'AP406';
    end if;
    if app.has_feature(tenant, 'api_access') is not true then
        raise exception 'feature not in plan' using errcode = 'AP402', hint = app.plans_with(tenant, 'api_access');
    end if;
    if (found.role = any (app.roles_from(needs))) is not true then
        raise exception 'role too low' using errcode = 'AP403', hint = found.role;
    end if;
    perform app.check_way_in(tenant, feature, host);
    if (scope = any (found.scopes) or replace(scope, ':read', ':write') = any (found.scopes)) is not true then
        raise exception 'scope missing' using errcode = 'AP405';
    end if;
    perform app.set_context(app.context_of(tenant, null, key, null, found.role));
    -- To the minute, so that a busy key does not write with every request.
    if found.last_used_at is null or found.last_used_at < now() - interval '1 minute' then
        update tenancy.api_keys as k set last_used_at = now() where k.tenant_id = tenant and k.id = key;
    end if;
end
$$;

alter function app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text) owner to appointd_gate;
grant execute on function app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text) to appointd_api;


-- Enters a tenant for the rest of the transaction as a customer with an account, who makes or changes one appointment,
-- hold or waitlist entry: that with the id `subject`. Fails as app.enter does.
create function app.enter_customer(
    tenant uuid, account uuid, session uuid, secret bytea, subject uuid, feature text, host text, request text
)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if subject is null then
        raise exception 'what is to be made or changed is required' using errcode = 'AP401';
    end if;
    perform app.enter(tenant, account, session, secret, 'customer', feature, host, request);
    perform app.set_context(app.context_of(tenant, account, null, subject, app.role()));
end
$$;

alter function app.enter_customer(uuid,uuid,uuid,bytea,uuid,text,text,text) owner to appointd_gate;
grant execute on function app.enter_customer(uuid,uuid,uuid,bytea,uuid,text,text,text) to appointd_api;


-- Enters a tenant for the rest of the transaction as a guest, who sees its public side and one hold, waitlist entry or
-- appointment, of which the guest has the proof (app.guest_proof): one that is about to be made, or that of the guest's
-- link. Fails with AP401 (another proof), AP404 (no active organization, or `host` belongs to another) or AP402 (the
-- plan lacks `feature`).
create function app.enter_guest(tenant uuid, appointment uuid, proof bytea, feature text, host text, request text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tenant is null or appointment is null then
        raise exception 'a tenant and an appointment are required' using errcode = 'AP401';
    end if;
    -- Zeros are the id of nothing: of a guest who looks for a time.
    if appointment is distinct from '00000000-0000-0000-0000-000000000000'
    and (proof = app.proof('guest', tenant, appointment)) is not true then
        raise exception 'no proof of the appointment' using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.set_context(app.context_of(tenant, null, null, appointment, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));
    if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
        raise exception 'unknown organization' using errcode = 'AP404';
    end if;
    perform app.check_way_in(tenant, feature, host);
    perform app.set_context(app.context_of(tenant, null, null, appointment, 'guest'));
end
$$;

alter function app.enter_guest(uuid,uuid,bytea,text,text,text) owner to appointd_gate;
grant execute on function app.enter_guest(uuid,uuid,bytea,text,text,text) to appointd_api;


-- Enters a tenant as the scheduler, with its proof (app.scheduler_proof), or becomes the scheduler for the rest of a
-- transaction that has entered the tenant, without one. Fails with AP401 (another proof) or AP404 (the organization is
-- not active).
create function app.enter_scheduler(tenant uuid, proof bytea, request text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tenant is null then
        raise exception 'a tenant is required' using errcode = 'AP401';
    end if;
    if app.role() is null then
        if (proof = app.proof('scheduler', tenant, tenant)) is not true then
            raise exception 'no proof of the scheduler' using errcode = 'AP401';
        end if;
        perform app.set_context(app.context_of(tenant, null, null, null, null));
        execute format('set local app.request_id = %L', coalesce(request, ''));
        if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
            raise exception 'unknown organization' using errcode = 'AP404';
        end if;
    elsif app.tenant() is distinct from tenant then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- From here on the actor is no person.
    perform app.set_context(app.context_of(tenant, null, null, app.subject(), 'scheduler'));
end
$$;

alter function app.enter_scheduler(uuid,bytea,text) owner to appointd_gate;
grant execute on function app.enter_scheduler(uuid,bytea,text) to appointd_api;


-- Enters a tenant for the rest of the transaction as the worker. Fails with AP404 if the organization is not active.
create function app.enter_worker(tenant uuid)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tenant is null then
        raise exception 'a tenant is required' using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
        raise exception 'no active organization has this id' using errcode = 'AP404';
    end if;
    -- A role that no policy of the server admits: what the worker may do is granted to its own role.
    perform app.set_context(app.context_of(tenant, null, null, null, 'worker'));
end
$$;

alter function app.enter_worker(uuid) owner to appointd_gate;
grant execute on function app.enter_worker(uuid) to appointd_worker;


-- Every row of a tenant and the accounts of its people, with their password hashes, as {relation, row}, in an order in
-- which they can be imported.
create function app.export_tenant(tenant uuid)
returns setof jsonb
language plpgsql
as $$
declare
    tenant_table record;
    reference record;
    people uuid[] := '{}';
    found_people uuid[];
begin
    perform app.set_tenant(tenant);
    for reference in
        select f.conrelid::regclass as relation, t.tenant_column, a.attname
        from pg_catalog.pg_constraint as f
        join app.tenant_tables() as t on t.relation = f.conrelid
        join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
        where f.contype = 'f' and f.confrelid = 'identity.accounts'::regclass
    loop
        execute format(
            'select array_agg(distinct %I) from %s where %I = $1 and %I is not null',
            reference.attname, reference.relation, reference.tenant_column, reference.attname
        )
        into found_people
        using tenant;
        people := people || coalesce(found_people, '{}');
    end loop;
    return query
    select jsonb_build_object('relation', 'identity.accounts', 'row', to_jsonb(a))
    from identity.accounts as a
    where a.id = any (people)
    order by a.id;

    for tenant_table in select * from app.tenant_tables() loop
        return query execute format(
            'select jsonb_build_object(''relation'', %L, ''row'', to_jsonb(t)) from %s as t where t.%I = $1',
            tenant_table.relation, tenant_table.relation, tenant_table.tenant_column
        )
        using tenant;
    end loop;
end
$$;


-- The proof for app.enter_guest: for what a guest is about to make, and for the link to it.
create function app.guest_proof(tenant uuid, appointment uuid)
returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return app.proof('guest', tenant, appointment);
end
$$;

alter function app.guest_proof(uuid,uuid) owner to appointd_gate;
grant execute on function app.guest_proof(uuid,uuid) to appointd_door;


-- Whether the organization in the context has a feature: its plan includes it, and it was not switched off.
create function app.has_feature(tenant uuid, feature text)
returns boolean
language plpgsql stable
as $$
begin
    return exists (
        select
        from tenancy.subscriptions as s
        join tenancy.plan_features as f on f.plan_type = s.plan_type
        where
            s.tenant_id = tenant
            and f.feature = has_feature.feature
            and not has_feature.feature = any (s.disabled_features)
    );
end
$$;

grant execute on function app.has_feature(uuid,text) to appointd_api;
grant execute on function app.has_feature(uuid,text) to appointd_gate;


-- Imports rows of one table from app.export_tenant, which all have the same columns; returns how many. The floor
-- refuses a row of any other tenant.
create function app.import_rows(tenant uuid, wanted text, lines jsonb)
returns bigint
language plpgsql
as $$
declare
    target constant regclass := app.target_table(wanted);
    columns constant text := app.columns_of(target, lines -> 0);
    imported bigint;
    elsewhere text;
begin
    perform app.set_tenant(tenant);
    -- An imported tenant brings its own log; see operations.record_change.
    set local app.restoring = 'on';
    if columns is null then
        raise exception 'a row of % without any column of it', target;
    end if;
    if target = 'identity.accounts'::regclass then
        select a.email into elsewhere
        from jsonb_to_recordset(lines) as l (id uuid, email text)
        join identity.accounts as a on a.email = l.email and a.id <> l.id
        limit 1;
        if elsewhere is not null then
            raise exception '% has another account here', elsewhere;
        end if;
    end if;
    execute format(
        'insert into %s (%s) select %s from jsonb_populate_recordset(null::%s, $1) %s',
        target, columns, columns, target,
        -- The account may exist already, as a member of another organization.
        case when target = 'identity.accounts'::regclass then 'on conflict (id) do nothing' end
    )
    using lines;
    get diagnostics imported = row_count;
    return imported;
end
$$;


-- Trigger, before an update that sets columns beside updated_at: keeps updated_at if no column gets another value.
-- Argument: the generated columns of the table.
create function app.keep_updated_at()
returns trigger
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


-- The key of an advisory lock inside a tenant. what: the id of a resource or service, or a name of what is counted.
create function app.lock_key(tenant uuid, what text)
returns bigint
language sql immutable parallel safe
return hashtextextended(((tenant)::text || what), (0)::bigint);

grant execute on function app.lock_key(uuid,text) to appointd_api;
grant execute on function app.lock_key(uuid,text) to appointd_gate;


-- The lower of two roles. Null if either is null or unknown.
create function app.lower_role(one text, other text)
returns text
language sql stable parallel safe
return case
    when (one = any (app.roles_up_to(other))) then one
    when (other = any (app.roles_up_to(one))) then other
    else null::text
end;

grant execute on function app.lower_role(text,text) to appointd_api;
grant execute on function app.lower_role(text,text) to appointd_gate;


-- Whether the actor in the context may send invitations and make API keys: an account with a verified e-mail address,
-- or an API key (only such an account could make it).
create function app.may_hand_out()
returns boolean
language plpgsql stable
as $$
begin
    return app.account() is null
        or exists (
            select
            from identity.accounts as a
            where a.id = app.account() and a.email_verified_at is not null
        );
end
$$;

grant execute on function app.may_hand_out() to appointd_api;


-- Lets an audience (guest, customer, scheduler, or several separated by commas) run one command on the rows of the
-- tenant that meet a condition.
create procedure app.open_to(
    in relation regclass, in audience text, in command text, in condition text default null::text
)
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


-- For an answer: a feature that the organization in the context lacks, followed by the plans that include it; no plan
-- if the feature was switched off.
create function app.plans_with(tenant uuid, feature text)
returns text
language plpgsql stable
as $$
begin
    return concat_ws(' ', feature, (
        select string_agg(f.plan_type, ' ' order by p.position)
        from tenancy.plan_features as f
        join tenancy.plans as p on p.plan_type = f.plan_type
        where
            f.feature = plans_with.feature
            and not exists (
                select
                from tenancy.subscriptions as s
                where s.tenant_id = tenant and plans_with.feature = any (s.disabled_features)
            )
    ));
end
$$;

grant execute on function app.plans_with(uuid,text) to appointd_gate;


-- HMAC-SHA256, of which the first 128 bits are used, over a purpose, an organization and what the proof is about; null
-- if one of them is null. For functions of the gate.
create function app.proof(purpose text, tenant uuid, subject uuid)
returns bytea
language plpgsql stable
as $$
begin
    return (
        select substr(
            sha256(
                k.outer_pad
                || sha256(
                    k.inner_pad || sha256(convert_to(purpose, 'UTF8')) || uuid_send(tenant) || uuid_send(subject)
                )
            ),
            1, 16
        )
        from app.proof_key as k
    );
end
$$;

alter function app.proof(text,uuid,uuid) owner to appointd_gate;


-- Fails with AP407 if SQL has prepared a statement in this session: it may stand for one that the server prepared, and
-- would run in the transaction of the next caller.
create function app.refuse_leftovers()
returns void
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

grant execute on function app.refuse_leftovers() to appointd_api;
grant execute on function app.refuse_leftovers() to appointd_door;
grant execute on function app.refuse_leftovers() to appointd_worker;


-- Closes a table to the server while the plan of the organization lacks a feature, or the organization has switched it
-- off. The rows are kept. Asked once for each statement.
create procedure app.require_feature(in relation regclass, in feature text)
language plpgsql
as $$
begin
    execute format(
        'create policy plan_feature on %s as restrictive for all to appointd_api '
        'using ((select app.has_feature('
        '(select app.tenant()), %L'
        ')))',
        relation, feature
    );
end
$$;


-- The role in the organization: that of the member or the key, or guest, scheduler or worker. Null before a tenant is
-- entered.
create function app.role()
returns text
language sql stable parallel safe
return nullif(split_part(app.context(), ',', 5), '');

grant execute on function app.role() to appointd_api;
grant execute on function app.role() to appointd_gate;
grant execute on function app.role() to appointd_worker;


-- The member roles that rank at least as high as the given one: viewer < staff < manager < admin < owner; customer
-- stands apart. Null for an unknown role.
create function app.roles_from(lowest text)
returns text[]
language sql immutable parallel safe
return case
    lowest
    when 'customer' then array['customer']
    when 'viewer' then array['viewer', 'staff', 'manager', 'admin', 'owner']
    when 'staff' then array['staff', 'manager', 'admin', 'owner']
    when 'manager' then array['manager', 'admin', 'owner']
    when 'admin' then array['admin', 'owner']
    when 'owner' then array['owner']
    else null::text[]
end;

grant execute on function app.roles_from(text) to appointd_api;
grant execute on function app.roles_from(text) to appointd_gate;


-- The roles that rank at most as high as the given one: those its holder may give and take away. Null for an unknown
-- role.
create function app.roles_up_to(highest text)
returns text[]
language sql stable parallel safe
return case
    highest
    when 'customer' then array['customer']
    when 'viewer' then array['customer', 'viewer']
    when 'staff' then array['customer', 'viewer', 'staff']
    when 'manager' then array['customer', 'viewer', 'staff', 'manager']
    when 'admin' then array['customer', 'viewer', 'staff', 'manager', 'admin']
    when 'owner' then array['customer', 'viewer', 'staff', 'manager', 'admin', 'owner']
    else null::text[]
end;

grant execute on function app.roles_up_to(text) to appointd_api;
grant execute on function app.roles_up_to(text) to appointd_gate;


-- The proof for app.enter_scheduler: for the worker, which has the scheduler work in an organization.
create function app.scheduler_proof(tenant uuid)
returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return app.proof('scheduler', tenant, tenant);
end
$$;

alter function app.scheduler_proof(uuid) owner to appointd_gate;
grant execute on function app.scheduler_proof(uuid) to appointd_worker;


-- Replaces the account of the context.
create function app.set_account(account uuid)
returns text
language sql
return app.set_context(app.context_of(app.tenant(), account, app.api_key(), app.subject(), app.role()));

grant execute on function app.set_account(uuid) to appointd_gate;


-- Sets the context until the transaction ends, and returns it. Only for roles that may set the parameter: the gate and
-- the owner.
create function app.set_context(context text)
returns text
language sql
return set_config('backtrace_functions', context, true);

grant execute on function app.set_context(text) to appointd_gate;


-- Replaces the tenant of the context.
create function app.set_tenant(tenant uuid)
returns text
language sql
return app.set_context(app.context_of(tenant, app.account(), app.api_key(), app.subject(), app.role()));

grant execute on function app.set_tenant(uuid) to appointd_gate;


-- Suspends a tenant or makes it active again; false if it does not exist or its owner has deleted it.
create function app.set_tenant_status(tenant uuid, wanted text)
returns boolean
language plpgsql
as $$
begin
    perform app.set_tenant(tenant);
    update tenancy.organizations set status = wanted, updated_at = now() where id = tenant and status <> 'deleted';
    return found;
end
$$;


-- Fails if the transaction has entered a tenant. First statement of functions of the gate that enter one themselves.
create function app.stay_outside()
returns void
language plpgsql stable
as $$
begin
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant' using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

grant execute on function app.stay_outside() to appointd_gate;


-- The one hold, waitlist entry or appointment that a guest or a customer makes or changes; null: none.
create function app.subject()
returns uuid
language sql stable parallel safe
return (nullif(split_part(app.context(), ',', 4), ''))::uuid;

grant execute on function app.subject() to appointd_api;
grant execute on function app.subject() to appointd_gate;
grant execute on function app.subject() to appointd_worker;


-- The table with this name, if it has rows of tenants or accounts; fails otherwise.
create function app.target_table(wanted text)
returns regclass
language plpgsql stable
as $$
declare
    target constant regclass := to_regclass(wanted);
begin
    if target is null
    or (
        target <> 'identity.accounts'::regclass
        and not exists (select from app.tenant_tables() as t where t.relation = target)
    ) then
        raise exception 'table % does not exist; nothing can be imported into it', wanted;
    end if;
    return target;
end
$$;


-- The organization that the transaction has entered; null: none.
create function app.tenant()
returns uuid
language sql stable parallel safe
return (nullif(split_part(app.context(), ',', 1), ''))::uuid;

grant execute on function app.tenant() to appointd_api;
grant execute on function app.tenant() to appointd_gate;
grant execute on function app.tenant() to appointd_worker;


-- Every table with rows of tenants and its tenant column, referenced tables before those that refer to them.
create function app.tenant_tables()
returns table(relation regclass, tenant_column name)
language plpgsql stable
as $$
begin
    return query
    with recursive tables as (
        select
            c.oid,
            coalesce(
                (
                    select a.attname
                    from pg_catalog.pg_attribute as a
                    where a.attrelid = c.oid and a.attname = 'tenant_id'
                ),
                -- Global tables with rows of an organization, and the organizations themselves.
                (
                    select a.attname
                    from pg_catalog.pg_constraint as f
                    join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
                    where f.conrelid = c.oid and f.contype = 'f' and f.confrelid = 'tenancy.organizations'::regclass
                ),
                case when c.oid = 'tenancy.organizations'::regclass then 'id' end
            ) as tenant_column
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'
    ),
    depths as (
        select t.oid, 0 as depth
        from tables as t
        where t.tenant_column is not null
        union all
        select f.conrelid, d.depth + 1
        from depths as d
        join pg_catalog.pg_constraint as f on f.confrelid = d.oid and f.contype = 'f' and f.conrelid <> f.confrelid
    )
    select t.oid::regclass, t.tenant_column
    from tables as t
    join depths as d on d.oid = t.oid
    where t.tenant_column is not null
    group by t.oid, t.tenant_column
    order by t.oid <> 'tenancy.organizations'::regclass, max(d.depth), t.oid::regclass::text;
end
$$;


-- Trigger, before a change that does not set updated_at itself, such as one by the gate or by a foreign key: sets it.
create function app.touch()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.updated_at := now();
    return new;
end
$$;


-- Trigger, before a row is written that leads data or visitors of an organization elsewhere: fails for an account whose
-- e-mail address is not verified. What it set up would stay when the owner of the address takes it over.
create function app.verified_only()
returns trigger
language plpgsql
as $$
begin
    if not app.may_hand_out() then
        raise exception 'the e-mail address of the account is not verified'
            using errcode = 'check_violation', constraint = 'verified_only';
    end if;
    return new;
end
$$;
