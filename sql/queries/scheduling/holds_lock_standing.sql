-- $1 tenant_id, $2 id; locked; no row if it has expired or is an offer
select id, starts_at, ends_at
from scheduling.holds
where tenant_id = $1 and id = $2 and expires_at > clock_timestamp() and waitlist_entry_id is null
for update
