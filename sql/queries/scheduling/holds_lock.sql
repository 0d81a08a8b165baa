-- $1 tenant_id, $2 id or null, $3 waitlist entry or null
--
-- Locks the hold and returns whether it can still be confirmed. A transaction that ends it waits.
select
    h.id, h.service_id, h.provider_id, h.starts_at, h.ends_at, h.overridden, h.waitlist_entry_id, h.created_by,
    h.expires_at > clock_timestamp() as stands,
    -- Customers cannot see a service that is no longer bookable online: then the organization has to confirm.
    coalesce(s.requires_approval, true) as requires_approval,
    coalesce(s.contact_may_overlap, false) as contact_may_overlap,
    coalesce(s.guest_requires, '{}') as guest_requires,
    coalesce(s.guest_verification, 'none') as guest_verification,
    w.contact_id as waiting_contact_id, w.guest_key,
    (
        select max(c.seat)
        from scheduling.claims as c
        where c.tenant_id = $1 and c.hold_id = h.id and c.capacity > 1
    ) as seat
from scheduling.holds as h
left join scheduling.services as s on s.tenant_id = $1 and s.id = h.service_id
left join scheduling.waitlist_entries as w on w.tenant_id = $1 and w.id = h.waitlist_entry_id
where h.tenant_id = $1 and (h.id = $2 or $2 is null) and (h.waitlist_entry_id = $3 or $3 is null)
for update of h
