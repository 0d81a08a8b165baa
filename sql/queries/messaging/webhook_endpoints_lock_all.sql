-- $1 tenant_id; lets one request at a time add an endpoint, so that the next statement counts them all
select pg_advisory_xact_lock(app.lock_key($1, 'webhook_endpoints'))
