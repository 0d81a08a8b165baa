-- $1 tenant_id, $2 id, $3 url, $4 whether to set $5 description, $6 types, $7 payload, $8 enabled; null keeps a value
--
-- Deliveries that are due are cancelled when the endpoint is disabled.
with cancelled as (
    update messaging.webhook_deliveries as d
    set state = case d.state when 'pending' then 'cancelled' else d.state end, next_at = null
    where d.tenant_id = $1 and d.endpoint_id = $2 and d.next_at is not null and not $8
)
update messaging.webhook_endpoints
set
    url = coalesce($3, url),
    description = case when $4 then $5 else description end,
    types = coalesce($6, types),
    payload = coalesce($7, payload),
    enabled = coalesce($8, enabled),
    disabled_reason = case
        when coalesce($8, enabled) then null
        when enabled then 'admin'
        else disabled_reason
    end,
    disabled_at = case
        when coalesce($8, enabled) then null
        when enabled then now()
        else disabled_at
    end,
    failing_since = case when $8 and not enabled then null else failing_since end,
    updated_at = now()
where tenant_id = $1 and id = $2
returning
    id, url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since,
    case when previous_valid_until > now() then previous_valid_until end as previous_valid_until, created_at, created_by
