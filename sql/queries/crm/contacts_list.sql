-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 updated at or after, or null, $5
-- ids and $6 external id, or null for any
--
-- A filter is a case, not `or $n is null`: a plan for any parameters then expects half of the rows to pass each, reads
-- in the order of the index and stops. With `or` it expects one row, and reads and sorts all of the tenant.
select id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
from crm.contacts
where
    tenant_id = $1
    and id > $2
    and case when $4::timestamptz is null then true else updated_at >= $4 end
    and case when $5::uuid[] is null then true else id = any ($5) end
    and case when $6::text is null then true else external_id = $6 end
order by id
limit $3
