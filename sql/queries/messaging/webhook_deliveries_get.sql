-- $1 tenant_id, $2 id; with its attempts as a list, oldest first
select
    d.id, d.endpoint_id, d.event_id, d.type, d.state, d.attempts, d.next_at, d.delivered_at, d.created_at,
    coalesce(
        (
            select jsonb_agg(
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'number', a.number, 'attempted_at', a.attempted_at, 'status', a.status, 'error', a.error,
                        'duration_ms', a.duration_ms, 'response', a.response
                    )
                )
                order by a.number
            )
            from messaging.webhook_attempts as a
            where a.tenant_id = $1 and a.delivery_id = d.id
        ),
        '[]'
    ) as log
from messaging.webhook_deliveries as d
where d.tenant_id = $1 and d.id = $2
