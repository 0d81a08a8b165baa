-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit
select id, starts_on, ends_on, name, created_at
from scheduling.closures
where tenant_id = $1 and id > $2
order by id
limit $3
