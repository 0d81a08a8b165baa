-- $1 tenant_id, $2 row limit; expired holds, locked; skips those that another transaction confirms or ends
select id, service_id, provider_id, starts_at, ends_at, waitlist_entry_id
from scheduling.holds
where tenant_id = $1 and expires_at <= statement_timestamp()
order by expires_at, id
limit $2
for update skip locked
