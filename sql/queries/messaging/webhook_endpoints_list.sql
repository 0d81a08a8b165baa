-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids and $5 updated at or after, or null for any
select
    id, url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since,
    case when previous_valid_until > now() then previous_valid_until end as previous_valid_until, created_at, created_by
from messaging.webhook_endpoints
where tenant_id = $1 and id > $2 and ($4::uuid[] is null or id = any ($4))
    and (updated_at >= $5 or $5 is null)
order by id
limit $3
