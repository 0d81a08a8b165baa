-- $1 id, $2 service id, $3 provider id or null, $4 contact id, $5 from, $6 to
insert into scheduling.waitlist_entries (id, service_id, provider_id, contact_id, from_instant, to_instant)
values ($1, $2, $3, $4, $5, $6)
returning id, service_id, provider_id, contact_id, from_instant, to_instant, status, appointment_id, created_at, updated_at
