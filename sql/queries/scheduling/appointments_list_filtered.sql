-- $1 tenant_id, $2 names to include (contact, service, provider), $3 and $4 start and id after which, $5 and $6 start
-- and id before which the page lies, $7 row limit, $8 whether the latest come first; null for any: $9 statuses, $10
-- updated at or after, $11 ids, $12 contact id, $13 series id, $14 account or key that booked, $15 service id, $16
-- provider id, $17 external id
--
-- Appointments whose only or first service is this one with this provider, and visits in which a later one is.
with found as (
    (
        select a.*
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and (a.service_id = $15 or $15 is null)
            and (a.provider_id = $16 or $16 is null)
            and (a.status = any ($9) or $9 is null)
            and (a.updated_at >= $10 or $10 is null)
            and (a.starts_at, a.id) > ($3, $4)
            and (a.starts_at, a.id) < ($5, $6)
            and (a.id = any ($11) or $11 is null)
            and (a.contact_id = $12 or $12 is null)
            and (a.series_id = $13 or $13 is null)
            and (a.created_by = $14 or $14 is null)
            and (a.external_id = $17 or $17 is null)
        order by
            case when $8 then a.starts_at end desc,
            case when $8 then a.id end desc,
            case when not $8 then a.starts_at end,
            case when not $8 then a.id end
        limit $7
    )
    union all
    (
        select a.*
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and ($15 is not null or $16 is not null)
            and not ((a.service_id = $15 or $15 is null) and (a.provider_id = $16 or $16 is null))
            and a.id in (
                select g.appointment_id
                from scheduling.appointment_segments as g
                where
                    g.tenant_id = $1
                    and (g.service_id = $15 or $15 is null)
                    and (g.provider_id = $16 or $16 is null)
                    and g.starts_at >= $3
            )
            and (a.status = any ($9) or $9 is null)
            and (a.updated_at >= $10 or $10 is null)
            and (a.starts_at, a.id) > ($3, $4)
            and (a.starts_at, a.id) < ($5, $6)
            and (a.id = any ($11) or $11 is null)
            and (a.contact_id = $12 or $12 is null)
            and (a.series_id = $13 or $13 is null)
            and (a.created_by = $14 or $14 is null)
            and (a.external_id = $17 or $17 is null)
        order by
            case when $8 then a.starts_at end desc,
            case when $8 then a.id end desc,
            case when not $8 then a.starts_at end,
            case when not $8 then a.id end
        limit $7
    )
)
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit, a.external_id, a.metadata,
    case when a.visit then (select g.segments from scheduling.segments_of($1, a.id) as g) end as segments,
    n.contact, n.service, n.provider
from found as a
cross join lateral scheduling.names_of($1, $2, a.contact_id, a.service_id, a.provider_id) as n
order by
    case when $8 then a.starts_at end desc,
    case when $8 then a.id end desc,
    case when not $8 then a.starts_at end,
    case when not $8 then a.id end
limit $7
