-- $1 tenant_id, $2 status or null for any, $3 starts before, $4 after this start and $5 id, $6 row limit, $7 updated
-- at or after, or null, $8 provider id
--
-- Appointments whose only or first service the provider performs, and visits in which they perform a later one.
with found as (
    (
        select a.id
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and a.provider_id = $8
            and (a.status = $2 or $2 is null)
            and (a.updated_at >= $7 or $7 is null)
            and a.starts_at < $3
            and (a.starts_at, a.id) > ($4, $5)
        order by a.starts_at, a.id
        limit $6
    )
    union all
    (
        select a.id
        from scheduling.appointment_segments as g
        join scheduling.appointments as a on a.tenant_id = $1 and a.id = g.appointment_id
        where
            g.tenant_id = $1
            and g.provider_id = $8
            and g.starts_at >= $4
            and a.provider_id <> $8
            and (a.status = $2 or $2 is null)
            and (a.updated_at >= $7 or $7 is null)
            and a.starts_at < $3
            and (a.starts_at, a.id) > ($4, $5)
        group by a.id, a.starts_at
        order by a.starts_at, a.id
        limit $6
    )
)
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit,
    case
        when a.visit then (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'service_id', g.service_id, 'provider_id', g.provider_id, 'starts_at', g.starts_at, 'ends_at',
                        g.ends_at
                    )
                    order by g.position
                )
            from scheduling.appointment_segments as g
            where g.tenant_id = $1 and g.appointment_id = a.id
        )
    end as segments
from found as f
join scheduling.appointments as a on a.tenant_id = $1 and a.id = f.id
order by a.starts_at, a.id
limit $6
