-- $1 tenant_id, $2 after this position, $3 up to this position; adds a delivery for each endpoint that wants an event
--
-- In the transaction that publishes the events.
--
-- Sent as appointd_worker.
insert into messaging.webhook_deliveries (endpoint_id, event_id, event_position, type)
select w.id, e.id, e.position, e.type
from messaging.webhook_endpoints as w
join messaging.events as e
    on e.tenant_id = $1
    and (
        cardinality(w.types) = 0
        or e.type = any (w.types)
        or split_part(e.type, '.', 1) || '.*' = any (w.types)
    )
where
    w.tenant_id = $1
    and w.enabled
    and e.position > $2
    and e.position <= $3
    and (select messaging.plan_has('integrations'))
    and messaging.maker_stands(w.created_by)
order by e.position
on conflict (tenant_id, endpoint_id, event_id) do nothing
