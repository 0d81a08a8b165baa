-- $1 tenant_id, $2 id: the entry of the guest who asks, with names
select
    w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.status, w.appointment_id,
    w.created_at, w.updated_at, h.id as hold_id, h.provider_id as offered_provider_id, h.starts_at as offered_starts_at,
    h.expires_at as offer_expires_at, coalesce(b.display_name, o.name) as organization_name, o.time_zone,
    n.service_name, n.provider_name, n.offered_provider_name
from scheduling.waitlist_entries as w
join tenancy.organizations as o on o.id = $1
join tenancy.branding as b on b.tenant_id = $1
cross join lateral scheduling.waiting_names(w.id) as n
left join scheduling.holds as h on h.tenant_id = $1 and h.waitlist_entry_id = w.id and w.status = 'offered'
where w.tenant_id = $1 and w.id = $2
