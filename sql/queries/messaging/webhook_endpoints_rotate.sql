-- $1 tenant_id, $2 id, $3 key of the new secret, $4 hours for which the previous secret stays valid
--
-- Returns the number of the new secret.
update messaging.webhook_endpoints
set
    generation = generation + 1,
    key_id = $3,
    previous_key_id = case when $4 > 0 then key_id end,
    previous_valid_until = case when $4 > 0 then now() + make_interval(hours => $4) end,
    updated_at = now()
where tenant_id = $1 and id = $2
returning generation, previous_valid_until
