-- $1 tenant_id, $2 after this id, $3 row limit, $4 states or null, $5 kind or null, $6 ids or null
select
    id, kind, key, payload, state, run_at, attempt, max_attempts, last_error, created_at
from messaging.jobs
where
    tenant_id = $1
    and id > $2
    and ($4::text[] is null or state = any ($4))
    and ($5::text is null or kind = $5)
    and ($6::uuid[] is null or id = any ($6))
order by id
limit $3
