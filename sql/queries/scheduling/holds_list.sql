-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids or null for any,
-- $5 and $6 between which they start
select id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
from scheduling.holds
where
    tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
    and starts_at >= $5 and starts_at < $6 and expires_at > statement_timestamp()
order by id
limit $3
