-- Which account a provider is. An admin asks a member of the organization; the link begins when that person accepts it,
-- and ends when either side ends it. Until then scheduling.providers.account_id is null, and only the claims of this
-- organization take the person's time.

create table scheduling.provider_link_requests (
    tenant_id uuid not null default app.tenant(),
    provider_id uuid not null,
    account_id uuid not null,
    requested_at timestamptz not null default now(),
    requested_by uuid default coalesce(app.account(), app.api_key()),
    constraint provider_link_requests_pkey primary key (tenant_id, provider_id),
    -- One person is one provider of an organization.
    constraint provider_link_requests_account_key unique (tenant_id, account_id),
    constraint provider_link_requests_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint provider_link_requests_account_fkey foreign key (tenant_id, account_id)
        references tenancy.members (tenant_id, account_id) on delete cascade
);

comment on table scheduling.provider_link_requests is
    'Members who were asked to be a provider and have not answered. Accepting moves account_id to '
    'scheduling.providers and deletes the row.';
comment on column scheduling.provider_link_requests.provider_id is 'The provider.';
comment on column scheduling.provider_link_requests.account_id is 'The person who is asked.';
comment on column scheduling.provider_link_requests.requested_at is 'When the person was asked.';
comment on column scheduling.provider_link_requests.requested_by is
    'The account or API key that asked. Filled from the context.';

call app.build_wall('scheduling.provider_link_requests', reads => 'viewer', inserts => 'admin', deletes => 'admin');
call app.admit('scheduling.provider_link_requests', 'appointd_gate', array['select', 'delete']);
call app.admit('scheduling.provider_link_requests', 'appointd_owner', array['all']);
call operations.audit('scheduling.provider_link_requests');

grant select, insert (provider_id, account_id), delete on scheduling.provider_link_requests to appointd_api;
grant select, delete on scheduling.provider_link_requests to appointd_gate;

-- Deleting a member unlinks their provider: foreign keys do that, and change shared claims on the way. Every change of
-- shared claims first waits for transactions that book the provider (resources_lock.sql), and so does this one.
create function scheduling.lock_person() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(app.lock_key(p.tenant_id, p.id::text))
    from scheduling.providers as p
    where p.tenant_id = old.tenant_id and p.account_id = old.account_id;
    return old;
end
$$;

comment on function scheduling.lock_person() is
    'Trigger, before a member is deleted: takes the lock of the provider that the member is, before any row is '
    'changed.';

create trigger lock_person before delete on tenancy.members
for each row execute function scheduling.lock_person();

-- Links and requests for them change without the provider being written otherwise, also by the person or with the
-- member. They are changes of the provider, for programs that list it since its last change.
create trigger touch before update of account_id on scheduling.providers
for each row when (new.account_id is distinct from old.account_id) execute function app.touch();

create function scheduling.touch_provider() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- An import brings the providers as they were.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    update scheduling.providers as p
    set updated_at = now()
    where p.tenant_id = coalesce(new.tenant_id, old.tenant_id) and p.id = coalesce(new.provider_id, old.provider_id);
    return null;
end
$$;

comment on function scheduling.touch_provider() is
    'Trigger, after a request to be a provider was made, answered, withdrawn or deleted with the member: sets '
    'updated_at of the provider.';

create trigger touch_provider after insert or delete on scheduling.provider_link_requests
for each row execute function scheduling.touch_provider();
