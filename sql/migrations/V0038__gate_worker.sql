-- The worker: the role that works in the background, appointd_worker. It enters one organization at a time, as every
-- other role does, and sees no row of any before. Which organizations have work it asks the gate, which tells their ids
-- and nothing else.

grant usage on schema app, tenancy, crm, scheduling, messaging to appointd_worker;
-- It refuses to start on an older database, as the server does.
grant select on app.migrations to appointd_worker;

call app.admit('tenancy.organizations', 'appointd_worker', array['select'], 'id');
grant select (id, status) on tenancy.organizations to appointd_worker;

-- Names for events.
call app.admit('scheduling.services', 'appointd_worker', array['select']);
call app.admit('scheduling.providers', 'appointd_worker', array['select']);
call app.admit('crm.contacts', 'appointd_worker', array['select']);
grant select (tenant_id, id, name) on scheduling.services, scheduling.providers to appointd_worker;
grant select (tenant_id, id, first_name, last_name) on crm.contacts to appointd_worker;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema app, messaging to appointd_gate;
set local role appointd_gate;

create function app.enter_worker(tenant uuid) returns void
language plpgsql volatile security definer
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

comment on function app.enter_worker(uuid) is
    'Enters a tenant for the rest of the transaction as the worker. Fails with AP404 if the organization is not '
    'active.';

grant execute on function app.enter_worker(uuid) to appointd_worker;

-- One probe of the index for each organization, however many events it has: a busy one makes the search no longer.
create function messaging.tenants_to_publish(after_tenant uuid, most integer) returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    last uuid := coalesce(after_tenant, '00000000-0000-0000-0000-000000000000');
    listed integer := 0;
begin
    perform app.stay_outside();
    while listed < most loop
        select o.tenant_id into last
        from messaging.outbox as o
        where o.tenant_id > last
        order by o.tenant_id
        limit 1;
        exit when last is null;
        if exists (select from tenancy.organizations as t where t.id = last and t.status = 'active') then
            listed := listed + 1;
            return next last;
        end if;
    end loop;
end
$$;

comment on function messaging.tenants_to_publish(uuid, integer) is
    'The active organizations after the given one, in the order of their ids, that have events to publish; at most so '
    'many. For the worker, before it enters one of them.';

grant execute on function messaging.tenants_to_publish(uuid, integer) to appointd_worker;
reset role;
revoke create on schema app, messaging from appointd_gate;
