-- The audit log: every change of every tenant's rows, written by a trigger in the transaction that makes the change.
-- The server may read it and has no right to insert, update or delete; what the trigger writes it writes as
-- appointd_gate. A trigger rather than a statement beside each change, because a role that may insert an event may
-- forge one. (On a Citus cluster: set citus.enable_unsafe_triggers; the log is co-located with the rows it is about.)
--
-- It refers to no other table, and comes first so that each table of a tenant can call operations.audit where it is
-- made.

create table operations.audit_events (
    tenant_id uuid not null default app.tenant(),
    occurred_at timestamptz not null default clock_timestamp(),
    id uuid not null default gen_random_uuid(),
    actor_id uuid default coalesce(app.account(), app.api_key()),
    actor_kind text not null,
    database_role text not null default session_user,
    request_id text default nullif(current_setting('app.request_id', true), ''),
    action text not null,
    relation text not null,
    row_id uuid,
    before jsonb,
    after jsonb,
    constraint audit_events_pkey primary key (tenant_id, occurred_at, id),
    constraint audit_events_actor_kind check (actor_kind in ('account', 'api_key', 'system')),
    constraint audit_events_action check (action in ('insert', 'update', 'delete'))
) partition by range (occurred_at);

comment on table operations.audit_events is
    'Who changed what, when. Append-only for every role except the owner of the database, which drops months '
    '(operations.drop_audit_before) and deletes, exports and imports whole tenants. No foreign key: the log outlives '
    'the rows it is about.';
comment on column operations.audit_events.occurred_at is 'When.';
comment on column operations.audit_events.id is 'Makes the order total.';
comment on column operations.audit_events.actor_id is 'The account or API key that made the change; null: the system.';
comment on column operations.audit_events.actor_kind is 'account, api_key or system.';
comment on column operations.audit_events.database_role is
    'The role that connected to PostgreSQL. Other than appointd_api: the operator, or a session that bypassed the '
    'server.';
comment on column operations.audit_events.request_id is 'X-Request-Id of the request.';
comment on column operations.audit_events.action is 'insert, update or delete.';
comment on column operations.audit_events.relation is 'The table, with its schema.';
comment on column operations.audit_events.row_id is
    'The id of the row; for a member, the account; for a row without an id of its own, that of the row it belongs to, '
    'or of the organization.';
comment on column operations.audit_events.before is
    'The row before the change; for an update, only the columns that changed. Without secrets.';
comment on column operations.audit_events.after is
    'The row after the change; for an update, only the columns that changed. Without secrets.';

create index audit_events_actor_idx on operations.audit_events (tenant_id, actor_id, occurred_at desc, id desc);
create index audit_events_row_idx on operations.audit_events (tenant_id, row_id, occurred_at desc, id desc);

call app.build_wall('operations.audit_events', reads => 'admin');
call app.admit('operations.audit_events', 'appointd_gate', array['insert']);
call app.admit('operations.audit_events', 'appointd_owner', array['all']);

grant select on operations.audit_events to appointd_api;
grant insert (occurred_at, id, actor_kind, action, relation, row_id, before, after)
on operations.audit_events to appointd_gate;


-- Takes events of a month that has no partition, so that none is lost.
create table operations.audit_events_default partition of operations.audit_events default;
comment on table operations.audit_events_default is
    'Events of months without a partition; `appointd migrate` creates partitions.';

-- No role reaches a partition except through its parent; the partition's own wall is for roles that own it.
alter table operations.audit_events_default enable row level security;
alter table operations.audit_events_default force row level security;

create function operations.make_audit_partitions(months_ahead integer) returns integer
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

comment on function operations.make_audit_partitions(integer) is
    'Creates the missing partitions of this month and of as many more; returns how many it created. Called by '
    '`appointd migrate`. Waits for readers of the default partition, at most as long as lock_timeout of the owner.';

create function operations.drop_audit_before(month date) returns integer
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

comment on function operations.drop_audit_before(date) is
    'Retention: drops the partitions of all months before that of the date, and deletes rows as old from the default '
    'partition; returns how many partitions it dropped. For the owner of the database alone.';

create function operations.record_change() returns trigger
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

comment on function operations.record_change() is
    'Trigger, after every change of a tenant''s row: writes it to the audit log. An update that changes no logged '
    'column writes no event.';

grant create on schema operations to appointd_gate;
alter function operations.record_change() owner to appointd_gate;
revoke create on schema operations from appointd_gate;
-- The role that makes a trigger must be allowed to call its function.
set local role appointd_gate;
grant execute on function operations.record_change() to appointd_owner;
reset role;

create procedure operations.audit(relation regclass)
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

comment on procedure operations.audit(regclass) is
    'Writes every change of a tenant table to the audit log. For every table behind the wall except the log itself, '
    'what servers count, and the time that appointments take (scheduling.claims and tables that depend on it), which '
    'follows from the appointment.';

revoke execute on procedure operations.audit(regclass) from public;

select operations.make_audit_partitions(3);
