-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids or null for any, $5 whether
-- active, or null for either
select id, kind, name, active
from scheduling.resources
where tenant_id = $1 and kind in ('room', 'equipment') and id > $2 and (id = any ($4) or $4 is null)
    and (active = $5 or $5 is null)
order by id
limit $3
