-- $1 tenant_id, $2 endpoint; seconds until its next delivery is due, 0 if one is. No row: none is
--
-- In the transaction that ends the job.
--
-- Sent as appointd_worker.
select greatest(0, extract(epoch from d.next_at - now()))::float8 as seconds
from messaging.webhook_endpoints as w
join messaging.webhook_deliveries as d on d.tenant_id = $1 and d.endpoint_id = w.id
where
    w.tenant_id = $1
    and w.id = $2
    and w.enabled
    and d.next_at is not null
    and (select messaging.plan_has('integrations'))
    and messaging.maker_stands(w.created_by)
order by d.next_at
limit 1
