-- $1 tenant_id; continues as the scheduler in a transaction that has entered the tenant
select app.enter_scheduler($1, null, null)
