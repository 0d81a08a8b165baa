-- $1 tenant_id, $2 provider id; waits for those that book the provider, and makes others wait: see resources_lock.sql
select count(pg_advisory_xact_lock(app.lock_key(p.tenant_id, p.id::text))) as locked
from scheduling.providers as p
where p.tenant_id = $1 and p.id = $2
