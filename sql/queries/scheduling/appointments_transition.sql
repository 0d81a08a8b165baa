-- $1 tenant_id, $2 ids, $3 action, $4 status after, $5 statuses it may be done in, $6 reason or null, $7 transition
-- ids, as many, $8 now, $9 actor or null, $10 kind of actor that cancels, or null
--
-- Changes the status of the appointments; returns a row for each whose status allowed it. Cancelling, declining and a
-- no-show free the time at once; completing before the end frees the rest of it, except the buffer after it. All seats
-- of a group session must have the same range of time, so a completed one keeps its claim. Records what undoing needs.
with before as (
    select a.id, a.status, a.ends_at
    from scheduling.appointments as a
    where a.tenant_id = $1 and a.id = any ($2)
    order by a.id
    for update
),
released as (
    select c.*, r.ends_at as new_end
    from before as b
    join scheduling.claims as c on c.tenant_id = $1 and c.appointment_id = b.id
    cross join lateral (
        select
            case
                when $4 = 'completed' then greatest(
                    c.starts_at,
                    $8::timestamptz
                    + (
                        c.ends_at
                        -- For a visit, the end of the last service that the claim is for.
                        - coalesce(
                            (
                                select max(g.ends_at)
                                from scheduling.appointment_segments as g
                                where
                                    g.tenant_id = $1 and g.appointment_id = b.id
                                    and g.starts_at >= c.starts_at and g.ends_at <= c.ends_at
                            ),
                            b.ends_at
                        )
                    )
                )
                else c.starts_at
            end as ends_at
    ) as r
    where
        b.status = any ($5)
        and ($4 in ('cancelled', 'declined', 'no_show') or ($4 = 'completed' and c.group_key is null))
        and r.ends_at < c.ends_at
),
noted as (
    insert into scheduling.appointment_transitions (
        appointment_id, id, action, from_status, to_status, reason, released
    )
    select
        n.id, ($7::uuid[])[n.position], $3, n.status, $4, $6,
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'id', r.id, 'owner_id', r.appointment_id, 'resource_id', r.resource_id, 'service_id',
                        r.service_id, 'service_starts_at', r.service_starts_at, 'service_ends_at',
                        r.service_ends_at, 'starts_at', r.starts_at, 'ends_at', r.ends_at, 'group_key',
                        r.group_key, 'seat', r.seat, 'capacity', r.capacity
                    )
                    order by r.resource_id, r.starts_at
                )
            from released as r
            where r.appointment_id = n.id and $4 in ('completed', 'no_show')
        )
    from (
        select b.id, b.status, row_number() over (order by b.id) as position
        from before as b
        where b.status = any ($5)
    ) as n
),
changed as (
    update scheduling.appointments as a
    set
        status = $4,
        cancellation_reason = case when $4 in ('cancelled', 'declined') then $6 end,
        cancelled_at = case when $4 = 'cancelled' then $8::timestamptz end,
        cancelled_by = case when $4 = 'cancelled' then $9::uuid end,
        cancelled_by_kind = case when $4 = 'cancelled' then $10 end,
        sequence = a.sequence + case when $4 in ('confirmed', 'cancelled', 'declined', 'no_show') then 1 else 0 end,
        updated_at = now()
    from before as b
    where a.tenant_id = $1 and a.id = b.id and b.status = any ($5)
    returning
        a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note,
        a.cancellation_reason,
        a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
        a.overridden, a.series_id, a.occurrence, a.seat, a.visit, a.external_id, a.metadata
),
freed as (
    delete from scheduling.claims as c
    where c.tenant_id = $1 and c.id in (select r.id from released as r where r.new_end = r.starts_at)
),
shortened as (
    update scheduling.claims as c
    set ends_at = r.new_end
    from released as r
    where c.tenant_id = $1 and c.id = r.id and r.new_end > r.starts_at
),
shortened_elsewhere as (
    update scheduling.shared_claims as s
    set ends_at = r.new_end
    from released as r
    where s.tenant_id = $1 and s.claim_id = r.id and r.new_end > r.starts_at
)
select
    c.*,
    case when c.visit then (select g.segments from scheduling.segments_of($1, c.id) as g) end as segments
from changed as c
order by c.starts_at
