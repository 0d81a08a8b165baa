-- $1 tenant_id, $2 ids, $3 action, $4 status after, $5 statuses it may be done in, $6 reason or null, $7 transition ids, as many, $8 now, $9 actor or null, $10 kind of actor that cancels, or null
--
-- A row for each that was there and could be moved on. Cancelled or declined, its time is free in the same instant.
with before as (
    select a.id, a.status
    from scheduling.appointments as a
    where a.tenant_id = $1 and a.id = any ($2)
    order by a.id
    for update
),
noted as (
    insert into scheduling.appointment_transitions (appointment_id, id, action, from_status, to_status, reason)
    select n.id, ($7::uuid[])[n.position], $3, n.status, $4, $6
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
        sequence = a.sequence + case when $4 in ('confirmed', 'cancelled', 'declined') then 1 else 0 end,
        updated_at = $8
    from before as b
    where a.tenant_id = $1 and a.id = b.id and b.status = any ($5)
    returning
        a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
        a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence, a.overridden,
        a.series_id, a.occurrence, a.seat, a.visit
),
freed as (
    delete from scheduling.claims as c
    where c.tenant_id = $1 and $4 in ('cancelled', 'declined') and c.appointment_id in (select id from changed)
)
select
    c.*,
    case
        when c.visit then (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'service_id', g.service_id, 'provider_id', g.provider_id, 'starts_at', g.starts_at, 'ends_at', g.ends_at
                    )
                    order by g.position
                )
            from scheduling.appointment_segments as g
            where g.tenant_id = $1 and g.appointment_id = c.id
        )
    end as segments
from changed as c
order by c.starts_at
