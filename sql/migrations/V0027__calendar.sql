-- Calendars (RFC 5545) that programs subscribe to, each behind a secret URL that can be revoked.

create table scheduling.calendar_feeds (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    provider_id uuid,
    name text not null,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), ''))::uuid,
    constraint calendar_feeds_pkey primary key (tenant_id, id),
    constraint calendar_feeds_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint calendar_feeds_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint calendar_feeds_name_length check (length(name) between 1 and 200),
    constraint calendar_feeds_token_hash_length check (length(token_hash) = 32)
);

comment on table scheduling.calendar_feeds is 'Calendars that can be read by whoever has their URL. Deleting a row revokes it, and so does whoever made it by leaving.';
comment on column scheduling.calendar_feeds.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.calendar_feeds.id is 'UUIDv7, made by the server.';
comment on column scheduling.calendar_feeds.provider_id is 'Whose appointments it shows; null: everybody''s.';
comment on column scheduling.calendar_feeds.name is 'Says what the feed is for, 1 to 200 characters.';
comment on column scheduling.calendar_feeds.token_hash is 'SHA-256 of the secret in the URL.';
comment on column scheduling.calendar_feeds.created_at is 'When it was made.';
comment on column scheduling.calendar_feeds.created_by is 'The account or API key that made it.';
create index calendar_feeds_provider_idx on scheduling.calendar_feeds (tenant_id, provider_id);
create index calendar_feeds_created_by_idx on scheduling.calendar_feeds (tenant_id, created_by);

call app.build_wall('scheduling.calendar_feeds', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff');
call app.admit('scheduling.calendar_feeds', 'appointd_owner', array['all']);
call app.admit('scheduling.calendar_feeds', 'appointd_gate', array['select', 'delete']);
call operations.audit('scheduling.calendar_feeds');
grant select (tenant_id, id, provider_id, name, created_at, created_by), delete on scheduling.calendar_feeds to appointd_api;
grant insert (id, provider_id, name, token_hash), update (name) on scheduling.calendar_feeds to appointd_api;

call app.admit('scheduling.appointments', 'appointd_gate', array['select']);
grant select (tenant_id, id, provider_id, name, token_hash, created_at, created_by), delete on scheduling.calendar_feeds to appointd_gate;
call app.admit('scheduling.appointment_segments', 'appointd_gate', array['select']);
grant select (tenant_id, appointment_id, provider_id) on scheduling.appointment_segments to appointd_gate;
grant select (tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, status, sequence, visit, created_at, updated_at)
on scheduling.appointments to appointd_gate;
grant select (name, renamed_at) on scheduling.providers to appointd_gate;
grant select (renames, renamed_at) on scheduling.services to appointd_gate;
grant select (renames, renamed_at) on crm.contacts to appointd_gate;

create index appointments_updated_idx on scheduling.appointments (tenant_id, updated_at);

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.calendar_feed(organization_id uuid, feed_id uuid, token_hash bytea)
returns table (
    feed_name text, id uuid, starts_at timestamptz, ends_at timestamptz, status text, sequence integer,
    created_at timestamptz, updated_at timestamptz, service_name text, provider_name text, contact_name text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    feed record;
    -- Of the day, so that the period moves once a day and not with every request.
    today constant timestamptz := date_trunc('day', now() at time zone 'UTC') at time zone 'UTC';
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    select f.name, f.provider_id, f.created_at
    into feed
    from scheduling.calendar_feeds as f
    join tenancy.organizations as o on o.id = f.tenant_id and o.status = 'active'
    where
        f.tenant_id = organization_id
        and f.id = feed_id
        and f.token_hash = calendar_feed.token_hash
        -- What its maker may not hand out any more it does not show.
        and tenancy.standing(f.created_by) = any (app.roles_from('staff'));
    if feed.name is null then
        return;
    end if;
    -- One row at least, so that an empty calendar is told from none. With it, an instant after which the feed did not change
    -- (renaming aside: each entry says that): an appointment that left the feed is not there to say when.
    return query
    select
        feed.name, null::uuid, null::timestamptz, null::timestamptz, null::text, null::integer, feed.created_at,
        greatest(
            feed.created_at, today, (select max(a.updated_at) from scheduling.appointments as a where a.tenant_id = organization_id)
        ),
        null::text, null::text, null::text;
    return query
    select
        feed.name, a.id, a.starts_at, a.ends_at, a.status, a.sequence + s.renames + c.renames, a.created_at,
        greatest(a.updated_at, s.renamed_at, p.renamed_at, c.renamed_at),
        s.name, p.name, concat_ws(' ', c.first_name, c.last_name)
    from scheduling.appointments as a
    join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    join crm.contacts as c on c.tenant_id = a.tenant_id and c.id = a.contact_id
    where
        a.tenant_id = organization_id
        and (
            feed.provider_id is null
            or a.provider_id = feed.provider_id
            or (
                a.visit and exists (
                    select
                    from scheduling.appointment_segments as g
                    where g.tenant_id = a.tenant_id and g.appointment_id = a.id and g.provider_id = feed.provider_id
                )
            )
        )
        and a.starts_at between today - interval '60 days' and today + interval '400 days'
    order by a.starts_at, a.id
    limit 10000;
end
$$;

comment on function scheduling.calendar_feed(uuid, uuid, bytea) is
    'The appointments of a calendar feed, 60 days back and 400 ahead, after a row with the name of the feed and, as updated_at, when what it shows last changed. No row: the feed does not exist (any more).';

-- Beside it, what a person has everywhere as a customer.
create function scheduling.my_appointments_everywhere(after_start timestamptz, after_id uuid, row_limit bigint)
returns table (
    organization_id uuid, organization_name text, id uuid, service_name text, provider_name text,
    starts_at timestamptz, ends_at timestamptz, status text, time_zone text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    organization record;
    found_rows jsonb := '[]';
    of_one jsonb;
begin
    perform app.stay_outside();
    if person is null then
        return;
    end if;
    for organization in
        select o.id, o.name, o.time_zone
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = person and m.status = 'active' and o.status = 'active'
        order by o.id
    loop
        execute format('set local app.tenant_id = %L', organization.id);
        select coalesce(jsonb_agg(to_jsonb(f)), '[]')
        into of_one
        from (
            select
                organization.id as organization_id, organization.name as organization_name, a.id, s.name as service_name,
                p.name as provider_name, a.starts_at, a.ends_at, a.status, organization.time_zone as time_zone
            from crm.contacts as c
            join scheduling.appointments as a on a.tenant_id = c.tenant_id and a.contact_id = c.id
            join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
            join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
            where
                c.tenant_id = organization.id
                and c.account_id = person
                and (a.starts_at, a.id) > (after_start, after_id)
            order by a.starts_at, a.id
            limit row_limit
        ) as f;
        found_rows := found_rows || of_one;
    end loop;
    execute format('set local app.tenant_id = %L', '');
    return query
    select r.organization_id, r.organization_name, r.id, r.service_name, r.provider_name, r.starts_at, r.ends_at, r.status, r.time_zone
    from jsonb_to_recordset(found_rows) as r (
        organization_id uuid, organization_name text, id uuid, service_name text, provider_name text,
        starts_at timestamptz, ends_at timestamptz, status text, time_zone text
    )
    order by r.starts_at, r.id
    limit row_limit;
end
$$;

comment on function scheduling.my_appointments_everywhere(timestamptz, uuid, bigint) is
    'What the signed-in account has as a customer of all its organizations, in the order of the starts, behind the given start and id.';

grant execute on function
    scheduling.calendar_feed(uuid, uuid, bytea),
    scheduling.my_appointments_everywhere(timestamptz, uuid, bigint)
to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
