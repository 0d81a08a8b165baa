-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit
select id, kind, name, active
from scheduling.resources
where tenant_id = $1 and kind in ('room', 'equipment') and id > $2
order by id
limit $3
