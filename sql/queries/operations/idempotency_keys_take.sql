-- $1 tenant_id, $2 account or api key, $3 operation, $4 key, $5 sha-256 of the request
--
-- Reserves the key. Returns a row if it is new, and none if it was used before. Waits for a transaction that has
-- reserved it.
with old as (
    delete from operations.idempotency_keys
    where
        tenant_id = $1
        and asked_at < now() - interval '24 hours'
        and not (actor_id = $2 and operation = $3 and key = $4)
)
insert into operations.idempotency_keys as k (operation, key, request_hash)
values ($3, $4, $5)
on conflict (tenant_id, actor_id, operation, key) do update
set request_hash = excluded.request_hash, response = null, asked_at = now()
where k.asked_at < now() - interval '24 hours'
returning true as fresh
