-- $1 tenant_id, $2 account or api key, $3 operation, $4 key, $5 answer
update operations.idempotency_keys
set response = $5
where tenant_id = $1 and actor_id = $2 and operation = $3 and key = $4
returning true as kept
