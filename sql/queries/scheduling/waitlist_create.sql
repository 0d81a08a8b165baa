-- $1 tenant_id, $2 id, $3 service id, $4 provider id or null, $5 contact id, $6 from, $7 to, $8 guest key or null
--
-- Creates a waitlist entry. Returns no row if the service does not exist for the caller or is not active.
insert into scheduling.waitlist_entries (id, service_id, provider_id, contact_id, from_instant, to_instant, guest_key)
select $2, s.id, $4, $5, $6, $7, $8
from scheduling.services as s
where s.tenant_id = $1 and s.id = $3 and s.active
returning
    id, service_id, provider_id, contact_id, from_instant, to_instant, status, appointment_id, created_at, updated_at
