-- $1 tenant_id, $2 id, $3 names to include (contact, service, provider)
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
    end as segments,
    case
        when 'contact' = any ($3) then (
            select
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'id', c.id, 'first_name', c.first_name, 'last_name', c.last_name, 'email', c.email, 'phone',
                        c.phone
                    )
                )
            from crm.contacts as c
            where c.tenant_id = $1 and c.id = a.contact_id
        )
    end as contact,
    case
        when 'service' = any ($3) then (
            select jsonb_build_object('id', s.id, 'name', s.name)
            from scheduling.services as s
            where s.tenant_id = $1 and s.id = a.service_id
        )
    end as service,
    case
        when 'provider' = any ($3) then (
            select jsonb_build_object('id', p.id, 'name', p.name)
            from scheduling.providers as p
            where p.tenant_id = $1 and p.id = a.provider_id
        )
    end as provider
from scheduling.appointments as a
where a.tenant_id = $1 and a.id = $2
