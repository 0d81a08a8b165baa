-- $1 tenant_id, $2 account; webhook endpoints whose maker is the account or one of its API keys
select id, url, enabled, created_at, created_by
from messaging.webhook_endpoints
where
    tenant_id = $1
    and (
        created_by = $2
        or created_by in (select k.id from tenancy.api_keys as k where k.tenant_id = $1 and k.created_by = $2)
    )
order by id
limit 100
