-- $1 tenant_id, $2 account or api key, $3 operation, $4 key
select request_hash, response
from operations.idempotency_keys
where tenant_id = $1 and actor_id = $2 and operation = $3 and key = $4 and asked_at >= now() - interval '24 hours'
