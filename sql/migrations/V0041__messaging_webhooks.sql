-- Webhooks: events are sent to endpoints of an organization (Standard Webhooks 1.0). The publisher adds a delivery for
-- each endpoint that wants an event, in the transaction that publishes it. One job for each endpoint sends what is due,
-- one delivery after the other, so that a slow endpoint delays no other and events come in their order.
--
-- No secret is stored: it follows from a key of the server (key_id), the organization, the endpoint and a number.

create table messaging.webhook_endpoints (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    url text not null,
    description text,
    types text[] not null default '{}',
    payload text not null default 'full',
    enabled boolean not null default true,
    disabled_reason text,
    disabled_at timestamptz,
    failing_since timestamptz,
    generation integer not null default 1,
    key_id text not null,
    previous_key_id text,
    previous_valid_until timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    updated_at timestamptz not null default now(),
    constraint webhook_endpoints_pkey primary key (tenant_id, id),
    constraint webhook_endpoints_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint webhook_endpoints_url_length check (length(url) between 1 and 2000),
    constraint webhook_endpoints_description_length check (length(description) between 1 and 500),
    constraint webhook_endpoints_types check (cardinality(types) <= 50),
    constraint webhook_endpoints_payload check (payload in ('full', 'ids')),
    constraint webhook_endpoints_disabled_reason check (
        disabled_reason in ('admin', 'gone', 'failing', 'maker')
    ),
    constraint webhook_endpoints_enabled check (
        enabled = (disabled_reason is null) and enabled = (disabled_at is null)
    ),
    constraint webhook_endpoints_generation check (generation >= 1),
    constraint webhook_endpoints_previous check ((previous_key_id is null) = (previous_valid_until is null))
);

comment on table messaging.webhook_endpoints is 'Where events of the organization are sent.';
comment on column messaging.webhook_endpoints.id is 'UUIDv7, made by the server.';
comment on column messaging.webhook_endpoints.url is 'The URL that gets a POST for each event.';
comment on column messaging.webhook_endpoints.description is 'What it is for, for people; null: not said.';
comment on column messaging.webhook_endpoints.types is
    'The types of events that it wants: appointment.created, or appointment.* for all of a kind. Empty: all.';
comment on column messaging.webhook_endpoints.payload is
    'full, or ids: bodies contain no names, texts or addresses of people.';
comment on column messaging.webhook_endpoints.enabled is 'Whether events are sent.';
comment on column messaging.webhook_endpoints.disabled_reason is
    'admin (a member disabled it), gone (it answered 410), failing (for five days), or maker (its maker may no longer '
    'make endpoints). Null: it is enabled.';
comment on column messaging.webhook_endpoints.disabled_at is 'When it was disabled; null: it is enabled.';
comment on column messaging.webhook_endpoints.failing_since is
    'When the first of the attempts failed that have all failed since; null: the last one succeeded.';
comment on column messaging.webhook_endpoints.generation is
    'Number of its secret, from 1. The secret follows from it, and is not stored.';
comment on column messaging.webhook_endpoints.key_id is 'Which key of the server the secret follows from.';
comment on column messaging.webhook_endpoints.previous_key_id is
    'Which key the previous secret follows from, while it is valid beside the new one; null: none is.';
comment on column messaging.webhook_endpoints.previous_valid_until is
    'Until when requests are signed with the previous secret too; null: they are not.';
comment on column messaging.webhook_endpoints.created_at is 'When it was created.';
comment on column messaging.webhook_endpoints.created_by is
    'Its maker: the account or API key that created it, or that last enabled it or changed where and what it sends.';
comment on column messaging.webhook_endpoints.updated_at is 'When it was last changed.';

create index webhook_endpoints_updated_idx on messaging.webhook_endpoints (tenant_id, updated_at);
create index webhook_endpoints_created_by_idx on messaging.webhook_endpoints (tenant_id, created_by);

call app.build_wall(
    'messaging.webhook_endpoints', reads => 'admin', inserts => 'admin', updates => 'admin', deletes => 'admin'
);
call app.admit('messaging.webhook_endpoints', 'appointd_worker', array['select', 'update']);
call app.admit('messaging.webhook_endpoints', 'appointd_owner', array['all']);
call operations.audit('messaging.webhook_endpoints');
call app.date_changes('messaging.webhook_endpoints');

grant
    select,
    insert (id, url, description, types, payload, key_id),
    update (
        url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since, generation, key_id,
        previous_key_id, previous_valid_until, updated_at
    ),
    delete
on messaging.webhook_endpoints to appointd_api;
grant
    select,
    update (enabled, disabled_reason, disabled_at, failing_since, updated_at)
on messaging.webhook_endpoints to appointd_worker;



create table messaging.webhook_deliveries (
    tenant_id uuid not null default app.tenant(),
    id uuid not null default gen_random_uuid(),
    endpoint_id uuid not null,
    event_id uuid not null,
    event_position bigint,
    type text not null,
    state text not null default 'pending',
    step smallint not null default 0,
    attempts smallint not null default 0,
    next_at timestamptz default now(),
    delivered_at timestamptz,
    created_at timestamptz not null default now(),
    constraint webhook_deliveries_pkey primary key (tenant_id, id),
    constraint webhook_deliveries_event_key unique (tenant_id, endpoint_id, event_id),
    constraint webhook_deliveries_endpoint_fkey foreign key (tenant_id, endpoint_id)
    references messaging.webhook_endpoints (tenant_id, id) on delete cascade,
    constraint webhook_deliveries_state check (state in ('pending', 'delivered', 'failed', 'cancelled')),
    constraint webhook_deliveries_pending check (state <> 'pending' or next_at is not null),
    constraint webhook_deliveries_delivered check ((state = 'delivered') = (delivered_at is not null)),
    constraint webhook_deliveries_counts check (step >= 0 and attempts >= 0)
)
with (fillfactor = 80);

comment on table messaging.webhook_deliveries is 'An event on its way to an endpoint. Kept for 30 days.';
comment on column messaging.webhook_deliveries.id is 'Random, made by the database.';
comment on column messaging.webhook_deliveries.endpoint_id is 'The endpoint.';
comment on column messaging.webhook_deliveries.event_id is
    'The id of the event, which is the webhook-id of all its requests.';
comment on column messaging.webhook_deliveries.event_position is
    'The position of the event, of whose row the body is made; null: a test, which is no event.';
comment on column messaging.webhook_deliveries.type is 'The type of the event.';
comment on column messaging.webhook_deliveries.state is
    'pending, delivered (2xx), failed (the last attempt failed), or cancelled (the endpoint was disabled).';
comment on column messaging.webhook_deliveries.step is
    'Number of attempts that failed since it was added or retried: the next pause follows from it.';
comment on column messaging.webhook_deliveries.attempts is 'Number of all attempts.';
comment on column messaging.webhook_deliveries.next_at is 'When the next attempt is due; null: none is.';
comment on column messaging.webhook_deliveries.delivered_at is 'When it was first delivered; null: it was not.';
comment on column messaging.webhook_deliveries.created_at is 'When it was added.';

create index webhook_deliveries_due_idx on messaging.webhook_deliveries (
    tenant_id, endpoint_id, next_at, event_position
) where next_at is not null;
create index webhook_deliveries_created_idx on messaging.webhook_deliveries (tenant_id, created_at, id);

call app.build_wall('messaging.webhook_deliveries', reads => 'admin', inserts => 'admin', updates => 'admin');
call app.admit('messaging.webhook_deliveries', 'appointd_worker', array['select', 'insert', 'update', 'delete']);
call app.admit('messaging.webhook_deliveries', 'appointd_owner', array['all']);

grant
    select,
    insert (endpoint_id, event_id, event_position, type),
    update (state, step, next_at)
on messaging.webhook_deliveries to appointd_api;
grant
    select,
    insert (endpoint_id, event_id, event_position, type),
    update (state, step, attempts, next_at, delivered_at),
    delete
on messaging.webhook_deliveries to appointd_worker;


create table messaging.webhook_attempts (
    tenant_id uuid not null default app.tenant(),
    delivery_id uuid not null,
    number smallint not null,
    attempted_at timestamptz not null default now(),
    status smallint,
    error text,
    duration_ms integer not null,
    response text,
    constraint webhook_attempts_pkey primary key (tenant_id, delivery_id, number),
    constraint webhook_attempts_delivery_fkey foreign key (tenant_id, delivery_id)
    references messaging.webhook_deliveries (tenant_id, id) on delete cascade,
    constraint webhook_attempts_number check (number >= 1),
    constraint webhook_attempts_error_length check (length(error) between 1 and 50),
    constraint webhook_attempts_response_length check (length(response) <= 1024)
);

comment on table messaging.webhook_attempts is 'The requests of a delivery, and what was answered. Append-only.';
comment on column messaging.webhook_attempts.delivery_id is 'The delivery.';
comment on column messaging.webhook_attempts.number is 'Number of the attempt, from 1.';
comment on column messaging.webhook_attempts.attempted_at is 'When it ended.';
comment on column messaging.webhook_attempts.status is 'The HTTP status; null: no answer.';
comment on column messaging.webhook_attempts.error is 'Why it failed, as a code; null: it did not.';
comment on column messaging.webhook_attempts.duration_ms is 'How long it took.';
comment on column messaging.webhook_attempts.response is 'The beginning of the answer; null: it had no body.';

call app.build_wall('messaging.webhook_attempts', reads => 'admin');
call app.admit('messaging.webhook_attempts', 'appointd_worker', array['select', 'insert']);
call app.admit('messaging.webhook_attempts', 'appointd_owner', array['all']);

grant select on messaging.webhook_attempts to appointd_api;
grant
    select,
    insert (delivery_id, number, status, error, duration_ms, response)
on messaging.webhook_attempts to appointd_worker;

-- Functions of the gate -----------------------------------------------------------------------------------------------

-- It adds and wakes the job of an endpoint, for every role that makes a delivery due; and disables endpoints with their
-- maker.
call app.admit('messaging.webhook_endpoints', 'appointd_gate', array['select', 'update']);
call app.admit('messaging.webhook_deliveries', 'appointd_gate', array['select', 'update']);
call app.admit('messaging.jobs', 'appointd_gate', array['insert', 'update']);
grant
    select (tenant_id, id, enabled, failing_since, created_by),
    update (enabled, disabled_reason, disabled_at, updated_at)
on messaging.webhook_endpoints to appointd_gate;
grant select (tenant_id, endpoint_id, state, next_at), update (state, next_at)
on messaging.webhook_deliveries to appointd_gate;
grant
    select (key),
    insert (kind, lane, key, payload, max_attempts),
    update (state, run_at, updated_at)
on messaging.jobs to appointd_gate;

grant create on schema messaging, tenancy to appointd_gate;
set local role appointd_gate;

create function messaging.wake_endpoint() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    owning constant uuid := new.tenant_id;
    entered constant uuid := app.tenant();
    due timestamptz := now();
begin
    -- Only the owner, while it imports or deletes a tenant.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    -- An endpoint that fails rests while events come; only a request does not wait. The bounds are those of the
    -- handler.
    if session_user = 'appointd_worker' then
        select now() + least(greatest((now() - w.failing_since) / 10, interval '5 s'), interval '300 s')
        into due
        from messaging.webhook_endpoints as w
        where w.tenant_id = new.tenant_id and w.id = new.endpoint_id and w.failing_since is not null;
        due := coalesce(due, now());
    end if;
    -- The row of the job is locked in any case: it does not end before this transaction, and then sees the delivery.
    insert into messaging.jobs as j (kind, lane, key, payload, max_attempts)
    values (
        'messaging.deliver', 'live', new.endpoint_id::text, jsonb_build_object('endpoint_id', new.endpoint_id), 100
    )
    on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do update
    set
        state = case when due > now() then j.state else 'ready' end,
        run_at = least(j.run_at, due),
        updated_at = now()
    where j.state = 'scheduled';
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
    return null;
end
$$;

comment on function messaging.wake_endpoint() is
    'Trigger, after a delivery became due: adds the job that sends what is due to its endpoint, or wakes it. One whose '
    'endpoint fails rests: an event does not wake it.';

create function messaging.record_endpoint_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array[
        'tenant_id', 'failing_since', 'generation', 'key_id', 'previous_key_id', 'previous_valid_until'
    ];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
begin
    if tg_op = 'UPDATE' and was - 'updated_at' = becomes - 'updated_at' then
        return null;
    end if;
    perform messaging.emit(
        'webhook_endpoint.' || case
            when tg_op = 'INSERT' then 'created'
            when tg_op = 'DELETE' then 'deleted'
            when old.enabled and not new.enabled then 'disabled'
            else 'updated'
        end,
        'admin', coalesce(new.tenant_id, old.tenant_id), coalesce(new.id, old.id), coalesce(becomes, was),
        case when tg_op = 'UPDATE' then messaging.changes(was, becomes) end
    );
    return null;
end
$$;

comment on function messaging.record_endpoint_event() is
    'Trigger, after an endpoint was created, changed or deleted: writes the event webhook_endpoint.created, updated, '
    'disabled or deleted. Whether it is failing, and its secret, are left out.';

create function messaging.plan_has(feature text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return app.has_feature(app.tenant(), feature);
end
$$;

comment on function messaging.plan_has(text) is
    'Whether the plan of the organization that the worker has entered includes a feature.';

create function messaging.organization_name() returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select o.name
        from tenancy.organizations as o
        where o.id = (select app.tenant())
    );
end
$$;

comment on function messaging.organization_name() is
    'The name of the organization that the worker has entered.';

create function tenancy.member_addresses(roles text[]) returns table (email text, organization text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select a.email, o.name
    from tenancy.members as m
    join tenancy.organizations as o on o.id = m.tenant_id
    join identity.accounts as a on a.id = m.account_id
    where
        m.tenant_id = (select app.tenant())
        and m.role = any (roles)
        and m.status = 'active'
        and a.email_verified_at is not null
    order by m.account_id
    limit 20;
end
$$;

comment on function tenancy.member_addresses(text[]) is
    'The verified e-mail addresses of the active members with one of these roles in the organization that the worker '
    'has entered, at most 20, and its name: for what only they are told.';

grant execute on function messaging.plan_has(text), messaging.organization_name(), tenancy.member_addresses(text[])
to appointd_worker;
-- The role that makes a trigger must be allowed to call its function.
grant execute on function messaging.wake_endpoint(), messaging.record_endpoint_event() to appointd_owner;
reset role;
revoke create on schema messaging, tenancy from appointd_gate;

create trigger wake_endpoint after insert on messaging.webhook_deliveries
for each row when (new.next_at <= now()) execute function messaging.wake_endpoint();
create trigger wake_endpoint_update after update of next_at on messaging.webhook_deliveries
for each row when (new.next_at <= now()) execute function messaging.wake_endpoint();
create trigger record_deletion after delete on messaging.webhook_endpoints
for each row execute function operations.record_deletion('webhook_endpoint');
create trigger record_event after insert or update or delete on messaging.webhook_endpoints
for each row execute function messaging.record_endpoint_event();
