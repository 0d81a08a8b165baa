-- $1 tenant_id, $2 id; its deliveries are deleted with it
delete from messaging.webhook_endpoints
where tenant_id = $1 and id = $2
returning id
