-- $1 tenant_id, $2 provider id; locks the provider against concurrent bookings: see resources_lock.sql
select count(pg_advisory_xact_lock(hashtextextended(p.tenant_id::text || p.id::text, 0))) as locked
from scheduling.providers as p
where p.tenant_id = $1 and p.id = $2
