-- $1 tenant_id, $2 id, $3 state, $4 number of failures since it was added or retried, $5 seconds until the next attempt
-- or null: none, $6 HTTP status or null, $7 error or null, $8 milliseconds, $9 beginning of the answer or null
--
-- Notes an attempt. No row: the delivery was deleted with its endpoint.
--
-- Sent as appointd_worker.
with noted as (
    update messaging.webhook_deliveries as d
    set
        state = $3,
        step = $4,
        attempts = d.attempts + 1,
        next_at = now() + make_interval(secs => $5),
        delivered_at = case when $3 = 'delivered' then coalesce(d.delivered_at, now()) end
    where d.tenant_id = $1 and d.id = $2
    returning d.id, d.attempts
)
insert into messaging.webhook_attempts (delivery_id, number, status, error, duration_ms, response)
select n.id, n.attempts, $6, $7, $8, $9
from noted as n
returning number
