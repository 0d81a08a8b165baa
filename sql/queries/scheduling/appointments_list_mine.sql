-- $1 tenant_id, $2 account of the customer, $3 and $4 start and id after which, $5 and $6 start and id before which the
-- page lies, $7 row limit, $8 whether the latest come first, $9 ids or null for any
--
-- With the names of appointments_get_named.sql.
with page as (
    select id
    from scheduling.appointments
    where
        tenant_id = $1
        and contact_id in (select c.id from crm.contacts as c where c.tenant_id = $1 and c.account_id = $2)
        and (starts_at, id) > ($3, $4)
        and (starts_at, id) < ($5, $6)
        and (id = any ($9) or $9 is null)
    order by
        case when $8 then starts_at end desc,
        case when $8 then id end desc,
        case when not $8 then starts_at end,
        case when not $8 then id end
    limit $7
)
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.external_id, a.metadata,
    n.segments,
    coalesce(b.display_name, o.name) as organization_name, o.time_zone, n.service_name, n.provider_name,
    n.requires_approval, n.cancellation_notice_minutes,
    n.sequence as entry_sequence, n.updated_at as entry_updated_at, o.updated_at as organization_updated_at
from page as p
join scheduling.appointments as a on a.tenant_id = $1 and a.id = p.id
join tenancy.organizations as o on o.id = $1
join tenancy.branding as b on b.tenant_id = $1
cross join lateral scheduling.booked_names(a.id) as n
order by
    case when $8 then a.starts_at end desc,
    case when $8 then a.id end desc,
    case when not $8 then a.starts_at end,
    case when not $8 then a.id end
