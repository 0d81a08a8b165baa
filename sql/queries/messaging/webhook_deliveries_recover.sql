-- $1 tenant_id, $2 endpoint, $3 events published at or after, $4 row limit; makes deliveries due that were not
-- delivered, and adds those that were not added because the endpoint was disabled
--
-- Returns how many, oldest events first. Tests are not repeated.
with missed as materialized (
    select w.id as endpoint_id, e.id, e.position, e.type
    from messaging.webhook_endpoints as w
    join messaging.events as e
        on e.tenant_id = $1
        and (
            cardinality(w.types) = 0
            or e.type = any (w.types)
            or split_part(e.type, '.', 1) || '.*' = any (w.types)
        )
    left join messaging.webhook_deliveries as d
        on d.tenant_id = $1 and d.endpoint_id = w.id and d.event_id = e.id
    where
        w.tenant_id = $1
        and w.id = $2
        and e.published_at >= $3
        and (d.id is null or d.state in ('failed', 'cancelled'))
    order by e.position
    limit $4
),
added as (
    insert into messaging.webhook_deliveries as d (endpoint_id, event_id, event_position, type)
    select m.endpoint_id, m.id, m.position, m.type
    from missed as m
    order by m.position
    on conflict (tenant_id, endpoint_id, event_id) do update
    set state = 'pending', step = 0, next_at = now()
    where d.state in ('failed', 'cancelled')
    returning d.id
)
select count(*) as deliveries
from added
