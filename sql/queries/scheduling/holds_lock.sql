-- $1 tenant_id, $2 id or null, $3 waitlist entry or null: by either. Whether it can still be confirmed is decided here: who takes it over waits.
select
    h.id, h.service_id, h.provider_id, h.starts_at, h.ends_at, h.overridden, h.waitlist_entry_id,
    h.expires_at > clock_timestamp() as stands,
    s.requires_approval, s.contact_may_overlap,
    (select max(c.seat) from scheduling.claims as c where c.tenant_id = $1 and c.hold_id = h.id and c.capacity > 1) as seat
from scheduling.holds as h
join scheduling.services as s on s.tenant_id = $1 and s.id = h.service_id
where h.tenant_id = $1 and (h.id = $2 or $2 is null) and (h.waitlist_entry_id = $3 or $3 is null)
for update of h
