-- $1 tenant_id, $2 service ids in their order, $3 provider ids or null for all active ones, $4 from, $5 to (instants,
-- half-open), $6 first date, $7 last date, $8 appointments to leave out of account, $9 contact ids, $10
-- whether it is to be booked
--
-- Returns everything that decides which starts are free, for listing slots and for booking: a row for each provider,
-- room and piece of equipment that the services can use, with the claims that overlap the period; and a row for each
-- contact whose time was ever claimed. The first row also has the data of the services and the organization. A single
-- row without an id if none of them exists.
--
-- To book, the statement takes the locks of booking (see resources_lock.sql), in the order of the ids. Its snapshot is
-- older than the locks: if a limit applies, load again before counting.
--
-- Arrays are aggregated from an ordered sub-select: one sort, not one an array.
with asked as (
    select s.*, w.position
    from unnest($2::uuid[]) with ordinality as w (id, position)
    join scheduling.services as s on s.tenant_id = $1 and s.id = w.id
),
required as materialized (
    select r.service_id, r.requirement, r.resource_id
    from scheduling.service_resources as r
    where r.tenant_id = $1 and r.service_id = any ($2)
),
rules as (
    select
        (
            select
                json_agg(
                    json_build_object(
                        'id', a.id,
                        'active', a.active,
                        'bookable_online', a.bookable_online,
                        'duration_minutes', a.duration_minutes,
                        'slot_step_minutes', a.slot_step_minutes,
                        'slot_offset_minutes', a.slot_offset_minutes,
                        'buffer_before_minutes', a.buffer_before_minutes,
                        'buffer_after_minutes', a.buffer_after_minutes,
                        'min_notice_minutes', a.min_notice_minutes,
                        'horizon_days', a.horizon_days,
                        'bookable_from', a.bookable_from,
                        'bookable_until', a.bookable_until,
                        'max_per_day', a.max_per_day,
                        'max_per_week', a.max_per_week,
                        'requires_approval', a.requires_approval,
                        'capacity', a.capacity,
                        'contact_may_overlap', a.contact_may_overlap,
                        'cancellation_notice_minutes', a.cancellation_notice_minutes,
                        'guest_requires', a.guest_requires,
                        'guest_verification', a.guest_verification,
                        'provider_ids',
                        array(
                            select p.provider_id
                            from scheduling.service_providers as p
                            where p.tenant_id = $1 and p.service_id = a.id
                        ),
                        'required_resources',
                        (
                            select coalesce(json_agg(q.resource_ids order by q.requirement), '[]')
                            from (
                                select r.requirement, array_agg(r.resource_id order by r.resource_id) as resource_ids
                                from required as r
                                where r.service_id = a.id
                                group by r.requirement
                            ) as q
                        ),
                        'counted_starts',
                        -- The starts that count towards its limits; those of one group session count once.
                        case
                            when coalesce(a.max_per_day, a.max_per_week) is not null then array(
                                select min(c.service_starts_at)
                                from scheduling.claims as c
                                where
                                    c.tenant_id = $1 and c.service_id = a.id
                                    and c.service_starts_at > $4::timestamptz - interval '8 days'
                                    and c.service_starts_at < $5::timestamptz + interval '8 days'
                                    and (c.expires_at is null or c.expires_at > statement_timestamp())
                                    and (c.appointment_id is null or c.appointment_id <> all ($8::uuid[]))
                                group by c.resource_id, c.group_session_id
                            )
                        end
                    )
                    order by a.position
                )
            from asked as a
        ) as services,
        (select o.time_zone from tenancy.organizations as o where o.id = $1) as organization_time_zone,
        exists (
            select
            from scheduling.holds as h
            where h.tenant_id = $1 and h.expires_at <= statement_timestamp() and h.waitlist_entry_id is null
        ) as holds_expired
),
wanted as (
    select p.id, 'provider' as kind, p.active, p.max_per_day, p.max_per_week, p.account_id is not null as shared
    from scheduling.providers as p
    where p.tenant_id = $1 and (p.id = any ($3) or ($3 is null and p.active))
    union all
    -- What is required, and the contacts.
    select r.id, r.kind, r.active, null, null, false
    from scheduling.resources as r
    where
        r.tenant_id = $1
        and r.id = any (array(select q.resource_id from required as q) || $9)
        and case
            when r.kind = 'contact' then r.id = any ($9)
            else r.active and r.id in (select q.resource_id from required as q)
        end
),
locked as materialized (
    select
        count(
            case
                when k.counts then pg_advisory_xact_lock(app.lock_key($1, k.id::text))
                else pg_advisory_xact_lock_shared(app.lock_key($1, k.id::text))
            end
        )
    from (
        select l.id, bool_or(l.counts) as counts
        from (
            select a.id, true as counts from asked as a where coalesce(a.max_per_day, a.max_per_week) is not null
            union all
            select w.id, coalesce(w.max_per_day, w.max_per_week) is not null from wanted as w
            union all
            -- One booking of a contact after the other: appointments_contact_seat can deadlock.
            select c.id, true from unnest($9::uuid[]) as c (id)
        ) as l
        group by l.id
        order by l.id
    ) as k
    where $10
),
who as (
    select
        w.*,
        -- Limits apply to whole weeks.
        case
            when coalesce(w.max_per_day, w.max_per_week) is null then $4::timestamptz
            else $4::timestamptz - interval '8 days'
        end as since,
        case
            when coalesce(w.max_per_day, w.max_per_week) is null then $5::timestamptz
            else $5::timestamptz + interval '8 days'
        end as until,
        row_number() over (order by w.kind <> 'provider', w.id) as position
    from wanted as w
)
select
    case when w.position is null or w.position = 1 then g.services end as services,
    g.organization_time_zone,
    case when w.position is null or w.position = 1 then d.closed_from end as closed_from,
    case when w.position is null or w.position = 1 then d.closed_to end as closed_to,
    g.holds_expired,
    w.id, w.kind, w.active, w.max_per_day, w.max_per_week,
    h.time_zone, i.weekdays, i.from_minutes, i.to_minutes, i.valid_from, i.valid_until, i.dates, i.override_from,
    i.override_to, i.starts_on, i.ends_on, i.time_zones,
    f.starts as off_starts, f.ends as off_ends,
    c.starts, c.ends, c.service_starts, c.service_ends, c.group_keys, c.seats,
    e.starts as elsewhere_starts, e.ends as elsewhere_ends
from locked
cross join rules as g
cross join (
    select
        coalesce(array_agg(starts_on), '{}') as closed_from,
        coalesce(array_agg(ends_on), '{}') as closed_to
    from (
        select starts_on, ends_on
        from scheduling.closures
        where tenant_id = $1 and ends_on >= $6 and starts_on <= $7
        order by starts_on, id
    ) as closure
) as d
left join who as w on true
left join scheduling.schedules as h on h.tenant_id = $1 and h.provider_id = w.id
cross join lateral scheduling.hours_of($1, w.id, $6, $7) as i
cross join lateral (
    select
        coalesce(array_agg(starts_at), '{}') as starts,
        coalesce(array_agg(ends_at), '{}') as ends
    from (
        select starts_at, ends_at
        from scheduling.time_off
        where tenant_id = $1 and provider_id = w.id and ends_at > $4 and starts_at < $5
        order by starts_at
    ) as off
) as f
cross join lateral (
    -- A claim lasts at most 24 hours, so none that began earlier overlaps the period.
    select
        coalesce(array_agg(starts_at), '{}') as starts,
        coalesce(array_agg(ends_at), '{}') as ends,
        coalesce(array_agg(service_starts_at), '{}') as service_starts,
        coalesce(array_agg(service_ends_at), '{}') as service_ends,
        coalesce(array_agg(group_key), '{}') as group_keys,
        coalesce(array_agg(seat), '{}') as seats
    from (
        select starts_at, ends_at, service_starts_at, service_ends_at, group_key, seat
        from scheduling.claims
        where
            tenant_id = $1 and resource_id = w.id
            and starts_at > w.since - interval '24 hours' and starts_at < w.until and ends_at > w.since
            and (expires_at is null or expires_at > statement_timestamp())
            and (appointment_id is null or appointment_id <> all ($8))
        order by starts_at
    ) as claim
) as c
-- Null for a provider without an account: the function, which is strict, is not run.
left join lateral scheduling.busy_elsewhere(case when w.shared then w.id end, $4, $5) as e on true
order by w.position
