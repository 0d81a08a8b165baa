-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Running the system: the audit log, idempotency keys, deletions.
create schema operations authorization appointd_owner;

grant usage on schema operations to appointd_api;
grant usage on schema operations to appointd_auditor;
grant usage on schema operations to appointd_gate;
grant usage on schema operations to appointd_worker;


-- Who changed what, when. Append-only for every role except the owner of the database, which drops months
-- (operations.drop_audit_before) and deletes, exports and imports whole tenants. No foreign key: the log outlives the
-- rows it is about.
create table operations.audit_events (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- When.
    occurred_at timestamptz not null default clock_timestamp(),
    -- Makes the order total.
    id uuid not null default gen_random_uuid(),
    -- The account or API key that made the change; null: the system.
    actor_id uuid default coalesce(app.account(), app.api_key()),
    -- account, api_key or system.
    actor_kind text not null,
    -- The role that connected to PostgreSQL. Other than appointd_api: the operator, or a session that bypassed the
    -- server.
    database_role text not null default session_user,
    -- X-Request-Id of the request.
    request_id text default nullif(current_setting('app.request_id', true), ''),
    -- insert, update or delete.
    action text not null,
    -- The table, with its schema.
    relation text not null,
    -- The id of the row; for a member, the account; for a row without an id of its own, that of the row it belongs to,
    -- or of the organization.
    row_id uuid,
    -- The row before the change; for an update, only the columns that changed. Without secrets.
    before jsonb,
    -- The row after the change; for an update, only the columns that changed. Without secrets.
    after jsonb,
    constraint audit_events_pkey primary key (tenant_id, occurred_at, id),
    constraint audit_events_action check (action = any (array['insert', 'update', 'delete'])),
    constraint audit_events_actor_kind check (actor_kind = any (array['account', 'api_key', 'system']))
) partition by range (occurred_at);

create index audit_events_actor_idx on only operations.audit_events using btree (
    tenant_id, actor_id, occurred_at desc, id desc
);
create index audit_events_row_idx on only operations.audit_events using btree (
    tenant_id, row_id, occurred_at desc, id desc
);

alter table operations.audit_events enable row level security, force row level security;

create policy tenant_floor on operations.audit_events as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_select on operations.audit_events as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_insert on operations.audit_events as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy owner_all on operations.audit_events as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select on operations.audit_events to appointd_api;
grant insert (
    occurred_at, id, actor_kind, action, relation, row_id, before, after
) on operations.audit_events to appointd_gate;


-- Deleted rows of the tables that programs copy. A trigger writes it with the deletion. A member who joins again is
-- removed from it.
create table operations.deletions (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Kind of the deleted row, as the trigger of its table names it: contact, service, ….
    kind text not null,
    -- Id of the deleted row; for a member, the account.
    row_id uuid not null,
    -- Start of the transaction that deleted it, as updated_at of changed rows.
    deleted_at timestamptz not null default now(),
    constraint deletions_pkey primary key (tenant_id, kind, row_id),
    constraint deletions_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint deletions_kind check (kind ~ '^[a-z_]{1,40}$')
);

create index deletions_time_idx on operations.deletions using btree (tenant_id, deleted_at, row_id);

alter table operations.deletions enable row level security, force row level security;

create policy tenant_floor on operations.deletions as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_delete on operations.deletions as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_insert on operations.deletions as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on operations.deletions as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on operations.deletions as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on operations.deletions as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on operations.deletions as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on operations.deletions to appointd_api;
grant select, delete on operations.deletions to appointd_gate;
grant insert (kind, row_id, deleted_at) on operations.deletions to appointd_gate;
grant update (deleted_at) on operations.deletions to appointd_gate;


-- Answers to requests with an Idempotency-Key, kept for 24 hours. Written in the transaction of the request, so a
-- refused request leaves no row.
create table operations.idempotency_keys (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The account or API key that sent the request; for a guest, the organization. Filled from the context.
    actor_id uuid not null default coalesce(app.account(), app.api_key(), app.tenant()),
    -- The operationId.
    operation text not null,
    -- As the client sent it, 1 to 255 characters. For a guest: SHA-256 of the key and of the request, in hexadecimal
    -- digits.
    key text not null,
    -- SHA-256 of the body: another body with the same key is refused.
    request_hash bytea not null,
    -- The answer.
    response jsonb,
    -- Time of the first request.
    asked_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (tenant_id, actor_id, operation, key),
    constraint idempotency_keys_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint idempotency_keys_key_length check (length(key) >= 1 and length(key) <= 255),
    constraint idempotency_keys_request_hash_length check (length(request_hash) = 32)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index idempotency_keys_time_idx on operations.idempotency_keys using btree (tenant_id, asked_at);

alter table operations.idempotency_keys enable row level security, force row level security;

create policy tenant_floor on operations.idempotency_keys as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_insert on operations.idempotency_keys as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and actor_id = (select app.account())
    );
create policy customer_select on operations.idempotency_keys as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and actor_id = (select app.account())
    );
create policy customer_update on operations.idempotency_keys as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and actor_id = (select app.account())
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and actor_id = (select app.account())
    );
create policy guest_insert on operations.idempotency_keys as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and actor_id = tenant_id);
create policy guest_select on operations.idempotency_keys as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and actor_id = tenant_id);
create policy guest_update on operations.idempotency_keys as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and actor_id = tenant_id)
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and actor_id = tenant_id);
create policy owner_all on operations.idempotency_keys as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on operations.idempotency_keys as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on operations.idempotency_keys as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_select on operations.idempotency_keys as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on operations.idempotency_keys as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy worker_delete on operations.idempotency_keys as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_select on operations.idempotency_keys as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select, delete on operations.idempotency_keys to appointd_api;
grant insert (operation, key, request_hash) on operations.idempotency_keys to appointd_api;
grant update (request_hash, response, asked_at) on operations.idempotency_keys to appointd_api;
grant delete on operations.idempotency_keys to appointd_worker;
grant select (tenant_id, asked_at) on operations.idempotency_keys to appointd_worker;


-- Writes every change of a tenant table to the audit log. For every table behind the wall except the log itself, what
-- servers count, and the time that appointments take (scheduling.claims and tables that depend on it), which follows
-- from the appointment.
create procedure operations.audit(in relation regclass)
language plpgsql
as $$
begin
    execute format(
        'create trigger record_change after insert or update or delete on %s '
        'for each row execute function operations.record_change()',
        relation
    );
end
$$;


-- Retention: drops the partitions of all months before that of the date, and deletes rows as old from the default
-- partition; returns how many partitions it dropped. For the owner of the database alone.
create function operations.drop_audit_before(month date)
returns integer
language plpgsql
as $$
declare
    partition record;
    dropped integer := 0;
begin
    if date_trunc('month', month) > date_trunc('month', now() at time zone 'UTC') then
        raise exception 'that would drop what is still written to';
    end if;
    -- Rows in no monthly partition. The owner is subject to the wall as well.
    alter table operations.audit_events_default no force row level security;
    delete from operations.audit_events_default
    where occurred_at < date_trunc('month', month::timestamp) at time zone 'UTC';
    alter table operations.audit_events_default force row level security;
    for partition in
        select c.relname
        from pg_catalog.pg_inherits as i
        join pg_catalog.pg_class as c on c.oid = i.inhrelid
        where
            i.inhparent = 'operations.audit_events'::regclass
            and c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$'
            and to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', month)
    loop
        -- This takes an exclusive lock on the log for a moment. If a query reads the log, the owner gives up after
        -- lock_timeout, so that writes behind it do not wait longer. (PostgreSQL cannot detach a partition
        -- concurrently while a default one exists.)
        execute format('drop table operations.%I', partition.relname);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;


-- Creates the missing partitions of this month and of as many more; returns how many it created. Called by `appointd
-- migrate`. Waits for readers of the default partition, at most as long as lock_timeout of the owner.
create function operations.make_audit_partitions(months_ahead integer)
returns integer
language plpgsql
as $$
declare
    month date;
    name text;
    made integer := 0;
begin
    for month in
        select generate_series(
            date_trunc('month', now() at time zone 'UTC'),
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
            interval '1 month'
        )::date
    loop
        name := format('audit_events_%s', to_char(month, 'YYYY_MM'));
        if to_regclass('operations.' || name) is null then
            begin
                -- Created separately and attached. `create table … partition of` takes an exclusive lock on the log:
                -- while a long query reads it (pg_dump), every write of every organization would wait behind that
                -- lock. Attaching locks the new table and the default partition, which is not written to.
                execute format('create table operations.%I (like operations.audit_events including all)', name);
                execute format('alter table operations.%I enable row level security', name);
                execute format('alter table operations.%I force row level security', name);
                execute format(
                    'comment on table operations.%I is %L', name, 'Events of ' || to_char(month, 'YYYY-MM') || ' (UTC).'
                );
                execute format(
                    'alter table operations.audit_events attach partition operations.%I for values from (%L) to (%L)',
                    name,
                    month::timestamp at time zone 'UTC',
                    (month + interval '1 month')::timestamp at time zone 'UTC'
                );
            exception when check_violation then
                -- A month that has events in the default partition stays there.
                continue;
            end;
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;


-- Trigger, after every change of a tenant's row: writes it to the audit log. An update that changes no logged column
-- writes no event.
create function operations.record_change()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Hashes of secrets and challenges are useless to a reader and useful to an attacker; the other columns only say
    -- that the row was used or changed, which the event says, or follow from other columns. A task's place on the board
    -- is not logged: a move may number others as well.
    unsaid constant text[] := array[
        'tenant_id', 'secret_hash', 'token_hash', 'challenge', 'last_used_at', 'updated_at', 'during', 'name_key',
        'last_name_key', 'phone_digits', 'from_bytes', 'to_bytes', 'board_position'
    ];
    entered constant uuid := app.tenant();
    -- Null if the row does not exist: the old one of an insert, the new one of a delete.
    old_whole constant jsonb := to_jsonb(old);
    new_whole constant jsonb := to_jsonb(new);
    whole constant jsonb := coalesce(new_whole, old_whole);
    -- For the organization itself: its id.
    owning constant uuid := coalesce(whole ->> 'tenant_id', whole ->> 'id')::uuid;
    changed_before jsonb;
    changed_after jsonb;
begin
    -- Only the owner, while it imports a tenant that brings its own log.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(n.key, o.value), jsonb_object_agg(n.key, n.value)
        into changed_before, changed_after
        from jsonb_each(new_whole - unsaid) as n
        join jsonb_each(old_whole - unsaid) as o on o.key = n.key
        where n.value is distinct from o.value;
        -- That the secret was replaced is logged; the secret is not.
        if old_whole ->> 'token_hash' is distinct from new_whole ->> 'token_hash' then
            changed_after := coalesce(changed_after, '{}') || '{"token": "replaced"}';
        end if;
        if changed_after is null then
            return null;
        end if;
    else
        changed_before := old_whole - unsaid;
        changed_after := new_whole - unsaid;
    end if;
    -- A superuser changes rows without entering a tenant; such a change must be logged too.
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    insert into operations.audit_events (actor_kind, action, relation, row_id, before, after)
    values (
        case
            when app.account() is not null then 'account'
            when app.api_key() is not null then 'api_key'
            else 'system'
        end,
        lower(tg_op),
        format('%s.%s', tg_table_schema, tg_table_name),
        coalesce(
            whole ->> 'id', whole ->> 'task_id', whole ->> 'appointment_id', whole ->> 'account_id',
            whole ->> 'provider_id', owning::text
        )::uuid,
        changed_before,
        changed_after
    );
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
    return null;
end
$$;

alter function operations.record_change() owner to appointd_gate;
grant execute on function operations.record_change() to appointd_owner;


-- Trigger: after a deletion, stores the id of the row; after an insert of the same row, deletes it.
create function operations.record_deletion()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The trigger says what kind its table holds.
    what constant text := tg_argv[0];
    whole constant jsonb := to_jsonb(case when tg_op = 'INSERT' then new else old end);
    gone constant uuid := coalesce(whole ->> 'id', whole ->> 'account_id');
    owning constant uuid := (whole ->> 'tenant_id')::uuid;
    entered constant uuid := app.tenant();
begin
    -- The owner alone, and while it restores a tenant or deletes one.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    if tg_op = 'INSERT' then
        delete from operations.deletions as d
        where d.tenant_id = owning and d.kind = what and d.row_id = gone;
    else
        insert into operations.deletions (kind, row_id)
        values (what, gone)
        on conflict (tenant_id, kind, row_id) do update set deleted_at = excluded.deleted_at;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
    return null;
end
$$;

alter function operations.record_deletion() owner to appointd_gate;
grant execute on function operations.record_deletion() to appointd_owner;
