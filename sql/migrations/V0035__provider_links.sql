-- Which account a provider is. An admin asks a member of the organization; the link begins when that person accepts it, and
-- ends when either side ends it. Until then scheduling.providers.account_id is null, and the time of the person is claimed in
-- this organization alone.

create table scheduling.provider_link_requests (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    provider_id uuid not null,
    account_id uuid not null,
    requested_at timestamptz not null default now(),
    requested_by uuid default coalesce(nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), ''))::uuid,
    constraint provider_link_requests_pkey primary key (tenant_id, provider_id),
    -- One person is one provider of an organization.
    constraint provider_link_requests_account_key unique (tenant_id, account_id),
    constraint provider_link_requests_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint provider_link_requests_account_fkey foreign key (tenant_id, account_id)
        references tenancy.members (tenant_id, account_id) on delete cascade
);

comment on table scheduling.provider_link_requests is
    'Which member was asked to be which provider, and has not answered. Accepting moves account_id to scheduling.providers and deletes the row.';
comment on column scheduling.provider_link_requests.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.provider_link_requests.provider_id is 'The provider.';
comment on column scheduling.provider_link_requests.account_id is 'The person who is asked.';
comment on column scheduling.provider_link_requests.requested_at is 'When the person was asked.';
comment on column scheduling.provider_link_requests.requested_by is 'The account or API key that asked. Filled from the context.';

call app.build_wall('scheduling.provider_link_requests', reads => 'viewer', inserts => 'admin', deletes => 'admin');
call app.admit('scheduling.provider_link_requests', 'appointd_owner', array['all']);
call app.admit('scheduling.provider_link_requests', 'appointd_gate', array['select', 'delete']);
call operations.audit('scheduling.provider_link_requests');
grant select, delete on scheduling.provider_link_requests to appointd_api;
grant insert (provider_id, account_id) on scheduling.provider_link_requests to appointd_api;

-- What linking changes beside the request: the provider, and whose time the provider's claims take.
grant select, delete on scheduling.provider_link_requests to appointd_gate;
call app.admit('scheduling.providers', 'appointd_gate', array['update']);
grant update (account_id, updated_at) on scheduling.providers to appointd_gate;
call app.admit('scheduling.shared_claims', 'appointd_gate', array['insert', 'delete']);
grant select (provider_id, claim_id), insert (claim_id, provider_id, account_id, starts_at, ends_at), delete
on scheduling.shared_claims to appointd_gate;
grant select (resource_id) on scheduling.claims to appointd_gate;

-- A member who goes is no provider's person any more: foreign keys see to that, and change shared claims on the way. As
-- everything that changes them does, that waits first for those that book the provider (resources_lock.sql).
create function scheduling.lock_person() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(p.tenant_id::text || p.id::text, 0))
    from scheduling.providers as p
    where p.tenant_id = old.tenant_id and p.account_id = old.account_id;
    return old;
end
$$;

comment on function scheduling.lock_person() is
    'Trigger, before a member goes: takes the lock of the provider whose person that is, before any row is changed.';
create trigger lock_person before delete on tenancy.members for each row execute function scheduling.lock_person();

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.my_provider_links()
returns table (organization_id uuid, organization_name text, provider_id uuid, provider_name text, status text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    organization record;
begin
    perform app.stay_outside();
    if person is null then
        return;
    end if;
    -- Whatever became of the membership or the organization: a link takes the person's time until it is ended.
    for organization in
        select o.id, o.name
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = person
        order by o.id
    loop
        execute format('set local app.tenant_id = %L', organization.id);
        return query
        select organization.id, organization.name, p.id, p.name, 'accepted'
        from scheduling.providers as p
        where p.tenant_id = organization.id and p.account_id = person
        union all
        select organization.id, organization.name, p.id, p.name, 'requested'
        from scheduling.provider_link_requests as r
        join scheduling.providers as p on p.tenant_id = r.tenant_id and p.id = r.provider_id
        where r.tenant_id = organization.id and r.account_id = person
        order by 3;
    end loop;
    execute format('set local app.tenant_id = %L', '');
end
$$;

comment on function scheduling.my_provider_links() is
    'Which providers, in whichever organizations, the signed-in account is (accepted) or was asked to be (requested).';

create function scheduling.accept_provider_link(organization_id uuid, provider uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    accepted boolean := false;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    -- Before any row is changed, and only for a person who was asked: those that book the provider are waited for, and wait.
    perform pg_advisory_xact_lock(hashtextextended(r.tenant_id::text || r.provider_id::text, 0))
    from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    delete from scheduling.provider_link_requests as r
    where
        r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person
        and exists (
            select
            from tenancy.members as m
            where m.tenant_id = organization_id and m.account_id = person and m.status = 'active' and m.role <> 'customer'
        )
        and exists (select from tenancy.organizations as o where o.id = organization_id and o.status = 'active');
    accepted := found;
    if accepted then
        -- Those of a person the provider was before.
        delete from scheduling.shared_claims as s where s.tenant_id = organization_id and s.provider_id = provider;
        update scheduling.providers as p
        set account_id = person, updated_at = now()
        where p.tenant_id = organization_id and p.id = provider;
        insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
        select c.id, provider, person, c.starts_at, c.ends_at
        from scheduling.claims as c
        where c.tenant_id = organization_id and c.resource_id = provider and c.ends_at > now()
        order by c.starts_at, c.id;
    end if;
    execute format('set local app.tenant_id = %L', '');
    return accepted;
end
$$;

comment on function scheduling.accept_provider_link(uuid, uuid) is
    'Makes the signed-in account the person of a provider, as it was asked to be; false where it was not asked. '
    'Fails with 23P01 on shared_claims_no_overlap where the person is booked elsewhere at a time of the provider''s, with 23505 on providers_account_key where the person is another provider there.';

create function scheduling.end_provider_link(organization_id uuid, provider uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    declined boolean;
    ended boolean;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    perform pg_advisory_xact_lock(hashtextextended(p.tenant_id::text || p.id::text, 0))
    from scheduling.providers as p
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    delete from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    declined := found;
    -- The key of the shared claims takes the account from them, and null overlaps nothing.
    update scheduling.providers as p
    set account_id = null, updated_at = now()
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    ended := found;
    execute format('set local app.tenant_id = %L', '');
    return declined or ended;
end
$$;

comment on function scheduling.end_provider_link(uuid, uuid) is
    'Ends that the signed-in account is the person of a provider, or declines to be; false where it is not and was not asked. Appointments stay.';

grant execute on function
    scheduling.my_provider_links(),
    scheduling.accept_provider_link(uuid, uuid),
    scheduling.end_provider_link(uuid, uuid)
to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
