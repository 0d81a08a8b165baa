-- $1 tenant_id, $2 provider id
--
-- Waits for those who are booking the provider, and has others wait. A provider that the caller does not see is not
-- locked: no row. The key of the lock begins with the tenant, so that nobody waits for another organization.
select pg_advisory_xact_lock(hashtextextended(p.tenant_id::text || p.id::text, 0)) is null as locked
from scheduling.providers as p
where p.tenant_id = $1 and p.id = $2
