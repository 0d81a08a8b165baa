-- $1 tenant_id, $2 account of the customer, $3 last id of the page before, or the nil UUID, $4 row limit,
-- $5 ids or null for any
select id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
from scheduling.holds
where
    tenant_id = $1
    and created_by = $2
    and id > $3
    and case when $5::uuid[] is null then true else id = any ($5) end
    and expires_at > statement_timestamp()
order by id
limit $4
