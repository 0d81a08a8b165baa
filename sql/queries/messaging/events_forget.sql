-- $1 tenant_id, $2 row limit; deletes the oldest events that the plan does not keep, and notes the oldest that is kept
--
-- Sent as appointd_worker.
with old as materialized (
    select e.position
    from messaging.events as e
    where
        e.tenant_id = $1
        and e.position >= (select t.oldest_position from messaging.turns as t where t.tenant_id = $1)
        and e.published_at < now() - make_interval(days => (select tenancy.event_days()))
    order by e.position
    limit $2
),
forgotten as (
    delete from messaging.events as e
    where e.tenant_id = $1 and e.position in (select o.position from old as o)
    returning e.position
)
update messaging.turns as t
set oldest_position = greatest(t.oldest_position, f.newest + 1)
from (select max(o.position) as newest, count(*) as events from old as o) as f
where t.tenant_id = $1 and f.newest is not null
returning f.events
