-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids or null for any,
-- $5 and $6 between which they start
--
-- A filter is a case: see crm/contacts_list.sql. Of two bounds of one column the planner expects 1 row in 200.
select id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
from scheduling.holds
where
    tenant_id = $1
    and id > $2
    and case when $4::uuid[] is null then true else id = any ($4) end
    and case when starts_at >= $5 then starts_at < $6 else false end
    and expires_at > statement_timestamp()
order by id
limit $3
