-- What is done for an organization once a day: its day is closed, what is wrong is told to its owners.
--
-- A day is that of the organization's time zone. While it lasts, its row of tenancy.usage_days counts requests and
-- messages. When it has ended, the worker closes it: counts what was booked, and never changes it again. Days follow
-- each other without gap and overlap, also when the time zone changes, so each booking is in one day.

create table tenancy.alerts (
    tenant_id uuid not null default app.tenant(),
    told text[] not null default '{}',
    told_on date,
    constraint alerts_pkey primary key (tenant_id),
    constraint alerts_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id)
);

comment on table tenancy.alerts is
    'What the owners of an organization were told by e-mail about its health, so that they are told once.';
comment on column tenancy.alerts.told is
    'The problems that they were told and that have not ended since: kind, and what it is about.';
comment on column tenancy.alerts.told_on is
    'The day in the time zone of the organization on which they were told last; null: never.';

call app.build_wall('tenancy.alerts', reads => null);
call app.admit('tenancy.alerts', 'appointd_worker', array['select', 'insert', 'update']);
call app.admit('tenancy.alerts', 'appointd_owner', array['all']);

grant select, insert (told, told_on), update (told, told_on) on tenancy.alerts to appointd_worker;

-- For the health of an organization: e-mails that failed.
call app.admit('tenancy.usage_days', 'appointd_worker', array['select']);
grant select (tenant_id, day, emails_failed) on tenancy.usage_days to appointd_worker;
grant select (name, time_zone) on tenancy.organizations to appointd_worker;

-- Functions of the gate -----------------------------------------------------------------------------------------------

grant create on schema tenancy to appointd_gate;
set local role appointd_gate;

create function tenancy.usage_day() returns date
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    return greatest(
        (select (now() at time zone o.time_zone)::date from tenancy.organizations as o where o.id = tenant),
        -- Closed already: the time zone has changed to one further west.
        (
            select d.day + 1
            from tenancy.usage_days as d
            where d.tenant_id = tenant and d.closed_at is not null
            order by d.day desc
            limit 1
        )
    );
end
$$;

comment on function tenancy.usage_day() is
    'The day to which the organization in the context counts what happens now. It is never one that is closed.';

create function tenancy.count_message(tenant uuid, channel text, failed boolean) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    if app.role() is not null and tenant is distinct from entered then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if (channel in ('email', 'sms')) is not true then
        raise exception 'unknown channel' using errcode = 'invalid_parameter_value';
    end if;
    perform app.set_tenant(tenant);
    insert into tenancy.usage_days as d (day, requests, emails, emails_failed, sms)
    select
        tenancy.usage_day(), 0, (channel = 'email' and not failed)::integer, (channel = 'email' and failed)::integer,
        (channel = 'sms' and not failed)::integer
    from tenancy.organizations as o
    where o.id = tenant
    on conflict (tenant_id, day) do update
    set
        emails = d.emails + excluded.emails,
        emails_failed = d.emails_failed + excluded.emails_failed,
        sms = d.sms + excluded.sms;
    perform app.set_tenant(entered);
end
$$;

comment on function tenancy.count_message(uuid, text, boolean) is
    'Counts a message (channel: email or sms) that was sent for an organization, or that failed after it was counted '
    'as sent, to the present day of its usage.';

create function tenancy.close_days() returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    place record;
    next_day date;
    began timestamptz;
    ended timestamptz;
    closed integer := 0;
begin
    -- What began before midnight is committed five minutes later.
    select o.time_zone, o.created_at, ((now() - interval '5 minutes') at time zone o.time_zone)::date as today
    into strict place
    from tenancy.organizations as o
    where o.id = tenant;
    select d.day + 1, d.ends_at
    into next_day, began
    from tenancy.usage_days as d
    where d.tenant_id = tenant and d.closed_at is not null
    order by d.day desc
    limit 1;
    if next_day is null then
        next_day := greatest((place.created_at at time zone place.time_zone)::date, place.today - 31);
        began := greatest(place.created_at, next_day::timestamp at time zone place.time_zone);
    end if;
    while next_day < place.today and closed < 400 loop
        -- An organization whose time zone moves east has a short day, which may be empty.
        ended := greatest(began, (next_day + 1)::timestamp at time zone place.time_zone);
        insert into tenancy.usage_days as d (
            day, requests, appointments, storage_bytes, starts_at, ends_at, closed_at
        )
        values (
            next_day, 0,
            (
                -- By the index of updated_at: what was booked since then has changed since then.
                select count(*)
                from scheduling.appointments as a
                where
                    a.tenant_id = tenant
                    and a.updated_at >= began
                    and a.created_at >= began
                    and a.created_at < ended
            ),
            -- The server does not store files yet.
            0, began, ended, now()
        )
        on conflict (tenant_id, day) do update
        set
            appointments = excluded.appointments, storage_bytes = excluded.storage_bytes,
            starts_at = excluded.starts_at, ends_at = excluded.ends_at, closed_at = excluded.closed_at
        -- Another worker was faster.
        where d.closed_at is null;
        exit when not found;
        closed := closed + 1;
        next_day := next_day + 1;
        began := ended;
    end loop;
    return closed;
end
$$;

comment on function tenancy.close_days() is
    'Closes the days of the organization in the context that have ended, and returns how many. A day is closed once: a '
    'second call changes nothing.';

create function tenancy.organizations_in_day(since interval, during interval) returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select o.id
    from tenancy.organizations as o
    where
        o.status = 'active'
        and now() >= (now() at time zone o.time_zone)::date::timestamp at time zone o.time_zone + since
        and now() < (now() at time zone o.time_zone)::date::timestamp at time zone o.time_zone + since + during
    order by o.id;
end
$$;

comment on function tenancy.organizations_in_day(interval, interval) is
    'The active organizations whose day began so long ago, and not as long as `during` more. For the worker, which '
    'does once a day what belongs to the day of an organization.';

create function tenancy.event_days() returns integer
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select p.event_days
        from tenancy.subscriptions as s
        join tenancy.plans as p on p.plan_type = s.plan_type
        where s.tenant_id = app.tenant()
    );
end
$$;

comment on function tenancy.event_days() is
    'For how many days the plan of the organization in the context keeps events.';

create function tenancy.near_limits() returns table (what text, used bigint, most integer)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    if not coalesce(app.role() in ('admin', 'owner', 'worker'), false) then
        return;
    end if;
    return query
    select l.what, l.used, l.most
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    cross join lateral (
        values
            ('providers', tenancy.counted(tenant, 'providers'), p.max_providers),
            ('members', tenancy.counted(tenant, 'members'), p.max_members),
            ('api_keys', tenancy.counted(tenant, 'api_keys'), p.max_api_keys)
    ) as l (what, used, most)
    where s.tenant_id = tenant and l.most > 0 and l.used * 10 >= l.most * 9;
end
$$;

comment on function tenancy.near_limits() is
    'What the organization in the context has nine tenths or more of, of what its plan allows: providers, members, '
    'api_keys. For its admins and the worker; for others nothing.';

grant execute on function tenancy.count_message(uuid, text, boolean), tenancy.near_limits() to appointd_api;
grant execute on function
    tenancy.count_message(uuid, text, boolean),
    tenancy.close_days(),
    tenancy.organizations_in_day(interval, interval),
    tenancy.event_days(),
    tenancy.near_limits()
to appointd_worker;
reset role;
revoke create on schema tenancy from appointd_gate;
