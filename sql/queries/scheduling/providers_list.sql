-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit
select id, name, active, max_per_day, max_per_week, account_id, created_at, updated_at
from scheduling.providers
where tenant_id = $1 and id > $2
order by id
limit $3
