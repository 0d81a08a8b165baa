-- $1 tenant_id, $2 waitlist entry; the hold of its offer, locked
select id, starts_at, ends_at
from scheduling.holds
where tenant_id = $1 and waitlist_entry_id = $2
for update
