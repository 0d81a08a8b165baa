-- $1 tenant_id, $2 created before, $3 row limit; deletes the oldest messages. A planned one is as old as the
-- time at which it is due
--
-- Sent as appointd_worker.
with old as materialized (
    select m.id
    from messaging.messages as m
    where m.tenant_id = $1 and m.created_at < $2 and (m.due_at < $2 or m.due_at is null)
    order by m.created_at, m.id
    limit $3
),
forgotten as (
    delete from messaging.messages as m
    where m.tenant_id = $1 and m.id in (select o.id from old as o)
    returning m.id
)
select count(*) as messages
from forgotten
