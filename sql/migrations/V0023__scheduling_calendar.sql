-- Calendars (RFC 5545) that programs subscribe to, each behind a secret URL that can be revoked; and what several
-- statements return of hours and appointments.

create table scheduling.calendar_feeds (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    provider_id uuid,
    name text not null,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    updated_at timestamptz not null default now(),
    constraint calendar_feeds_pkey primary key (tenant_id, id),
    constraint calendar_feeds_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint calendar_feeds_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint calendar_feeds_name_length check (length(name) between 1 and 200),
    constraint calendar_feeds_token_hash_length check (length(token_hash) = 32)
);

comment on table scheduling.calendar_feeds is
    'Calendars that anyone with their URL can read. A feed is revoked by deleting its row; it is deleted when its '
    'maker leaves.';
comment on column scheduling.calendar_feeds.id is 'UUIDv7, made by the server.';
comment on column scheduling.calendar_feeds.provider_id is
    'The provider whose appointments it shows; null: all providers.';
comment on column scheduling.calendar_feeds.name is 'Purpose of the feed, 1 to 200 characters.';
comment on column scheduling.calendar_feeds.token_hash is 'SHA-256 of the secret in the URL.';
comment on column scheduling.calendar_feeds.created_at is 'When it was made.';
comment on column scheduling.calendar_feeds.created_by is 'The account or API key that made it.';

comment on column scheduling.calendar_feeds.updated_at is 'When it was last changed.';

create index calendar_feeds_updated_idx on scheduling.calendar_feeds (tenant_id, updated_at);
create index calendar_feeds_provider_idx on scheduling.calendar_feeds (tenant_id, provider_id);
create index calendar_feeds_created_by_idx on scheduling.calendar_feeds (tenant_id, created_by);

call app.build_wall(
    'scheduling.calendar_feeds', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff'
);
call app.admit('scheduling.calendar_feeds', 'appointd_gate', array['select', 'delete']);
call app.admit('scheduling.calendar_feeds', 'appointd_owner', array['all']);
call operations.audit('scheduling.calendar_feeds');

grant
    select (tenant_id, id, provider_id, name, created_at, created_by, updated_at),
    insert (id, provider_id, name, token_hash),
    update (name, updated_at),
    delete
on scheduling.calendar_feeds to appointd_api;
grant select (tenant_id, id, provider_id, name, token_hash, created_at, created_by), delete
on scheduling.calendar_feeds to appointd_gate;


-- What several statements return of hours and appointments, said once.
--
-- PostgreSQL puts the body of such a function into the statement that names it, since the function is stable and has no
-- settings of its own: the plan is that of the body, and the policies are those of the caller. A test reads the plans.
-- Checking a body would plan it, and migrations may plan nothing that policies change.
set local check_function_bodies = off;

create function scheduling.hours_of(organization uuid, provider uuid, first_date date, last_date date)
returns table (
    weekdays smallint[], from_minutes smallint[], to_minutes smallint[], valid_from date[], valid_until date[],
    dates date[], override_from bytea[], override_to bytea[], starts_on date[], ends_on date[], time_zones text[]
)
language sql stable
as $$
select
    w.weekdays, w.from_minutes, w.to_minutes, w.valid_from, w.valid_until, o.dates, o.override_from, o.override_to,
    t.starts_on, t.ends_on, t.time_zones
from (
    select
        coalesce(array_agg(r.weekday), '{}') as weekdays,
        coalesce(array_agg(r.from_minute), '{}') as from_minutes,
        coalesce(array_agg(r.to_minute), '{}') as to_minutes,
        coalesce(array_agg(r.valid_from), '{}') as valid_from,
        coalesce(array_agg(r.valid_until), '{}') as valid_until
    from (
        select s.weekday, s.from_minute, s.to_minute, s.valid_from, s.valid_until
        from scheduling.schedule_rules as s
        where s.tenant_id = organization and s.provider_id = provider
        order by s.weekday, s.from_minute
    ) as r
) as w
cross join (
    select
        coalesce(array_agg(d.date), '{}') as dates,
        coalesce(array_agg(d.from_bytes), '{}') as override_from,
        coalesce(array_agg(d.to_bytes), '{}') as override_to
    from (
        select v.date, v.from_bytes, v.to_bytes
        from scheduling.schedule_overrides as v
        where v.tenant_id = organization and v.provider_id = provider and v.date between first_date and last_date
        order by v.date
    ) as d
) as o
cross join (
    select
        coalesce(array_agg(z.starts_on), '{}') as starts_on,
        coalesce(array_agg(z.ends_on), '{}') as ends_on,
        coalesce(array_agg(z.time_zone), '{}') as time_zones
    from (
        select u.starts_on, u.ends_on, u.time_zone
        from scheduling.schedule_travels as u
        where
            u.tenant_id = organization and u.provider_id = provider
            and u.ends_on >= first_date and u.starts_on <= last_date
        order by u.starts_on
    ) as z
) as t
$$;

comment on function scheduling.hours_of(uuid, uuid, date, date) is
    'The hours of a provider as arrays: its weekly rules, and its overrides and time-zone overrides between two dates. '
    'One row.';

create function scheduling.segments_of(organization uuid, appointment uuid) returns table (segments jsonb)
language sql stable
as $$
select
    jsonb_agg(
        jsonb_build_object(
            'service_id', g.service_id, 'provider_id', g.provider_id, 'starts_at', g.starts_at, 'ends_at', g.ends_at
        )
        order by g.position
    )
from scheduling.appointment_segments as g
where g.tenant_id = organization and g.appointment_id = appointment
$$;

comment on function scheduling.segments_of(uuid, uuid) is
    'The services of a visit in their order, as JSON. One row; null: it has none.';

create function scheduling.names_of(
    organization uuid, included text[], contact_id uuid, service_id uuid, provider_id uuid
)
returns table (contact jsonb, service jsonb, provider jsonb)
language sql stable
as $$
select
    case
        when 'contact' = any (included) then (
            select
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'id', c.id, 'first_name', c.first_name, 'last_name', c.last_name, 'email', c.email, 'phone',
                        c.phone
                    )
                )
            from crm.contacts as c
            where c.tenant_id = organization and c.id = contact_id
        )
    end,
    case
        when 'service' = any (included) then (
            select jsonb_build_object('id', s.id, 'name', s.name)
            from scheduling.services as s
            where s.tenant_id = organization and s.id = service_id
        )
    end,
    case
        when 'provider' = any (included) then (
            select jsonb_build_object('id', p.id, 'name', p.name)
            from scheduling.providers as p
            where p.tenant_id = organization and p.id = provider_id
        )
    end
$$;

comment on function scheduling.names_of(uuid, text[], uuid, uuid, uuid) is
    'The contact, the service and the provider of an appointment with their names, as JSON. Null: not included.';

set local check_function_bodies = on;

grant execute on function
    scheduling.hours_of(uuid, uuid, date, date),
    scheduling.segments_of(uuid, uuid),
    scheduling.names_of(uuid, text[], uuid, uuid, uuid)
to appointd_api;
