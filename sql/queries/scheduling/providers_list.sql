-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 updated at or after, or null
select id, name, active, max_per_day, max_per_week, account_id, created_at, updated_at
from scheduling.providers
where tenant_id = $1 and id > $2 and (updated_at >= $4 or $4 is null)
order by id
limit $3
