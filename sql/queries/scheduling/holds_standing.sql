-- $1 tenant_id, $2 id; one that stands and is no offer, locked
select id, starts_at, ends_at
from scheduling.holds
where tenant_id = $1 and id = $2 and expires_at > clock_timestamp() and waitlist_entry_id is null
for update
