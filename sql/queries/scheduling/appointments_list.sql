-- $1 tenant_id, $2 names to include (contact, service, provider), $3 and $4 start and id after which, $5 and $6 start
-- and id before which the page lies, $7 row limit, $8 whether the latest come first; null for any: $9 statuses, $10
-- updated at or after
--
-- One of the two orders is read, also by a plan that does not know $8.
with found as (
    (
        select a.*
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and not $8
            and (a.status = any ($9) or $9 is null)
            and (a.updated_at >= $10 or $10 is null)
            and (a.starts_at, a.id) > ($3, $4)
            and (a.starts_at, a.id) < ($5, $6)
        order by a.starts_at, a.id
        limit $7
    )
    union all
    (
        select a.*
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and $8
            and (a.status = any ($9) or $9 is null)
            and (a.updated_at >= $10 or $10 is null)
            and (a.starts_at, a.id) > ($3, $4)
            and (a.starts_at, a.id) < ($5, $6)
        order by a.starts_at desc, a.id desc
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
