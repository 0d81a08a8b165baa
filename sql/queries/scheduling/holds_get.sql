-- $1 tenant_id, $2 id; no row if it has expired
select id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
from scheduling.holds
where tenant_id = $1 and id = $2 and expires_at > statement_timestamp()
