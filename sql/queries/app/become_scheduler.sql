-- $1 tenant_id; for the rest of a transaction that has entered the tenant
select app.enter_scheduler($1, null)
