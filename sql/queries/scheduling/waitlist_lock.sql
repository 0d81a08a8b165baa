-- $1 tenant_id, $2 id; no row if it is no longer waiting, or another transaction is changing it
select id
from scheduling.waitlist_entries
where tenant_id = $1 and id = $2 and status = 'waiting'
for update skip locked
