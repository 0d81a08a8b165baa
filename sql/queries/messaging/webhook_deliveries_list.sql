-- $1 tenant_id, $2 created before, $3 before this id of the same time, $4 row limit, $5 endpoint or null, $6 states or
-- null, $7 types or null, $8 id of the event or null, $9 ids or null for any; the latest first
select id, endpoint_id, event_id, type, state, attempts, next_at, delivered_at, created_at
from messaging.webhook_deliveries
where
    tenant_id = $1
    and (created_at, id) < ($2, $3)
    and ($5::uuid is null or endpoint_id = $5)
    and ($6::text[] is null or state = any ($6))
    and ($7::text[] is null or type = any ($7))
    and ($8::uuid is null or event_id = $8)
    and ($9::uuid[] is null or id = any ($9))
order by created_at desc, id desc
limit $4
