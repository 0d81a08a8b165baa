-- $1 tenant_id, $2 id: with the names that its customer knows, also of what is not offered online any more
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.external_id, a.metadata,
    n.segments,
    coalesce(b.display_name, o.name) as organization_name, o.time_zone, n.service_name, n.provider_name,
    n.requires_approval, n.cancellation_notice_minutes,
    -- Of its calendar entry.
    n.sequence as entry_sequence, n.updated_at as entry_updated_at, o.updated_at as organization_updated_at
from scheduling.appointments as a
join tenancy.organizations as o on o.id = $1
join tenancy.branding as b on b.tenant_id = $1
cross join lateral scheduling.booked_names(a.id) as n
where a.tenant_id = $1 and a.id = $2
