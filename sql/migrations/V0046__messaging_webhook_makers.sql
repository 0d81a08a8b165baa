-- Webhook endpoints end with the authority of their maker, as API keys do: they send what an organization knows to an
-- address that its maker chose.

create trigger verified_only_insert before insert on messaging.webhook_endpoints
for each row execute function app.verified_only();
create trigger verified_only_update before update on messaging.webhook_endpoints
for each row when (
    new.enabled
    and (not old.enabled or new.url <> old.url or new.types <> old.types or new.payload <> old.payload)
)
execute function app.verified_only();

-- A trigger, because the server has no right to write the column.
create function messaging.changer_is_maker() returns trigger
language plpgsql
as $$
begin
    new.created_by := coalesce(
        app.account(),
        app.api_key(),
        old.created_by
    );
    return new;
end
$$;

comment on function messaging.changer_is_maker() is
    'Trigger, before an endpoint is enabled or gets another URL, other types or another payload: the actor becomes its '
    'maker.';

create trigger changer_is_maker before update on messaging.webhook_endpoints
for each row when (
    new.url <> old.url or new.types <> old.types or new.payload <> old.payload or (new.enabled and not old.enabled)
)
execute function messaging.changer_is_maker();


-- Functions of the gate -----------------------------------------------------------------------------------------------

grant create on schema messaging to appointd_gate;
set local role appointd_gate;

create function messaging.end_endpoints(tenant uuid, maker uuid) returns void
language plpgsql volatile
as $$
begin
    -- The deliveries first: they and endpoints are locked in this order by the worker as well.
    update messaging.webhook_deliveries as d
    set state = case d.state when 'pending' then 'cancelled' else d.state end, next_at = null
    from messaging.webhook_endpoints as w
    where
        w.tenant_id = tenant
        and w.created_by = maker
        and w.enabled
        and d.tenant_id = tenant
        and d.endpoint_id = w.id
        and d.next_at is not null;
    with disabled as (
        update messaging.webhook_endpoints as w
        set enabled = false, disabled_reason = 'maker', disabled_at = now(), updated_at = now()
        where w.tenant_id = tenant and w.created_by = maker and w.enabled
        returning w.id
    )
    insert into messaging.jobs (kind, lane, key, payload, max_attempts)
    select 'messaging.tell_disabled', 'live', d.id::text, jsonb_build_object('endpoint_id', d.id), 12
    from disabled as d
    on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do nothing;
end
$$;

comment on function messaging.end_endpoints(uuid, uuid) is
    'Disables the webhook endpoints that an account or an API key made in the organization in the context, cancels '
    'what is due to them, and has the admins told.';

create function messaging.maker_stands(maker uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(tenancy.standing(maker) = any (app.roles_from('admin')), false);
end
$$;

comment on function messaging.maker_stands(uuid) is
    'Whether the maker of a webhook endpoint of the organization that the worker has entered may make endpoints now: '
    'not while they are suspended, and not after their API key has expired.';

grant execute on function messaging.maker_stands(uuid) to appointd_worker;

reset role;
revoke create on schema messaging from appointd_gate;
