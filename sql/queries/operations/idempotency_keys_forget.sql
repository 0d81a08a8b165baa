-- $1 tenant_id; deletes answers that are not kept any more
--
-- Sent as appointd_worker.
delete from operations.idempotency_keys
where tenant_id = $1 and asked_at < now() - interval '24 hours'
