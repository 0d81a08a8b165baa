-- $1 tenant_id, $2 provider id or null for all, $3 from, $4 to (instants, half-open), $5 first date, $6 last date,
-- $7 row limit of appointments, which are null if it is reached
--
-- Returns what a calendar of staff shows of a period: a row for each provider who is active or has an appointment or a
-- hold in it. The first row also has the time zone of the organization, its closures, and by provider the appointments,
-- holds and group sessions; a single row without an id if no provider is found. A visit of several services counts as
-- one appointment for each of them.
with who as (
    select p.id, p.name, p.active, p.account_id is not null as shared
    from scheduling.providers as p
    where p.tenant_id = $1 and (p.id = $2 or $2 is null)
),
booked as materialized (
    select i.*
    from who as w
    cross join lateral (
        -- An appointment lasts at most 24 hours, so none that began earlier overlaps the period.
        select
            a.id, null::smallint as segment, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at,
            a.status, a.seat, a.series_id
        from scheduling.appointments as a
        where
            a.tenant_id = $1 and a.provider_id = w.id and not a.visit
            and a.starts_at > $3::timestamptz - interval '24 hours' and a.starts_at < $4 and a.ends_at > $3
            and a.status not in ('cancelled', 'declined')
        union all
        select
            a.id, g.position, g.service_id, g.provider_id, a.contact_id, g.starts_at, g.ends_at, a.status, a.seat,
            a.series_id
        from scheduling.appointment_segments as g
        join scheduling.appointments as a on a.tenant_id = $1 and a.id = g.appointment_id
        where
            g.tenant_id = $1 and g.provider_id = w.id
            and g.starts_at > $3::timestamptz - interval '24 hours' and g.starts_at < $4 and g.ends_at > $3
            and a.status not in ('cancelled', 'declined')
    ) as i
    limit $7
),
held as materialized (
    select
        h.id, h.service_id, h.provider_id, h.starts_at, h.ends_at, h.expires_at, h.waitlist_entry_id,
        c.starts_at as busy_from, c.ends_at as busy_until, case when c.capacity > 1 then c.seat end as seat
    from scheduling.holds as h
    join scheduling.claims as c on c.tenant_id = $1 and c.hold_id = h.id and c.resource_id = h.provider_id
    where
        h.tenant_id = $1 and (h.provider_id = $2 or $2 is null)
        and h.expires_at > statement_timestamp() and h.starts_at < $4 and h.ends_at > $3
),
appointments as (
    select
        b.provider_id,
        json_agg(
            json_build_object(
                'id', b.id, 'segment', b.segment, 'service_id', b.service_id, 'service_name', s.name,
                'contact_id', b.contact_id, 'contact_name', n.first_name || ' ' || n.last_name,
                'starts_at', b.starts_at, 'ends_at', b.ends_at, 'busy_from', c.starts_at, 'busy_until', c.ends_at,
                'status', b.status, 'seat', b.seat, 'series_id', b.series_id
            )
            order by b.starts_at, b.id
        ) as items
    from booked as b
    join scheduling.services as s on s.tenant_id = $1 and s.id = b.service_id
    join crm.contacts as n on n.tenant_id = $1 and n.id = b.contact_id
    left join scheduling.claims as c
        on
            c.tenant_id = $1 and c.appointment_id = b.id and c.resource_id = b.provider_id
            and c.service_starts_at = b.starts_at
    group by b.provider_id
),
holds as (
    select
        h.provider_id,
        json_agg(
            json_build_object(
                'id', h.id, 'service_id', h.service_id, 'service_name', s.name, 'starts_at', h.starts_at,
                'ends_at', h.ends_at, 'busy_from', h.busy_from, 'busy_until', h.busy_until, 'expires_at', h.expires_at,
                'waitlist_entry_id', h.waitlist_entry_id, 'seat', h.seat
            )
            order by h.starts_at, h.id
        ) as items
    from held as h
    join scheduling.services as s on s.tenant_id = $1 and s.id = h.service_id
    group by h.provider_id
),
sessions as (
    select
        t.provider_id,
        json_agg(
            json_build_object(
                'service_id', t.service_id, 'service_name', s.name, 'starts_at', t.starts_at, 'ends_at', t.ends_at,
                'seats_taken', t.taken, 'capacity', s.capacity
            )
            order by t.starts_at, t.service_id
        ) as items
    from (
        select q.provider_id, q.service_id, q.starts_at, max(q.ends_at) as ends_at, count(*) as taken
        from (
            select b.provider_id, b.service_id, b.starts_at, b.ends_at
            from booked as b
            where b.seat is not null and b.status <> 'no_show'
            union all
            select h.provider_id, h.service_id, h.starts_at, h.ends_at
            from held as h
            where h.seat is not null
        ) as q
        group by q.provider_id, q.service_id, q.starts_at
    ) as t
    join scheduling.services as s on s.tenant_id = $1 and s.id = t.service_id
    group by t.provider_id
),
listed as (
    select w.*, row_number() over (order by w.id) as position
    from who as w
    where
        w.active or $2 is not null
        or w.id in (select b.provider_id from booked as b)
        or w.id in (select h.provider_id from held as h)
),
about as (
    select
        o.time_zone as organization_time_zone,
        (
            select
                coalesce(
                    json_agg(
                        json_build_object(
                            'id', c.id, 'starts_on', c.starts_on, 'ends_on', c.ends_on, 'name', c.name,
                            'created_at', c.created_at, 'updated_at', c.updated_at
                        )
                        order by c.starts_on, c.id
                    ),
                    '[]'
                )
            from scheduling.closures as c
            where c.tenant_id = $1 and c.ends_on >= $5 and c.starts_on <= $6
        ) as closures,
        -- By provider, in one row: joined to the providers, they would be read once for each.
        case
            when (select count(*) from booked) < $7
                then (select coalesce(json_object_agg(a.provider_id, a.items), '{}') from appointments as a)
        end as appointments,
        (select coalesce(json_object_agg(h.provider_id, h.items), '{}') from holds as h) as holds,
        (select coalesce(json_object_agg(s.provider_id, s.items), '{}') from sessions as s) as sessions
    from tenancy.organizations as o
    where o.id = $1
)
select
    case when w.position is null or w.position = 1 then b.organization_time_zone end as organization_time_zone,
    case when w.position is null or w.position = 1 then b.closures end as closures,
    case when w.position is null or w.position = 1 then b.appointments end as appointments,
    case when w.position is null or w.position = 1 then b.holds end as holds,
    case when w.position is null or w.position = 1 then b.sessions end as sessions,
    w.id, w.name, w.active,
    h.time_zone, i.weekdays, i.from_minutes, i.to_minutes, i.valid_from, i.valid_until, i.dates, i.override_from,
    i.override_to, i.starts_on, i.ends_on, i.time_zones,
    f.items as time_off,
    e.starts as elsewhere_starts, e.ends as elsewhere_ends
from about as b
left join listed as w on true
left join scheduling.schedules as h on h.tenant_id = $1 and h.provider_id = w.id
cross join lateral scheduling.hours_of($1, w.id, $5, $6) as i
cross join lateral (
    select
        coalesce(
            json_agg(
                json_build_object(
                    'id', y.id, 'provider_id', y.provider_id, 'starts_at', y.starts_at, 'ends_at', y.ends_at,
                    'created_at', y.created_at, 'updated_at', y.updated_at
                )
                order by y.starts_at, y.id
            ),
            '[]'
        ) as items
    from scheduling.time_off as y
    where y.tenant_id = $1 and y.provider_id = w.id and y.ends_at > $3 and y.starts_at < $4
) as f
left join lateral scheduling.busy_elsewhere(case when w.shared then w.id end, $3, $4) as e on true
order by w.position
