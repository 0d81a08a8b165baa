-- $1 tenant_id, $2 id, $3 url, $4 description or null, $5 types, $6 payload, $7 key of the secret, $8 how many there
-- may be
--
-- Returns no row if it has as many already. webhook_endpoints_lock_all.sql comes before.
insert into messaging.webhook_endpoints (id, url, description, types, payload, key_id)
select $2, $3, $4, $5, $6, $7
where (select count(*) from messaging.webhook_endpoints as w where w.tenant_id = $1) < $8
returning
    id, url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since, previous_valid_until,
    created_at, created_by
