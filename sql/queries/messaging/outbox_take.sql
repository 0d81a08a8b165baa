-- $1 tenant_id, $2 row limit; deletes the oldest events that are not published, and returns them in their order
--
-- Sent as appointd_worker.
with oldest as materialized (
    select o.seq
    from messaging.outbox as o
    where o.tenant_id = $1
    order by o.seq
    limit $2
),
taken as (
    delete from messaging.outbox as o
    where o.tenant_id = $1 and o.seq in (select s.seq from oldest as s)
    returning
        o.seq, o.id, o.occurred_at, o.actor_id, o.actor_kind, o.request_id, o.type, o.subject_id, o.lowest_role, o.data,
        o.previous
)
select
    id, occurred_at, actor_id, actor_kind, request_id, type, subject_id, lowest_role, data, previous
from taken
order by seq, id
