-- Guests and provider links: functions that run as appointd_gate, on rows that a guest, or a person who has entered no
-- tenant, may not see.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.count_guest_request(address_hash bytea, email_hash bytea) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    allowed record;
    counted record;
    asked record;
    seconds integer := 0;
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select s.guest_bookings_per_address, s.guest_bookings_per_email
    into allowed
    from tenancy.settings as s
    where s.tenant_id = tenant;
    for asked in
        select
            'address' as kind, address_hash as subject, interval '1 hour' as period,
            allowed.guest_bookings_per_address as most
        where address_hash is not null
        union all
        select 'email', email_hash, interval '1 day', allowed.guest_bookings_per_email
        where email_hash is not null
        order by 1
    loop
        insert into scheduling.guest_requests as r (kind, subject)
        values (asked.kind, asked.subject)
        on conflict (tenant_id, kind, subject) do update
        set
            requests = case when r.since <= now() - asked.period then 1 else r.requests + 1 end,
            since = case when r.since <= now() - asked.period then now() else r.since end
        returning r.requests, r.since into counted;
        if counted.requests > asked.most then
            seconds := greatest(seconds, ceil(extract(epoch from counted.since + asked.period - now()))::integer, 1);
        end if;
    end loop;
    -- A few of those that count no more; others may be removing them.
    delete from scheduling.guest_requests as r
    where
        r.tenant_id = tenant
        and (r.kind, r.subject) in (
            select o.kind, o.subject
            from scheduling.guest_requests as o
            where o.tenant_id = tenant and o.since < now() - interval '1 day'
            limit 100
            for update skip locked
        );
    return seconds;
end
$$;

comment on function scheduling.count_guest_request(bytea, bytea) is
    'Counts a booking that a guest of the organization in the context requests. 0: it is within the limits; otherwise '
    'the seconds until the next may be requested.';

create function scheduling.contact_of_guest() returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    found_ids uuid[];
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select array_agg(c.id)
    into found_ids
    from scheduling.guest_bookings as g
    join tenancy.settings as s on s.tenant_id = g.tenant_id and s.guests_match_by_verified_email
    join crm.contacts as c on c.tenant_id = g.tenant_id and c.email = g.email
    where g.tenant_id = tenant and g.hold_id = app.subject();
    -- Families share an address: a guest must not be taken for another member of the family.
    return case when cardinality(found_ids) = 1 then found_ids[1] end;
end
$$;

comment on function scheduling.contact_of_guest() is
    'The contact with the e-mail address of the guest in the context, if the organization matches guests and exactly '
    'one contact has that address. Call it once the guest has opened the link that was sent there.';

-- What customers are told of their own appointment, also where its service or provider is not offered online any more.
create function scheduling.booked_names(appointment uuid)
returns table (
    service_name text, provider_name text, segments jsonb, requires_approval boolean,
    cancellation_notice_minutes integer, sequence integer, updated_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    return query
    select
        e.service_name, e.provider_name, e.segments, e.requires_approval, e.cancellation_notice_minutes, e.sequence,
        e.updated_at
    from scheduling.appointments as a
    cross join lateral scheduling.entries(tenant, array[a.id]) as e
    where
        a.tenant_id = tenant and a.id = appointment
        and case app.role()
            when 'guest' then a.id = app.subject()
            when 'customer' then exists (
                select
                from crm.contacts as c
                where
                    c.tenant_id = a.tenant_id and c.id = a.contact_id
                    and c.account_id = app.account()
            )
            else app.role() in ('viewer', 'staff', 'manager', 'admin', 'owner')
        end;
end
$$;

comment on function scheduling.booked_names(uuid) is
    'Names, notice and SEQUENCE of an appointment: for guests and customers of their own, for members of any.';

-- What a guest who waits is told, also where the service is not offered online any more.
create function scheduling.waiting_names(
    in entry uuid, out service_name text, out provider_name text, out offered_provider_name text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select s.name, p.name, q.name
    into service_name, provider_name, offered_provider_name
    from scheduling.waitlist_entries as w
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    left join scheduling.providers as p on p.tenant_id = w.tenant_id and p.id = w.provider_id
    left join scheduling.holds as h on h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id
    left join scheduling.providers as q on q.tenant_id = h.tenant_id and q.id = h.provider_id
    where
        w.tenant_id = app.tenant()
        and w.id = entry
        and w.id = app.subject();
end
$$;

comment on function scheduling.waiting_names(uuid) is
    'Names for the waitlist entry of the guest in the context: of its service, of the provider that is wanted and of '
    'the one whose time is offered.';

create function scheduling.my_provider_links()
returns table (organization_id uuid, organization_name text, provider_id uuid, provider_name text, status text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    organization record;
begin
    perform app.stay_outside();
    if person is null then
        return;
    end if;
    -- Includes suspended memberships and organizations: a link takes the person's time until it is ended.
    for organization in
        select o.id, o.name
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = person
        order by o.id
    loop
        perform app.set_tenant(organization.id);
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
    perform app.set_tenant(null);
end
$$;

comment on function scheduling.my_provider_links() is
    'The providers, of any organization, that the signed-in account is (accepted) or was asked to be (requested).';

create function scheduling.accept_provider_link(organization_id uuid, provider uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    accepted boolean := false;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    -- Before any row is changed, and only if the person was asked: waits for transactions that book the provider, and
    -- has later ones wait.
    perform pg_advisory_xact_lock(app.lock_key(r.tenant_id, r.provider_id::text))
    from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    delete from scheduling.provider_link_requests as r
    where
        r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person
        and exists (
            select
            from tenancy.members as m
            where
                m.tenant_id = organization_id
                and m.account_id = person
                and m.status = 'active'
                and m.role <> 'customer'
        )
        and exists (select from tenancy.organizations as o where o.id = organization_id and o.status = 'active');
    accepted := found;
    if accepted then
        -- Shared claims of the account that the provider had before.
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
    perform app.set_tenant(null);
    return accepted;
end
$$;

comment on function scheduling.accept_provider_link(uuid, uuid) is
    'Links the signed-in account to a provider, as requested; false if none is open. Fails with 23P01 on '
    'shared_claims_no_overlap if the person is booked elsewhere at a time of the provider, and with 23505 on '
    'providers_account_key if the person is another provider there.';

create function scheduling.end_provider_link(organization_id uuid, provider uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    declined boolean;
    ended boolean;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    perform pg_advisory_xact_lock(app.lock_key(p.tenant_id, p.id::text))
    from scheduling.providers as p
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    delete from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    declined := found;
    -- The foreign key of the shared claims sets their account to null, and null overlaps nothing.
    update scheduling.providers as p
    set account_id = null, updated_at = now()
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    ended := found;
    perform app.set_tenant(null);
    return declined or ended;
end
$$;

comment on function scheduling.end_provider_link(uuid, uuid) is
    'Ends the link of the signed-in account to a provider, or declines the request; false if neither exists. '
    'Appointments stay.';

create function scheduling.cut_provider_link(provider uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if (app.role() = any ('{admin,owner}')) is not true then
        raise exception 'no admin has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update scheduling.providers as p
    set account_id = null, updated_at = now()
    where
        p.tenant_id = (select app.tenant())
        and p.id = provider
        and p.account_id is not null;
    return found;
end
$$;

comment on function scheduling.cut_provider_link(uuid) is
    'Ends the link of a provider of the entered organization to an account, on behalf of an admin; false if it has '
    'none. Appointments stay. The caller has the lock of the provider (providers_lock.sql).';

grant execute on function
    scheduling.booked_names(uuid),
    scheduling.waiting_names(uuid),
    scheduling.count_guest_request(bytea, bytea),
    scheduling.contact_of_guest(),
    scheduling.my_provider_links(),
    scheduling.accept_provider_link(uuid, uuid),
    scheduling.end_provider_link(uuid, uuid),
    scheduling.cut_provider_link(uuid)
to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
