-- $1 tenant_id, $2 id
select
    id, url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since,
    case when previous_valid_until > now() then previous_valid_until end as previous_valid_until, created_at, created_by
from messaging.webhook_endpoints
where tenant_id = $1 and id = $2
