-- $1 tenant_id, $2 series id
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit, a.external_id, a.metadata,
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
from scheduling.appointments as a
where a.tenant_id = $1 and a.series_id = $2
order by a.occurrence
