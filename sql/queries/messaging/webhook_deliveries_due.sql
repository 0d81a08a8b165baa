-- $1 tenant_id, $2 endpoint, $3 row limit; deliveries that are due, with what their requests are made of
--
-- Without rows: none is due, the endpoint is disabled or deleted, its maker is suspended, or the plan does not include
-- it any more. A test has no position. An event that is not kept any more has no data.
--
-- Sent as appointd_worker.
select
    d.id, d.event_id, d.event_position, d.type, d.state, d.step, d.created_at, w.url, w.payload, w.generation, w.key_id,
    case when w.previous_valid_until > now() then w.previous_key_id end as previous_key_id,
    (select messaging.organization_name()) as organization_name, e.occurred_at, e.actor_kind, e.actor_id, e.subject_id,
    e.data, e.previous
from messaging.webhook_endpoints as w
join messaging.webhook_deliveries as d on d.tenant_id = $1 and d.endpoint_id = w.id
left join messaging.events as e on e.tenant_id = $1 and e.position = d.event_position
where
    w.tenant_id = $1
    and w.id = $2
    and w.enabled
    and d.next_at <= now()
    and (select messaging.plan_has('integrations'))
    and messaging.maker_stands(w.created_by)
order by d.next_at, d.event_position
limit $3
