-- Bookings across tenants: when a person is busy elsewhere, what a customer has everywhere, calendar feeds, and claims
-- of the past. Functions that run as appointd_gate.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.busy_elsewhere(
    in provider uuid, in from_instant timestamptz, in to_instant timestamptz,
    out starts timestamptz[], out ends timestamptz[]
)
language plpgsql stable strict security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The account of a provider of the entered organization; otherwise null.
    person constant uuid := (
        select p.account_id
        from scheduling.providers as p
        where
            p.tenant_id = (select app.tenant())
            and p.id = provider
            and app.role() is not null
    );
begin
    -- Adjacent quarters are merged: the number of appointments is not told.
    select
        coalesce(array_agg(lower(b.busy) order by b.busy), '{}'),
        coalesce(array_agg(upper(b.busy) order by b.busy), '{}')
    into starts, ends
    from (
        select unnest(range_agg(s.during)) as busy
        from scheduling.shared_claims as s
        where
            s.account_id = person
            and s.tenant_id <> (select app.tenant())
            -- A claim lasts 24 hours at most, and a quarter of an hour is not a day.
            and s.starts_at > from_instant - interval '25 hours'
            and s.starts_at < to_instant + interval '1 hour'
            and lower(s.during) < to_instant
            and upper(s.during) > from_instant
    ) as b;
end
$$;

comment on function scheduling.busy_elsewhere(uuid, timestamptz, timestamptz) is
    'When a provider of the entered organization is booked by other organizations, around a period, in whole quarters '
    'of an hour. Does not tell by which, nor for what.';

create function scheduling.my_appointments_everywhere(
    after_start timestamptz, after_id uuid, before_start timestamptz, before_id uuid, row_limit bigint,
    latest_first boolean, wanted uuid[]
)
returns table (
    organization_id uuid, organization_name text, id uuid, service_name text, provider_name text,
    starts_at timestamptz, ends_at timestamptz, status text, time_zone text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
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
        perform app.set_tenant(organization.id);
        select coalesce(jsonb_agg(to_jsonb(f)), '[]')
        into of_one
        from (
            select
                organization.id as organization_id, organization.name as organization_name, a.id,
                s.name as service_name, p.name as provider_name, a.starts_at, a.ends_at, a.status,
                organization.time_zone as time_zone
            from crm.contacts as c
            join scheduling.appointments as a on a.tenant_id = c.tenant_id and a.contact_id = c.id
            join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
            join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
            where
                c.tenant_id = organization.id
                and c.account_id = person
                and (a.starts_at, a.id) > (after_start, after_id)
                and (a.starts_at, a.id) < (before_start, before_id)
                and (a.id = any (wanted) or wanted is null)
            order by
                case when latest_first then a.starts_at end desc,
                case when latest_first then a.id end desc,
                case when not latest_first then a.starts_at end,
                case when not latest_first then a.id end
            limit row_limit
        ) as f;
        found_rows := found_rows || of_one;
    end loop;
    perform app.set_tenant(null);
    return query
    select
        r.organization_id, r.organization_name, r.id, r.service_name, r.provider_name, r.starts_at, r.ends_at,
        r.status, r.time_zone
    from jsonb_to_recordset(found_rows) as r (
        organization_id uuid, organization_name text, id uuid, service_name text, provider_name text,
        starts_at timestamptz, ends_at timestamptz, status text, time_zone text
    )
    order by
        case when latest_first then r.starts_at end desc,
        case when latest_first then r.id end desc,
        case when not latest_first then r.starts_at end,
        case when not latest_first then r.id end
    limit row_limit;
end
$$;

comment on function scheduling.my_appointments_everywhere(
    timestamptz, uuid, timestamptz, uuid, bigint, boolean, uuid[]
) is
    'Appointments of the signed-in account as a customer of all its organizations, ordered by start, between two '
    'starts and ids. wanted: only those with these ids; null: any.';

-- One text for feeds and single files: an entry has the same UID in both, so its SEQUENCE must be the same.
create function scheduling.entries(tenant uuid, appointments uuid[])
returns table (
    id uuid, starts_at timestamptz, ends_at timestamptz, status text, sequence integer, created_at timestamptz,
    updated_at timestamptz, service_name text, provider_name text, contact_name text, segments jsonb,
    requires_approval boolean, cancellation_notice_minutes integer
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        a.id, a.starts_at, a.ends_at, a.status, a.sequence + c.renames + coalesce(g.renames, s.renames), a.created_at,
        greatest(a.updated_at, c.renamed_at, s.renamed_at, p.renamed_at, g.renamed_at),
        s.name, p.name, concat_ws(' ', c.first_name, c.last_name), g.segments,
        coalesce(g.requires_approval, s.requires_approval),
        -- Of a visit, the longest counts.
        coalesce(g.cancellation_notice_minutes, s.cancellation_notice_minutes)
    from scheduling.appointments as a
    join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    join crm.contacts as c on c.tenant_id = a.tenant_id and c.id = a.contact_id
    left join lateral (
        select
            sum(o.renames)::integer as renames, max(greatest(o.renamed_at, r.renamed_at)) as renamed_at,
            bool_or(o.requires_approval) as requires_approval,
            max(o.cancellation_notice_minutes) as cancellation_notice_minutes,
            jsonb_agg(
                jsonb_build_object(
                    'service_id', i.service_id, 'service_name', o.name, 'provider_id', i.provider_id, 'provider_name',
                    r.name, 'starts_at', i.starts_at, 'ends_at', i.ends_at
                )
                order by i.position
            ) as segments
        from scheduling.appointment_segments as i
        join scheduling.services as o on o.tenant_id = i.tenant_id and o.id = i.service_id
        join scheduling.providers as r on r.tenant_id = i.tenant_id and r.id = i.provider_id
        where i.tenant_id = a.tenant_id and i.appointment_id = a.id
    ) as g on a.visit
    where a.tenant_id = tenant and a.id = any (appointments);
end
$$;

comment on function scheduling.entries(uuid, uuid[]) is
    'What calendars, mails and pages of customers show of appointments: names, the services of a visit, and the '
    'SEQUENCE (RFC 5545), which rises when the appointment, a service or the contact is renamed or changed. For '
    'functions of the gate that know who asks.';

create function scheduling.calendar_feed(organization_id uuid, feed_id uuid, token_hash bytea)
returns table (
    feed_name text, id uuid, starts_at timestamptz, ends_at timestamptz, status text, sequence integer,
    created_at timestamptz, updated_at timestamptz, service_name text, provider_name text, contact_name text,
    segments jsonb, time_zone text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    feed record;
    -- Start of the day, so that the period moves once a day and not with every request.
    today constant timestamptz := date_trunc('day', now() at time zone 'UTC') at time zone 'UTC';
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    perform app.set_tenant(organization_id);
    select f.name, f.provider_id, f.created_at, o.time_zone
    into feed
    from scheduling.calendar_feeds as f
    join tenancy.organizations as o on o.id = f.tenant_id and o.status = 'active'
    where
        f.tenant_id = organization_id
        and f.id = feed_id
        and f.token_hash = calendar_feed.token_hash
        -- A feed whose maker may no longer hand it out shows nothing.
        and tenancy.standing(f.created_by) = any (app.roles_from('staff'));
    if feed.name is null then
        return;
    end if;
    -- At least one row, so that an empty calendar differs from none. It has an instant after which the feed did not
    -- change (except names, for which each entry has its own): an appointment that left the feed has no row to tell
    -- when.
    return query
    select
        feed.name, null::uuid, null::timestamptz, null::timestamptz, null::text, null::integer, feed.created_at,
        greatest(
            feed.created_at,
            today,
            (select max(a.updated_at) from scheduling.appointments as a where a.tenant_id = organization_id)
        ),
        null::text, null::text, null::text, null::jsonb, feed.time_zone;
    return query
    select
        feed.name, e.id, e.starts_at, e.ends_at, e.status, e.sequence, e.created_at, e.updated_at, e.service_name,
        e.provider_name, e.contact_name, e.segments, feed.time_zone
    from scheduling.entries(
        organization_id,
        array(
            select a.id
            from scheduling.appointments as a
            where
                a.tenant_id = organization_id
                and (
                    feed.provider_id is null
                    or a.provider_id = feed.provider_id
                    or (
                        a.visit and exists (
                            select
                            from scheduling.appointment_segments as g
                            where
                                g.tenant_id = a.tenant_id
                                and g.appointment_id = a.id
                                and g.provider_id = feed.provider_id
                        )
                    )
                )
                and a.starts_at between today - interval '60 days' and today + interval '400 days'
            order by a.starts_at, a.id
            limit 10000
        )
    ) as e
    order by e.starts_at, e.id;
end
$$;

comment on function scheduling.calendar_feed(uuid, uuid, bytea) is
    'The appointments of a calendar feed, 60 days back and 400 ahead, after a row with the name of the feed and, as '
    'updated_at, the time of its last change. No row: the feed does not exist.';

-- A claim keeps a resource from being booked twice. Once its time has passed it only takes space in the index of
-- claims_no_overlap, which cannot be rebuilt while bookings go on. So claims of appointments that ended more than 35
-- days ago are deleted. What reads further back reads the appointment, which has times of its own:
--
--   * limits of a day and a week count claims, and look at most 8 days back from the requested start;
--   * a shared claim (scheduling.shared_claims) is deleted with its claim, and is read for days to come;
--   * moving an appointment deletes its claims and inserts others; cancelling deletes its claims; undoing a
--     transition may take the time again within these days;
--   * sql/audit/bookings.sql looks for the claims of appointments that ended within these days.
--
-- An appointment that staff enter into the past before these days, overriding the rules, is a record: nothing keeps it
-- from overlapping another.
create function scheduling.forget_past_claims(organization uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Bounds the number of rows that a call locks.
    most constant integer := 5000;
    forgotten integer;
begin
    perform app.stay_outside();
    perform app.set_tenant(organization);
    with past as (
        select c.id
        from scheduling.claims as c
        where
            c.tenant_id = organization
            and c.hold_id is null
            -- A claim lasts 24 hours at most, so a condition on starts_at, which an index serves, is implied.
            and c.starts_at < now() - interval '35 days'
            and c.ends_at < now() - interval '35 days'
        limit most
    )
    delete from scheduling.claims as c
    using past as p
    where c.tenant_id = organization and c.id = p.id;
    get diagnostics forgotten = row_count;
    perform app.set_tenant(null);
    return forgotten = most;
end
$$;

comment on function scheduling.forget_past_claims(uuid) is
    'Deletes claims of appointments of an organization that ended more than 35 days ago, at most 5,000 a call; whether '
    'there may be more. The worker calls it every night.';

grant execute on function
    scheduling.busy_elsewhere(uuid, timestamptz, timestamptz),
    scheduling.my_appointments_everywhere(timestamptz, uuid, timestamptz, uuid, bigint, boolean, uuid[])
to appointd_api;
grant execute on function scheduling.calendar_feed(uuid, uuid, bytea) to appointd_door;
grant execute on function scheduling.forget_past_claims(uuid) to appointd_worker;
reset role;
revoke create on schema scheduling from appointd_gate;
