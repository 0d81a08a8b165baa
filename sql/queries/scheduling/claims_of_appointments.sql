-- $1 tenant_id, $2 appointment ids; the time that each takes
select
    c.id, c.appointment_id as owner_id, c.resource_id, c.service_id, c.service_starts_at, c.service_ends_at,
    c.starts_at, c.ends_at, c.group_key, c.seat, c.capacity, c.resource_id = a.contact_id as of_contact
from scheduling.claims as c
join scheduling.appointments as a on a.tenant_id = $1 and a.id = c.appointment_id
where c.tenant_id = $1 and c.appointment_id = any ($2)
