-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids or null for any
select id, starts_on, ends_on, name, created_at
from scheduling.closures
where tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
order by id
limit $3
