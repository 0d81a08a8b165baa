-- $1 tenant_id, $2 created before, $3 row limit; deletes deliveries, with their attempts, for which none is due
--
-- Sent as appointd_worker.
with old as materialized (
    select d.id
    from messaging.webhook_deliveries as d
    where d.tenant_id = $1 and d.created_at < $2 and d.next_at is null
    order by d.created_at
    limit $3
)
delete from messaging.webhook_deliveries as d
where d.tenant_id = $1 and d.id in (select o.id from old as o)
returning d.id
